// Runs the load generator on a contestant and notes what the processors did meanwhile.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { buildDir } from "./contestants.mjs";

const TICKS = 100; // a second, in /proc/stat

/** Seconds that a process's threads have run. */
export function secondsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e9)
      .reduce((a, b) => a + b, 0);
  } catch {
    return 0; // it has ended
  }
}

/** Seconds of processor time: of each of the contestant's services, and of the whole machine. */
function processorTime(contestant) {
  const services = {};
  for (const { name, pid } of contestant.processes())
    services[name] = (services[name] ?? 0) + secondsOf(pid);
  const [user, nice, system, idle, wait, irq, soft] = readFileSync("/proc/stat", "utf8").split("\n")[0]
    .trim().split(/\s+/).slice(1).map(Number);
  return { services, busy: (user + nice + system + irq + soft) / TICKS, all: (idle + wait) / TICKS };
}

/** Memory that belongs to a process alone, in bytes. */
export function privateBytes(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Private_Dirty:\s+(\d+) kB/m.exec(rollup)[1]) * 1024;
}

export function startLoad(contestant, mode, options) {
  const address = mode === "rest" ? contestant.restAddress : contestant.address;
  const args = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, `${value}`]);
  return spawn(
    join(buildDir, "tests/load/parley_load"),
    [mode, "--server", address, "--secret", contestant.secret, ...args],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
}

/** The load generator's report, with `good`, `cpu` (seconds of each service) and `others` (processors that
 *  something else kept busy, of all that this machine has). */
export async function load(contestant, mode, options) {
  const before = processorTime(contestant);
  const began = performance.now();
  const child = startLoad(contestant, mode, options);
  let out = "";
  child.stdout.on("data", (text) => (out += text));
  const spent = { self: 0 };
  const watch = setInterval(() => (spent.self = Math.max(spent.self, secondsOf(child.pid))), 50);
  const [code] = await once(child, "close");
  clearInterval(watch);
  const seconds = (performance.now() - began) / 1000;
  const after = processorTime(contestant);
  const cpu = { load: spent.self };
  for (const [name, value] of Object.entries(after.services)) cpu[name] = value - (before.services[name] ?? 0);
  const own = Object.values(cpu).reduce((a, b) => a + b, 0);
  const others = Math.max(0, (after.busy - before.busy - own) / seconds);
  return { ...JSON.parse(out), good: code === 0, cpu, others, processors: cpus().length, loadavg: loadavg()[0] };
}
