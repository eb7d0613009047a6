// Rooms and clients at a steady rate: members who send and listen, users who are added to a group
// and removed from it, visitors who come and go, and heralds whose messages nobody repeats.

import { until } from "../integration/harness/system.mjs";
import { Client } from "./client.mjs";
import { Delays } from "./figures.mjs";

const DIRECT_ROOMS = 4;
const GROUPS = 3;
const GROUP_MEMBERS = 4;
const QUIET_ROOMS = 24;
const SEND_EVERY_MS = 250;
const WAITING_MAX = 100; // of one client in one room; over it, it sends nothing new
const GONE_CODES = new Set(["forbidden"]);

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class World {
  members = []; // {client, conversationId}
  clients = []; // all that were ever started, for the audit
  delays = new Delays();
  visits = 0;
  visitMs = 0; // the longest time from connecting to being caught up
  removals = 0;
  violations = [];
  #running = true;
  #loops = [];
  #count = 0;

  constructor(system, random) {
    Object.assign(this, { system, random });
  }

  static async start(system, random) {
    const self = new World(system, random);
    await self.#makeRooms();
    self.members.forEach(({ client }) => client.start());
    self.ears.forEach((ear) => ear.start());
    await until("everybody is in", () => self.members.every((each) => each.client.isIn(each.conversationId)));
    await until("the ears are in", () => self.ears.every((ear) => self.quiet.every((id) => ear.isIn(id))));
    self.#loops = [
      ...self.members.map((member) => self.#talk(member)),
      ...self.groups.map((group, i) => self.#changeMembers(group, i)),
      self.#visit(0),
      self.#visit(1),
    ];
    return self;
  }

  #client(user, gateway, options = {}) {
    const client = new Client(this.system, user, { gateway, ...options });
    this.clients.push(client);
    return client;
  }

  #addMember(user, gateway, conversationId) {
    const seen = (message, from) => this.delays.seen(message, from);
    const client = this.#client(user, gateway, { name: `${user}-${gateway}`, seen });
    client.join(conversationId);
    this.members.push({ client, conversationId });
  }

  async #makeGroup(creator, others) {
    const answer = await this.system.http("POST", "/conversations", {
      as: creator,
      body: { title: "chaos", userIds: others },
    });
    if (answer.status !== 201) throw new Error(`a group: ${JSON.stringify(answer.body)}`);
    return answer.body.id;
  }

  async #makeRooms() {
    for (let i = 1; i <= DIRECT_ROOMS; i++)
      for (const user of [`a${i}`, `b${i}`])
        for (const gateway of [0, 1])
          this.#addMember(user, gateway, `conv_a${i}_b${i}`);
    const memberIds = Array.from({ length: GROUPS }, (_, g) =>
      Array.from({ length: GROUP_MEMBERS }, (_, m) => `g${g}m${m}`),
    );
    const others = Array.from({ length: GROUPS }, (_, g) => `guest${g}`);
    await this.system.addUsers(...memberIds.flat(), ...others, "herald", "ear0", "ear1");
    this.groups = [];
    for (const [g, [creator, ...rest]] of memberIds.entries()) {
      const id = await this.#makeGroup(creator, rest);
      [creator, ...rest].forEach((user, m) => this.#addMember(user, m % 2, id));
      this.groups.push({ id, creator, guest: others[g] });
    }
    this.ears = [0, 1].map((gateway) => this.#client(`ear${gateway}`, gateway));
    this.quiet = [];
    for (let i = 0; i < QUIET_ROOMS; i++) {
      const id = await this.#makeGroup("herald", ["ear0", "ear1"]);
      this.ears.forEach((ear) => ear.join(id));
      this.quiet.push(id);
    }
  }

  // ---- the steady rate ----

  async #talk({ client, conversationId }) {
    await pause(this.random() * SEND_EVERY_MS);
    while (this.#running) {
      if (client.waiting(conversationId).length < WAITING_MAX) {
        const clientId = `${client.name}-${++this.#count}`;
        this.delays.emitted(clientId);
        client.send(conversationId, clientId);
      }
      await pause(SEND_EVERY_MS);
    }
  }

  // ---- members of groups that come and go ----

  /** Repeats an HTTP request until it is answered with something else than "try again". */
  async #http(method, path, options) {
    for (;;) {
      const answer = await this.system.http(method, path, options).catch(() => null);
      if (answer && answer.status !== 503) return answer;
      await pause(50);
    }
  }

  async #query(sql, parameters) {
    for (;;) {
      const result = await this.system.sql.query(sql, parameters).catch(() => null);
      if (result) return result.rows;
      await pause(50);
    }
  }

  async head(conversationId) {
    const rows = await this.#query(
      "select coalesce(max(seq), 0)::int as head from messages where conversation_id = $1",
      [conversationId],
    );
    return rows[0].head;
  }

  async #changeMembers({ id, creator, guest }, g) {
    const client = this.#client(guest, g % 2);
    client.start();
    let view;
    while (this.#running) {
      const added = await this.#http("POST", `/conversations/${id}/participants`, { as: creator, body: { userIds: [guest] } });
      if (added.status !== 200 && added.status !== 201) this.violations.push(`adding ${guest} was answered ${added.status}`);
      view?.added();
      view = client.join(id, view ? view.last : await this.head(id));
      view.mayBeRemoved = true;
      await until(`${guest} is in`, () => client.isIn(id), 30_000);
      await pause(500 + this.random() * 1000);
      const removed = await this.#http("DELETE", `/conversations/${id}/participants/${guest}`, { as: creator });
      if (removed.status !== 204)
        this.violations.push(`removing ${guest} was answered ${removed.status}`);
      view.removed(await this.head(id));
      this.removals++;
      await this.#tryAll(client, id);
      await pause(300 + this.random() * 500);
    }
    client.stop();
  }

  /** A removed member may do nothing any more, and is told the same for all of it. */
  async #tryAll(client, conversationId) {
    for (const [event, payload] of [
      ["send_message", { conversationId, text: "not a member" }],
      ["join_conversation", { conversationId, after: 0 }],
      ["mark_read", { conversationId }],
    ]) {
      const code = await this.#codeOf(client, event, payload);
      if (code && !GONE_CODES.has(code))
        this.violations.push(`${event} of the removed ${client.name} was answered ${code}`);
    }
  }

  /** The error code of the answer, "ok", or nothing when the connection broke. */
  async #codeOf(client, event, payload) {
    for (;;) {
      const answer = await client.socket.timeout(20_000).emitWithAck(event, payload).catch(() => null);
      if (!answer) return null;
      if (answer.ok) return "ok";
      if (answer.error.code !== "unavailable") return answer.error.code;
      await pause(100);
    }
  }

  // ---- those who come, catch up, say something and leave at once ----

  async #visit(gateway) {
    while (this.#running) {
      const { client: host, conversationId } = this.members[Math.floor(this.random() * DIRECT_ROOMS * 4)];
      const visitor = this.#client(host.user, gateway, { name: `visitor ${++this.visits}` });
      const began = performance.now();
      visitor.join(conversationId, Math.max(0, host.views.get(conversationId).last - 3));
      visitor.start();
      await until("the visitor is in", () => visitor.isIn(conversationId), 40_000);
      this.visitMs = Math.max(this.visitMs, performance.now() - began);
      await pause(100);
      visitor.socket.emit("send_message", { conversationId, text: `visit of ${visitor.name}` });
      visitor.stop();
      await pause(100);
    }
  }

  // ---- messages that their sender doesn't repeat ----

  async herald(gateway) {
    const socket = await this.system.connect("herald", { gateway, reconnection: false });
    const number = ++this.#count;
    return async () => {
      for (const [i, conversationId] of this.quiet.entries()) {
        if (!socket.connected) return;
        socket.emit("send_message", { conversationId, text: `herald ${number} ${i}` });
        await pause(2);
      }
      socket.disconnect();
    };
  }

  /** Everything that is stored in the quiet rooms has been heard: nothing later tells of it. */
  async quietAreHeard(ms) {
    const isHeard = async () => {
      const rows = await this.#query(
        "select conversation_id as id, max(seq)::int as head from messages where conversation_id = any($1) group by 1",
        [this.quiet],
      );
      return rows.filter(({ id, head }) => this.ears.some((ear) => ear.views.get(id).last < head));
    };
    await until("quiet rooms are heard", async () => (await isHeard()).length === 0, ms).catch(async () => {
      for (const { id, head } of await isHeard()) this.violations.push(`the last message (${head}) of ${id} was not heard`);
    });
  }

  // ---- seeing that all is well again ----

  flowsSince(ms) {
    return this.members.every(
      ({ client, conversationId }) =>
        client.isIn(conversationId) &&
        this.delays.isFresh(client, conversationId, ms) &&
        !client.waiting(conversationId).some(({ clientId }) => this.delays.isOlder(clientId, ms)),
    );
  }

  resetConnects() {
    this.visitMs = 0;
    for (const client of this.clients) client.connects = client.connectMs = 0;
  }

  get connects() {
    const clients = this.members.map((member) => member.client);
    return {
      reconnects: Math.max(...clients.map((client) => client.connects)),
      connectMs: Math.max(this.visitMs, ...clients.map((client) => client.connectMs)),
    };
  }

  async stopSending() {
    this.#running = false;
    await Promise.all(this.#loops);
    await until(
      "everything is acknowledged",
      () => this.members.every(({ client, conversationId }) => client.waiting(conversationId).length === 0),
      30_000,
    );
  }

  /** Waits until every member has seen everything, and judges each. */
  async finish() {
    const heads = new Map();
    for (const { conversationId } of this.members) heads.set(conversationId, await this.head(conversationId));
    const view = ({ client, conversationId }) => client.views.get(conversationId);
    await until(
      "everybody has seen everything",
      () => this.members.every((member) => view(member).last >= heads.get(member.conversationId)),
      10_000,
    ).catch(() => {});
    for (const member of this.members) view(member).finish(heads.get(member.conversationId));
    for (const client of this.clients) client.stop();
    for (const client of this.clients) this.violations.push(...client.violations);
  }

  async stored() {
    return this.#query(
      `select conversation_id as "conversationId", sender_id as "senderId", client_id as "clientId",
              seq::int, text
       from messages order by conversation_id, seq`,
    );
  }
}
