// The main path: two stock clients, two gateways, PostgreSQL.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, collect, next, System, until } from "./harness/system.mjs";

let system;

before(async () => {
  system = await System.start({ gateways: 2, persistWorkers: 2 });
});
after(() => system?.stop());

test("a message goes from one client through PostgreSQL to another on the other gateway", async () => {
  const customer = await system.connect("1");
  const photographer = await system.connect("2", { gateway: 1 });
  const joined = await ask(photographer, "join_conversation", "conv_1_2");
  assert.equal(joined.ok, true, JSON.stringify(joined));
  assert.equal(joined.headSeq, 0);
  const arriving = next(photographer, "new_message");
  const sent = await ask(customer, "send_message", {
    conversationId: "conv_1_2",
    text: "Hello “there” \u0001 \\ 😀",
    clientId: "c-1",
  });
  assert.equal(sent.ok, true, JSON.stringify(sent));
  const { message } = sent;
  assert.deepEqual(await arriving, message);
  assert.equal(message.seq, 1);
  assert.equal(message.senderId, "1");
  assert.equal(message.clientId, "c-1");
  assert.equal(message.conversationId, "conv_1_2");
  assert.equal(message.text, "Hello “there” \u0001 \\ 😀");
  assert.match(message.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(message.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const { rows } = await system.sql.query(
    "select seq::int, sender_id, text from messages where conversation_id = 'conv_1_2'",
  );
  assert.deepEqual(rows, [{ seq: 1, sender_id: "1", text: message.text }]);
});

test("the sender's other socket gets new_message, the sending one only its acknowledgement", async () => {
  const tabOne = await system.connect("3");
  const tabTwo = await system.connect("3", { gateway: 1 });
  await system.connect("4");
  for (const tab of [tabOne, tabTwo])
    assert.equal((await ask(tab, "join_conversation", { conversationId: "conv_3_4" })).ok, true);
  const own = collect(tabOne, "new_message");
  const other = collect(tabTwo, "new_message");
  for (let i = 1; i <= 5; i++) {
    const { message } = await ask(tabOne, "send_message", { conversationId: "conv_3_4", text: `${i}` });
    assert.equal(message.seq, i);
    assert.equal(typeof message.clientId, "string");
  }
  await until("five messages", () => other.length === 5);
  assert.deepEqual(other.map((message) => message.seq), [1, 2, 3, 4, 5]);
  assert.deepEqual(own, []);
});

test("the same clientId again gives the same message back, and nobody sees it twice", async () => {
  const a = await system.connect("5");
  const b = await system.connect("6", { gateway: 1 });
  await ask(b, "join_conversation", "conv_5_6");
  const seen = collect(b, "new_message");
  const payload = { conversationId: "conv_5_6", text: "once", clientId: "same" };
  const answers = await Promise.all([1, 2, 3].map(() => ask(a, "send_message", payload)));
  const last = await ask(a, "send_message", { conversationId: "conv_5_6", text: "after" });
  for (const answer of answers) assert.deepEqual(answer.message, answers[0].message);
  assert.equal(last.message.seq, 2);
  await until("the second message", () => seen.length >= 2);
  assert.deepEqual(seen.map((message) => message.seq), [1, 2]);
});

test("what one socket sends keeps its order, and joining with `after` gives what was missed", async () => {
  const a = await system.connect("7");
  const b = await system.connect("8");
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      ask(a, "send_message", { conversationId: "conv_7_8", text: `n${i}` }),
    ),
  );
  assert.deepEqual(answers.map((answer) => answer.message.seq), Array.from({ length: 200 }, (_, i) => i + 1));
  const joined = await ask(b, "join_conversation", { conversationId: "conv_7_8", after: 150 });
  assert.deepEqual(joined.messages.map((message) => message.text), Array.from({ length: 50 }, (_, i) => `n${150 + i}`));
  assert.equal(joined.headSeq, 200);
  assert.equal(typeof joined.generation, "string");
  const beyond = await ask(b, "join_conversation", { conversationId: "conv_7_8", after: 900 });
  assert.equal(beyond.reset, true);
});

test("typing starts, stops, and ends by itself and with the message", async () => {
  const a = await system.connect("9");
  const b = await system.connect("10", { gateway: 1 });
  await ask(a, "join_conversation", "conv_9_10");
  await ask(b, "join_conversation", "conv_9_10");
  const typing = next(b, "user_typing");
  assert.deepEqual(await ask(a, "typing", { conversationId: "conv_9_10" }), { ok: true });
  assert.deepEqual(await typing, { conversationId: "conv_9_10", userId: "9" });
  let stopped = next(b, "user_stop_typing");
  await ask(a, "stop_typing", { conversationId: "conv_9_10" });
  assert.deepEqual(await stopped, { conversationId: "conv_9_10", userId: "9" });
  await ask(a, "typing", { conversationId: "conv_9_10" });
  stopped = next(b, "user_stop_typing");
  await ask(a, "send_message", { conversationId: "conv_9_10", text: "done" });
  await stopped;
  stopped = next(b, "user_stop_typing", 8_000);
  await ask(a, "typing", { conversationId: "conv_9_10" });
  await stopped;
});

test("read marks reach the others, and conversation_updated those who have not joined", async () => {
  const a = await system.connect("11");
  const b = await system.connect("12", { gateway: 1 });
  const update = next(b, "conversation_updated");
  await ask(a, "send_message", { conversationId: "conv_11_12", text: "one" });
  const told = await update;
  assert.equal(told.conversationId, "conv_11_12");
  assert.equal(told.unreadCount, 1);
  assert.equal(told.lastMessage.text, "one");
  await ask(a, "join_conversation", "conv_11_12");
  const read = next(a, "messages_read");
  const marked = await ask(b, "mark_read", { conversationId: "conv_11_12" });
  assert.equal(marked.ok, true);
  assert.equal(marked.seq, 1);
  assert.deepEqual(await read, {
    conversationId: "conv_11_12",
    userId: "12",
    seq: 1,
    readAt: marked.readAt,
  });
  const clamped = await ask(b, "mark_read", { conversationId: "conv_11_12", seq: 999 });
  assert.equal(clamped.seq, 1);
});

test("presence comes with the join, and changes are told", async () => {
  const a = await system.connect("13");
  const b = await system.connect("14", { gateway: 1 });
  const joined = await ask(a, "join_conversation", "conv_13_14");
  const other = joined.participants.find((participant) => participant.id === "14");
  assert.equal(other.online, true, JSON.stringify(joined.participants));
  const gone = next(a, "presence", 15_000);
  b.disconnect();
  const offline = await gone;
  assert.equal(offline.userId, "14");
  assert.equal(offline.online, false);
  assert.match(offline.lastSeenAt, /Z$/);
  const back = next(a, "presence");
  await system.connect("14");
  assert.equal((await back).online, true);
});

for (const transports of [["polling"], ["polling", "websocket"]])
  test(`over ${transports.join(", then ")}`, async () => {
    const a = await system.connect("15", { transports });
    const b = await system.connect("16", { transports, gateway: 1 });
    await ask(b, "join_conversation", "conv_15_16");
    if (transports.length === 2)
      await until("the upgrade", () => b.io.engine.transport.name === "websocket");
    const arriving = next(b, "new_message");
    const sent = await ask(a, "send_message", { conversationId: "conv_15_16", text: transports.join() });
    assert.deepEqual(await arriving, sent.message);
  });

test("a message sent by REST reaches sockets, and history shows both", async () => {
  await system.connect("17");
  const b = await system.connect("18");
  await ask(b, "join_conversation", "conv_17_18");
  const arriving = next(b, "new_message");
  const sent = await system.http("POST", "/messages/send", {
    as: "17",
    body: { recipientId: "18", text: "by REST" },
    headers: { "Idempotency-Key": "k1" },
  });
  assert.equal(sent.status, 200, JSON.stringify(sent.body));
  assert.deepEqual(await arriving, sent.body.message);
  assert.equal(sent.body.message.clientId, "k1");
  await ask(b, "send_message", { conversationId: "conv_17_18", text: "by socket" });
  const history = await system.http("GET", "/conversations/conv_17_18/messages", { as: "17" });
  assert.deepEqual(history.body.messages.map((message) => message.text), ["by REST", "by socket"]);
});
