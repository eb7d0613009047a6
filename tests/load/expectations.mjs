// What the system that Parley replaces was expected to do, measured: prints a table and one JSON line.
//
//   ./parley test bench          or, with a build at hand:
//   BUILD_DIR=build/release node tests/load/expectations.mjs
//
// One gateway, one broker, one persist-worker, one auth-worker, a private PostgreSQL with fsync on, and
// the load generator, all on this machine. Fails when something is lost, doubled, out of order or
// refused, never because of a time.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { System } from "../integration/harness/system.mjs";

const buildDir = resolve(process.env.BUILD_DIR ?? "build/release");
const SECONDS = process.env.BENCH_SECONDS ?? "10";

const system = await System.start({ environment: { LOG_LEVEL: "warn" } });

/** Runs the load generator; its report. */
async function load(mode, ...options) {
  const child = spawn(
    join(buildDir, "tests/load/parley_load"),
    [mode, "--server", system.gateways[0].environment.LISTEN, "--secret", system.secret, ...options],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let out = "";
  child.stdout.on("data", (text) => (out += text));
  const [code] = await once(child, "close");
  if (code !== 0) process.exitCode = 1;
  return JSON.parse(out);
}

/** Connects and joins, and measures what each session costs gateway and broker in bytes. */
async function memoryPerSession(connections) {
  const watched = [system.gateways[0], system.brokers[0]];
  const before = watched.map(memory);
  const child = spawn(
    join(buildDir, "tests/load/parley_load"),
    ["connect", "--server", system.gateways[0].environment.LISTEN, "--secret", system.secret,
      "--connections", `${connections}`, "--hold", "3"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const gone = once(child, "close");
  await once(child.stdout, "data"); // the report: all have joined
  const each = watched.map((service, i) => (memory(service) - before[i]) / connections);
  const [code] = await gone;
  if (code !== 0) process.exitCode = 1;
  return each;
}

/** User-space memory that belongs to a process alone, in bytes. */
function memory(service) {
  const rollup = readFileSync(`/proc/${service.process.pid}/smaps_rollup`, "utf8");
  return Number(/^Private_Dirty:\s+(\d+) kB/m.exec(rollup)[1]) * 1024;
}

/** Sum and count of a histogram over all its series. */
async function histogram(service, name) {
  const text = await (await fetch(`${service.adminUrl}/metrics`, { headers: { connection: "close" } })).text();
  const sum = (part) =>
    [...text.matchAll(new RegExp(`^${name}_${part}(?:{[^}]*})? (\\S+)`, "gm"))]
      .reduce((total, match) => total + Number(match[1]), 0);
  return { sum: sum("sum"), count: sum("count") };
}

const rows = [];
const report = {};
try {
  const [gatewayBytes, brokerBytes] = await memoryPerSession(10_000);
  const few = await load("connect", "--connections", "200");
  const many = await load("connect", "--connections", "10000", "--no-join");
  const database = "parley_persist_batch_seconds";
  const before = await histogram(system.persistWorkers[0], database);
  const chat = await load("chat", "--connections", "200", "--rate", "500", "--seconds", SECONDS);
  const after = await histogram(system.persistWorkers[0], database);
  const typing = await load("typing", "--connections", "200", "--rate", "500", "--seconds", SECONDS);
  const faster = await load("chat", "--connections", "200", "--rate", "2000", "--seconds", SECONDS);
  const write = ((after.sum - before.sum) / (after.count - before.count)) * 1000;
  Object.assign(report, { gatewayBytes, brokerBytes, few, many, chat, typing, faster, writeMeanMs: write });
  const ms = (value) => `${value.toFixed(1)} ms`;
  rows.push(
    ["connected, 200 at once, p99", ms(few.handshake.p99_ms), "< 1,000 ms"],
    ["connections on one gateway", `${many.connected}`, "≥ 1,000"],
    ["… of them, handshake p99", ms(many.handshake.p99_ms), "< 1,000 ms"],
    ["… authenticated handshakes/s", `${many.connects_per_s}`, ""],
    ["memory of a connected and joined session: gateway", `${Math.round(gatewayBytes)} B`, ""],
    ["… broker", `${Math.round(brokerBytes)} B`, ""],
    ["500 durable messages/s, 200 connections: delivery p50", ms(chat.delivered.p50_ms), ""],
    ["… p99", ms(chat.delivered.p99_ms), "< 100 ms"],
    ["… database write, mean of a batch", ms(write), "< 50 ms"],
    ["500 typing events/s: delivery p99", ms(typing.delivered.p99_ms), "< 50 ms"],
    ["2,000 durable messages/s: delivery p50", ms(faster.delivered.p50_ms), ""],
    ["… p99", ms(faster.delivered.p99_ms), ""],
  );
} finally {
  await system.stop();
}
const width = Math.max(...rows.map(([what]) => what.length));
for (const [what, value, wanted] of rows)
  console.log(`${what.padEnd(width)}  ${value.padStart(12)}  ${wanted}`);
console.log(JSON.stringify(report));
