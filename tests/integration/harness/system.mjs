// The real system for a test: a private PostgreSQL and the five services' own binaries, on free ports.
//
//   const system = await System.start({ gateways: 2 });
//   const socket = await system.connect("alice");       // stock socket.io-client, gateway 0
//   await system.stop();                                 // fails if a service died or a sanitizer spoke
//
// BUILD_DIR says which build to run (default build/dev). Every process ends with this one.

import { execFileSync, spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { io } from "socket.io-client";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const buildDir = resolve(root, process.env.BUILD_DIR ?? "build/dev");
const READY_MS = 30_000;
const STOP_MS = 20_000;
const FIRST_PORT = 61_000;
const PORTS = 4_500;
const FAULTS = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|assertion failed|dangling/;

/** Makes keys for the links between services in a directory (BUS_KEYS). */
export function makeKeys(directory) {
  execFileSync(join(buildDir, "keygen/parley-keygen"), [directory]);
}

/** Polls `probe` until it gives something true; rejects with `what` after `ms`. */
export async function until(what, probe, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** What `open` gives, or null when the address is taken. */
function listening(open) {
  return new Promise((done) => {
    const opened = open();
    opened.once("error", () => done(null)).once("listening", () => done(opened));
  });
}

/** Whether the port is nobody's. It is ours then: this process holds the UDP port of the same number, so
 * that a test beside this one passes it over. */
async function claim(port) {
  const held = await listening(() => createSocket("udp4").bind({ port, address: "127.0.0.1", exclusive: true }));
  if (!held) return false;
  const tried = await listening(() => createServer().listen(port, "127.0.0.1"));
  held.unref();
  if (!tried) {
    held.close();
    return false;
  }
  tried.close();
  await once(tried, "close");
  return true;
}

/** A port for a service of a test, to start on again and again: above those that the kernel gives to
 * connections, which come and go meanwhile. With `offset`, the port so far above it is free as well. */
export async function freePort(offset = 0) {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (PORTS - offset));
    if ((await claim(port)) && (!offset || (await claim(port + offset)))) return port;
  }
}

function base64url(data) {
  return Buffer.from(data).toString("base64url");
}

/** A JWT signed with HS256. */
export function sign(claims, secret) {
  const body = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify(claims))}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

export class Database {
  /** A PostgreSQL of its own, which ends when its standard input closes: with us at the latest. */
  static async start() {
    const self = new Database();
    self.process = spawn(
      join(root, "deploy/local/pg_private"),
      ["run", "sh", "-c", 'echo "$DATABASE_URL"; echo "$PG_PRIVATE_DIR"; cat >/dev/null'],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    const lines = createInterface({ input: self.process.stdout })[Symbol.asyncIterator]();
    self.url = (await lines.next()).value;
    self.directory = (await lines.next()).value;
    if (!self.directory) throw new Error("the private PostgreSQL did not start");
    return self;
  }

  async stop() {
    if (this.process.exitCode !== null) return;
    this.process.stdin.end();
    await once(this.process, "exit");
  }
}

class Service {
  constructor(system, name, binary, environment) {
    Object.assign(this, { system, name, binary, environment, expectExit: false });
  }

  start() {
    this.expectExit = false;
    // A test that crashes takes its services along.
    this.process = spawn("setpriv", ["--pdeathsig", "KILL", this.binary], {
      env: { ...process.env, ...this.environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.process.stderr.pipe(createWriteStream(this.logFile, { flags: "a" }));
    this.process.on("exit", (code, signal) => {
      if (!this.expectExit) this.system.faults.push(`${this.name} ended by itself: ${code ?? signal}`);
    });
  }

  get logFile() {
    return join(this.system.directory, `${this.name}.log`);
  }

  get adminUrl() {
    return `http://${this.environment.ADMIN_LISTEN}`;
  }

  async isReady() {
    if (this.process.exitCode !== null) throw new Error(`${this.name} ended:\n${this.log()}`);
    const response = await fetch(`${this.adminUrl}/ready`).catch(() => null);
    return response?.status === 200;
  }

  log() {
    return readFileSync(this.logFile, "utf8");
  }

  /** What it tells of itself: series, as in `parley_broker_jobs{class="write",state="queued"}`, => number. */
  async metrics() {
    const response = await fetch(`${this.adminUrl}/metrics`);
    const lines = (await response.text()).split("\n").filter((line) => line && !line.startsWith("#"));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]));
  }

  /** One of them; the sum of all series of a metric that has labels. */
  async metric(name) {
    const all = await this.metrics();
    const matching = [...all].filter(([series]) => series === name || series.startsWith(`${name}{`));
    if (!matching.length) throw new Error(`${this.name} has no metric ${name}`);
    return matching.reduce((sum, [, value]) => sum + value, 0);
  }

  /** Bytes of memory that it has in use. */
  residentBytes() {
    const status = readFileSync(`/proc/${this.process.pid}/status`, "latin1");
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  }

  /** Memory figures mean nothing under a sanitizer. */
  isSanitized() {
    return /[at]san/.test(readFileSync(`/proc/${this.process.pid}/maps`, "latin1"));
  }

  /** Ends it with `signal`, which must be deadly, and waits until it is gone. */
  async end(signal = "SIGTERM") {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.expectExit = true;
    const gone = once(this.process, "exit");
    this.process.kill(signal);
    const late = setTimeout(() => {
      this.system.faults.push(`${this.name} did not end within ${STOP_MS} ms of ${signal}`);
      this.process.kill("SIGKILL");
    }, STOP_MS);
    const [code] = await gone;
    clearTimeout(late);
    if (signal === "SIGTERM" && code !== 0) this.system.faults.push(`${this.name} exited with ${code}`);
  }

  async restart(signal = "SIGKILL") {
    await this.end(signal);
    this.start();
    await until(`${this.name} is ready`, () => this.isReady(), READY_MS);
  }
}

export class System {
  faults = [];
  sockets = [];

  /** Starts everything and waits until all is ready. `environment` is given to every service; `build`: another
   *  build's services. */
  static async start({
    gateways = 1,
    brokers = 1,
    persistWorkers = 1,
    authWorkers = 1,
    rests = 1,
    environment = {},
    build = buildDir,
  } = {}) {
    const self = new System();
    self.build = resolve(root, build);
    self.directory = mkdtempSync(join(tmpdir(), "parley-it-"));
    self.secret = randomBytes(32).toString("hex");
    self.database = await Database.start();
    self.sql = new pg.Pool({ connectionString: self.database.url, max: 2 });
    self.sql.on("error", () => {}); // a killed server; the next query tells
    try {
      await self.#plan({ gateways, brokers, persistWorkers, authWorkers, rests, environment });
      self.services.forEach((service) => service.start());
      await self.ready();
    } catch (error) {
      await self.stop().catch(() => {});
      throw error;
    }
    return self;
  }

  async #plan(counts) {
    const endpoints = Array.from(
      { length: counts.brokers },
      (_, i) => `ipc://${this.directory}/broker-${i + 1}`,
    );
    this.keys = join(this.directory, "keys");
    makeKeys(this.keys);
    const shared = {
      BUS_KEYS: this.keys,
      BROKERS: endpoints.join(","),
      DATABASE_URL: this.database.url,
      JWT_SECRET: this.secret,
      RECOVERY_KEY: this.secret,
      LOG_LEVEL: "info",
      DRAIN_SECONDS: "2",
      RATE_LIMIT: "off",
      ASAN_OPTIONS: "detect_leaks=1:abort_on_error=0",
      ...counts.environment,
    };
    const add = async (kind, count, extra) => {
      const made = [];
      for (let i = 0; i < count; i++) {
        const environment = {
          ...shared,
          INSTANCE: `${kind}-${i + 1}`,
          ADMIN_LISTEN: `127.0.0.1:${await freePort()}`,
          ...(await extra(i)),
        };
        made.push(
          new Service(this, `${kind}-${i + 1}`, join(this.build, kind, `parley-${kind}`), environment),
        );
      }
      return made;
    };
    const listen = async () => ({ LISTEN: `127.0.0.1:${await freePort()}` });
    this.brokers = await add("broker", counts.brokers, (i) => ({ BROKER_ENDPOINT: endpoints[i] }));
    this.persistWorkers = await add("persist-worker", counts.persistWorkers, () => ({}));
    this.authWorkers = await add("auth-worker", counts.authWorkers, () => ({}));
    this.gateways = await add("gateway", counts.gateways, listen);
    this.rests = await add("rest", counts.rests, listen);
  }

  get services() {
    return [
      ...(this.brokers ?? []),
      ...(this.persistWorkers ?? []),
      ...(this.authWorkers ?? []),
      ...(this.gateways ?? []),
      ...(this.rests ?? []),
    ];
  }

  async ready() {
    for (const service of this.services)
      await until(`${service.name} is ready`, () => service.isReady(), READY_MS).catch((error) => {
        throw new Error(`${error.message}\n${service.log()}`);
      });
  }

  gatewayUrl(index = 0) {
    return `http://${this.gateways[index].environment.LISTEN}`;
  }

  get restUrl() {
    return `http://${this.rests[0].environment.LISTEN}`;
  }

  token(userId, { ttl = 3600, ...claims } = {}) {
    const now = Math.floor(Date.now() / 1000);
    return sign({ userId, name: `User ${userId}`, iat: now, exp: now + ttl, ...claims }, this.secret);
  }

  /** A socket that isn't connected yet. */
  socket(userId, { gateway = 0, claims = {}, ...options } = {}) {
    const socket = io(this.gatewayUrl(gateway), {
      transports: ["websocket"],
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      auth: { token: this.token(userId, claims) },
      ...options,
    });
    this.sockets.push(socket);
    return socket;
  }

  async connect(userId, options = {}) {
    const socket = this.socket(userId, options);
    await new Promise((done, failed) => {
      socket.once("connect", done);
      socket.once("connect_error", failed);
    });
    return socket;
  }

  /** An HTTP request of rest; returns {status, headers, body}. */
  async http(method, path, { as, body, headers = {}, token } = {}) {
    const bearer = token ?? (as === undefined ? undefined : this.token(as));
    const response = await fetch(this.restUrl + path, {
      method,
      headers: {
        ...(bearer && { Authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const json = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
  }

  /** Makes users known, as their own back end would. */
  async addUsers(...ids) {
    for (const id of ids) {
      const answer = await this.http("PUT", `/users/${encodeURIComponent(id)}`, {
        token: this.token("backend", { role: "service" }),
        body: { name: `User ${id}`, role: "customer" },
      });
      if (answer.status !== 200) throw new Error(`PUT /users/${id}: ${JSON.stringify(answer)}`);
    }
  }

  /** Ends everything; throws when a service died, didn't end in peace, or a sanitizer complained. */
  async stop() {
    this.sockets.forEach((socket) => socket.disconnect());
    for (const service of [...this.services].reverse()) await service.end();
    await this.sql?.end();
    await this.database?.stop();
    for (const service of this.services) {
      const fault = service.process && service.log().split("\n").find((line) => FAULTS.test(line));
      if (fault) this.faults.push(`${service.name}: ${fault}\n${service.log().slice(-6000)}`);
    }
    if (!process.env.KEEP_LOGS) rmSync(this.directory, { recursive: true, force: true });
    if (this.faults.length) throw new Error(this.faults.join("\n"));
  }
}

/** The argument of the next `event`; rejects after `ms`. */
export function next(socket, event, ms = 5_000) {
  return new Promise((done, failed) => {
    const late = setTimeout(() => {
      socket.off(event, listener);
      failed(new Error(`no ${event} within ${ms} ms`));
    }, ms);
    const listener = (value) => {
      clearTimeout(late);
      done(value);
    };
    socket.once(event, listener);
  });
}

/** Every `event` from now on, in an array that grows. */
export function collect(socket, event) {
  const seen = [];
  socket.on(event, (value) => seen.push(value));
  return seen;
}

/** Emits and waits for the acknowledgement. */
export function ask(socket, event, payload, ms = 20_000) {
  return socket.timeout(ms).emitWithAck(event, payload);
}
