// Clients that don't read, read or write a byte now and then, or open and never speak, at every port: each
// is dropped in its time, memory stays within its bounds, and a healthy pair of clients doesn't notice.
//
//   POLLS=10000 node --test tests/integration/slow_clients.test.mjs      polls held at once (default 500)

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Connection, frame, PollingSession, RawWebSocket, requestText } from "../conformance/harness.mjs";
import { Edge } from "./harness/edge.mjs";
import { Pair } from "./harness/pair.mjs";
import { ask, System, until } from "./harness/system.mjs";

const POLLS = Number(process.env.POLLS ?? 500);
const DRIP_MS = 200; // between the bytes of a slow client
const GONE_MS = 40_000; // deadline, far over every time-out
const MIB = 1024 * 1024;

const portOf = (address) => Number(address.split(":")[1]);

/** Writes `bytes` one at a time, for ever the last of them, until the other side closes. */
function drip(connection, bytes) {
  let next = 0;
  const timer = setInterval(() => {
    if (connection.closed) clearInterval(timer);
    else connection.write(bytes.subarray(next, next + 1));
    next = Math.min(next + 1, bytes.length - 1);
  }, DRIP_MS);
}

async function untilAllClosed(what, connections) {
  await until(`${what} are closed`, () => connections.every(({ closed }) => closed), GONE_MS);
}

/** A Socket.IO client by hand that has joined a conversation. */
async function listener(system, user, conversationId) {
  const socket = await RawWebSocket.open(portOf(system.gateways[0].environment.LISTEN));
  await socket.message("open packet");
  socket.send(`40${JSON.stringify({ token: system.token(user) })}`);
  await socket.message("connect reply");
  socket.send(`420["join_conversation",${JSON.stringify(conversationId)}]`);
  for (let packet = ""; !packet.startsWith("430"); assert.doesNotMatch(packet, /"ok":false/))
    packet = await socket.message("join");
  return socket;
}

describe("clients with small limits", () => {
  const MAX_TOTAL_OUTBOUND_BYTES = 16 * MIB;
  const MAX_CONNECTIONS = 60;
  let system, edge, pair;

  before(async () => {
    system = await System.start({
      environment: {
        MAX_CONNECTIONS: `${MAX_CONNECTIONS}`,
        MAX_OUTBOUND_BYTES: `${3 * MIB}`,
        MAX_TOTAL_OUTBOUND_BYTES: `${MAX_TOTAL_OUTBOUND_BYTES}`,
        MAX_TOTAL_INBOUND_BYTES: "4000000",
        REQUEST_TIMEOUT_MS: "3000",
        CONNECT_TIMEOUT_MS: "5000",
        HTTP_CONNECTIONS_MAX: "60",
        HTTP_REQUEST_TIMEOUT_SECONDS: "3",
        HTTP_ANSWER_BYTES_MAX: "65536",
      },
    });
    edge = await Edge.start(system, { RATE_LIMIT: "off" });
    pair = await Pair.start(system);
  });
  after(async () => {
    await edge?.stop();
    await system?.stop();
  });
  const tell = (what) => console.log(`${what}: ${pair.delays()}`);
  const gateway = () => system.gateways[0];
  const gatewayPort = () => portOf(gateway().environment.LISTEN);

  test("clients that don't read are disconnected, within a bound for all of them", async () => {
    const users = Array.from({ length: 12 }, (_, i) => `deaf${i}`);
    await system.addUsers("writer", ...users);
    const made = await system.http("POST", "/conversations", { as: "writer", body: { title: "Loud", userIds: users } });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const deaf = await Promise.all(users.map((user) => listener(system, user, made.body.id)));
    deaf.forEach(({ socket }, i) => {
      socket.removeAllListeners("data");
      socket.pause();
      if (i % 2) drip({ get closed() { return socket.destroyed; }, write: () => socket.read(1) }, Buffer.alloc(1));
    });
    const writer = await system.connect("writer");
    const text = "\u{1f3b5}".repeat(8000);
    let most = 0;
    const closed = async () => (await gateway().metrics()).get('parley_gateway_connection_closes_total{reason="queue_limit"}');
    for (let i = 0; (await closed()) < deaf.length; i++) {
      assert.ok(i < 3000, "they are not disconnected");
      assert.equal((await ask(writer, "send_message", { conversationId: made.body.id, text })).ok, true);
      most = Math.max(most, await gateway().metric("parley_gateway_queued_bytes"));
    }
    assert.ok(most > MIB && most <= MAX_TOTAL_OUTBOUND_BYTES, `${most} bytes waited`);
    await until("the memory is given back", async () => (await gateway().metric("parley_gateway_queued_bytes")) < 100_000);
    await pair.goOn();
    tell("clients that don't read, or a byte now and then");
    deaf.forEach((socket) => socket.destroy());
    writer.disconnect();
  });

  test("an answer that is too large for what is left is refused, smaller ones are not", async () => {
    for (let i = 0; i < 3; i++) {
      const sent = await ask(pair.sender, "send_message", { conversationId: "conv_deaf0_healthy1", text: "\u{1f3b5}".repeat(8000) });
      assert.equal(sent.ok, true, JSON.stringify(sent));
    }
    const page = (limit) => system.http("GET", `/conversations/conv_deaf0_healthy1/messages?limit=${limit}`, { as: "deaf0" });
    assert.equal((await page(1)).status, 200); // 32 KB, and as much again is left
    const refused = await page(2);
    assert.equal(refused.status, 503);
    assert.equal(refused.body.error.code, "unavailable");
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.equal((await system.rests[0].metrics()).get('parley_rest_refused_total{reason="answer_bytes"}'), 1);
  });

  test("heads and bodies that come a byte at a time are cut off at every port", async () => {
    const head = Buffer.from("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: aaaaaaaa");
    const ports = [gatewayPort(), portOf(system.rests[0].environment.LISTEN), edge.port];
    const admins = system.services.map(({ environment }) => portOf(environment.ADMIN_LISTEN));
    const slow = [...ports, ...admins].flatMap((port) => Array.from({ length: 4 }, () => new Connection(port)));
    slow.forEach((connection) => drip(connection, head));
    const login = Buffer.from(requestText("POST", "/auth/login", { headers: { "Content-Type": "application/json", "Content-Length": "100" } }) + "{{");
    for (const port of ports.slice(1)) slow.push(...Array.from({ length: 4 }, () => {
      const connection = new Connection(port);
      connection.write(login.subarray(0, -2));
      drip(connection, login.subarray(-2));
      return connection;
    }));
    for (const port of [gatewayPort(), edge.port]) {
      const session = await PollingSession.open(port);
      const connection = new Connection(port);
      connection.write(requestText("POST", session.target, { headers: { "Content-Type": "text/plain", "Content-Length": "1000" } }));
      drip(connection, Buffer.from("40"));
      slow.push(connection);
      const socket = await RawWebSocket.open(port);
      drip(socket, frame("text", "4".repeat(1000)));
      slow.push(socket);
    }
    await untilAllClosed("slow clients", slow);
    await pair.goOn();
    tell("heads, bodies and frames a byte at a time");
  });

  test("unfinished input of all clients is bounded together", async () => {
    const hoarders = await Promise.all(Array.from({ length: 8 }, async () => {
      const session = await PollingSession.open(gatewayPort());
      const connection = new Connection(gatewayPort());
      connection.write(requestText("POST", session.target, { headers: { "Content-Type": "text/plain", "Content-Length": "1000000" } }));
      connection.write(Buffer.alloc(950_000, "4"));
      return connection;
    }));
    await until("some are told", async () => (await gateway().metric("parley_gateway_input_refused_total")) > 0);
    await until("each is answered or waits", async () => (await gateway().metric("parley_gateway_input_bytes")) <= 4_000_000);
    const refused = hoarders.filter(({ bytes }) => bytes.includes("HTTP/1.1 503"));
    assert.ok(refused.length > 0);
    await untilAllClosed("hoarders", hoarders);
    assert.equal(await gateway().metric("parley_gateway_input_bytes"), 0);
    await pair.goOn();
    tell("bodies that are never finished");
  });

  test("connections that say nothing give way to those who speak", async () => {
    const silent = Array.from({ length: 5 * MAX_CONNECTIONS }, () => new Connection(gatewayPort()));
    await until("too many have come", async () => (await gateway().metric("parley_gateway_tcp_connections_evicted_total")) > MAX_CONNECTIONS);
    const sockets = await Promise.all(Array.from({ length: MAX_CONNECTIONS + 20 }, () => RawWebSocket.open(gatewayPort())));
    assert.ok((await gateway().metric("parley_gateway_sessions_evicted_total")) > 0);
    assert.ok((await gateway().metric("parley_gateway_connections")) <= MAX_CONNECTIONS + 1);
    const newcomer = await system.connect("newcomer");
    assert.equal((await ask(newcomer, "join_conversation", "conv_healthy1_newcomer")).ok, true);
    newcomer.disconnect();
    await pair.goOn();
    tell("connections and sessions that say nothing");
    [...silent, ...sockets].forEach((connection) => connection.destroy());
    await until("they are gone", async () => (await gateway().metric("parley_gateway_connections")) <= 2);
  });

  test("rest's places too go to those who ask for something", async () => {
    const silent = Array.from({ length: 150 }, () => new Connection(portOf(system.rests[0].environment.LISTEN)));
    for (let i = 0; i < 10; i++) assert.equal((await system.http("GET", "/me", { as: "healthy1" })).status, 200);
    assert.ok((await system.rests[0].metrics()).get('parley_rest_refused_total{reason="evicted"}') > 0);
    silent.forEach((connection) => connection.destroy());
    await pair.goOn();
  });

  test("the healthy pair has missed nothing", () => pair.stop());
});

test(`${POLLS} polls at once`, async () => {
  const system = await System.start({ environment: { MAX_CONNECTIONS: `${POLLS + 100}`, LOG_LEVEL: "warn" } });
  try {
    const [gateway] = system.gateways;
    const port = portOf(gateway.environment.LISTEN);
    const pair = await Pair.start(system);
    await pair.goOn();
    console.log(`before the polls: ${pair.delays()}`);
    const before = gateway.residentBytes();
    const tokens = Array.from({ length: 50 }, (_, i) => system.token(`poller${i}`));
    const polls = [];
    const open = async (i) => {
      const connection = new Connection(port);
      polls.push(connection);
      connection.write(requestText("GET", "/socket.io/?EIO=4&transport=polling"));
      const { sid } = JSON.parse((await connection.response("handshake")).body.slice(1));
      const target = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      connection.write(requestText("POST", target, { body: `40${JSON.stringify({ token: tokens[i % tokens.length] })}` }));
      assert.equal((await connection.response("CONNECT")).body, "ok");
      connection.write(requestText("GET", target));
      assert.match((await connection.response("reply")).body, /^40\{/);
      connection.write(requestText("GET", target)); // held
    };
    for (let i = 0; i < POLLS; i += 100) {
      await Promise.all(Array.from({ length: Math.min(100, POLLS - i) }, (_, k) => open(i + k)));
    }
    console.log(`while they came: ${pair.delays()}`);
    assert.equal(await gateway.metric("parley_gateway_sessions"), POLLS + 2);
    await pair.goOn(100);
    console.log(`with them: ${pair.delays()}; ${Math.round((gateway.residentBytes() - before) / POLLS)} bytes each`);
    polls.forEach((connection) => connection.destroy());
    await until("they are gone", async () => (await gateway.metric("parley_gateway_sessions")) === 2, 60_000);
    await pair.stop();
  } finally {
    await system.stop();
  }
});
