// What the protocol tests share: the server in its own process, HTTP and WebSocket by hand.
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { after } from "node:test";

export const PING_INTERVAL = 300; // of the suite "protocol"
export const PING_TIMEOUT = 200;
export const MAX_PAYLOAD = 1000000;

// Starts a server that prints "listening on PORT", for the tests of a file; stops it behind them. One
// that doesn't leave with 0 (a crash, a leak that its sanitizer found) fails the file.
export async function startProgram(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    ended.then(([code]) => Promise.reject(new Error(`the server left with ${code}`))),
  ]);
  const port = Number(line.replace("listening on ", ""));
  after(async () => {
    child.kill("SIGTERM");
    const [code, signal] = await ended;
    if (code !== 0) throw new Error(`the server left with ${code ?? signal}`);
  });
  return { port, pid: child.pid, url: `http://127.0.0.1:${port}` };
}

export function startServer(suite = "protocol", ...options) {
  return startProgram(process.env.CONFORMANCE_SERVER, ["--port", "0", "--suite", suite, ...options]);
}

// A server whose heartbeat doesn't matter, so that a busy machine ends no session of a test that
// answers no pings.
export function startPatientServer(suite = "protocol") {
  return startServer(suite, "--ping-interval", "60000");
}

// ---- HTTP by hand ----

// A TCP connection that collects what arrives.
export class Connection {
  constructor(port, host = "127.0.0.1") {
    this.socket = net.connect(port, host);
    this.socket.setNoDelay(true);
    this.bytes = Buffer.alloc(0);
    this.closed = false;
    this.waiting = [];
    this.socket.on("data", (data) => {
      this.bytes = Buffer.concat([this.bytes, data]);
      this.wake();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.closed = true;
      this.wake();
    });
  }

  wake() {
    for (const check of [...this.waiting]) check();
  }

  write(data) {
    this.socket.write(data);
    return this;
  }

  // Waits until `take` returns something, which it gives out; fails when the connection closes first.
  async until(take, what = "data", timeout = 10000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(reject, new Error(`no ${what} within ${timeout} ms`)), timeout);
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.waiting.splice(this.waiting.indexOf(check), 1);
        settle(value);
      };
      const check = () => {
        const taken = take();
        if (taken !== undefined) finish(resolve, taken);
        else if (this.closed) finish(reject, new Error(`closed while waiting for ${what}`));
      };
      this.waiting.push(check);
      check();
    });
  }

  async untilClosed(timeout = 10000) {
    await this.until(() => (this.closed ? true : undefined), "close", timeout).catch((error) => {
      if (!this.closed) throw error;
    });
  }

  // The next response: {status, headers, body}.
  async response(what = "response") {
    return this.until(() => {
      const end = this.bytes.indexOf("\r\n\r\n");
      if (end < 0) return undefined;
      const [first, ...lines] = this.bytes.subarray(0, end).toString("latin1").split("\r\n");
      const headers = {};
      for (const line of lines) {
        const [name, value] = line.split(/: ?(.*)/s);
        const key = name.toLowerCase();
        headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
      }
      const length = Number(headers["content-length"] ?? 0);
      if (this.bytes.length < end + 4 + length) return undefined;
      const body = this.bytes.subarray(end + 4, end + 4 + length).toString();
      this.bytes = this.bytes.subarray(end + 4 + length);
      return { status: Number(first.split(" ")[1]), headers, body };
    }, what);
  }

  destroy() {
    this.socket.destroy();
  }

  reset() {
    this.socket.resetAndDestroy();
  }
}

export function requestText(method, target, { headers = {}, body } = {}) {
  const lines = [`${method} ${target} HTTP/1.1`, "Host: localhost"];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

// One request on a connection of its own.
export async function request(port, method, target, options = {}) {
  const connection = new Connection(port);
  connection.write(requestText(method, target, options));
  try {
    return await connection.response(`${method} ${target}`);
  } finally {
    connection.destroy();
  }
}

// ---- Engine.IO by hand ----

export const SEPARATOR = "\x1e";

// A polling session: its handshake, and polls and posts on connections of their own.
export class PollingSession {
  constructor(port, path, handshake) {
    this.port = port;
    this.sid = handshake.sid;
    this.handshake = handshake;
    this.target = `${path}?EIO=4&transport=polling&sid=${handshake.sid}`;
  }

  static async open(port, path = "/socket.io/", options = {}) {
    const { status, body, headers } = await request(port, "GET", `${path}?EIO=4&transport=polling`, options);
    if (status !== 200) throw new Error(`handshake: ${status} ${body}`);
    const session = new PollingSession(port, path, JSON.parse(body.slice(1)));
    session.headers = headers;
    return session;
  }

  poll() {
    return request(this.port, "GET", this.target);
  }

  post(body, headers = { "Content-Type": "text/plain;charset=UTF-8" }) {
    return request(this.port, "POST", this.target, { body, headers });
  }

  // The packets of further polls, pings left out, until there are `n`.
  async packets(n) {
    const found = [];
    while (found.length < n) {
      const { status, body } = await this.poll();
      if (status !== 200) throw new Error(`poll: ${status} ${body}`);
      found.push(...body.split(SEPARATOR).filter((packet) => packet !== "2"));
    }
    return found;
  }

  async isOpen() {
    // A second poll at the same time would close the session, so ask in a way that doesn't.
    const { status } = await this.post("6");
    return status === 200;
  }
}

const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// One masked frame.
export function frame(opcode, payload, { final = true, reserved = 0, masked = true } = {}) {
  const data = Buffer.from(payload);
  const first = (final ? 0x80 : 0) | reserved | (OPCODES[opcode] ?? opcode);
  let length;
  if (data.length < 126) length = Buffer.from([data.length]);
  else if (data.length < 65536) length = Buffer.from([126, data.length >> 8, data.length & 255]);
  else {
    length = Buffer.alloc(9);
    length[0] = 127;
    length.writeBigUInt64BE(BigInt(data.length), 1);
  }
  if (!masked) return Buffer.concat([Buffer.from([first]), length, data]);
  length[0] |= 0x80;
  const mask = randomBytes(4);
  for (let i = 0; i < data.length; i++) data[i] ^= mask[i & 3];
  return Buffer.concat([Buffer.from([first]), length, mask, data]);
}

// A WebSocket by hand, to send what no library would.
export class RawWebSocket extends Connection {
  static upgradeText(path, query, headers = {}) {
    const key = randomBytes(16).toString("base64");
    const text = requestText("GET", `${path}?EIO=4&transport=websocket${query}`, {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        ...headers,
      },
    });
    return { text, key };
  }

  // Opens one; `behind` is written in the same segment as the request.
  static async open(port, { path = "/socket.io/", sid, headers, behind } = {}) {
    const socket = new RawWebSocket(port);
    const { text, key } = this.upgradeText(path, sid ? `&sid=${sid}` : "", headers);
    socket.write(behind ? Buffer.concat([Buffer.from(text), behind]) : text);
    const response = await socket.response("upgrade");
    if (response.status !== 101) throw new Error(`upgrade: ${response.status} ${response.body}`);
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    if (response.headers["sec-websocket-accept"] !== accept) throw new Error("wrong accept key");
    socket.upgrade = response;
    return socket;
  }

  send(text) {
    return this.write(frame("text", text));
  }

  // The next frame: {opcode, payload}.
  async frame(what = "frame") {
    return this.until(() => {
      const p = this.bytes;
      if (p.length < 2) return undefined;
      const header = { 126: 4, 127: 10 }[p[1]] ?? 2;
      if (p.length < header) return undefined;
      const length = header === 2 ? p[1] : header === 4 ? p.readUInt16BE(2) : Number(p.readBigUInt64BE(2));
      if (p.length < header + length) return undefined;
      const payload = p.subarray(header, header + length);
      this.bytes = p.subarray(header + length);
      return { opcode: p[0] & 15, payload };
    }, what);
  }

  // The next message that isn't a ping, as a string (or a Buffer, if it is binary).
  async message(what = "message") {
    for (;;) {
      const { opcode, payload } = await this.frame(what);
      if (opcode === OPCODES.close) throw new Error(`closed while waiting for ${what}`);
      if (opcode === OPCODES.binary) return payload;
      if (opcode === OPCODES.text && payload.toString() !== "2") return payload.toString();
    }
  }

  // Waits for the server's close frame: its code, 1005 if it had none, 1006 if there was no frame.
  async closeCode() {
    try {
      for (;;) {
        const { opcode, payload } = await this.frame("close");
        if (opcode !== OPCODES.close) continue;
        return payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      }
    } catch (error) {
      if (this.closed) return 1006;
      throw error;
    } finally {
      this.destroy();
    }
  }
}

// A Socket.IO connection by hand that has joined "/".
export async function joined(port, auth = "") {
  const socket = await RawWebSocket.open(port);
  await socket.message("open packet");
  socket.send(`40${auth}`);
  await socket.message("connect reply");
  await socket.message("auth event");
  return socket;
}

// Does the server still serve, and promptly?
export async function checkAlive(port) {
  const started = Date.now();
  const socket = await joined(port);
  socket.send('420["message-with-ack",1]');
  const answer = await socket.message("acknowledgement");
  socket.destroy();
  if (answer !== "430[1]") throw new Error(`the server answered ${answer}`);
  if (Date.now() - started > 3000) throw new Error("the server is too slow");
}
