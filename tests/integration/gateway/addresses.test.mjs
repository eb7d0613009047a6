// Connection limits by address: X-Forwarded-For counts from trusted proxies alone.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { next, System } from "../harness/system.mjs";

let system;
after(() => system?.stop());

function open(user, address) {
  return system.socket(user, {
    transports: ["polling"],
    reconnection: false,
    extraHeaders: { "X-Forwarded-For": address },
  });
}

async function refusal(user, address) {
  const error = await next(open(user, address), "connect_error");
  return error.data?.code;
}

test("behind a trusted proxy each address has its own count", async () => {
  system = await System.start({ environment: { RATE_LIMIT: "on", MAX_CONNECTIONS_PER_ADDRESS: "2" } });
  const first = open("1", "203.0.113.1");
  await next(first, "connect");
  await next(open("2", "203.0.113.1"), "connect");
  assert.equal(await refusal("3", "203.0.113.1"), "rate_limited");
  assert.equal(await refusal("3", "198.51.100.7, 203.0.113.1"), "rate_limited");
  await next(open("3", "203.0.113.2"), "connect");
  await next(open("3", "2001:db8:1:2::1"), "connect");
  await next(open("4", "2001:db8:1:2:ffff::9"), "connect");
  assert.equal(await refusal("5", "2001:db8:1:2:3::"), "rate_limited"); // the same /64
  first.disconnect();
  await next(open("6", "203.0.113.1"), "connect");
  await system.stop();
});

test("from anybody else the header counts for nothing", async () => {
  system = await System.start({
    environment: { RATE_LIMIT: "on", MAX_CONNECTIONS_PER_ADDRESS: "2", TRUSTED_PROXIES: "192.0.2.0/24" },
  });
  await next(open("1", "203.0.113.1"), "connect");
  await next(open("2", "203.0.113.2"), "connect");
  assert.equal(await refusal("3", "203.0.113.3"), "rate_limited");
});
