// The rest service alone, without a broker: all that HTTP itself is about.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { freePort, until } from "../harness/system.mjs";
import { root } from "./schemas.mjs";

const binary = resolve(root, process.env.BUILD_DIR ?? "build/dev", "rest/parley-rest");

export class Alone {
  /** `files`: the web page, as {path: content}. */
  static async start({ environment = {}, files } = {}) {
    const self = new Alone();
    self.directory = mkdtempSync(join(tmpdir(), "parley-rest-"));
    self.port = await freePort();
    self.adminPort = await freePort();
    self.url = `http://127.0.0.1:${self.port}`;
    self.log = "";
    const page = files && self.#write(files);
    self.process = spawn("setpriv", ["--pdeathsig", "KILL", binary], {
      env: {
        ...process.env,
        INSTANCE: "rest-1",
        LISTEN: `127.0.0.1:${self.port}`,
        ADMIN_LISTEN: `127.0.0.1:${self.adminPort}`,
        BROKERS: `ipc://${self.directory}/nobody.sock`,
        FRONTEND_URL: "https://app.example",
        ...(page && { WEB_ROOT: page }),
        ...environment,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    self.process.stderr.setEncoding("utf8").on("data", (text) => (self.log += text));
    await until(
      "rest is ready",
      async () => {
        if (self.process.exitCode !== null) throw new Error(self.log);
        return (await fetch(`${self.url}/ready`).catch(() => null))?.status === 200;
      },
      30_000,
    );
    return self;
  }

  #write(files) {
    const page = join(this.directory, "page");
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(page, path)), { recursive: true });
      writeFileSync(join(page, path), content);
    }
    return page;
  }

  /** A request; the headers may hold what fetch() would refuse to send. */
  async request(method, path, { headers = {}, body } = {}) {
    const response = await fetch(this.url + path, { method, headers, body, redirect: "manual" });
    const bytes = Buffer.from(await response.arrayBuffer());
    const json = response.headers.get("content-type") === "application/json";
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      body: json && bytes.length ? JSON.parse(bytes) : bytes.toString(),
    };
  }

  /** A connection for raw bytes. */
  async raw() {
    const socket = connect(this.port, "127.0.0.1");
    await once(socket, "connect");
    const self = { socket, text: "", ended: false };
    socket.setEncoding("latin1");
    socket.on("data", (text) => (self.text += text));
    socket.on("error", () => {});
    socket.on("close", () => (self.ended = true));
    self.send = (text) => socket.write(text, "latin1");
    self.end = (ms = 10_000) => until("the connection ends", () => self.ended, ms);
    self.statuses = () => [...self.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => +status);
    return self;
  }

  async metric(name) {
    const text = await (await fetch(`http://127.0.0.1:${this.adminPort}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(name));
    return line === undefined ? undefined : Number(line.split(" ").at(-1));
  }

  /** Ends it with SIGTERM; throws unless it ends in peace. */
  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = once(this.process, "exit");
      this.process.kill("SIGTERM");
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
    if (this.process.exitCode !== 0 || /Sanitizer|runtime error|dangling/.test(this.log))
      throw new Error(`rest exited with ${this.process.exitCode ?? this.process.signalCode}:\n${this.log}`);
  }
}
