// Every route against the real services: what it answers, every error, and that openapi.yaml describes
// each answer.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { System, until } from "../harness/system.mjs";
import { Alone } from "./alone.mjs";
import { OpenApi } from "./schemas.mjs";

const openapi = new OpenApi();
const unknownGroup = "group_01890a5d-ac96-774b-bcce-b302099a8057";
let system;

before(async () => {
  system = await System.start({ gateways: 0 });
});
after(() => system?.stop());

/** A request whose answer must have this status, this code if it is an error, and be described. */
async function expect(status, method, path, options = {}) {
  const { code, ...request } = options;
  const answer = await system.http(method, path, request);
  assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  assert.equal(openapi.answerFaults(method, path, answer), undefined);
  if (code) assert.equal(answer.body.error.code, code, JSON.stringify(answer.body));
  return answer.body;
}

const service = () => ({ token: system.token("backend", { role: "service" }) });

async function invalid(method, path, options) {
  return expect(400, method, path, { code: "invalid_payload", ...options });
}

test("register, log in, refresh, be somebody", async () => {
  const made = await expect(201, "POST", "/auth/register", {
    body: { id: "anna", name: "Änna 😀", password: "correct horse", role: "customer" },
  });
  assert.deepEqual(made.user, { id: "anna", name: "Änna 😀", role: "customer" });
  assert.deepEqual(await expect(200, "GET", "/me", { token: made.token }), made.user);
  const again = await expect(200, "POST", "/auth/login", { body: { id: "anna", password: "correct horse" } });
  assert.deepEqual(again.user, made.user);
  const newer = await expect(200, "POST", "/auth/refresh", { token: again.token });
  assert.ok(newer.expiresAt >= again.expiresAt);
  assert.deepEqual(await expect(200, "GET", "/me", { token: newer.token }), made.user);
});

test("register: made-up ids, repeats, what is refused", async () => {
  const body = { name: "No id", password: "12345678", role: "photographer" };
  const headers = { "Idempotency-Key": "register-1" };
  const first = await expect(201, "POST", "/auth/register", { body, headers });
  const second = await expect(201, "POST", "/auth/register", { body, headers });
  assert.equal(second.user.id, first.user.id);
  await expect(201, "POST", "/auth/register", { body: { ...body, id: "taken" } });
  await expect(409, "POST", "/auth/register", { body: { ...body, id: "taken" }, code: "conflict" });
  await expect(403, "POST", "/auth/register", { body: { ...body, role: "service" }, code: "forbidden" });
  for (const wrong of [
    { id: "a_b" },
    { id: "" },
    { id: "x".repeat(65) },
    { id: 7 },
    { name: "" },
    { name: "x".repeat(65) },
    { name: "a\nb" },
    { name: undefined },
    { password: "1234567" },
    { password: undefined },
    { password: "x".repeat(1001) },
    { role: "" },
    { role: "two words" },
    { role: undefined },
  ])
    await invalid("POST", "/auth/register", { body: { ...body, id: "wrong", ...wrong } });
  await expect(404, "GET", "/users/wrong", { as: "anna", code: "not_found" });
});

test("log in: an unknown user and a wrong password look the same", async () => {
  await expect(201, "POST", "/auth/register", {
    body: { id: "lea", name: "Lea", password: "12345678", role: "customer" },
  });
  const wrong = await expect(401, "POST", "/auth/login", {
    body: { id: "lea", password: "87654321" },
    code: "unauthorized",
  });
  const unknown = await expect(401, "POST", "/auth/login", {
    body: { id: "nobody", password: "87654321" },
    code: "unauthorized",
  });
  assert.deepEqual(wrong, unknown);
});

test("tokens: none, malformed, expired, of another kind: 401 on every route that needs one", async () => {
  const tokens = [
    [{}, "unauthorized"],
    [{ headers: { Authorization: "Basic YTpi" } }, "unauthorized"],
    [{ headers: { Authorization: "Bearer" } }, "unauthorized"],
    [{ token: "x.y.z" }, "unauthorized"],
    [{ token: "x".repeat(9000) }, "unauthorized"],
    [{ token: system.token("anna", { exp: undefined }) }, "unauthorized"],
    [{ token: system.token("a_b") }, "unauthorized"],
    [{ token: system.token("anna", { ttl: -5 }) }, "token_expired"],
  ];
  const routes = openapi.operations.filter(({ operation }) => operation.security?.length !== 0);
  assert.ok(routes.length >= 11);
  for (const { method, path, operation } of routes) {
    const url = path
      .replace("{userId}", "ben")
      .replace("{id}", path.startsWith("/users") ? "ben" : unknownGroup);
    const body = operation.requestBody && {};
    for (const [options, code] of tokens) await expect(401, method, url, { ...options, body, code });
  }
});

test("users: put by services alone, seen by everybody", async () => {
  const body = { name: "Ben Ort", role: "photographer" };
  const made = await expect(200, "PUT", "/users/ben", { ...service(), body });
  assert.deepEqual(made, { id: "ben", ...body });
  const changed = { name: "Ben O.", role: "photographer" };
  await expect(200, "PUT", "/users/ben", { ...service(), body: changed });
  assert.deepEqual(await expect(200, "GET", "/users/ben", { as: "anna" }), { id: "ben", ...changed });
  await expect(200, "PUT", "/users/a%40b.c%7Cd", { ...service(), body });
  assert.equal((await expect(200, "GET", "/users/a@b.c%7Cd", { as: "anna" })).id, "a@b.c|d");
  await expect(403, "PUT", "/users/ben", { as: "anna", body, code: "forbidden" });
  await invalid("PUT", "/users/a_b", { ...service(), body });
  await invalid("PUT", "/users/ben", { ...service(), body: { name: "x" } });
  await invalid("PUT", "/users/ben", { ...service(), body: { ...body, name: 5 } });
  await invalid("GET", "/users/a_b", { as: "anna" });
  await invalid("GET", `/users/${"x".repeat(65)}`, { as: "anna" });
  await expect(404, "GET", "/users/nobody", { as: "anna", code: "not_found" });
});

test("a user with a valid token is known from the first request on", async () => {
  const me = await expect(200, "GET", "/me", { token: system.token("newcomer", { name: "New", role: "customer" }) });
  assert.deepEqual(me, { id: "newcomer", name: "New", role: "customer" });
  assert.deepEqual(await expect(200, "GET", "/users/newcomer", { as: "anna" }), me);
  const numeric = await expect(200, "GET", "/me", { token: system.token(4711) });
  assert.equal(numeric.id, "4711");
});

test("direct conversations: opened once, by either", async () => {
  await system.addUsers("d1", "d2", "9", "10");
  const made = await expect(201, "POST", "/conversations", { as: "d2", body: { userId: "d1" } });
  assert.equal(made.id, "conv_d1_d2");
  assert.equal(made.kind, "direct");
  assert.deepEqual(made.participants.map(({ id }) => id).sort(), ["d1", "d2"]);
  assert.equal(made.lastMessage, null);
  assert.equal(made.unreadCount, 0);
  const again = await expect(200, "POST", "/conversations", { as: "d1", body: { userId: "d2" } });
  assert.equal(again.id, made.id);
  const numbers = await expect(201, "POST", "/conversations", { as: "10", body: { userId: "9" } });
  assert.equal(numbers.id, "conv_9_10");
  await expect(404, "POST", "/conversations", { as: "d1", body: { userId: "nobody" }, code: "not_found" });
  const seen = await expect(200, "GET", "/conversations/conv_d1_d2", { as: "d1" });
  assert.equal(seen.id, "conv_d1_d2");
  for (const body of [{}, { userId: "d1" }, { userId: 2 }, { userId: "a_b" }, { userId: "d2", title: "T" }, []])
    await invalid("POST", "/conversations", { as: "d1", body });
});

test("groups: made, grown, shrunk", async () => {
  await system.addUsers("g2", "g3", "g4");
  const group = await expect(201, "POST", "/conversations", {
    as: "g1",
    body: { title: "Hochzeit 💐", userIds: ["g2", "g3", "g2", "g1"] },
  });
  assert.match(group.id, /^group_[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.equal(group.kind, "group");
  assert.equal(group.title, "Hochzeit 💐");
  assert.equal(group.creatorId, "g1");
  assert.deepEqual(group.participants.map(({ id }) => id).sort(), ["g1", "g2", "g3"]);
  const path = `/conversations/${group.id}/participants`;
  const grown = await expect(200, "POST", path, { as: "g1", body: { userIds: ["g4"] } });
  assert.deepEqual(grown.participants.map(({ id }) => id).sort(), ["g1", "g2", "g3", "g4"]);
  assert.equal(grown.creatorId, "g1");
  const listed = await expect(200, "GET", "/conversations", { as: "g4" });
  assert.deepEqual(listed.conversations, [grown]);
  await expect(200, "GET", `/conversations/${group.id}/messages`, { as: "g4" });
  await expect(204, "DELETE", `${path}/g4`, { as: "g1" });
  await expect(403, "GET", `/conversations/${group.id}/messages`, { as: "g4", code: "forbidden" });
  await expect(403, "DELETE", `${path}/g2`, { as: "g3", code: "forbidden" });
  await expect(204, "DELETE", `${path}/g3`, { as: "g3" });
  await expect(403, "GET", `/conversations/${group.id}`, { as: "g3", code: "forbidden" });
  for (const body of [{}, { userIds: [] }, { userIds: "g2" }, { userIds: ["a_b"] }, { userIds: [5] }])
    await invalid("POST", path, { as: "g1", body });
  await invalid("POST", "/conversations/conv_g1_g2/participants", { as: "g1", body: { userIds: ["g4"] } });
  await invalid("DELETE", `${path}/a_b`, { as: "g1" });
  for (const body of [
    { title: "", userIds: ["g2"] },
    { title: "x".repeat(201), userIds: ["g2"] },
    { title: "T", userIds: Array.from({ length: 101 }, (_, i) => `u${i}`) },
    { title: "T", userIds: ["g1"] },
  ])
    await invalid("POST", "/conversations", { as: "g1", body });
});

test("send: to a conversation, to a user, again with the same clientId", async () => {
  await system.addUsers("s2");
  const send = (body, headers) => expect(200, "POST", "/messages/send", { as: "s1", body, headers });
  const { message } = await send({ recipientId: "s2", text: "first 😀", clientId: "c1" });
  assert.equal(message.conversationId, "conv_s1_s2");
  assert.equal(message.seq, 1);
  assert.equal(message.senderId, "s1");
  assert.equal(message.text, "first 😀");
  assert.equal(message.clientId, "c1");
  assert.deepEqual((await send({ recipientId: "s2", text: "other", clientId: "c1" })).message, message);
  assert.deepEqual((await send({ recipientId: "s2", text: "x" }, { "Idempotency-Key": "c1" })).message, message);
  const keyed = await send({ conversationId: "conv_s1_s2", text: "2", clientId: "c2" }, { "Idempotency-Key": "c2" });
  assert.equal(keyed.message.seq, 2);
  const reply = await send({ conversationId: "conv_s1_s2", text: "3", replyTo: 1 });
  assert.equal(reply.message.replyTo, 1);
  assert.match(reply.message.clientId, /^[0-9a-f-]{36}$/);
  const rows = await system.sql.query("select seq, text from messages where conversation_id = 'conv_s1_s2' order by seq");
  assert.deepEqual(rows.rows.map(({ text }) => text), ["first 😀", "2", "3"]);
});

test("send: the longest text, in its longest spelling", async () => {
  await system.addUsers("l2");
  const text = "😀".repeat(8000);
  const body = `{"recipientId":"l2","text":"${"\\ud83d\\ude00".repeat(8000)}"}`;
  const { message } = await expect(200, "POST", "/messages/send", { as: "l1", body });
  assert.equal(message.text, text);
  await invalid("POST", "/messages/send", { as: "l1", body: { recipientId: "l2", text: `${text}x` } });
  await expect(413, "POST", "/messages/send", {
    as: "l1",
    body: { recipientId: "l2", text: "x".repeat(140_000) },
    code: "payload_too_large",
  });
});

test("send: what is refused", async () => {
  await system.addUsers("r1", "r2");
  const wrong = [
    {},
    { text: "x" },
    { recipientId: "r2" },
    { recipientId: "r2", text: "" },
    { recipientId: "r2", text: 5 },
    { recipientId: "r1", text: "to myself" },
    { recipientId: "a_b", text: "x" },
    { recipientId: "r2", conversationId: "conv_r1_r2", text: "x" },
    { conversationId: "conv_r2_r1", text: "x" },
    { conversationId: "conv_r1_r1", text: "x" },
    { conversationId: "user_r1", text: "x" },
    { conversationId: "group_x", text: "x" },
    { recipientId: "r2", text: "x", clientId: "" },
    { recipientId: "r2", text: "x", clientId: "c".repeat(65) },
    { recipientId: "r2", text: "x", clientId: 5 },
    { recipientId: "r2", text: "x", replyTo: 0 },
    { recipientId: "r2", text: "x", replyTo: "1" },
    '{"recipientId":"r2","text":"nul \\u0000"}',
    '{"recipientId":"r2","text":"lone \\ud800"}',
    '{"recipientId":"r2","text":"x","text":"y"}',
    '{"recipientId":"r2","text":',
    "[]",
  ];
  for (const body of wrong) await invalid("POST", "/messages/send", { as: "r1", body });
  const differing = { body: { recipientId: "r2", text: "x", clientId: "a" }, headers: { "Idempotency-Key": "b" } };
  await invalid("POST", "/messages/send", { as: "r1", ...differing });
  const headers = { "Idempotency-Key": "k".repeat(65) };
  await invalid("POST", "/messages/send", { as: "r1", headers, body: { recipientId: "r2", text: "x" } });
  const nobody = { recipientId: "nobody", text: "hello?" };
  await expect(404, "POST", "/messages/send", { as: "r1", body: nobody, code: "not_found" });
  for (const conversationId of ["conv_r1_r2", unknownGroup])
    await expect(403, "POST", "/messages/send", { as: "s1", body: { conversationId, text: "x" }, code: "forbidden" });
  const { rows } = await system.sql.query("select count(*)::int n from messages where conversation_id = 'conv_r1_r2'");
  assert.equal(rows[0].n, 0);
});

test("history: pages in both directions", async () => {
  await system.addUsers("h2");
  for (let i = 1; i <= 7; i++)
    await expect(200, "POST", "/messages/send", { as: "h1", body: { recipientId: "h2", text: `m${i}` } });
  const page = (query = "", as = "h2") => expect(200, "GET", `/conversations/conv_h1_h2/messages${query}`, { as });
  const seqs = ({ messages }) => messages.map(({ seq }) => seq);
  assert.deepEqual(seqs(await page()), [1, 2, 3, 4, 5, 6, 7]);
  assert.equal((await page()).nextBefore, null);
  const newest = await page("?limit=3");
  assert.deepEqual(seqs(newest), [5, 6, 7]);
  assert.equal(newest.nextBefore, 5);
  const older = await page(`?limit=3&before=${newest.nextBefore}`);
  assert.deepEqual(seqs(older), [2, 3, 4]);
  const oldest = await page(`?limit=3&before=${older.nextBefore}`);
  assert.deepEqual(seqs(oldest), [1]);
  assert.equal(oldest.nextBefore, null);
  assert.deepEqual(seqs(await page("?after=5")), [6, 7]);
  assert.deepEqual(seqs(await page("?after=0&limit=2")), [1, 2]);
  assert.deepEqual(seqs(await page("?after=7")), []);
  for (const query of ["?limit=0", "?limit=201", "?limit=x", "?before=0", "?before=-1", "?after=-1", "?before=5&after=1", "?limit=5&limit=5", "?before=%zz"])
    await invalid("GET", `/conversations/conv_h1_h2/messages${query}`, { as: "h1" });
  await invalid("GET", "/conversations/conv_h2_h1/messages", { as: "h1" });
  await expect(403, "GET", "/conversations/conv_h1_h2/messages", { as: "s1", code: "forbidden" });
  await expect(403, "GET", `/conversations/${unknownGroup}/messages`, { as: "h1", code: "forbidden" });
});

test("read marks: forward only, clamped to the head", async () => {
  await system.addUsers("m1", "m2");
  for (let i = 1; i <= 3; i++)
    await expect(200, "POST", "/messages/send", { as: "m1", body: { recipientId: "m2", text: `m${i}` } });
  const path = "/conversations/conv_m1_m2/read";
  const unread = async () => (await expect(200, "GET", "/conversations/conv_m1_m2", { as: "m2" })).unreadCount;
  assert.equal(await unread(), 3);
  assert.equal((await expect(200, "POST", path, { as: "m2", body: { seq: 2 } })).seq, 2);
  assert.equal(await unread(), 1);
  assert.equal((await expect(200, "POST", path, { as: "m2", body: { seq: 1 } })).seq, 2);
  assert.equal((await expect(200, "POST", path, { as: "m2", body: { seq: 99 } })).seq, 3);
  assert.equal((await expect(200, "POST", path, { as: "m2" })).seq, 3); // no body: the head
  assert.equal(await unread(), 0);
  for (const body of [{ seq: 0 }, { seq: -1 }, { seq: "1" }, { seq: 1.5 }, [], "x"])
    await invalid("POST", path, { as: "m2", body });
  await expect(403, "POST", path, { as: "s1", body: {}, code: "forbidden" });
  await invalid("POST", "/conversations/x/read", { as: "m2", body: {} });
});

test("the list: newest first, in pages, with unread counts", async () => {
  const partners = ["c1", "c2", "c3", "c4", "c5"];
  await system.addUsers("c0", ...partners);
  for (const partner of partners)
    await expect(200, "POST", "/messages/send", { as: partner, body: { recipientId: "c0", text: `from ${partner}` } });
  const list = (query) => expect(200, "GET", `/conversations${query}`, { as: "c0" });
  const all = await list("");
  const ids = all.conversations.map(({ id }) => id);
  assert.deepEqual(ids, partners.map((partner) => `conv_c0_${partner}`).reverse());
  assert.equal(all.nextCursor, null);
  assert.equal(all.conversations[0].lastMessage.text, "from c5");
  assert.equal(all.conversations[0].unreadCount, 1);
  const found = [];
  let cursor = "";
  for (let pages = 0; pages < 5 && cursor !== null; pages++) {
    const page = await list(`?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...page.conversations.map(({ id }) => id));
    cursor = page.nextCursor;
  }
  assert.deepEqual(found, ids);
  for (const query of ["?limit=0", "?limit=201", "?cursor=nonsense", `?cursor=${"x".repeat(257)}`])
    await invalid("GET", `/conversations${query}`, { as: "c0" });
});

test("one user's rate: 429 with Retry-After, others aren't touched", async () => {
  const limited = await Alone.start({
    environment: {
      INSTANCE: "rest-limited",
      BROKERS: system.rests[0].environment.BROKERS,
      BUS_KEYS: system.keys,
      HTTP_USER_RATE: "2",
    },
  });
  const me = (as) => limited.request("GET", "/me", { headers: { Authorization: `Bearer ${system.token(as)}` } });
  try {
    const statuses = [];
    for (let i = 0; i < 8; i++) {
      const answer = await me("busy");
      statuses.push(answer.status);
      assert.equal(openapi.answerFaults("GET", "/me", answer), undefined);
    }
    assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
    assert.equal((await me("calm")).status, 200);
  } finally {
    await limited.stop();
  }
});

test("a broker's restart is a pause: requests made meanwhile succeed", async () => {
  const [broker] = system.brokers;
  await system.addUsers("p2");
  await broker.end("SIGKILL");
  const requests = Array.from({ length: 10 }, (_, i) =>
    expect(200, "POST", "/messages/send", { as: "p1", body: { recipientId: "p2", text: `m${i}`, clientId: `c${i}` } }),
  );
  const { body } = await system.http("GET", "/health");
  assert.equal((await system.http("GET", "/ready")).status, 200);
  await until("the link is down", async () => (await system.http("GET", "/health")).body.dependencies[0].state === "down");
  broker.start();
  await Promise.all(requests);
  assert.equal(body.dependencies.length, 1);
  const { rows } = await system.sql.query("select count(*)::int n from messages where conversation_id = 'conv_p1_p2'");
  assert.equal(rows[0].n, 10);
});

test("no persist-worker: 503 with Retry-After in time, and it heals", async () => {
  const [worker] = system.persistWorkers;
  await worker.end();
  const [answer] = await Promise.all([
    expect(503, "GET", "/users/anna", { as: "anna", code: "unavailable" }),
    expect(503, "POST", "/messages/send", { as: "p1", body: { recipientId: "p2", text: "lost?" }, code: "unavailable" }),
  ]);
  assert.ok(answer.error.message);
  worker.start();
  await until("it is ready", () => worker.isReady(), 30_000);
  await expect(200, "GET", "/users/anna", { as: "anna" });
});
