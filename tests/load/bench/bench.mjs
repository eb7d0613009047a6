// Parley beside its peers on this machine, in turns (A B A B), so that whatever else the machine does hits all.
//
//   ./parley bench [--full] [--only CELL,…] [--rounds N] [--seconds N]
//   ./parley bench --growth [--messages N]      see growth.mjs
//   ./parley bench --idle SESSIONS [--minutes N]
//
// Prints each figure's median and spread over the rounds, and how many times better Parley is. Writes all that was
// measured to bench.json, and with --full the plots too, into build/bench/. Fails when a message was lost, doubled,
// out of order or refused by any of them, never because of a time.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Database } from "../../integration/harness/system.mjs";
import { cells, MEMBERS, membersCell, rateCell, RATES } from "./cells.mjs";
import { buildDir, NodePeer, Parley, RawPeer } from "./contestants.mjs";
import { growMessages, growServices, growSessions } from "./growth.mjs";
import { idle } from "./idle.mjs";
import { memory, perSession } from "./memory.mjs";
import { drawAll, drawGrowth } from "./plots.mjs";

const { values: options } = parseArgs({
  options: {
    full: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    growth: { type: "boolean", default: false },
    messages: { type: "string", default: "1000000" },
    idle: { type: "string" },
    minutes: { type: "string", default: "5" },
    out: { type: "string", default: resolve(buildDir, "../bench") },
  },
});
const ROUNDS = Number(options.rounds ?? (options.full ? 5 : 3));
const SECONDS = Number(options.seconds ?? (options.full ? 6 : 3));
const wanted = options.only?.split(",");
const isWanted = (name) => !wanted || wanted.includes(name);

const starters = {
  parley: () => Parley.start(),
  "node-batched": () => NodePeer.start("batched"),
  "node-single": () => NodePeer.start("single"),
  raw: () => RawPeer.start(),
};

const result = { started: new Date().toISOString(), rounds: ROUNDS, seconds: SECONDS, cells: {}, floor: [] };

function say(text) {
  process.stderr.write(`${text}\n`);
}

function note(contestant, what, report) {
  if (report.good) return report;
  say(`${contestant.name}: ${what} broke a promise: ${JSON.stringify(report)}`);
  process.exitCode = 1;
  return report;
}

/** PostgreSQL alone: every size of batch, one and two connections. */
async function floor() {
  const database = await Database.start();
  const child = spawn(join(buildDir, "tests/load/postgres_floor"), [`${Math.min(1, SECONDS / 3)}`], {
    env: { ...process.env, DATABASE_URL: database.url },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (text) => (out += text));
  await once(child, "close");
  await database.stop();
  return { loadavg: loadavg()[0], batches: JSON.parse(out) };
}

async function withContestants(names, run) {
  const contestants = {};
  try {
    for (const name of names) contestants[name] = await starters[name]();
    return await run(contestants);
  } finally {
    for (const contestant of Object.values(contestants)) await contestant.stop();
  }
}

async function runCells(contestants, chosen) {
  for (let round = 0; round < ROUNDS; round++) {
    for (const cell of chosen) {
      const reports = (result.cells[cell.name] ??= Object.fromEntries(cell.who.map((name) => [name, []])));
      for (const name of cell.who) {
        const contestant = contestants[name];
        reports[name].push(note(contestant, cell.name, await cell.run(contestant, SECONDS)));
        await contestant.rest();
      }
      say(`round ${round + 1}: ${cell.name} (load average ${loadavg()[0].toFixed(1)})`);
    }
    if (isWanted("floor") || isWanted("max")) result.floor.push(await floor());
  }
}

async function runMemory() {
  const steps = options.full ? [1000, 2500, 5000, 10000] : [2500, 10000];
  result.memory = {};
  for (const name of ["parley", "node-batched", "raw"]) {
    await withContestants([name], async (contestants) => {
      result.memory[name] = await memory(contestants[name], steps);
    });
    say(`memory: ${name}`);
  }
}

async function runSweeps(contestants) {
  result.rates = {};
  result.members = {};
  for (const rate of RATES)
    for (const [name, contestant] of Object.entries(contestants)) {
      const points = (result.rates[name] ??= []);
      // Twice as much as it can bear says nothing, and takes minutes to settle.
      if (points.length && points.at(-1).p50 > 250) continue;
      const report = note(contestant, `chat at ${rate}/s`, await rateCell(rate)(contestant, SECONDS));
      points.push({
        rate, reached: report.acks_per_s, p50: report.delivered.p50_ms, p99: report.delivered.p99_ms,
        loadavg: report.loadavg,
      });
      await contestant.rest();
    }
  for (const members of MEMBERS)
    for (const [name, contestant] of Object.entries(contestants)) {
      const report = note(contestant, `${members} members`, await membersCell(members)(contestant, SECONDS));
      (result.members[name] ??= []).push({ members, deliveries: report.deliveries_per_s, loadavg: report.loadavg });
      await contestant.rest();
    }
  say("sweeps");
}

// ---- the table ----

const sorted = (values) => [...values].sort((a, b) => a - b);
const median = (values) => sorted(values)[Math.floor(values.length / 2)];

function show(values, { unit, digits }) {
  const text = (value) => value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${text(median(values))}${unit === "ms" ? " ms" : unit} (${text(low)}–${text(high)})`;
}

/** How many times better than the other, from the medians. */
function ratio(own, other, better) {
  return better === "more" ? median(own) / median(other) : median(other) / median(own);
}

function floorValues(pick) {
  return result.floor.map(({ batches }) => pick(batches));
}

/** A figure of a peer, which may be made of several. */
function peerValues(cell, figure, name) {
  if (name === "postgresql")
    return floorValues((batches) => Math.max(...batches.map((batch) => batch.messages_per_s)));
  const of = cell.figures[figure].of;
  if (name !== "raw+commit") return result.cells[cell.name][name].map(of);
  const commit = floorValues((all) => all.find((one) => one.rows === 1 && one.connections === 1).batch.p50_ms);
  const raw = result.cells[cell.name].raw.map(of);
  return commit.length ? raw.map((value, i) => value + (commit[i] ?? commit.at(-1))) : [];
}

function rowsOf(cell) {
  const rows = [];
  const own = result.cells[cell.name].parley;
  for (const [figure, how] of Object.entries(cell.figures)) {
    const values = own.map(how.of);
    rows.push([`${cell.text}: ${figure}`, "parley", show(values, how), "", ""]);
    const others = new Set([...cell.who.slice(1), ...cell.targets.filter(([f]) => f === figure).map(([, n]) => n)]);
    for (const name of others) {
      const theirs = peerValues(cell, figure, name);
      if (!theirs.length) continue;
      const target = cell.targets.find(([f, n]) => f === figure && n === name);
      const times = ratio(values, theirs, how.better);
      rows.push(["", name, show(theirs, how), `× ${times.toFixed(2)}`,
        target ? `${times >= target[2] ? "reached" : "missed"}: × ${target[2]}` : ""]);
    }
  }
  const perUnit = own.map((report) => {
    const units = report.mode === "fanout" ? report.deliveries_per_s : report.acks_per_s || report.deliveries_per_s;
    return Object.entries(report.cpu).map(([name, seconds]) => [name, (seconds * 1e6) / (units * (report.seconds + 1))]);
  });
  if (own[0].seconds)
    rows.push([`  processor time for each, µs: ${perUnit.at(-1).filter(([, us]) => us >= 0.05)
      .map(([name, us]) => `${name} ${us.toFixed(1)}`).join(", ")}`]);
  return rows;
}

function memoryRows() {
  const rows = [];
  const sum = (bytes) => Object.values(bytes).reduce((a, b) => a + b, 0);
  for (const [name, points] of Object.entries(result.memory)) {
    const each = perSession(points);
    const parts = Object.entries(each).filter(([, n]) => n >= 20).map(([part, n]) => `${part} ${Math.round(n)}`);
    rows.push([name === "parley" ? "memory of a connected and joined session" : "", name,
      `${Math.round(sum(each))} B (${parts.join(", ")})`, "", ""]);
  }
  return rows;
}

function print(rows) {
  const width = (column) => Math.max(0, ...rows.filter((row) => row.length > 1).map((row) => row[column].length));
  const widths = [width(0), width(1), width(2), width(3)];
  for (const row of rows) console.log(row.map((text, i) => text.padEnd(widths[i] ?? 0)).join("  ").trimEnd());
}

function showAll(chosen) {
  const reports = Object.values(result.cells).flatMap((cell) => Object.values(cell).flat());
  if (reports.length)
    print([["processors that other work kept busy", "", show(reports.map(({ others }) => others), { unit: "", digits: 2 }),
      "", ""]]);
  print([...chosen.flatMap(rowsOf), ...(result.memory ? memoryRows() : [])]);
  writeFileSync(join(options.out, "bench.json"), `${JSON.stringify(result, null, 1)}\n`);
}

async function compare() {
  const chosen = cells.filter(({ name }) => isWanted(name));
  const withPlots = options.full && !wanted;
  if (isWanted("memory")) await runMemory();
  await withContestants(Object.keys(starters), async (contestants) => {
    await runCells(contestants, chosen);
    if (withPlots) await runSweeps(contestants);
    showAll(chosen); // before they are stopped: what was measured counts, whatever stopping finds
    if (withPlots) drawAll(options.out, result);
  });
}

async function grow() {
  const sizes = [1000, 10_000, 100_000, 1_000_000, 10_000_000].filter((size) => size <= Number(options.messages));
  const result = {
    messages: await growMessages(sizes),
    sessions: await growSessions([0, 2000, 8000, 17_000]),
    services: await growServices([[1, 1], [2, 1], [4, 1], [1, 2], [2, 2]]),
  };
  const cpu = (parts) => Object.entries(parts).filter(([, us]) => us >= 1).map(([name, us]) => `${name} ${us}`).join(", ");
  const call = ({ us, p50, p99 }) => `${us} µs, p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} ms`;
  print([["messages stored", "history page", "list of conversations", "send (REST)"],
    ...result.messages.map((point) =>
      [`${point.messages}`, call(point.history), call(point.list), call(point.send)])]);
  print([["idle sessions", "rooms", "1,000 messages/s: p50, p99", "processor time for each, µs"],
    ...result.sessions.map((point) =>
      [`${point.sessions}`, `${point.rooms}`, `${point.p50.toFixed(1)} ms, ${point.p99.toFixed(1)} ms`, cpu(point.cpu)])]);
  print([["gateways", "brokers", "messages/s", "processor time for each, µs"],
    ...result.services.map((point) =>
      [`${point.gateways}`, `${point.brokers}`, `${Math.round(point.messages)}`, cpu(point.cpu)])]);
  if (![...result.sessions, ...result.services].every(({ good }) => good)) process.exitCode = 1;
  writeFileSync(join(options.out, "growth.json"), `${JSON.stringify(result, null, 1)}\n`);
  drawGrowth(options.out, result);
}

async function rest() {
  const result = await idle(Number(options.idle), Number(options.minutes));
  const rows = Object.entries(result.services).map(([name, { processes, bytes, cpu }]) =>
    [name, `${processes}`, `${(bytes / 1e6).toFixed(1)} MB`, `${(cpu * 100).toFixed(2)} %`]);
  const total = Object.values(result.services).reduce((sum, { cpu }) => sum + cpu, 0);
  console.log(`${result.connected} connected and ${result.joined} joined (${result.rate}/s), idle for ${result.seconds} s; ` +
    `${(total * 100).toFixed(1)} % of one processor in all; load average ${result.loadavg.toFixed(1)}`);
  print([["service", "processes", "private memory", "of one processor"], ...rows]);
  if (result.joined !== Number(options.idle) || !result.wereThere) process.exitCode = 1;
  writeFileSync(join(options.out, "idle.json"), `${JSON.stringify(result, null, 1)}\n`);
}

mkdirSync(options.out, { recursive: true });
if (options.idle) await rest();
else if (options.growth) await grow();
else await compare();
say(`written: ${options.out}`);
