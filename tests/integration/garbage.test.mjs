// Bytes that mean nothing, on every socket of every service: each survives, and says what it refused.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask, System, until } from "./harness/system.mjs";

let system;

before(async () => {
  system = await System.start();
});
after(() => system?.stop());

/** Sends the bytes and waits until the other side closes, or half a second of silence. */
async function throwAt(address, bytes) {
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => {});
  socket.setTimeout(500, () => socket.destroy());
  socket.resume();
  socket.end(bytes);
  await once(socket, "close");
}

const garbage = [
  randomBytes(4096),
  Buffer.alloc(100_000, "A"),
  Buffer.from("GET / HTTP/9.9\r\n\r\n"),
  Buffer.from("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
  Buffer.from("POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"),
  Buffer.from("POST /messages/send HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZZ\r\n"),
  Buffer.concat([Buffer.from("GET / HTTP/1.1\r\nHost: x\r\nX: "), Buffer.alloc(200_000, "y")]),
  Buffer.from("\0".repeat(2000)),
];

test("garbage on the client's ports", async () => {
  for (const service of [...system.gateways, ...system.rests])
    for (const bytes of garbage) await throwAt(service.environment.LISTEN, bytes);
  for (const service of system.services)
    for (const bytes of garbage) await throwAt(service.environment.ADMIN_LISTEN, bytes);
  await system.ready();
  await until("the gateway says so", () => system.gateways[0].log().includes("what=bad_http"));
});

test("garbage inside WebSocket and polling sessions", async () => {
  for (const packet of ["4", "9", "4zzz", "42{", "42[]", '450-["x"]', "4".repeat(100_000), "2", "\u0000"]) {
    const socket = await system.connect("1", { reconnection: false });
    const gone = once(socket, "disconnect");
    socket.io.engine.transport.ws.send(packet);
    await gone;
  }
  await until("the gateway says so", () => /event=[a-z_]*refused/.test(system.gateways[0].log()));
});

test("garbage from who has the broker's key, at each of its clients", async () => {
  const endpoint = `ipc://${system.directory}/rogue`;
  const rogue = spawn("/usr/bin/python3", [fileURLToPath(new URL("./harness/rogue_broker.py", import.meta.url)), endpoint, `${system.keys}/broker.key`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let peers = "";
  rogue.stdout.on("data", (text) => (peers += text));
  const victims = [system.gateways[0], system.rests[0], system.persistWorkers[0], system.authWorkers[0]];
  try {
    for (const victim of victims) {
      await victim.end();
      victim.environment.BROKERS = endpoint;
      victim.start();
    }
    await until("garbage has reached all", () => victims.every((victim) => peers.includes(`${victim.name} done`)), 20_000);
    for (const victim of victims) {
      const health = await fetch(`${victim.adminUrl}/health`);
      assert.equal(health.status, 200);
      await until(`${victim.name} says so`, () => victim.log().includes("event=bus_frame_refused"));
    }
  } finally {
    rogue.kill();
    for (const victim of victims) {
      victim.environment.BROKERS = system.brokers[0].environment.BROKERS;
      await victim.restart("SIGTERM");
    }
  }
});

test("after all that two clients chat", async () => {
  const socket = await system.connect("1");
  await system.connect("2");
  assert.equal((await ask(socket, "send_message", { conversationId: "conv_1_2", text: "fine" })).ok, true);
});
