// The systems that are measured side by side. Each has:
//   name, address (WebSocket), restAddress (or none), secret
//   processes()      what it consists of: [{name, pid}], PostgreSQL's included
//   group(members)   makes a group of users 1 … members; gives the room's name
//   rest()           settles what a run left behind: a checkpoint, so that no one pays for another's
//   stop()

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { Database, freePort, sign, System } from "../../integration/harness/system.mjs";

const here = dirname(fileURLToPath(import.meta.url));
export const buildDir = resolve(here, "../../..", process.env.BUILD_DIR ?? "build/release");
const GROUP_PART = 100; // members that one request takes

function postgresProcesses(directory) {
  const postmaster = Number(readFileSync(join(directory, "data/postmaster.pid"), "utf8").split("\n")[0]);
  const isChild = (pid) => {
    try {
      return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))[1]) === postmaster;
    } catch {
      return false; // it has just ended
    }
  };
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter(isChild).map(Number);
  return [postmaster, ...pids].map((pid) => ({ name: "postgresql", pid }));
}

async function request(address, path, token, body) {
  const response = await fetch(`http://${address}${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const users = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => `${first + i}`);

export class Parley {
  static async start({ name = "parley", gateways = 1, brokers = 1, build = buildDir, ...environment } = {}) {
    const self = new Parley();
    self.system = await System.start({ gateways, brokers, build, environment: { LOG_LEVEL: "warn", ...environment } });
    self.name = name;
    self.secret = self.system.secret;
    self.address = self.system.gateways.map((gateway) => gateway.environment.LISTEN).join(",");
    self.restAddress = self.system.rests[0].environment.LISTEN;
    return self;
  }

  processes() {
    return [
      ...this.system.services.map((service) => ({ name: service.name.replace(/-\d+$/, ""), pid: service.process.pid })),
      ...postgresProcesses(this.system.database.directory),
    ];
  }

  async group(members) {
    const owner = this.system.token("1");
    await this.#know(members);
    const { id } = await request(this.restAddress, "/conversations", owner, {
      title: `${members} members`,
      userIds: users(2, Math.min(members, GROUP_PART)),
    });
    for (let first = GROUP_PART + 1; first <= members; first += GROUP_PART)
      await request(this.restAddress, `/conversations/${id}/participants`, owner, {
        userIds: users(first, Math.min(members, first + GROUP_PART - 1)),
      });
    return id;
  }

  async #know(members) {
    this.known ??= 0;
    const fresh = users(this.known + 1, members);
    this.known = Math.max(this.known, members);
    for (let i = 0; i < fresh.length; i += 20) await this.system.addUsers(...fresh.slice(i, i + 20));
  }

  async rest() {
    await this.system.sql.query("checkpoint");
  }

  stop() {
    return this.system.stop();
  }
}

/** A program that prints "ready". */
async function startProgram(command, args, environment = {}) {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ready = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  if (`${ready[0]}`.trim() !== "ready") throw new Error(`${command} ${args.join(" ")} did not start`);
  return child;
}

async function endProgram(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill();
  await gone;
}

export class NodePeer {
  static async start(variant) {
    const self = new NodePeer();
    self.name = `node-${variant}`;
    self.secret = randomBytes(32).toString("hex");
    self.address = self.restAddress = `127.0.0.1:${await freePort()}`;
    self.database = await Database.start();
    self.sql = new pg.Pool({ connectionString: self.database.url, max: 1 });
    self.sql.on("error", () => {});
    self.child = await startProgram("node", [join(here, "../peers/node/server.mjs"), variant], {
      NODE_ENV: "production",
      DATABASE_URL: self.database.url,
      JWT_SECRET: self.secret,
      LISTEN: self.address,
    });
    return self;
  }

  processes() {
    return [{ name: "node", pid: this.child.pid }, ...postgresProcesses(this.database.directory)];
  }

  async group(members) {
    const token = sign({ userId: "1", exp: Date.now() / 1000 + 3600 }, this.secret);
    return (await request(this.restAddress, "/conversations", token, { userIds: users(1, members) })).id;
  }

  async rest() {
    await this.sql.query("checkpoint");
  }

  async stop() {
    await endProgram(this.child);
    await this.sql.end();
    await this.database.stop();
  }
}

export class RawPeer {
  static async start() {
    const self = new RawPeer();
    self.name = "raw";
    self.secret = "none";
    self.address = `127.0.0.1:${await freePort()}`;
    self.child = await startProgram(join(buildDir, "tests/load/raw_server"), [self.address]);
    return self;
  }

  processes() {
    return [{ name: "raw", pid: this.child.pid }];
  }

  async group(members) {
    return `group_${members}`;
  }

  async rest() {}

  stop() {
    return endProgram(this.child);
  }
}
