// A socket's life as its token, its reading and its gateway decide it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { ask, collect, next, System, until } from "../harness/system.mjs";

let system;

before(async () => {
  system = await System.start({
    gateways: 2,
    environment: { DRAIN_SECONDS: "4", MAX_OUTBOUND_BYTES: "3145728", FRONTEND_URL: "http://page.example/" },
  });
});
after(() => system?.stop());

async function metric(gateway, name) {
  const text = await (await fetch(`${system.gateways[gateway].adminUrl}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return line && Number(line.split(" ")[1]);
}

test("each bad token gets its code, and the client stays away", async () => {
  const expired = system.token("1", { ttl: -10 });
  for (const [auth, code] of [
    [{}, "unauthorized"],
    [undefined, "unauthorized"],
    [{ token: "x" }, "unauthorized"],
    [{ token: 5 }, "unauthorized"],
    [{ token: "a".repeat(9000) }, "unauthorized"],
    [{ token: `${system.token("1")}x` }, "unauthorized"],
    [{ token: expired }, "token_expired"],
  ]) {
    const socket = system.socket("1", { auth });
    const error = await next(socket, "connect_error");
    assert.equal(error.message, "Unauthorized");
    assert.deepEqual(error.data, { code });
    assert.equal(socket.active, false);
  }
});

test("the token may come as a header", async () => {
  const socket = system.socket("1", {
    auth: {},
    transports: ["polling"],
    extraHeaders: { Authorization: `Bearer ${system.token("1")}` },
  });
  await next(socket, "connect");
});

test("when its token ends a socket is closed, and the stock client comes back with a new one", async () => {
  let asked = 0;
  const socket = system.socket("1", {
    auth: (done) => done({ token: system.token("1", { ttl: ++asked === 1 ? 2 : 3600 }) }),
  });
  await next(socket, "connect");
  assert.equal(await next(socket, "disconnect"), "transport close");
  await next(socket, "connect");
  assert.equal(asked, 2);
});

test("refresh_token keeps it open; another user's token doesn't", async () => {
  const socket = await system.connect("1", { claims: { ttl: 4 }, reconnection: false });
  const gone = collect(socket, "disconnect");
  const foreign = await ask(socket, "refresh_token", { token: system.token("2") });
  assert.equal(foreign.error.code, "forbidden");
  const bad = await ask(socket, "refresh_token", { token: "x" });
  assert.equal(bad.error.code, "unauthorized");
  const good = await ask(socket, "refresh_token", { token: system.token("1") });
  assert.equal(good.ok, true);
  assert.ok(Date.parse(good.expiresAt) > Date.now() + 3_500_000);
  await new Promise((done) => setTimeout(done, 4_500)); // past the first token's end
  assert.deepEqual(gone, []);
});

test("health and readiness are on the clients' port too", async () => {
  const health = await fetch(`${system.gatewayUrl()}/health`);
  assert.equal(health.status, 200);
  const report = await health.json();
  assert.equal(report.service, "gateway");
  assert.equal((await fetch(`${system.gatewayUrl()}/ready`)).status, 200);
  assert.equal((await fetch(`${system.gatewayUrl()}/else`)).status, 404);
});

test("a page of FRONTEND_URL may connect, with CORS headers; a foreign one may not", async () => {
  const url = `${system.gatewayUrl()}/socket.io/?EIO=4&transport=polling`;
  const page = await fetch(url, { headers: { Origin: "http://page.example" } });
  assert.equal(page.status, 200);
  assert.equal(page.headers.get("access-control-allow-origin"), "http://page.example");
  const foreign = await fetch(url, { headers: { Origin: "http://foreign.example" } });
  assert.equal(foreign.status, 403);
  const socket = new WebSocket(`${url.replace("http", "ws").replace("polling", "websocket")}`, {
    origin: "http://foreign.example",
  });
  const [, response] = await once(socket, "unexpected-response");
  assert.equal(response.statusCode, 403);
});

test("who doesn't read is disconnected, and nobody else feels it", async () => {
  await system.connect("5");
  const talker = await system.connect("6");
  const reader = await system.connect("5");
  const deaf = await system.connect("5", { reconnection: false });
  for (const socket of [reader, deaf])
    assert.equal((await ask(socket, "join_conversation", "conv_5_6")).ok, true);
  const seen = collect(reader, "new_message");
  const before = await metric(0, 'parley_gateway_connection_closes_total{reason="queue_limit"}');
  deaf.io.engine.transport.ws._socket.pause();
  const text = "x".repeat(8000);
  let sent = 0;
  while ((await metric(0, 'parley_gateway_connection_closes_total{reason="queue_limit"}')) === before) {
    assert.ok(sent < 20_000, "it is still there");
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => ask(talker, "send_message", { conversationId: "conv_5_6", text })),
    );
    assert.ok(answers.every((answer) => answer.ok));
    sent += answers.length;
  }
  await until("the reader has all", () => seen.length === sent);
  deaf.io.engine.transport.ws.terminate();
});

test("a drain lets go of its sockets one by one, acknowledgements first", async () => {
  const sockets = [];
  for (let i = 0; i < 30; i++)
    sockets.push(await system.connect("7", { gateway: 1, reconnection: false, transports: i % 3 ? ["websocket"] : ["polling"] }));
  await system.connect("8");
  const ends = [];
  for (const socket of sockets)
    socket.on("disconnect", (reason) => ends.push({ reason, at: Date.now() }));
  const answers = sockets.map((socket, i) =>
    ask(socket, "send_message", { conversationId: "conv_7_8", text: `${i}` }),
  );
  const begun = Date.now();
  const ended = system.gateways[1].end("SIGTERM");
  await until("not ready", async () => {
    const ready = await fetch(`${system.gateways[1].adminUrl}/ready`).catch(() => ({ status: 404 }));
    return ready.status === 404;
  });
  const late = await fetch(`${system.gatewayUrl(1)}/socket.io/?EIO=4&transport=polling`).catch(() => ({ status: 503 }));
  assert.equal(late.status, 503);
  for (const answer of await Promise.all(answers)) assert.equal(answer.ok, true);
  await ended;
  await until("all have gone", () => ends.length === sockets.length);
  const times = ends.map((end) => end.at - begun).sort((a, b) => a - b);
  assert.ok(times.at(-1) < 4_000, `the last after ${times.at(-1)} ms`);
  assert.ok(times[15] > 400 && times[15] < 3_000, `half of them after ${times[15]} ms`);
  for (const { reason } of ends) assert.notEqual(reason, "io server disconnect");
  system.gateways[1].start();
  await system.ready();
});
