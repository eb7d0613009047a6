// The edge before a system of the tests: haproxy with the template and the launcher's own filling.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, until } from "./system.mjs";

const launcher = resolve(dirname(fileURLToPath(import.meta.url)), "../../../deploy/local");
const ADMIN_OFFSET = 80; // of launcher/ports.py

const FILL = `
import json, sys
sys.path.insert(0, sys.argv[1])
from launcher import edge, ports, settings
servers = json.loads(sys.argv[2])
ports.slots = lambda _, service: servers[service]
made = settings.Settings(json.loads(sys.argv[3]))
made.make_home()
edge.write_configuration(made)
`;

export class Edge {
  static async start(system, variables = {}) {
    const self = new Edge();
    self.port = await freePort(ADMIN_OFFSET);
    const home = join(system.directory, "edge");
    mkdirSync(home);
    const port = (address) => Number(address.split(":")[1]);
    const servers = (services) =>
      services.map(({ name, environment }) => [name, port(environment.LISTEN), port(environment.ADMIN_LISTEN)]);
    execFileSync("/usr/bin/python3", ["-B", "-c", FILL, launcher,
      JSON.stringify({ gateway: servers(system.gateways), rest: servers(system.rests) }),
      JSON.stringify({ PORT: `${self.port}`, PARLEY_HOME: home, BIND: "127.0.0.1", ...variables })]);
    self.process = spawn("setpriv", ["--pdeathsig", "KILL", "/usr/sbin/haproxy", "-db", "-f", join(home, "edge/haproxy.cfg")],
      { stdio: ["ignore", "ignore", "ignore"] });
    await until("the edge is ready", () => self.isReady(), 30_000);
    return self;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  get adminAddress() {
    return `127.0.0.1:${this.port + ADMIN_OFFSET}`;
  }

  async isReady() {
    if (this.process.exitCode !== null) throw new Error(`haproxy ended with ${this.process.exitCode}`);
    const response = await fetch(`http://${this.adminAddress}/ready`).catch(() => null);
    return response?.status === 200;
  }

  async stop() {
    if (this.process.exitCode !== null) throw new Error(`haproxy ended by itself: ${this.process.exitCode}`);
    const gone = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await gone;
  }
}
