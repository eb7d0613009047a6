// What is limited by configuration, each limit at a service of its own, and how the service ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { until } from "../harness/system.mjs";
import { Alone } from "./alone.mjs";
import { OpenApi } from "./schemas.mjs";

const openapi = new OpenApi();

/** How long a request waits for a broker that isn't there. */
const WAIT_MS = 5_000;

/** Asks until it is refused by the rate; the statuses. A slow machine lets more of them pass. */
async function untilLimited(ask) {
  const statuses = [];
  while (statuses.at(-1) !== 429 && statuses.length < 200) statuses.push(await ask());
  return statuses;
}

/** How many requests with this token were answered 503 before any of them can have waited to its end. */
async function refusedAtOnce(server, count, token) {
  const start = Date.now();
  const times = await Promise.all(
    Array.from({ length: count }, async () => {
      const { status } = await server.request("GET", "/me", { headers: { Authorization: `Bearer ${token}` } });
      assert.equal(status, 503);
      return Date.now() - start;
    }),
  );
  return times.filter((ms) => ms < WAIT_MS).length;
}

describe("limits and ends", { concurrency: true }, () => {
  test("limits on connections and requests of one address; others aren't touched", async () => {
    const limited = await Alone.start({
      environment: { HTTP_CONNECTIONS_PER_ADDRESS_MAX: "5", HTTP_ADDRESS_RATE: "2", TRUSTED_PROXIES: "10.0.0.1" },
    });
    try {
      const connections = await Promise.all(Array.from({ length: 8 }, () => limited.raw()));
      await until("three are refused", () => connections.filter(({ ended }) => ended).length >= 3);
      connections.forEach(({ socket }) => socket.destroy());
      await until("they are gone", async () => (await limited.metric("parley_rest_connections ")) === 0);
      let refused;
      const statuses = await untilLimited(async () => {
        refused = await limited.request("GET", "/me");
        return refused.status;
      });
      assert.ok(statuses.length > 4, statuses.join()); // two a second, and a burst of two seconds
      assert.deepEqual([...new Set(statuses)], [401, 429]);
      assert.equal(refused.body.error.code, "rate_limited");
      assert.equal(openapi.answerFaults("GET", "/me", refused), undefined);
      assert.equal((await limited.request("GET", "/health")).status, 200);
    } finally {
      await limited.stop();
    }
  });

  test("behind a trusted proxy the forwarded address counts", async () => {
    const limited = await Alone.start({ environment: { HTTP_ADDRESS_RATE: "1" } });
    const as = async (address) =>
      (await limited.request("GET", "/me", { headers: { "X-Forwarded-For": address } })).status;
    try {
      const statuses = await untilLimited(() => as("203.0.113.1"));
      assert.equal(statuses.at(-1), 429, statuses.join());
      assert.equal(await as("203.0.113.2"), 401);
      assert.equal(await as("203.0.113.1, 203.0.113.3"), 401); // what a client claims doesn't count
      const twoLines = async (...addresses) => {
        const connection = await limited.raw();
        const lines = addresses.map((address) => `X-Forwarded-For: ${address}\r\n`).join("");
        connection.send(`GET /me HTTP/1.1\r\nHost: x\r\n${lines}Connection: close\r\n\r\n`);
        await connection.end();
        return connection.statuses()[0];
      };
      assert.equal(await twoLines("203.0.113.1", "203.0.113.4"), 401);
      let claims = 0;
      const claimed = await untilLimited(() => twoLines(`203.0.113.${10 + claims++}`, "203.0.113.5"));
      assert.equal(claimed.at(-1), 429, claimed.join());
    } finally {
      await limited.stop();
    }
  });

  test("a limit on waiting requests", async () => {
    const limited = await Alone.start({ environment: { HTTP_REQUESTS_MAX: "3", RATE_LIMIT: "off" } });
    try {
      assert.equal(await refusedAtOnce(limited, 8, "x"), 5);
    } finally {
      await limited.stop();
    }
  });

  test("a limit on the bytes of unanswered requests", async () => {
    const limited = await Alone.start({ environment: { BUS_PENDING_BYTES_MAX: "1048576", RATE_LIMIT: "off" } });
    try {
      const refused = await refusedAtOnce(limited, 200, "x".repeat(8000)); // 1.6 MB
      assert.ok(refused >= 1 && refused <= 100, `${refused}`); // a slow machine answers some of 60 late
    } finally {
      await limited.stop();
    }
  });

  test("a limit on the bytes of bodies in memory", async () => {
    const limited = await Alone.start({ environment: { HTTP_BODY_BYTES_MAX: "131072", RATE_LIMIT: "off" } });
    const head = "POST /messages/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    try {
      const [first, second] = await Promise.all([limited.raw(), limited.raw()]);
      first.send(head + " ".repeat(99_999));
      await until("it is there", async () => (await limited.metric("parley_rest_body_bytes")) === 99_999);
      second.send(head + " ".repeat(100_000));
      await until("the second is refused", () => second.statuses().length > 0);
      assert.deepEqual(second.statuses(), [503]);
      assert.match(second.text, /Retry-After: 1/);
      first.send(" ");
      await until("the first is read", () => first.statuses().length > 0);
      assert.deepEqual(first.statuses(), [401]);
      await until("they are freed", async () => (await limited.metric("parley_rest_body_bytes")) === 0);
      for (const { socket } of [first, second]) socket.destroy();
    } finally {
      await limited.stop();
    }
  });

  test("a limit on connections: further ones wait for one to end", async () => {
    const limited = await Alone.start({ environment: { HTTP_CONNECTIONS_MAX: "3", RATE_LIMIT: "off" } });
    try {
      await until("the first clients are gone", async () => (await limited.metric("parley_rest_connections ")) === 0);
      const connections = await Promise.all(Array.from({ length: 4 }, () => limited.raw()));
      for (const { send } of connections) send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
      const answered = () => connections.filter(({ statuses }) => statuses().length === 1);
      await until("three are answered", () => answered().length === 3);
      assert.equal(await limited.metric("parley_rest_connections "), 3);
      answered()[0].socket.destroy();
      await until("the fourth is answered", () => answered().length === 4);
      connections.forEach(({ socket }) => socket.destroy());
    } finally {
      await limited.stop();
    }
  });

  test("SIGTERM: what waits is answered, idle connections end, new ones are refused", async () => {
    const ending = await Alone.start({});
    const idle = await ending.raw();
    idle.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    const waiting = await ending.raw();
    waiting.send("GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n");
    await until("it waits", async () => (await ending.metric("parley_rest_requests_waiting")) === 1);
    const gone = once(ending.process, "exit");
    ending.process.kill("SIGTERM");
    await idle.end(3_000);
    assert.ok(!waiting.ended);
    await assert.rejects(fetch(`${ending.url}/health`));
    const [code] = await gone;
    await waiting.end();
    assert.equal(code, 0);
    assert.deepEqual(waiting.statuses(), [503]);
    assert.match(waiting.text, /Connection: close/i);
    await ending.stop();
  });

  test("two signals end it at once, with requests waiting", async () => {
    const ending = await Alone.start({});
    const waiting = await ending.raw();
    waiting.send("GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n");
    await until("it waits", async () => (await ending.metric("parley_rest_requests_waiting")) === 1);
    const gone = once(ending.process, "exit");
    ending.process.kill("SIGTERM");
    await until("it drains", () => ending.log.includes("event=draining"));
    ending.process.kill("SIGTERM");
    const [code] = await gone;
    assert.equal(code, 3);
    assert.doesNotMatch(ending.log, /Sanitizer|dangling|assertion/);
  });

  test("a bad configuration names itself", async () => {
    await assert.rejects(Alone.start({ environment: { FRONTEND_URL: "app.example" } }), /FRONTEND_URL/);
    await assert.rejects(Alone.start({ environment: { TRUSTED_PROXIES: "10.0.0.0/99" } }), /TRUSTED_PROXIES/);
    await assert.rejects(Alone.start({ environment: { WEB_ROOT: "/nonexistent" } }), /web_root_failed/);
  });
});
