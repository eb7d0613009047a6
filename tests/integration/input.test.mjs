// Bad input of every kind in the contract, over Socket.IO, with the exact error; nothing is harmed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, next, System } from "./harness/system.mjs";

let system, socket;

before(async () => {
  system = await System.start();
  await system.addUsers("2");
  socket = await system.connect("1");
});
after(() => system?.stop());

const room = { conversationId: "conv_1_2" };
const invalid = [
  ["send_message", undefined],
  ["send_message", null],
  ["send_message", "conv_1_2"],
  ["send_message", []],
  ["send_message", { text: "no conversation" }],
  ["send_message", { ...room }],
  ["send_message", { ...room, text: "" }],
  ["send_message", { ...room, text: 5 }],
  ["send_message", { ...room, text: ["x"] }],
  ["send_message", { ...room, text: "x".repeat(8001) }],
  ["send_message", { ...room, text: "😀".repeat(8001) }],
  ["send_message", { ...room, text: "nul \u0000 inside" }],
  ["send_message", { ...room, text: "lone \ud800 surrogate" }],
  ["send_message", { ...room, text: "x", clientId: "" }],
  ["send_message", { ...room, text: "x", clientId: 5 }],
  ["send_message", { ...room, text: "x", clientId: "c".repeat(65) }],
  ["send_message", { ...room, text: "x", replyTo: 0 }],
  ["send_message", { ...room, text: "x", replyTo: -1 }],
  ["send_message", { ...room, text: "x", replyTo: 1.5 }],
  ["send_message", { ...room, text: "x", replyTo: "1" }],
  ["send_message", { conversationId: 5, text: "x" }],
  ["send_message", { conversationId: "conv_2_1", text: "x" }],
  ["send_message", { conversationId: "conv_1_1", text: "x" }],
  ["send_message", { conversationId: "conv_1", text: "x" }],
  ["send_message", { conversationId: "conv_1_2_3", text: "x" }],
  ["send_message", { conversationId: "conv_1_ü", text: "x" }],
  ["send_message", { conversationId: "group_x", text: "x" }],
  ["send_message", { conversationId: "user_1", text: "x" }],
  ["send_message", { conversationId: `conv_1_${"2".repeat(65)}`, text: "x" }],
  ["join_conversation", undefined],
  ["join_conversation", ""],
  ["join_conversation", "conv_2_1"],
  ["join_conversation", "user_1"],
  ["join_conversation", { ...room, after: -1 }],
  ["join_conversation", { ...room, after: "5" }],
  ["join_conversation", { ...room, after: 1e300 }],
  ["leave_conversation", {}],
  ["leave_conversation", 7],
  ["typing", {}],
  ["typing", { conversationId: null }],
  ["stop_typing", "x"],
  ["mark_read", { ...room, seq: 0 }],
  ["mark_read", { ...room, seq: "1" }],
  ["mark_read", { ...room, seq: {} }],
  ["refresh_token", {}],
  ["refresh_token", { token: 5 }],
  ["no_such_event", {}],
  ["__proto__", {}],
  ["error", {}],
];

for (const [event, payload] of invalid)
  test(`${event} ${JSON.stringify(payload)?.slice(0, 70)} is invalid_payload`, async () => {
    const answer = await (payload === undefined
      ? socket.timeout(10_000).emitWithAck(event)
      : ask(socket, event, payload));
    assert.equal(answer.ok, false);
    assert.equal(answer.error.code, "invalid_payload");
    assert.equal(typeof answer.error.message, "string");
    assert.ok(answer.error.message.length > 0);
  });

test("the limits themselves are allowed", async () => {
  for (const text of ["x".repeat(8000), "😀".repeat(8000), "\u0001\t\n"]) {
    const answer = await ask(socket, "send_message", { ...room, text, clientId: "c".repeat(64 - text.length % 7) });
    assert.equal(answer.ok, true, JSON.stringify(answer).slice(0, 200));
    assert.equal(answer.message.text, text);
  }
});

test("unknown users and messages are not_found", async () => {
  for (const [event, payload] of [
    ["send_message", { conversationId: "conv_1_nobody", text: "hello?" }],
    ["join_conversation", "conv_1_nobody"],
  ]) {
    const answer = await ask(socket, event, payload);
    assert.equal(answer.error?.code, "not_found", JSON.stringify(answer));
  }
  const reply = await ask(socket, "send_message", { ...room, text: "x", replyTo: 999_999 });
  assert.ok(["not_found", "invalid_payload"].includes(reply.error?.code), JSON.stringify(reply));
});

test("without a callback the error comes as an event", async () => {
  const told = next(socket, "error");
  socket.emit("send_message", { ...room, text: "" });
  const error = await told;
  assert.equal(error.event, "send_message");
  assert.equal(error.code, "invalid_payload");
  assert.equal(typeof error.message, "string");
});

test("a foreign Origin is refused, a page of the same host is not", async () => {
  const poll = (origin) =>
    fetch(`${system.gatewayUrl()}/socket.io/?EIO=4&transport=polling`, { headers: { Origin: origin } });
  assert.equal((await poll("http://evil.example")).status, 403);
  const same = await poll(system.gatewayUrl());
  assert.equal(same.status, 200);
  const upgrade = system.socket("1", { extraHeaders: { Origin: "http://evil.example" }, reconnection: false });
  await next(upgrade, "connect_error");
});

test("after all that the socket still works", async () => {
  const answer = await ask(socket, "send_message", { ...room, text: "fine" });
  assert.equal(answer.ok, true);
});
