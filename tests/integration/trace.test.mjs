// Traces: one message's way through the logs of all services, as `./parley logs --trace` shows it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { ask, next, System, until } from "./harness/system.mjs";

const CONNECTION = "0af7651916cd43dd8448eb211c80319c";
const traceparent = (trace, flags) => `00-${trace}-b7ad6b7169203331-${flags}`;
const launcher = new URL("../../parley", import.meta.url).pathname;
const TEXT = "nobody logs this text";

let system;

before(async () => {
  system = await System.start({ gateways: 2 });
  await system.addUsers("1", "2", "3");
});
after(() => system?.stop());

/** What `./parley logs --trace` says of these services' logs: the lines, or [] when it finds nothing. */
function show(trace) {
  const input = system.services.map((service) => service.log()).join("");
  const done = spawnSync(launcher, ["logs", "--trace", trace, "-"], { input, encoding: "utf8" });
  assert.ok(done.status === 0 || done.stderr.includes("no step of trace"), done.stderr);
  return done.stdout.split("\n").filter(Boolean);
}

/** The lines once there are such for each of these; the services log at their own pace. */
function shown(trace, ...patterns) {
  return until(`${patterns} of ${trace}`, () => {
    const lines = show(trace);
    return patterns.every((pattern) => lines.some((line) => pattern.test(line))) && lines;
  });
}

function assertInOrder(lines, patterns) {
  let at = -1;
  for (const pattern of patterns) {
    const found = lines.findIndex((line, i) => i > at && pattern.test(line));
    assert.ok(found > at, `${pattern} behind line ${at} of\n${lines.join("\n")}`);
    at = found;
  }
}

test("a message's way is shown over all services, in order", async () => {
  const sender = await system.connect("1", {
    extraHeaders: { traceparent: traceparent(CONNECTION, "01") },
  });
  const receiver = await system.connect("2", { gateway: 1 });
  await ask(receiver, "join_conversation", "conv_1_2");
  const arriving = next(receiver, "new_message");
  await ask(sender, "send_message", { conversationId: "conv_1_2", text: TEXT });
  await arriving;
  // The connection's trace leads to its events, each of them a trace of its own.
  const all = await shown(CONNECTION, /event_delivered type=new_message/);
  assertInOrder(all, [
    /^trace 0af7651916cd43dd8448eb211c80319c began/,
    /gateway-1 .*client_connecting/,
    /auth-worker-1 +envelope_received type=AUTH_VERIFY/,
    /gateway-1 +envelope_received type=IDENTITY/,
    /^trace [0-9a-f]{32} began .* of connection 0af7651916cd43dd8448eb211c80319c$/,
  ]);
  const [, event] = all.map((line) => /^trace (\w+) .* of connection/.exec(line)).find(Boolean);
  const lines = await shown(event, /event_delivered/, /event_answered/, /type=DONE peer=persist/);
  assertInOrder(lines, [
    /gateway-1 +event_received type=send_message session=1 user=1/,
    /gateway-1 +envelope_sent type=SEND /,
    /broker-1 +envelope_received type=SEND peer=gateway-1/,
    /broker-1 +envelope_sent type=SEND peer=persist-worker-1/,
    /persist-worker-1 +envelope_received type=SEND/,
    /persist-worker-1 +transaction outcome=committed/,
    /persist-worker-1 +message_stored room=conv_1_2 seq=1/,
    /persist-worker-1 +envelope_sent type=STORED/,
    /broker-1 +envelope_received type=STORED/,
    /broker-1 +envelope_sent type=NEW_MESSAGE peer=gateway-2/,
    /gateway-2 +envelope_received type=NEW_MESSAGE/,
    /gateway-2 +event_delivered type=new_message room=conv_1_2 seq=1 sockets=1/,
  ]);
  assertInOrder(lines, [
    /broker-1 +envelope_sent type=STORED peer=gateway-1/,
    /gateway-1 +envelope_received type=STORED/,
    /gateway-1 +event_answered type=send_message code=ok/,
  ]);
  const times = lines.slice(1).map((line) => parseFloat(line));
  assert.deepEqual(times, times.toSorted((a, b) => a - b));
  for (const service of system.services) assert.ok(!service.log().includes(TEXT), service.name);
});

test("a request of the HTTP API keeps its caller's trace id", async () => {
  const trace = "11112222333344445555666677778888";
  const sent = await system.http("POST", "/messages/send", {
    as: "1",
    body: { conversationId: "conv_1_3", text: TEXT },
    headers: { traceparent: traceparent(trace, "01") },
  });
  assert.equal(sent.status, 200, JSON.stringify(sent.body));
  const lines = await shown(trace, /http_answered/);
  assertInOrder(lines, [
    /rest-1 +envelope_sent type=AUTH_VERIFY/,
    /auth-worker-1 +envelope_received type=AUTH_VERIFY/,
    /rest-1 +envelope_sent type=SEND/,
    /persist-worker-1 +message_stored room=conv_1_3 seq=1/,
    /rest-1 +http_answered .*status=200/,
  ]);
});

test("the edge's request id is the trace of a request without one", async () => {
  const id = "01890a5d-ac96-774b-bcce-b302099a8057";
  await system.http("GET", "/conversations", { as: "1", headers: { "X-Request-Id": id } });
  await shown(id, /^trace 01890a5dac96774bbcceb302099a8057 /, /http_answered/);
});

test("a caller that declines is not logged", async () => {
  const trace = "99998888777766665555444433332222";
  const headers = { traceparent: traceparent(trace, "00") };
  await system.http("GET", "/conversations", { as: "1", headers });
  const socket = await system.connect("1", { extraHeaders: headers });
  await ask(socket, "join_conversation", "conv_1_2");
  // What was logged would be there before the lines of a later request.
  const later = "12121212121212121212121212121212";
  await system.http("GET", "/conversations", {
    as: "1",
    headers: { traceparent: traceparent(later, "01") },
  });
  await shown(later, /http_answered/);
  assert.deepEqual(show(trace), []);
});

test("so many traces a second are logged and no more", async () => {
  const socket = await system.connect("3");
  const before = system.gateways[0].log().split("event_received").length;
  for (let i = 0; i < 200; i++) await ask(socket, "mark_read", { conversationId: "conv_1_3" });
  const logged = system.gateways[0].log().split("event_received").length - before;
  const seconds = 240; // no test lasts longer
  assert.ok(logged <= 10 + seconds, `${logged} of 200`);
  assert.ok(logged < 200, `${logged} of 200 within TRACE_RATE=1`);
});
