// Every service is killed, ended, frozen past its lease and crashed, singly and in pairs, while
// clients talk; afterwards what was acknowledged, stored and seen by every client is compared.
//
//   CHAOS_SEED     which schedule (default: any; it is printed)
//   CHAOS_SECONDS  goes on with pairs of any two faults until then (default: MORE_PAIRS of them)
//   CHAOS_ONLY     a regular expression: only faults whose text it matches
//   BUILD_DIR      which build to run

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, test } from "node:test";
import { System, until } from "../integration/harness/system.mjs";
import { compareStored } from "./audit.mjs";
import { randomFrom, schedule } from "./faults.mjs";
import { Table } from "./figures.mjs";
import { World } from "./world.mjs";

const MORE_PAIRS = 4;
const RECOVERY_MS = 30_000;
const QUIET_MS = 8_000; // heads are compared a second time 5 s after a link came up
const PAUSE_AIM_MS = 1_500;
const AIMED = new Set(["broker killed", "broker terminated", "persist-worker killed", "persist-worker absent"]);

const seed = Number(process.env.CHAOS_SEED ?? randomInt(1, 2 ** 31));
const seconds = Number(process.env.CHAOS_SECONDS ?? 0);
const only = new RegExp(process.env.CHAOS_ONLY ?? "");
const table = new Table();
let system;
let world;

before(async () => {
  console.log(`CHAOS_SEED=${seed}`);
  system = await System.start({ gateways: 2, brokers: 2, persistWorkers: 2, authWorkers: 2 });
  world = await World.start(system, randomFrom(seed + 1));
});

after(async () => {
  console.log(table.text);
  await system?.stop();
});

async function suffer(fault) {
  const herald = await world.herald(fault.hits(system.gateways[1]) ? 1 : 0);
  world.delays.begin();
  world.resetConnects();
  await Promise.all([herald(), fault.run()]);
  const over = performance.now();
  await until(`messages flow after ${fault.text} (${fault.victims})`, () => world.flowsSince(over), RECOVERY_MS);
  await world.quietAreHeard(QUIET_MS);
  table.add(fault.text, { pauses: world.delays.longest, ...world.connects });
  assert.deepEqual(system.faults, []);
  assert.deepEqual([...world.violations, ...world.clients.flatMap((client) => client.violations)], []);
}

test(`faults under load (CHAOS_SEED=${seed})`, async (t) => {
  const end = performance.now() + seconds * 1000;
  await until("messages flow", () => world.flowsSince(performance.now() - 1000));
  for (const fault of schedule(system, randomFrom(seed), seconds ? Infinity : MORE_PAIRS)) {
    if (seconds && performance.now() > end) break;
    if (only.test(fault.text)) await t.test(`${fault.text} (${fault.victims})`, () => suffer(fault));
  }
});

test("what was acknowledged is stored, once, and everybody saw all of it in order", async () => {
  await world.stopSending();
  await world.finish();
  const acknowledged = world.clients.flatMap((client) => client.acknowledged);
  const stored = await world.stored();
  const { lost, doubled, disordered } = compareStored(acknowledged, stored);
  const recoveries = world.clients.reduce((sum, client) => sum + client.recoveries, 0);
  console.log(
    `acknowledged ${acknowledged.length}, stored ${stored.length}, visits ${world.visits}, ` +
      `sessions recovered ${recoveries}, removals ${world.removals}: lost ${lost.length}, doubled ${doubled.length}, ` +
      `out of order ${disordered.length}, other violations ${world.violations.length}`,
  );
  assert.ok(acknowledged.length > 100 && world.visits > 0 && world.removals > 0, "there was load");
  if (!process.env.CHAOS_ONLY) assert.ok(recoveries > 0, "sessions were recovered");
  assert.deepEqual({ lost, doubled, disordered }, { lost: [], doubled: [], disordered: [] });
  assert.deepEqual(world.violations, []);
});

test("pauses are short", () => {
  for (const [fault, { pauses, reconnects }] of table.rows) {
    if (AIMED.has(fault))
      assert.ok(Math.max(...pauses) < PAUSE_AIM_MS, `${fault}: a pause of ${Math.max(...pauses)} ms`);
    if (fault === "gateway killed") assert.ok(reconnects <= 1, `a gateway's clients reconnected ${reconnects} times`);
  }
});
