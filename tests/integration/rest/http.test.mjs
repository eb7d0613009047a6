// HTTP itself: framing, body limits, slow clients, headers on every answer.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../harness/system.mjs";
import { Alone } from "./alone.mjs";
import { OpenApi } from "./schemas.mjs";

const openapi = new OpenApi();
let rest;

before(async () => {
  rest = await Alone.start({ environment: { RATE_LIMIT: "off", HTTP_REQUEST_TIMEOUT_SECONDS: "2" } });
});
after(() => rest?.stop());

const json = { "Content-Type": "application/json" };

test("paths and methods: 404 and 405, with Allow", async () => {
  for (const path of ["/nothing", "/me/", "/auth", "/users", "/metrics", "/../etc/passwd"])
    assert.equal((await rest.request("GET", path)).status, 404, path);
  for (const [method, path, allow] of [
    ["POST", "/me", "GET, HEAD, OPTIONS"],
    ["GET", "/auth/login", "POST, OPTIONS"],
    ["DELETE", "/users/1", "GET, HEAD, PUT, OPTIONS"],
    ["PATCH", "/conversations", "GET, HEAD, POST, OPTIONS"],
  ]) {
    const answer = await rest.request(method, path);
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.headers.get("allow"), allow);
    assert.equal(answer.body.error.code, "invalid_payload");
  }
  assert.equal((await rest.request("OPTIONS", "/me")).status, 204);
});

test("malformed paths and contradicting headers are 400", async () => {
  assert.equal((await rest.request("GET", "/users/%zz")).status, 400);
  assert.equal((await rest.request("GET", "/users/%00")).status, 400);
  for (const head of [
    "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n",
    "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    "POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n",
    "GET /me HTTP/1.1\r\nHost: x\r\nHost: y\r\n",
    "GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n",
    "GET /me HTTP/1.1\r\n",
    "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n",
  ]) {
    const connection = await rest.raw();
    connection.send(`${head}\r\n`);
    await connection.end();
    assert.deepEqual(connection.statuses(), [400], head);
  }
});

test("every answer carries X-Request-Id: the edge's when it is sane, else its own", async () => {
  const given = await rest.request("GET", "/nothing", { headers: { "X-Request-Id": "edge-1.a_B" } });
  assert.equal(given.headers.get("x-request-id"), "edge-1.a_B");
  for (const insane of ["a b", "x".repeat(65), "<script>", "a,b"]) {
    const made = await rest.request("GET", "/nothing", { headers: { "X-Request-Id": insane } });
    assert.match(made.headers.get("x-request-id"), /^[0-9a-f-]{36}$/);
  }
  const [one, two] = await Promise.all([rest.request("GET", "/health"), rest.request("GET", "/health")]);
  assert.notEqual(one.headers.get("x-request-id"), two.headers.get("x-request-id"));
});

test("health, ready and their answers are as described", async () => {
  for (const path of ["/health", "/ready"]) {
    const answer = await rest.request("GET", path, { headers: { Origin: "https://evil.example" } });
    assert.equal(answer.status, 200);
    assert.equal(openapi.answerFaults("GET", path, answer), undefined);
  }
  const { body } = await rest.request("GET", "/health");
  assert.equal(body.dependencies.length, 1);
  assert.equal(body.dependencies[0].state, "down");
});

test("HEAD is GET without the body", async () => {
  const get = await rest.request("GET", "/health");
  const head = await rest.request("HEAD", "/health");
  assert.equal(head.status, 200);
  assert.equal(head.bytes.length, 0);
  assert.equal(head.headers.get("content-length"), get.headers.get("content-length"));
});

test("a body that isn't application/json is 415, one that isn't JSON 400", async () => {
  for (const headers of [{}, { "Content-Type": "text/plain" }, { "Content-Type": "application/jsonx" }]) {
    const answer = await rest.request("POST", "/auth/login", { headers, body: "{}" });
    assert.equal(answer.status, 415);
    assert.equal(openapi.answerFaults("POST", "/auth/login", answer), undefined);
  }
  const bodies = ["", "{", "[]", "null", "7", "{}", '{"id":"a"}', '{"id":"a","password":7}', "\u0000", "[".repeat(5000)];
  for (const body of bodies) {
    const headers = { "Content-Type": "Application/JSON; charset=utf-8" };
    const answer = await rest.request("POST", "/auth/login", { headers, body });
    assert.equal(answer.status, 400, body.slice(0, 20));
    assert.equal(answer.body.error.code, "invalid_payload");
    assert.equal(openapi.answerFaults("POST", "/auth/login", answer), undefined);
  }
});

test("a body over the route's limit is 413, announced or chunked, and the connection lives on", async () => {
  const answer = await rest.request("POST", "/auth/login", { headers: json, body: "x".repeat(8193) });
  assert.equal(answer.status, 413);
  assert.equal(answer.body.error.code, "payload_too_large");
  const connection = await rest.raw();
  const chunk = `2000\r\n${"y".repeat(0x2000)}\r\n`;
  connection.send(
    `POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`,
  );
  await until("the answer", () => connection.statuses().length === 1);
  connection.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  await until("the next answer", () => connection.statuses().length === 2);
  assert.deepEqual(connection.statuses(), [413, 200]);
  connection.socket.destroy();
});

test("a body far over it is refused at once and ends the connection", async () => {
  const announced = await rest.raw();
  announced.send("POST /messages/send HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n");
  await announced.end();
  assert.deepEqual(announced.statuses(), [413]);
  assert.match(announced.text, /Connection: close/i);
  const endless = await rest.raw();
  endless.send("POST /me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `10000\r\n${"z".repeat(0x10000)}\r\n`;
  for (let i = 0; i < 40 && !endless.ended; i++) endless.send(chunk);
  await endless.end();
});

test("a chunked body is read, a refused one does not shift the next request", async () => {
  const connection = await rest.raw();
  connection.send(
    "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
      '3\r\n{"i\r\n7\r\nd":"a"}\r\n0\r\n\r\n',
  );
  const smuggled = "GET /me HTTP/1.1\r\nHost: x\r\n\r\n";
  connection.send(`POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`);
  connection.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  await until("three answers", () => connection.statuses().length === 3);
  assert.deepEqual(connection.statuses(), [400, 404, 200]);
  assert.match(connection.text, /password is missing/);
  connection.socket.destroy();
});

test("Expect: 100-continue gets its 100, or the refusal instead", async () => {
  const connection = await rest.raw();
  connection.send(
    "POST /auth/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n",
  );
  await until("100", () => connection.text.startsWith("HTTP/1.1 100"));
  connection.send("{}");
  await until("400", () => connection.statuses().includes(400));
  const refused = await rest.raw();
  refused.send("POST /auth/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n\r\n");
  await refused.end();
  assert.deepEqual(refused.statuses(), [413]);
});

test("pipelined requests are answered in order", async () => {
  const connection = await rest.raw();
  const one = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
  connection.send(one("/health") + one("/me") + one("/nothing") + one("/ready"));
  await until("four answers", () => connection.statuses().length === 4);
  assert.deepEqual(connection.statuses(), [200, 401, 404, 200]);
  connection.socket.destroy();
});

test("a client that speaks too slowly is cut off, others are served meanwhile", async () => {
  const connections = await Promise.all(Array.from({ length: 20 }, () => rest.raw()));
  const texts = [
    "",
    "GET",
    "GET /me HTTP/1.1\r\nHost: x\r\n",
    "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
  ];
  connections.forEach((connection, i) => connection.send(texts[i % texts.length]));
  const drip = setInterval(() => connections.forEach(({ ended, send }) => ended || send("a")), 300);
  assert.equal((await rest.request("GET", "/health")).status, 200);
  await Promise.all(connections.map((connection) => connection.end(8_000)));
  clearInterval(drip);
  assert.ok((await rest.metric('parley_rest_refused_total{reason="too_slow"}')) >= 10);
});

test("without a broker a request gets 503 with Retry-After, many at once too", async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => rest.request("GET", "/me", { headers: { Authorization: "Bearer x" } })),
  );
  for (const answer of answers) {
    assert.equal(answer.status, 503);
    assert.equal(answer.body.error.code, "unavailable");
    assert.equal(openapi.answerFaults("GET", "/me", answer), undefined);
  }
  assert.equal(await rest.metric("parley_rest_requests_waiting"), 0);
});

test("a client that leaves while its request waits harms nothing", async () => {
  const connections = await Promise.all(Array.from({ length: 30 }, () => rest.raw()));
  for (const { send } of connections) send("GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n");
  await until("all wait", async () => (await rest.metric("parley_rest_requests_waiting")) === 30);
  connections.forEach(({ socket }, i) => (i % 2 ? socket.destroy() : socket.resetAndDestroy()));
  await until("none waits", async () => (await rest.metric("parley_rest_requests_waiting")) === 0);
  await until("all are closed", async () => (await rest.metric("parley_rest_connections ")) < 10);
});

test("CORS: listed origins and the own host may, others get 403", async () => {
  const from = (method, origin, headers = {}) =>
    rest.request(method, "/messages/send", { headers: { Origin: origin, ...headers } });
  const preflight = { "Access-Control-Request-Method": "POST" };
  const asked = await from("OPTIONS", "https://app.example", preflight);
  assert.equal(asked.status, 204);
  assert.equal(asked.headers.get("access-control-allow-origin"), "https://app.example");
  for (const name of ["Authorization", "Content-Type", "Idempotency-Key"])
    assert.ok(asked.headers.get("access-control-allow-headers").includes(name));
  for (const name of ["GET", "POST", "PUT", "DELETE"])
    assert.ok(asked.headers.get("access-control-allow-methods").includes(name));
  const used = await from("POST", "https://app.example");
  assert.equal(used.status, 401);
  assert.equal(used.headers.get("access-control-allow-origin"), "https://app.example");
  assert.match(used.headers.get("access-control-expose-headers"), /X-Request-Id/);
  assert.match(used.headers.get("vary"), /Origin/);
  for (const [method, headers] of [["OPTIONS", preflight], ["POST", {}]])
    for (const origin of ["https://evil.example", "null", "http://app.example"]) {
      const foreign = await from(method, origin, headers);
      assert.equal(foreign.status, 403, `${method} ${origin}`);
      assert.equal(foreign.headers.get("access-control-allow-origin"), null);
      assert.equal(foreign.body.error.code, "forbidden");
    }
  assert.equal((await from("POST", rest.url)).status, 401);
  assert.equal((await rest.request("POST", "/messages/send")).status, 401);
});

test("garbage is refused, the log says so, and it still serves", async () => {
  const garbage = ["\r\n\r\n\r\n", "\u0016\u0003\u0001\u0002\u0000", "GET\r\n\r\n", "\u0000".repeat(5000), `GET /${"a".repeat(70_000)}`,
    `GET / HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(20_000)}`, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/9.9\r\nHost: x\r\n\r\n"];
  for (const text of garbage) {
    const connection = await rest.raw();
    connection.send(text);
    connection.socket.end();
    await connection.end();
  }
  assert.equal((await rest.request("GET", "/health")).status, 200);
  assert.match(rest.log, /event=http_refused/);
});
