// Connection state recovery: a stock client that did nothing for it is where it was, with what it missed, whoever
// died meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask, collect, next, System, until } from "./harness/system.mjs";

const WITHIN_MS = 120_000;

let system;

before(async () => {
  system = await System.start({ gateways: 2, brokers: 2, persistWorkers: 2 });
});
after(() => system?.stop());

/** A connected socket that writes down all it hears, "connect" too. */
async function listener(user, options = {}) {
  const socket = system.socket(user, { reconnection: false, ...options });
  const heard = [];
  socket.on("connect", () => heard.push({ event: "connect" }));
  socket.onAny((event, ...args) => {
    const offset = args.at(-1);
    if (typeof offset === "string") args.pop();
    heard.push({ event, payload: args[0], offset });
  });
  await next(socket, "connect");
  return { socket, heard };
}

async function join(socket, conversationId) {
  const answer = await ask(socket, "join_conversation", conversationId);
  assert.equal(answer.ok, true, JSON.stringify(answer));
  return answer;
}

async function send(socket, conversationId, text, more = {}) {
  const answer = await ask(socket, "send_message", { conversationId, text, ...more });
  assert.equal(answer.ok, true, JSON.stringify(answer));
  return answer.message;
}

async function group(creator, ...others) {
  const made = await system.http("POST", "/conversations", {
    as: creator,
    body: { title: "Plans", userIds: others },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.id;
}

/** The link breaks, and the client doesn't come back yet. */
async function cut(socket) {
  const gone = next(socket, "disconnect");
  const { transport } = socket.io.engine;
  if (transport.ws) transport.ws.terminate();
  else transport.onError("cut", new Error("cut"));
  await gone;
}

/** It comes back. */
async function back(socket, gateway = 0) {
  socket.io.uri = system.gatewayUrl(gateway);
  socket.io.reconnection(true);
  const connected = next(socket, "connect", WITHIN_MS);
  socket.connect();
  await connected;
  socket.io.reconnection(false);
}

const texts = (heard) => heard.filter(({ event }) => event === "new_message").map(({ payload }) => payload.text);
const events = (heard) =>
  heard.filter(({ event }) => !["position", "presence", "conversation_updated"].includes(event)).map(({ event }) => event);
const numbered = (prefix, n) => Array.from({ length: n }, (_, i) => `${prefix} ${i}`);

let pairs = 0;
/** Two users of their own, who have joined their conversation. */
async function pair(options) {
  const [a, b] = [`a.${++pairs}`, `b.${pairs}`];
  await system.addUsers(a, b);
  const talker = await system.connect(a, { gateway: 1 });
  const { socket, heard } = await listener(b, options);
  const conversationId = `conv_${a}_${b}`;
  await join(talker, conversationId);
  await join(socket, conversationId);
  await send(talker, conversationId, "before");
  await until("the message before", () => texts(heard).length === 1);
  return { a, b, talker, socket, heard, conversationId };
}

/** Cut off, six messages missed. */
async function missing(options) {
  const it = await pair(options);
  const { id } = it.socket;
  it.id = id;
  await cut(it.socket);
  it.heard.length = 0;
  for (const text of numbered("missed", 6)) await send(it.talker, it.conversationId, text);
  return it;
}

async function goesOn({ talker, socket, heard, conversationId, id }, missed = numbered("missed", 6)) {
  assert.equal(socket.recovered, true);
  assert.equal(socket.id, id);
  assert.deepEqual(events(heard), [...missed.map(() => "new_message"), "connect"]);
  assert.deepEqual(texts(heard), missed);
  await send(talker, conversationId, "after");
  await until("the message after", () => texts(heard).includes("after"));
  assert.deepEqual(texts(heard), [...missed, "after"]);
}

describe("a session is recovered", () => {
  for (const transport of ["websocket", "polling"])
    test(`after a cut link, over ${transport}`, async () => {
      const it = await missing({ transports: [transport] });
      await back(it.socket);
      await goesOn(it);
    });

  test("again and again, nothing twice", async () => {
    const it = await missing();
    await back(it.socket);
    await goesOn(it);
    for (let round = 0; round < 3; round++) {
      await cut(it.socket);
      it.heard.length = 0;
      await send(it.talker, it.conversationId, `round ${round}`);
      await back(it.socket, round % 2);
      await goesOn(it, [`round ${round}`]);
    }
  });

  test("by another gateway, when its own was killed", async () => {
    const it = await pair();
    it.id = it.socket.id;
    await system.gateways[0].end("SIGKILL");
    await until("the client notices", () => !it.socket.connected);
    it.heard.length = 0;
    for (const text of numbered("missed", 6)) await send(it.talker, it.conversationId, text);
    await back(it.socket, 1);
    await goesOn(it);
    await system.gateways[0].restart();
  });

  test("when its gateway and the brokers were killed together", async () => {
    const it = await pair();
    it.id = it.socket.id;
    await Promise.all([
      system.gateways[0].end("SIGKILL"),
      ...system.brokers.map((broker) => broker.restart("SIGKILL")),
    ]);
    await until("the client notices", () => !it.socket.connected);
    it.heard.length = 0;
    for (const text of numbered("missed", 6)) await send(it.talker, it.conversationId, text);
    await system.gateways[0].restart();
    await back(it.socket, 0);
    await goesOn(it);
  });

  test("by itself, as the stock client reconnects", async () => {
    const it = await pair();
    const { id } = it.socket;
    it.socket.io.reconnection(true);
    const connected = next(it.socket, "connect", WITHIN_MS);
    await system.gateways[0].restart("SIGKILL");
    await connected;
    assert.equal(it.socket.recovered, true);
    assert.equal(it.socket.id, id);
    it.socket.io.reconnection(false);
  });

  test("without a conversation joined", async () => {
    const { socket } = await listener("lonely");
    const { id } = socket;
    await until("its position", () => socket._lastOffset);
    await cut(socket);
    await back(socket, 1);
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
  });

  test("while its old connection seems alive", async () => {
    const it = await pair();
    const auth = { token: system.token(it.b), pid: it.socket._pid, offset: it.socket._lastOffset };
    const { id } = it.socket;
    const other = await system.connect(it.b, { auth });
    assert.equal(other.id, id);
    await until("the old one ends", () => !it.socket.connected);
    const heard = next(other, "new_message");
    await send(it.talker, it.conversationId, "to the new one");
    assert.equal((await heard).text, "to the new one");
  });

  test("without its own messages, whether they were acknowledged or not", async () => {
    const it = await pair();
    it.id = it.socket.id;
    await send(it.socket, it.conversationId, "own, acknowledged");
    it.socket.emit("send_message", { conversationId: it.conversationId, text: "own, unanswered" });
    const gone = next(it.socket, "disconnect");
    it.socket.io.engine.close();
    await gone;
    await until("it is stored", async () => {
      const { rows } = await system.sql.query("select 1 from messages where text = 'own, unanswered'");
      return rows.length === 1;
    });
    it.heard.length = 0;
    await send(it.talker, it.conversationId, "missed");
    await back(it.socket);
    await goesOn(it, ["missed"]);
  });

  test("with the newest read mark of each reader", async () => {
    const it = await missing();
    const { headSeq } = await join(it.talker, it.conversationId);
    await ask(it.talker, "mark_read", { conversationId: it.conversationId, seq: headSeq });
    const second = await system.connect(it.b, { gateway: 1 });
    await ask(second, "mark_read", { conversationId: it.conversationId, seq: 2 });
    await ask(second, "mark_read", { conversationId: it.conversationId, seq: 3 });
    await back(it.socket);
    const reads = it.heard.filter(({ event }) => event === "messages_read");
    // The talker's own messages moved its mark: only the other's is news.
    assert.deepEqual(reads.map(({ payload }) => [payload.userId, payload.seq]), [[it.b, 3]]);
    assert.equal(it.heard.findIndex(({ event }) => event === "connect") > it.heard.indexOf(reads[0]), true);
    await cut(it.socket);
    it.heard.length = 0;
    await back(it.socket);
    assert.deepEqual(events(it.heard), ["connect"]);
  });

  test("with every conversation that it had joined, and none that it had left", async () => {
    const it = await pair();
    const { id } = it.socket;
    const others = ["c", "d", "e", "f"].map((name) => `${name}.${pairs}`);
    await system.addUsers(...others);
    const rooms = others.map((name) => `conv_${[it.b, name].sort().join("_")}`);
    await Promise.all(rooms.map((room) => join(it.socket, room)));
    await ask(it.socket, "leave_conversation", rooms[3]);
    await cut(it.socket);
    it.heard.length = 0;
    for (const [i, name] of others.entries()) {
      const sender = await system.connect(name);
      await send(sender, rooms[i], `from ${name}`);
    }
    await back(it.socket, 1);
    assert.equal(it.socket.recovered, true);
    assert.equal(it.socket.id, id);
    assert.deepEqual(texts(it.heard).sort(), others.slice(0, 3).map((name) => `from ${name}`));
    const hints = it.heard.filter(({ event }) => event === "conversation_updated");
    assert.deepEqual(hints.map(({ payload }) => payload.conversationId), [rooms[3]]);
  });

  test("with what became of its groups", async () => {
    const it = await pair();
    const { id } = it.socket;
    const stays = await group(it.a, it.b);
    const ends = await group(it.a, it.b);
    for (const room of [stays, ends]) await join(it.socket, room);
    await cut(it.socket);
    it.heard.length = 0;
    await send(it.talker, ends, "while a member");
    await system.http("DELETE", `/conversations/${ends}/participants/${it.b}`, { as: it.a });
    await send(it.talker, ends, "not for its eyes");
    await send(it.talker, stays, "for its eyes");
    const fresh = await group(it.a, it.b);
    await back(it.socket, 1);
    assert.equal(it.socket.recovered, true);
    assert.equal(it.socket.id, id);
    assert.deepEqual(texts(it.heard), ["for its eyes"]);
    const changes = it.heard.filter(({ event }) => /conversation_(added|removed)/.test(event));
    assert.deepEqual(changes.map(({ event, payload }) => [event, payload.conversationId ?? payload.id]), [
      ["conversation_removed", ends],
      ["conversation_added", fresh],
    ]);
    assert.equal(events(it.heard).at(-1), "connect");
    assert.equal((await ask(it.socket, "join_conversation", ends)).error.code, "forbidden");
    await cut(it.socket);
    it.heard.length = 0;
    await back(it.socket);
    assert.deepEqual(events(it.heard), ["connect"]);
  });

  test("and joins made anew with `after` bring nothing twice", async () => {
    const it = await missing();
    await back(it.socket);
    const last = it.heard.filter(({ event }) => event === "new_message").at(-1).payload.seq;
    const joined = await ask(it.socket, "join_conversation", { conversationId: it.conversationId, after: last });
    assert.deepEqual(joined.messages, []);
    await goesOn(it);
  });
});

describe("a session is new", () => {
  async function isNew({ socket, heard, id }) {
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
    assert.deepEqual(texts(heard), []);
    assert.equal(socket.connected, true);
  }

  test("when the client left", async () => {
    const it = await pair();
    it.id = it.socket.id;
    const gone = next(it.socket, "disconnect");
    it.socket.disconnect();
    await gone;
    it.heard.length = 0;
    await send(it.talker, it.conversationId, "missed");
    await back(it.socket);
    await isNew(it);
  });

  test("when its token is another user's; an expired one is refused", async () => {
    const it = await missing();
    it.socket.auth = { token: system.token(it.a) };
    await back(it.socket);
    await isNew(it);
    const other = await missing();
    other.socket.auth = { token: system.token(other.b, { ttl: -10 }) };
    const refused = next(other.socket, "connect_error");
    other.socket.connect();
    assert.equal((await refused).data.code, "token_expired");
    assert.deepEqual(texts(other.heard), []);
  });

  test("when pid or offset is forged or broken, which harms nobody", async () => {
    const it = await missing();
    const pid = it.socket._pid;
    const offset = it.socket._lastOffset;
    const changed = pid.slice(0, -4) + (pid.at(-4) === "A" ? "B" : "A") + pid.slice(-3);
    const forged = [
      [changed, offset],
      ["x", offset],
      ["x".repeat(5000), offset],
      [pid, "0"],
      [pid, ""],
      [pid, "1"],
      [pid, `${offset}/`],
      [pid, offset + offset.slice(offset.indexOf("/"))],
      [pid, offset.replace(/,(\d+),(\d+)$/, ",-1,$2")],
      [pid, offset.replace(/,(\d+),(\d+)$/, ",99999999999999999999,$2")],
      [pid, offset.replace(/,(\d+),(\d+)$/, ",1000000,$2")],
      [pid, `1,,0/conv_a_b_c,1,1`],
      [pid, "/".repeat(10_000)],
    ];
    for (const [forgedPid, forgedOffset] of forged) {
      const auth = { token: system.token(it.b), pid: forgedPid, offset: forgedOffset };
      const socket = await system.connect(it.b, { auth });
      assert.notEqual(socket.id, it.id, `${forgedPid} ${forgedOffset}`.slice(0, 200));
      assert.equal(socket.connected, true);
      socket.disconnect();
    }
    // Rooms of others that an offset names are asked for as any join is.
    const heard = [];
    const socket = system.socket(it.b, { auth: { token: system.token(it.b), pid, offset: "1,,0/conv_x_y,0,0" } });
    socket.onAny((event, payload) => heard.push([event, payload]));
    await next(socket, "connect");
    assert.deepEqual(heard.filter(([event]) => /message/.test(event)), []);
    socket.disconnect();
  });

  test("when it missed more than is replayed", async () => {
    const it = await pair();
    it.id = it.socket.id;
    await cut(it.socket);
    it.heard.length = 0;
    await Promise.all(numbered("many", 501).map((text) => send(it.talker, it.conversationId, text)));
    await back(it.socket);
    await isNew(it);
  });

  test("when it had joined more conversations than an offset names", async () => {
    const it = await pair();
    it.id = it.socket.id;
    const others = numbered("r", 50).map((name) => name.replace(" ", ".") + `.${pairs}`);
    await system.addUsers(...others);
    const rooms = others.map((name) => `conv_${[it.b, name].sort().join("_")}`);
    await Promise.all(rooms.map((room) => join(it.socket, room)));
    assert.equal(it.socket._lastOffset, "0");
    await cut(it.socket);
    it.heard.length = 0;
    await send(it.talker, it.conversationId, "missed");
    await back(it.socket);
    await isNew(it);
  });

  test("when the database is another one", async () => {
    const it = await missing();
    await system.sql.query("update database_state set generation = gen_random_uuid()");
    it.talker.io.reconnection(false);
    await back(it.socket);
    await isNew(it);
    assert.equal(collect(it.socket, "new_message").length, 0);
  });
});
