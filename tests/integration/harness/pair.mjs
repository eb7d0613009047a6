// Two healthy clients who talk all the time: what others suffer must not reach them. One sends at a
// steady pace, repeating what is refused, the other listens; every message must arrive, once, in order.

import assert from "node:assert/strict";
import { ask, until } from "./system.mjs";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Pair {
  sent = 0;
  refusals = 0;
  #heard = []; // seqs, as they came
  #acknowledged = new Set(); // seqs
  #delays = []; // from the first emission to the listener, ms
  #emitted = new Map(); // clientId => when
  #running = true;

  /** `pace`: milliseconds between messages. */
  static async start(system, { sender = "healthy1", listener = "healthy2", pace = 25 } = {}) {
    const self = new Pair();
    const ids = [sender, listener].sort();
    Object.assign(self, { pace, conversationId: `conv_${ids[0]}_${ids[1]}` });
    [self.sender, self.listener] = [await system.connect(sender), await system.connect(listener)];
    const joined = await ask(self.listener, "join_conversation", self.conversationId);
    assert.equal(joined.ok, true, JSON.stringify(joined));
    self.listener.on("new_message", (message) => {
      self.#heard.push(message.seq);
      self.#delays.push(performance.now() - self.#emitted.get(message.clientId));
    });
    self.done = self.#talk();
    self.done.catch(() => {}); // stop() tells
    return self;
  }

  async #talk() {
    while (this.#running) {
      const clientId = `m${++this.sent}`;
      this.#emitted.set(clientId, performance.now());
      await this.#send({ conversationId: this.conversationId, text: clientId, clientId });
      await pause(this.pace);
    }
  }

  async #send(message) {
    for (;;) {
      const answer = await ask(this.sender, "send_message", message, 60_000);
      if (answer.ok) {
        this.#acknowledged.add(answer.message.seq);
        return;
      }
      assert.equal(answer.error.code, "unavailable", JSON.stringify(answer));
      assert.ok(answer.error.retryAfterMs > 0, JSON.stringify(answer));
      this.refusals++;
      await pause(answer.error.retryAfterMs);
    }
  }

  /** The delays since the last call, in words. */
  delays() {
    const sorted = this.#delays.splice(0).sort((a, b) => a - b);
    const at = (share) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
    return `${sorted.length} messages, delay p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
  }

  /** Until `count` further messages have arrived: whatever happens, they go on talking. */
  async goOn(count = 20) {
    const enough = this.#heard.length + count;
    await until(`${count} messages of the healthy pair arrive`, () => this.#heard.length >= enough, 60_000);
  }

  /** Ends it: every message was acknowledged, and heard once, in order. */
  async stop() {
    this.#running = false;
    await this.done;
    await until("the last message arrives", () => this.#heard.length >= this.sent, 30_000);
    const all = Array.from({ length: this.sent }, (_, i) => i + 1);
    assert.deepEqual(this.#heard, all);
    assert.deepEqual([...this.#acknowledged], all);
    assert.equal(this.sender.connected && this.listener.connected, true);
  }
}
