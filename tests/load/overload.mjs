// Three times what the machine can do, as an open loop: nothing that was acknowledged may be lost, nothing go
// unanswered, no queue grow over its bound, hints be left out first, and all be well again afterwards.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { Pair } from "../integration/harness/pair.mjs";
import { ask, next, System, until } from "../integration/harness/system.mjs";

const buildDir = resolve(process.env.BUILD_DIR ?? "build/release");
const TIMES = 3;
const SAMPLE_MS = 500;
const TYPISTS = 10;
const TYPING_MS = 50;
const RECOVERY_MS = 60_000; // deadline; the time itself is printed
const CHUNK = 50_000; // messages compared in one query
const MIB = 1024 * 1024;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** What waits where, and its bound: [service, metric, bound or the name of the metric that tells it]. */
const QUEUES = [
  ["gateway", "parley_gateway_writes_pending", 10_000],
  ["gateway", "parley_bus_pending", 200_000],
  ["gateway", "parley_bus_pending_bytes", "parley_bus_pending_bytes_limit"],
  ["gateway", "parley_bus_unread_bytes", 256 * MIB],
  ["gateway", "parley_gateway_queued_bytes", 512 * MIB],
  ["gateway", "parley_gateway_input_bytes", 256 * MIB],
  ...["write", "read", "auth"].flatMap((kind) => [
    ["broker", [`parley_broker_jobs{class="${kind}",state="queued"}`, `parley_broker_jobs{class="${kind}",state="in_flight"}`], `parley_broker_jobs_max{class="${kind}"}`],
    ["broker", `parley_broker_job_bytes{class="${kind}"}`, `parley_broker_job_bytes_max{class="${kind}"}`],
  ]),
  ["broker", 'parley_broker_bus_unread_bytes{role="gateway"}', 256 * MIB],
  ["broker", 'parley_broker_bus_unread_bytes{role="persist-worker"}', 256 * MIB],
  ["broker", "parley_broker_group_waiting_bytes", 16 * MIB],
  ...["write", "read"].flatMap((kind) => [
    ["persist-worker", `parley_persist_queue_jobs{class="${kind}"}`, `parley_persist_queue_jobs_limit{class="${kind}"}`],
    ["persist-worker", `parley_persist_queue_bytes{class="${kind}"}`, `parley_persist_queue_bytes_limit{class="${kind}"}`],
  ]),
  ["persist-worker", "parley_bus_pending_bytes", "parley_bus_pending_bytes_limit"],
  ["persist-worker", "parley_bus_unread_bytes", 256 * MIB],
  ["persist-worker", "parley_persist_updates_waiting", 20_000],
];

export class Overload {
  /** `environment` of the services; `connections`: clients of the load. */
  static async start({ environment = {}, connections = 200 } = {}) {
    const self = new Overload();
    self.system = await System.start({ environment: { LOG_LEVEL: "warn", ...environment } });
    self.connections = connections;
    return self;
  }

  stop() {
    return this.system.stop();
  }

  /** Runs the load generator; what it reports. Its exit code is that of an ordinary day. */
  async #load(mode, ...options) {
    const child = spawn(
      join(buildDir, "tests/load/parley_load"),
      [mode, "--server", this.system.gateways[0].environment.LISTEN, "--secret", this.system.secret,
        "--connections", `${this.connections}`, "--settle", "60", ...options],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    let out = "";
    child.stdout.on("data", (text) => (out += text));
    await once(child, "close");
    return JSON.parse(out);
  }

  /** Messages a second, in a closed loop with enough in flight. */
  async capacity(seconds) {
    const report = await this.#load("max", "--in-flight", "20", "--seconds", `${seconds}`);
    return report.acks_per_s;
  }

  async run(seconds) {
    const capacity = await this.capacity(Math.min(seconds, 5));
    console.log(`in a closed loop: ${Math.round(capacity)} messages/s`);
    this.pair = await Pair.start(this.system);
    await this.#watch();
    await this.pair.goOn();
    console.log(`before the load: ${this.pair.delays()}`);
    this.acknowledged = join(this.system.directory, "acknowledged");
    const walker = await this.system.connect("walker");
    const sampling = this.#sample();
    const typing = this.#type();
    const loading = this.#load("chat", "--rate", `${Math.round(TIMES * capacity)}`, "--seconds", `${seconds}`,
      "--first-user", "100001", "--acknowledged", this.acknowledged);
    setTimeout(() => walker.disconnect(), (seconds * 1000) / 2);
    this.report = await loading;
    const over = performance.now();
    this.over = true;
    await Promise.all([sampling, typing]);
    console.log(`${TIMES} times as many: sent ${this.report.sent} in ${seconds + 1} s, acknowledged ${this.report.acknowledged.count}, ` +
      `refused ${this.report.refused}; acknowledged p50 ${this.report.acknowledged.p50_ms} ms, p99 ${this.report.acknowledged.p99_ms} ms; ` +
      `all answered ${this.report.settle_ms} ms after the last was sent`);
    console.log(`meanwhile: ${this.pair.delays()}; repeated ${this.pair.refusals}`);
    await this.#recover();
    console.log(`all as before ${Math.round(this.report.settle_ms + performance.now() - over)} ms after the last was sent`);
    await this.pair.goOn();
    console.log(`afterwards: ${this.pair.delays()}`);
    await this.pair.stop();
  }

  // ---- what is looked at meanwhile ----

  /** A client that shares a conversation with one that goes during the load. */
  async #watch() {
    await this.system.addUsers("walker", "observer", ...Array.from({ length: TYPISTS }, (_, i) => `typist${i}`));
    this.observer = await this.system.connect("observer");
    this.presence = [];
    this.observer.on("presence", ({ userId, online }) => userId === "walker" && this.presence.push(online));
    assert.equal((await ask(this.observer, "join_conversation", "conv_observer_walker")).ok, true);
  }

  async #type() {
    const typists = [];
    for (let i = 0; i < TYPISTS; i++) typists.push(await this.system.connect(`typist${i}`));
    this.typing = { ok: 0, refused: 0 };
    while (!this.over) {
      await Promise.all(typists.map(async (socket, i) => {
        const answer = await ask(socket, "typing", { conversationId: `conv_observer_typist${i}` }, 60_000);
        if (!answer.ok) assert.ok(answer.error.code === "unavailable" && answer.error.retryAfterMs > 0, JSON.stringify(answer));
        this.typing[answer.ok ? "ok" : "refused"]++;
      }));
      await pause(TYPING_MS);
    }
    typists.forEach((socket) => socket.disconnect());
  }

  async #sample() {
    this.samples = [];
    while (!this.over) {
      const sample = { resident: new Map(), metrics: new Map() };
      for (const service of this.system.services) {
        sample.resident.set(service.name, service.residentBytes());
        sample.metrics.set(service.name.replace(/-\d+$/, ""), await service.metrics());
      }
      this.samples.push(sample);
      await pause(SAMPLE_MS);
    }
  }

  // ---- afterwards ----

  async #recover() {
    await until("queues are empty", async () => {
      const broker = await this.system.brokers[0].metrics();
      if (await this.system.gateways[0].metric("parley_gateway_writes_pending") > 10) return false; // the pair's
      return broker.get('parley_broker_jobs{class="write",state="queued"}') === 0 && broker.get("parley_broker_presence_owed") === 0;
    }, RECOVERY_MS);
    await until("the observer knows who has gone", () => this.presence.at(-1) === false, RECOVERY_MS);
    const walker = await this.system.connect("walker");
    await until("the observer knows who is back", () => this.presence.at(-1) === true, RECOVERY_MS);
    const seen = next(this.observer, "user_typing", RECOVERY_MS);
    assert.equal((await ask(walker, "typing", { conversationId: "conv_observer_walker" })).ok, true);
    assert.equal((await seen).userId, "walker");
    assert.equal((await ask(walker, "send_message", { conversationId: "conv_observer_walker", text: "well" })).ok, true);
    walker.disconnect();
  }

  // ---- judging ----

  /** No send without an answer, no answer but ok or `unavailable` with a time to try again. */
  judgeAnswers() {
    const { closed, unanswered, refused, refused_unfit, lost, doubled, out_of_order } = this.report;
    assert.deepEqual({ closed, unanswered, refused_unfit, lost, doubled, out_of_order },
      { closed: 0, unanswered: 0, refused_unfit: 0, lost: 0, doubled: 0, out_of_order: 0 });
    assert.ok(refused > 0, "it was no overload: nothing was refused");
  }

  judgeQueues() {
    const most = new Map();
    for (const { metrics } of this.samples)
      for (const [service, names, bound] of QUEUES) {
        const all = metrics.get(service);
        const value = [names].flat().reduce((sum, name) => sum + all.get(name), 0);
        assert.ok(Number.isFinite(value), `${service} has ${names}`);
        const limit = typeof bound === "string" ? all.get(bound) : bound;
        assert.ok(value <= limit, `${service} ${names}: ${value} of ${limit}`);
        most.set(`${names}`, Math.max(most.get(`${names}`) ?? 0, value));
      }
    console.log("most that waited:");
    for (const [names, value] of most) if (value) console.log(`  ${names.split(",")[0]}: ${value}`);
  }

  /** Whenever a send had been refused for want of room, typing had been refused before. */
  judgeHints() {
    const broker = this.samples.map(({ metrics }) => metrics.get("broker"));
    const refused = (all, reason) => all.get(`parley_broker_unavailable_total{reason="${reason}"}`);
    const gateway = (all, reason) => all.get("gateway").get(`parley_gateway_unavailable_total{reason="${reason}"}`);
    const hints = this.samples.map(({ metrics }, i) => refused(broker[i], "hint") + gateway(metrics, "hint"));
    const sends = this.samples.map(({ metrics }, i) => refused(broker[i], "write_jobs") + gateway(metrics, "writes") + gateway(metrics, "bus") + gateway(metrics, "socket"));
    console.log(`typing: ${this.typing.ok} told, ${this.typing.refused} refused`);
    assert.ok(hints.at(-1) > 0 && sends.at(-1) > 0, `hints left out ${hints.at(-1)}, sends refused ${sends.at(-1)}`);
    assert.ok(this.typing.refused > 0);
  }

  /** The last third of the time takes no more memory than the second. */
  judgeMemory() {
    for (const { name } of this.system.services) {
      const bytes = this.samples.map(({ resident }) => resident.get(name));
      const third = Math.floor(bytes.length / 3);
      const [second, last] = [bytes.slice(third, 2 * third), bytes.slice(2 * third)].map((part) => Math.max(...part));
      console.log(`${name}: ${Math.round(second / MIB)} MiB in the second third, ${Math.round(last / MIB)} MiB in the last`);
      assert.ok(last <= second * 1.1 + 8 * MIB, `${name} grows: ${second} => ${last}`);
    }
  }

  /** Every message that was acknowledged is stored, there and with its text. */
  async judgeStored() {
    let count = 0, stored = 0, rows = [[], [], []];
    const compare = async () => {
      const { rows: [{ n }] } = await this.system.sql.query(
        `SELECT count(*)::int AS n FROM unnest($1::text[], $2::bigint[], $3::text[]) AS a (conversation, seq, text)
         JOIN messages m ON m.conversation_id = a.conversation AND m.seq = a.seq AND starts_with(m.text, a.text)`, rows);
      stored += n;
      rows = [[], [], []];
    };
    for await (const line of createInterface({ input: createReadStream(this.acknowledged) })) {
      const [conversation, seq, number] = line.split(" ");
      [conversation, seq, `load ${number} `].forEach((value, i) => rows[i].push(value));
      if (++count % CHUNK === 0) await compare();
    }
    await compare();
    console.log(`acknowledged ${count}, of these stored ${stored}`);
    assert.ok(count > 0);
    assert.equal(stored, count);
  }
}
