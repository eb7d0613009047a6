// Links between services have keys: another broker lures nobody, keys change while clients talk, and
// without keys nothing leaves this machine. What the broker refuses is tested with the broker alone.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask, makeKeys, next, System, until } from "./harness/system.mjs";

let system;

before(async () => {
  system = await System.start();
});
after(() => system?.stop());

const count = (text, what) => text.split(what).length - 1;

/** Two clients who are in a conversation; the first says something that the second hears. */
async function chat(text) {
  const [a, b] = [await system.connect("1"), await system.connect("2")];
  assert.equal((await ask(b, "join_conversation", "conv_1_2")).ok, true);
  const heard = next(b, "new_message");
  assert.equal((await ask(a, "send_message", { conversationId: "conv_1_2", text })).ok, true);
  assert.equal((await heard).text, text);
  a.disconnect();
  b.disconnect();
}

/** Somebody in the broker's place; `key` as rogue_broker.py takes it. */
function startRogue(key) {
  const script = fileURLToPath(new URL("./harness/rogue_broker.py", import.meta.url));
  const rogue = spawn("/usr/bin/python3", [script, system.brokers[0].environment.BROKER_ENDPOINT, ...key], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  rogue.heard = "";
  rogue.stdout.on("data", (text) => (rogue.heard += text));
  return rogue;
}

for (const [what, key] of [["with a key of its own", ["new"]], ["without a key", []]])
  test(`a broker ${what} in the place of ours hears nothing, and ours is found again`, async () => {
    const clients = [system.gateways[0], system.rests[0], system.persistWorkers[0], system.authWorkers[0]];
    const failures = (service) => count(service.log(), "event=bus_handshake_failed");
    const before = clients.map(failures);
    await system.brokers[0].end("SIGKILL");
    const rogue = startRogue(key);
    try {
      for (const [i, service] of clients.entries())
        await until(`${service.name} has tried more than once`, () => failures(service) > before[i] + 1, 20_000);
      assert.equal(rogue.heard, "");
    } finally {
      rogue.kill("SIGKILL");
      await once(rogue, "exit");
    }
    system.brokers[0].start();
    await system.ready();
    await chat(`after a rogue ${what}`);
  });

test("a service's key changes without a restart of the others", async () => {
  const [gateway, broker] = [system.gateways[0], system.brokers[0]];
  const reloads = () => count(broker.log(), "event=bus_keys_loaded");
  let before = reloads();
  renameSync(`${system.keys}/gateway.key`, `${system.keys}/gateway.old`);
  makeKeys(system.keys);
  await until("the broker has read the new key", () => reloads() > before);
  await chat("under the old key");
  await gateway.restart("SIGTERM");
  await chat("under the new key");

  before = reloads();
  const lines = readFileSync(`${system.keys}/public.keys`, "utf8").split("\n");
  const old = lines.findIndex((line) => line.startsWith("gateway "));
  writeFileSync(`${system.keys}/public.keys`, lines.filter((_, i) => i !== old).join("\n"));
  await until("the broker has read that the old one is gone", () => reloads() > before);
  await chat("the new key alone");
  assert.equal(count(broker.log(), "a key that is not accepted any more"), 0);
});

test("the brokers' key changes: services that know both take whichever there is", async () => {
  const services = [system.gateways[0], system.rests[0], system.persistWorkers[0], system.authWorkers[0]];
  const reloads = (service) => count(service.log(), "event=bus_keys_loaded");
  const before = services.map(reloads);
  renameSync(`${system.keys}/broker.key`, `${system.keys}/broker.old`);
  makeKeys(system.keys);
  for (const [i, service] of services.entries())
    await until(`${service.name} has read the new key`, () => reloads(service) > before[i]);
  await system.brokers[0].restart("SIGKILL");
  await chat("to a broker with a new key");
});

test("without keys no link may leave the machine, unless that is allowed by name", () => {
  const check = (environment) => {
    const { INSTANCE, DATABASE_URL, JWT_SECRET } = system.authWorkers[0].environment;
    return spawnSync(system.authWorkers[0].binary, ["--check-config"], {
      env: { INSTANCE, DATABASE_URL, JWT_SECRET, BROKERS: "tcp://192.0.2.1:5700", ...environment },
      encoding: "utf8",
    });
  };
  const refused = check({});
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /BROKERS: links at tcp:\/\/192\.0\.2\.1:5700 would leave this machine unencrypted/);
  assert.match(refused.stderr, /BUS_KEYS.*BUS_PLAINTEXT=on/);
  assert.equal(check({ BUS_PLAINTEXT: "on" }).status, 0);
  assert.equal(check({ BUS_KEYS: system.keys }).status, 0);
  assert.equal(check({ BROKERS: "tcp://127.0.0.1:5700" }).status, 0);
});

test("a service whose keys can't be read doesn't start, and says which", async () => {
  const rest = system.rests[0];
  await rest.end();
  const started = spawnSync(rest.binary, [], {
    env: { ...rest.environment, BUS_KEYS: "/nonexistent" },
    encoding: "utf8",
  });
  assert.equal(started.status, 1);
  assert.match(started.stderr, /event=bus_keys_not_loaded problem="\/nonexistent\/rest\.key: No such file/);
  rest.start();
  await system.ready();
});
