// Does the load generator notice what it is there to notice? It is set on a server that loses, repeats, swaps
// and stalls on purpose and counts what it did: both must come to the same numbers.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { freePort } from "../integration/harness/system.mjs";

const programs = resolve(process.env.BUILD_DIR ?? "build/dev", "tests/load");

async function output(child) {
  let out = "";
  child.stdout.on("data", (text) => (out += text));
  const [code] = await once(child, "close");
  return { code, out };
}

/** Runs the load generator on a server with these faults; what both say. */
async function run(faults, mode, ...options) {
  const address = `127.0.0.1:${await freePort()}`;
  const server = spawn(join(programs, "raw_server"), [address, ...faults], { stdio: ["ignore", "pipe", "inherit"] });
  await once(server.stdout, "data"); // "ready"
  const did = output(server);
  const child = spawn(
    join(programs, "parley_load"),
    [mode, "--server", address, "--secret", "any", "--seconds", "1", "--settle", "4", ...options],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const { code, out } = await output(child);
  server.kill();
  return { code, report: JSON.parse(out), did: JSON.parse((await did).out) };
}

const chat = ["chat", "--connections", "20", "--rate", "500"];

test("an honest server passes in every mode", { concurrency: 3 }, async (t) => {
  const modes = [
    chat,
    ["typing", "--connections", "20", "--rate", "500"],
    ["max", "--connections", "20", "--in-flight", "4"],
    ["fanout", "--connections", "50", "--room", "all", "--in-flight", "4", "--senders", "3"],
    ["fanout", "--connections", "50", "--room", "all", "--rate", "50"],
    ["connect", "--connections", "200"],
  ];
  await Promise.all(modes.map((options) => t.test(options.join(" "), async () => {
    const { code, report } = await run([], ...options);
    assert.equal(code, 0, JSON.stringify(report));
    if (options[0] !== "connect") assert.ok(report.deliveries_per_s > 0 && report.delivered.count > 0);
  })));
});

test("what is lost, repeated, swapped or withheld is counted", { concurrency: 4 }, async (t) => {
  const cases = [
    [["--lose", "37"], { lost: "lost" }],
    [["--repeat", "41"], { repeated: "doubled" }],
    [["--swap", "43"], { swapped: "out_of_order" }],
    [["--mute", "47"], { muted: "unanswered" }],
  ];
  await Promise.all(cases.map(([faults, same]) => t.test(faults[0], async () => {
    const { code, report, did } = await run(faults, ...chat);
    assert.equal(code, 1);
    const wanted = { lost: 0, doubled: 0, out_of_order: 0, unanswered: 0 };
    for (const [fault, figure] of Object.entries(same)) {
      assert.ok(did[fault] > 5, `${fault}: ${did[fault]}`);
      wanted[figure] = did[fault];
    }
    if (did.muted) wanted.lost = did.muted; // its sender never heard of that seq
    for (const [figure, value] of Object.entries(wanted)) assert.equal(report[figure], value, figure);
  })));
});

test("lost typing events are counted", async () => {
  // The server's faults don't touch typing: a partner that never joined hears nothing.
  const { code, report } = await run([], "typing", "--connections", "20", "--rate", "100", "--no-join");
  assert.equal(code, 1);
  assert.equal(report.lost, report.sent);
});

test("a stall shows in the latency of everything that was due meanwhile", async () => {
  // 300 ms in each 500: closed loops would show it once for each connection.
  const { report, did } = await run(["--stall", "250:300"], ...chat);
  assert.ok(did.stalled >= 2);
  assert.ok(report.delivered.max_ms >= 290, `max ${report.delivered.max_ms}`);
  assert.ok(report.delivered.p90_ms >= 100, `p90 ${report.delivered.p90_ms}`);
});
