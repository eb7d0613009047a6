// What is done to the services, and how they come back.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "../integration/harness/system.mjs";

const run = promisify(execFile);
const pgPrivate = resolve(dirname(fileURLToPath(import.meta.url)), "../../deploy/local/pg_private");

const FREEZE_MS = 3_600; // a lease ends after 3 s
const ABSENT_MS = 3_000;
const EXIT_MS = 15_000;
const READY_MS = 20_000;
// A drain may be cut off at its end when what it waits for is away too.
const PEACEFUL = new Set([0, 3]);

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** A generator of numbers in [0, 1) that repeats itself for the same seed. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x = (x + Math.imul(x ^ (x >>> 7), x | 61)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function exited(service, system, signal) {
  const gone = once(service.process, "exit");
  const late = setTimeout(() => {
    system.faults.push(`${service.name} did not end within ${EXIT_MS} ms of ${signal}`);
    service.process.kill("SIGKILL");
  }, EXIT_MS);
  service.expectExit = true;
  service.process.kill(signal);
  const [code] = await gone;
  clearTimeout(late);
  if (signal === "SIGTERM" && !PEACEFUL.has(code)) system.faults.push(`${service.name} exited with ${code}`);
}

async function ready(service) {
  await until(`${service.name} is ready`, () => service.isReady(), READY_MS);
}

function childrenOf(parent) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        // pid (name, which may hold anything) state parent …
        return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ")[1]) === parent;
      } catch {
        return false; // ended meanwhile
      }
    });
}

const actions = {
  async killed(service, system) {
    await exited(service, system, "SIGKILL");
    service.start();
    await ready(service);
  },
  // As killed, but nothing takes its name and tells the others so.
  async absent(service, system) {
    await exited(service, system, "SIGKILL");
    await pause(ABSENT_MS);
    service.start();
    await ready(service);
  },
  async terminated(service, system) {
    await exited(service, system, "SIGTERM");
    service.start();
    await ready(service);
  },
  async frozen(service) {
    service.process.kill("SIGSTOP");
    await pause(FREEZE_MS);
    service.process.kill("SIGCONT");
    await ready(service);
  },
  async stalled(_, system) {
    const { stdout: postmaster } = await run(pgPrivate, ["pid", system.database.directory]);
    const pids = [Number(postmaster), ...childrenOf(Number(postmaster))];
    const signal = (name) => {
      for (const pid of pids)
        try {
          process.kill(pid, name);
        } catch (error) {
          if (error.code !== "ESRCH") throw error; // ended meanwhile
        }
    };
    signal("SIGSTOP");
    await pause(FREEZE_MS).finally(() => signal("SIGCONT"));
  },
  // The same directory: nothing that was committed may be missing afterwards.
  async crashed(_, system) {
    const { directory } = system.database;
    await run(pgPrivate, ["stop", "--keep", "--immediate", directory]);
    await run(pgPrivate, ["start", directory]);
  },
};

const SERVICES = { gateway: "gateways", broker: "brokers", "persist-worker": "persistWorkers", "auth-worker": "authWorkers", rest: "rests" };
const database = { name: "postgresql" };

/** One thing done to one service. `victim`: which instance. */
class Blow {
  constructor(system, target, action, victim) {
    this.system = system;
    this.target = target;
    this.action = action;
    const list = target === "postgresql" ? [database] : system[SERVICES[target]];
    this.service = list[victim % list.length];
  }

  get text() {
    return `${this.target} ${this.action}`;
  }

  run() {
    return actions[this.action](this.service, this.system);
  }
}

/** One or two blows; with two the second comes `lag_ms` behind. */
export class Fault {
  constructor(blows, lagMs = 0) {
    this.blows = blows;
    this.lagMs = lagMs;
  }

  get text() {
    return this.blows.map((blow) => blow.text).join(" + ");
  }

  get victims() {
    return this.blows.map((blow) => blow.service.name).join(", ");
  }

  hits(service) {
    return this.blows.some((blow) => blow.service === service);
  }

  async run() {
    await Promise.all(this.blows.map((blow, i) => pause(i * this.lagMs).then(() => blow.run())));
  }
}

const SINGLES = [
  ["gateway", "killed"], ["gateway", "terminated"], ["gateway", "frozen"],
  ["broker", "killed"], ["broker", "killed"], ["broker", "terminated"], ["broker", "frozen"],
  ["persist-worker", "killed"], ["persist-worker", "killed"], ["persist-worker", "absent"], ["persist-worker", "terminated"], ["persist-worker", "frozen"],
  ["auth-worker", "killed"], ["auth-worker", "absent"], ["auth-worker", "terminated"], ["auth-worker", "frozen"],
  ["rest", "killed"], ["rest", "terminated"],
  ["postgresql", "crashed"], ["postgresql", "stalled"],
];

// The pairs that have least left to remember what was under way.
const PAIRS = [
  [["gateway", "killed"], ["persist-worker", "killed"]],
  [["broker", "killed"], ["persist-worker", "killed"]],
  [["gateway", "killed"], ["broker", "killed"]],
  [["broker", "killed"], ["postgresql", "crashed"]],
  [["broker", "killed"], ["postgresql", "stalled"]],
  [["persist-worker", "killed"], ["postgresql", "crashed"]],
];

/** Everything singly, the worst pairs, and `more` pairs of any two. */
export function* schedule(system, random, more) {
  const pick = (list) => list[Math.floor(random() * list.length)];
  const blow = ([target, action]) => new Blow(system, target, action, Math.floor(random() * 60));
  for (const single of SINGLES) yield new Fault([blow(single)]);
  for (const pair of PAIRS) yield new Fault(pair.map(blow), Math.floor(random() * 100));
  for (let i = 0; i < more; ) {
    const fault = new Fault([blow(pick(SINGLES)), blow(pick(SINGLES))], Math.floor(random() * 500));
    const [first, second] = fault.blows;
    if (first.service === second.service) continue;
    i++;
    yield fault;
  }
}
