// The system as users run it, by ./parley up behind its edge, and Chromium to look at the page.
//
//   const site = await Site.start();
//   const anna = await site.open("anna", { name: "Anna Berg" });    // signed in, in a context of her own
//   await site.stop();                    // fails if a page reported an error or broke the policy
//
// Everything is as ./parley up has it by default, the limits on rates too, but for what
// Site.start({ environment }) sets.
//
// BUILD_DIR says which build to run (default build/dev). The page in web/dist must have been built.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { sign, until as poll } from "../integration/harness/system.mjs";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const dist = join(root, "web/dist");
const buildDir = resolve(root, process.env.BUILD_DIR ?? "build/dev");
const run = promisify(execFile);

/** Long for two busy cores: nothing here judges how fast the machine is. */
export const WAIT_MS = 30_000;
const PORT_SPAN = 100;
const START_TRIES = 5;

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const DESKTOP = { width: 1200, height: 800 };
export const PHONE = { width: 360, height: 740 };

/** Polls `probe` until it gives something true. */
export function until(what, probe, ms = WAIT_MS) {
  return poll(what, probe, ms);
}

/** Of a hundred ports that belong together, below those that the system hands out by itself. */
function someBasePort() {
  return 12_000 + PORT_SPAN * Math.floor(Math.random() * 180);
}

const frames = new WeakMap();

export class Site {
  contexts = [];
  faults = [];

  static async start({ environment = {} } = {}) {
    if (!existsSync(join(dist, "index.html"))) {
      throw new Error("web/dist is missing: npm --prefix web ci && npm --prefix web run build");
    }
    const self = new Site();
    self.home = mkdtempSync(join(tmpdir(), "parley-web-"));
    try {
      await self.#up(environment);
      self.browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    } catch (error) {
      await self.stop().catch(() => {});
      throw error;
    }
    return self;
  }

  /** Another process may take one of the hundred ports first: then with others. */
  async #up(environment) {
    for (let i = 0; ; i++) {
      this.port = someBasePort();
      this.environment = {
        ...process.env,
        DRAIN_SECONDS: "1",
        ...environment,
        PORT: String(this.port),
        PARLEY_HOME: this.home,
        PARLEY_BUILD_DIR: buildDir,
      };
      try {
        this.welcome = await this.parley("up", "-d");
        break;
      } catch (error) {
        if (i === START_TRIES || !/port/i.test(error.stderr ?? "")) throw error;
      }
    }
    this.secret = readFileSync(join(this.home, "jwt_secret"), "utf8").trim();
  }

  get url() {
    return `http://localhost:${this.port}`;
  }

  /** Runs ./parley; returns what it prints. */
  async parley(...words) {
    const { stdout } = await run(join(root, "parley"), words, { env: this.environment });
    return stdout;
  }

  /** Starts or stops all gateways. */
  async gateways(command) {
    for (const name of ["gateway-1", "gateway-2"])
      await run("sv", ["-w", "15", command, join(this.home, "sv", name)]);
  }

  token(userId, { ttl = 3600, ...claims } = {}) {
    const now = Math.floor(Date.now() / 1000);
    return sign({ userId, iat: now, exp: now + ttl, ...claims }, this.secret);
  }

  /** An HTTP request as that user; returns the JSON answered. */
  async http(method, path, userId, body) {
    const token = this.token(userId, userId === "backend" ? { role: "service" } : {});
    const response = await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  }

  async addUser(id, name = id, role = "customer") {
    await this.http("PUT", `/users/${encodeURIComponent(id)}`, "backend", { name, role });
  }

  send(userId, conversationId, text) {
    return this.http("POST", "/messages/send", userId, { conversationId, text });
  }

  async sql(text) {
    await this.parley("psql", "-v", "ON_ERROR_STOP=1", "-q", "-c", text);
  }

  /** A browser window of its own: its storage and its cookies are nobody else's. */
  async window(options = {}) {
    const context = await this.browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(WAIT_MS);
    this.contexts.push(context);
    return context;
  }

  /** A page of that window. What it reports as an error is a fault. */
  async page(context, who, path = "/") {
    const page = await context.newPage();
    const own = { sent: [], received: [] };
    frames.set(page, own);
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => own.sent.push(String(payload)));
      socket.on("framereceived", ({ payload }) => own.received.push(String(payload)));
    });
    page.on("pageerror", (error) => this.faults.push(`${who}: ${error.stack ?? error}`));
    page.on("console", (message) => {
      const isFault = /Content Security Policy|Warning:|Minified React error/.test(message.text());
      if (isFault) this.faults.push(`${who}: ${message.text()}`);
    });
    await page.goto(this.url + path);
    return page;
  }

  /** A window in which that user is signed in. */
  async open(userId, { name = userId, role = "customer", path = "/", ttl, ...options } = {}) {
    const context = await this.window(options);
    const token = this.token(userId, { name, role, ...(ttl && { ttl }) });
    return this.page(context, userId, `${path}#token=${token}`);
  }

  /** Closes every window: what a test leaves open slows the next ones down. */
  async closeWindows() {
    await Promise.all(this.contexts.splice(0).map((context) => context.close()));
  }

  async stop() {
    await this.browser?.close();
    if (this.environment) await this.parley("down");
    if (!process.env.KEEP_LOGS) rmSync(this.home, { recursive: true, force: true });
    if (this.faults.length) throw new Error(this.faults.join("\n"));
  }
}

// What is looked for on the page: as a user finds it, by its name and role.

export const composer = (page) => page.getByRole("textbox", { name: "Message", exact: true });
export const bubbles = (page) => page.locator("[data-seq]");
export const bubble = (page, text) => page.locator("[data-seq], [data-pending]").filter({ hasText: text });
export const status = (page, text) => page.locator("[data-look]:visible").filter({ hasText: text }).first();
export const item = (page, name) => page.getByRole("navigation").getByRole("link").filter({ hasText: name });

export function conversationPath(id) {
  return `/app/conversations/${encodeURIComponent(id)}`;
}

/** Waits for "Connected" and for the conversation to be there. */
export async function ready(page) {
  await page.getByRole("status").filter({ hasText: /^Connected$/ }).first().waitFor({ state: "attached" });
}

export async function write(page, text) {
  await composer(page).fill(text);
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** Signs the page in anew, or with another token, as a link does. */
export async function follow(page, token) {
  await page.evaluate((text) => {
    location.hash = `#token=${text}`;
  }, token);
}

/** What the page has sent and received over its WebSockets, as text. */
export function framesOf(page) {
  return frames.get(page);
}

/**
 * Waits until the page has told the server of what was in view, if it is going to: it gathers that for
 * a quarter of a second, and a page's timers fire in the order of their times.
 */
export async function settle(page) {
  await page.evaluate(() => new Promise((done) => setTimeout(done, 1000)));
}

/** The seqs up to which the page has said that they were read. */
export function marksOf(page) {
  return framesOf(page).sent.flatMap((frame) => {
    const [, seq] = /^42\d+\["mark_read",.*"seq":(\d+)/.exec(frame) ?? [];
    return seq ? [Number(seq)] : [];
  });
}

/** The texts of the messages in view, in order. */
export function texts(page) {
  return page.locator("[data-seq] [data-text], [data-pending] [data-text]").allTextContents();
}

export async function seqs(page) {
  return bubbles(page).evaluateAll((all) => all.map((one) => Number(one.dataset.seq)));
}
