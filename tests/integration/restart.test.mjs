// Each service is killed once while clients talk: what was acknowledged is stored, everyone sees all
// of it once and in order, and no client notices more than a pause (or a reconnect, for its gateway).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, System, until } from "./harness/system.mjs";

let system;

before(async () => {
  system = await System.start({ gateways: 2, brokers: 2, persistWorkers: 2, authWorkers: 2 });
});
after(() => system?.stop());

/** Sends until told to stop; every message is repeated under its clientId until acknowledged. */
class Talker {
  acknowledged = [];
  stopped = false;

  constructor(socket, conversationId, name) {
    Object.assign(this, { socket, conversationId, name });
    this.done = this.#run();
  }

  async #run() {
    for (let i = 1; !this.stopped; i++) {
      const payload = { conversationId: this.conversationId, text: `${this.name} ${i}`, clientId: `${this.name}-${i}` };
      for (;;) {
        const answer = await ask(this.socket, "send_message", payload, 3_000).catch(() => null);
        if (answer?.ok) {
          this.acknowledged.push(answer.message);
          break;
        }
      }
    }
  }
}

/** Joins, and joins again with `after` on every reconnect; keeps what it saw. */
class Listener {
  seen = [];

  constructor(socket, conversationId) {
    Object.assign(this, { socket, conversationId });
    socket.on("new_message", (message) => this.seen.push(message));
    socket.on("connect", () => this.join());
  }

  async join() {
    const after = this.seen.at(-1)?.seq ?? 0;
    const joined = await ask(this.socket, "join_conversation", { conversationId: this.conversationId, after }, 5_000)
      .catch(() => null);
    if (!joined?.ok) return this.socket.connected && this.join();
    // What came in the answer goes before what came live meanwhile.
    const live = this.seen.filter((message) => message.seq > (joined.messages.at(-1)?.seq ?? after));
    this.seen = [...this.seen.filter((message) => message.seq <= after), ...joined.messages, ...live];
    if (joined.truncated) return this.join();
  }
}

for (const [what, pick] of [
  ["a broker", (it) => it.brokers[0]],
  ["the other broker", (it) => it.brokers[1]],
  ["a persist-worker", (it) => it.persistWorkers[0]],
  ["an auth-worker", (it) => it.authWorkers[0]],
  ["rest", (it) => it.rests[0]],
  ["the listener's gateway", (it) => it.gateways[1]],
  ["the talker's gateway", (it) => it.gateways[0]],
])
  test(`${what} is killed under load: nothing lost, doubled or out of order`, async () => {
    const [a, b] = [`a.${what.replaceAll(/[^a-z]/g, ".")}`, `b.${what.replaceAll(/[^a-z]/g, ".")}`];
    const conversationId = `conv_${a}_${b}`;
    const talking = await system.connect(a);
    const listening = await system.connect(b, { gateway: 1 });
    const listener = new Listener(listening, conversationId);
    await listener.join();
    const talkers = [new Talker(talking, conversationId, "x"), new Talker(talking, conversationId, "y")];
    const count = () => talkers.reduce((sum, talker) => sum + talker.acknowledged.length, 0);
    await until("some messages", () => count() > 20);
    await pick(system).restart("SIGKILL");
    const before = count();
    await until("messages flow again", () => count() > before + 20, 20_000);
    talkers.forEach((talker) => (talker.stopped = true));
    await Promise.all(talkers.map((talker) => talker.done));

    const { rows } = await system.sql.query(
      "select seq::int, client_id from messages where conversation_id = $1 order by seq",
      [conversationId],
    );
    assert.deepEqual(rows.map((row) => row.seq), rows.map((_, i) => i + 1), "seq has no hole");
    const acknowledged = talkers.flatMap((talker) => talker.acknowledged);
    assert.deepEqual(
      rows.map((row) => `${row.seq} ${row.client_id}`),
      acknowledged.sort((x, y) => x.seq - y.seq).map((message) => `${message.seq} ${message.clientId}`),
      "acknowledged is stored, once",
    );
    await until("the listener saw all", () => listener.seen.at(-1)?.seq === rows.length, 15_000).catch(() => {});
    assert.deepEqual(listener.seen.map((message) => message.seq), rows.map((row) => row.seq), "seen once, in order");
    talking.disconnect();
    listening.disconnect();
  });
