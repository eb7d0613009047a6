// A third user tries every event and every route on somebody else's conversations, and learns nothing.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, collect, next, System } from "./harness/system.mjs";

let system, alice, stranger, group;

before(async () => {
  system = await System.start();
  alice = await system.connect("alice");
  await system.connect("bob");
  stranger = await system.connect("eve");
  await ask(alice, "send_message", { conversationId: "conv_alice_bob", text: "between us" });
  const made = await system.http("POST", "/conversations", {
    as: "alice",
    body: { title: "Wedding", userIds: ["bob"] },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  group = made.body.id;
});
after(() => system?.stop());

const events = {
  join_conversation: {},
  send_message: { text: "let me in" },
  typing: {},
  stop_typing: {},
  mark_read: { seq: 1 },
};

/** The rooms a stranger tries: somebody's direct one, a group, one that doesn't exist. */
const targets = () => ["conv_alice_bob", group, "group_01890a5d-ac96-774b-bcce-b302099a8057"];

for (const [event, rest] of Object.entries(events))
  test(`${event} on others' conversations is forbidden, whether they exist or not`, async () => {
    const answers = [];
    for (const conversationId of targets())
      answers.push(await ask(stranger, event, { conversationId, ...rest }));
    for (const answer of answers) {
      assert.equal(answer.ok, false);
      assert.equal(answer.error.code, "forbidden");
      assert.deepEqual(answer, answers[0]); // the same words: nothing is learned
    }
  });

test("every route on others' conversations is 403, whether they exist or not", async () => {
  for (const id of targets()) {
    const tries = [
      ["GET", `/conversations/${id}/messages`],
      ["POST", "/messages/send", { conversationId: id, text: "let me in" }],
      ["POST", `/conversations/${id}/read`, {}],
    ];
    if (id.startsWith("group_"))
      tries.push(
        ["POST", `/conversations/${id}/participants`, { userIds: ["eve"] }],
        ["DELETE", `/conversations/${id}/participants/bob`],
      );
    for (const [method, path, body] of tries) {
      const answer = await system.http(method, path, { as: "eve", body });
      assert.equal(answer.status, 403, `${method} ${path}: ${JSON.stringify(answer.body)}`);
      assert.equal(answer.body.error.code, "forbidden");
    }
  }
});

test("a stranger hears nothing of it", async () => {
  const heard = [];
  stranger.onAny((event) => heard.push(event));
  await ask(stranger, "join_conversation", "conv_alice_bob");
  const bob = await system.connect("bob");
  await ask(bob, "join_conversation", "conv_alice_bob");
  const arriving = next(bob, "new_message");
  await ask(alice, "typing", { conversationId: "conv_alice_bob" });
  await ask(alice, "send_message", { conversationId: "conv_alice_bob", text: "still between us" });
  await arriving;
  await ask(bob, "mark_read", { conversationId: "conv_alice_bob" });
  stranger.offAny();
  assert.deepEqual(heard, []);
  const list = await system.http("GET", "/conversations", { as: "eve" });
  assert.deepEqual(list.body.conversations, []);
});

test("members come and go: added ones may, removed ones may no longer", async () => {
  const mallory = await system.connect("mallory");
  const added = next(mallory, "conversation_added");
  const grown = await system.http("POST", `/conversations/${group}/participants`, {
    as: "alice",
    body: { userIds: ["mallory"] },
  });
  assert.equal(grown.status, 200, JSON.stringify(grown.body));
  assert.equal((await added).id, group);
  const joined = await ask(mallory, "join_conversation", group);
  assert.equal(joined.ok, true, JSON.stringify(joined));
  assert.equal(joined.conversation.creatorId, "alice");
  const sent = await ask(mallory, "send_message", { conversationId: group, text: "hello all" });
  assert.equal(sent.ok, true);
  const heard = collect(mallory, "new_message");
  const removed = next(mallory, "conversation_removed");
  const gone = await system.http("DELETE", `/conversations/${group}/participants/mallory`, { as: "alice" });
  assert.ok([200, 204].includes(gone.status), JSON.stringify(gone.body));
  assert.deepEqual(await removed, { conversationId: group });
  await ask(alice, "send_message", { conversationId: group, text: "without mallory" });
  for (const [event, rest] of Object.entries(events)) {
    const answer = await ask(mallory, event, { conversationId: group, ...rest });
    assert.equal(answer.error?.code, "forbidden", `${event}: ${JSON.stringify(answer)}`);
  }
  assert.deepEqual(heard, []);
});

test("only the creator or oneself removes a member", async () => {
  const answer = await system.http("DELETE", `/conversations/${group}/participants/alice`, { as: "bob" });
  assert.equal(answer.status, 403);
  const self = await system.http("DELETE", `/conversations/${group}/participants/bob`, { as: "bob" });
  assert.ok([200, 204].includes(self.status), JSON.stringify(self.body));
  const after = await system.http("GET", `/conversations/${group}/messages`, { as: "bob" });
  assert.equal(after.status, 403);
});

test("tokens: none, bad, expired, without rights", async () => {
  const refused = async (options) => {
    const socket = system.socket("alice", options);
    const error = await next(socket, "connect_error");
    socket.disconnect();
    return error;
  };
  const none = await refused({ auth: {} });
  assert.equal(none.message, "Unauthorized");
  assert.deepEqual(none.data, { code: "unauthorized" });
  assert.deepEqual((await refused({ auth: { token: "x.y.z" } })).data, { code: "unauthorized" });
  const old = await refused({ auth: { token: system.token("alice", { ttl: -10 }) } });
  assert.deepEqual(old.data, { code: "token_expired" });
  for (const [token, code] of [
    [undefined, "unauthorized"],
    ["x.y.z", "unauthorized"],
    [system.token("alice", { ttl: -10 }), "token_expired"],
  ]) {
    const answer = await system.http("GET", "/me", { token });
    assert.equal(answer.status, 401);
    assert.equal(answer.body.error.code, code);
  }
  const upsert = await system.http("PUT", "/users/zoe", { as: "alice", body: { name: "Z", role: "customer" } });
  assert.equal(upsert.status, 403);
});

test("a token's end closes the transport; a newer one on the live socket prevents that", async () => {
  const short = await system.connect("carol", {
    claims: { ttl: 3 },
    reconnection: false,
  });
  const kept = await system.connect("dora", { claims: { ttl: 3 }, reconnection: false });
  const refreshed = await ask(kept, "refresh_token", { token: system.token("dora") });
  assert.equal(refreshed.ok, true, JSON.stringify(refreshed));
  const foreign = await ask(kept, "refresh_token", { token: system.token("carol") });
  assert.equal(foreign.ok, false);
  assert.equal(await next(short, "disconnect", 10_000), "transport close");
  assert.equal(kept.connected, true);
  assert.equal((await ask(kept, "typing", { conversationId: "conv_alice_bob" })).error.code, "forbidden");
});
