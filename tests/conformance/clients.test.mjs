// The stock clients from npm, over each transport.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";

import { Socket as EngineSocket } from "engine.io-client";
import { io } from "socket.io-client";

import { startServer } from "./harness.mjs";

const protocol = await startServer("protocol");
const own = await startServer("socket.io-client");
const engine = await startServer("engine.io-client");

const MODES = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
};

function connect(url, transports, options = {}) {
  return io(url, { transports, forceNew: true, reconnectionDelay: 10, ...options });
}

async function connected(socket) {
  if (!socket.connected) await once(socket, "connect");
  return socket;
}

// Waits until the client has moved to WebSocket.
async function upgraded(socket) {
  await connected(socket);
  if (socket.io.engine.transport.name !== "websocket") await once(socket.io.engine, "upgrade");
  return socket;
}

for (const [mode, transports] of Object.entries(MODES)) {
  describe(`socket.io-client over ${mode}`, () => {
    const open = (options) => connect(protocol.url, transports, options);

    it("joins with its auth object", async () => {
      const socket = open({ auth: { token: "123" } });
      const [auth] = await once(socket, "auth");
      assert.deepEqual(auth, { token: "123" });
      assert.ok(socket.connected && socket.id && socket.id !== socket.io.engine.id);
      socket.disconnect();
    });

    it("gets every event back, in order", async () => {
      const socket = open();
      await connected(socket);
      const received = [];
      const done = new Promise((resolve) =>
        socket.on("message-back", (i, text) => received.push(i) === 500 && resolve(text)),
      );
      for (let i = 0; i < 500; i++) {
        socket.emit("message", i, "déjà vu 🎉 \u0000 \ud800");
        if (i % 100 === 0) await new Promise(setImmediate);
      }
      await done;
      assert.deepEqual(received, [...received.keys()]);
      socket.disconnect();
    });

    it("gets acknowledgements, with binary in them", async () => {
      const socket = open();
      const bytes = Buffer.from([1, 2, 3]);
      const answer = await new Promise((resolve) =>
        socket.emit("message-with-ack", 1, { a: [bytes, bytes] }, Buffer.alloc(0), (...args) => resolve(args)),
      );
      assert.equal(answer[0], 1);
      assert.ok(bytes.equals(answer[1].a[0]) && bytes.equals(answer[1].a[1]));
      assert.equal(answer[2].length, 0);
      socket.disconnect();
    });

    it("carries large events both ways", async () => {
      const socket = open();
      const text = "x".repeat(900000);
      const [back] = await Promise.all([once(socket, "message-back"), socket.emit("message", text)]);
      assert.equal(back[0], text);
      socket.disconnect();
    });

    it("keeps several namespaces on one connection", async () => {
      const main = open();
      const custom = main.io.socket("/custom");
      custom.connect();
      await Promise.all([once(main, "auth"), once(custom, "auth")]);
      assert.notEqual(main.id, custom.id);
      custom.disconnect();
      const answer = await main.emitWithAck("message-with-ack", "still here");
      assert.equal(answer, "still here");
      main.disconnect();
    });

    it("is told that a namespace doesn't exist", async () => {
      const socket = io(`${protocol.url}/random`, { transports, forceNew: true });
      const [error] = await once(socket, "connect_error");
      assert.equal(error.message, "Invalid namespace");
      assert.equal(socket.active, false);
      socket.io._close();
    });

    it("survives its heartbeats", async () => {
      const socket = open();
      await connected(socket);
      let pings = 0;
      await new Promise((resolve) => socket.io.on("ping", () => ++pings === 3 && resolve()));
      assert.ok(socket.connected);
      socket.disconnect();
    });

    it("comes back by itself when its connection ends", async () => {
      const socket = open();
      await connected(socket);
      const first = socket.id;
      const disconnected = once(socket, "disconnect");
      socket.io.engine.close();
      const [reason] = await disconnected;
      assert.equal(reason, "forced close");
      await connected(socket);
      assert.notEqual(socket.id, first);
      socket.disconnect();
    });
  });
}

describe("socket.io-client with acknowledgements of its own", () => {
  it("answers the server", async () => {
    const socket = connect(own.url, ["websocket"]);
    socket.on("ack", (answer) => answer(5, { test: true }));
    socket.emit("ack");
    await once(socket, "got it");
    socket.disconnect();
  });

  it("is refused with the application's message", async () => {
    const socket = connect(`${own.url}/no`, ["polling"]);
    const [error] = await once(socket, "connect_error");
    assert.equal(error.message, "Auth failed (custom namespace)");
    socket.io._close();
  });

  it("retries until it is acknowledged", async () => {
    const socket = connect(own.url, ["websocket"], { retries: 3, ackTimeout: 500 });
    assert.equal(await socket.emitWithAck("echo", "once"), "once");
    socket.disconnect();
  });
});

describe("connection state recovery, in memory", () => {
  // Connects, and has the server's events of `name` sent where the client hears nothing any more.
  async function missing(name) {
    const socket = connect(own.url, ["websocket"]);
    await connected(socket);
    const id = socket.id;
    const heard = [];
    socket.emit("hi");
    await once(socket, "hi");
    socket.onAny((...args) => heard.push(args));
    socket.on("connect", () => heard.push(["connect"]));
    socket.io.engine.transport.off("packet");
    socket.emit(name);
    return { socket, id, heard };
  }

  it("brings what was missed before connect, in order, with the same id", async () => {
    const { socket, id, heard } = await missing("getUtf8");
    socket.io.engine.close();
    await once(socket, "connect");
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    assert.deepEqual(
      heard.map(([event, text]) => text ?? event),
      ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string", "connect"],
    );
    socket.disconnect();
  });

  it("brings nothing to one that left", async () => {
    const { socket, id, heard } = await missing("getUtf8");
    socket.disconnect().connect();
    await once(socket, "connect");
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
    assert.deepEqual(heard, [["connect"]]);
    socket.disconnect();
  });
});

describe("upgrade", () => {
  it("loses, doubles and reorders nothing while both sides talk", async () => {
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const socket = connect(protocol.url, MODES.upgrade);
        const received = [];
        socket.on("message-back", (i) => received.push(i));
        let sent = 0;
        await connected(socket);
        const switched = upgraded(socket);
        let going = true;
        const finished = switched.then(() => (going = false));
        while (going || sent < 100) {
          socket.emit("message", sent++);
          await new Promise(setImmediate);
        }
        await finished;
        await socket.emitWithAck("message-with-ack", "last");
        assert.deepEqual(received, Array.from({ length: sent }, (_, i) => i));
        socket.disconnect();
      }),
    );
  });
});

describe("engine.io-client", () => {
  for (const options of [{ transports: ["websocket"] }, { transports: ["polling"] }, {}, { forceBase64: true }]) {
    it(`exchanges text and binary with ${JSON.stringify(options)}`, async () => {
      const socket = new EngineSocket(engine.url, { path: "/engine.io", ...options });
      const messages = [];
      const all = new Promise((resolve) => socket.on("message", (data) => messages.push(data) === 4 && resolve()));
      socket.on("open", () => {
        socket.send("give binary");
        socket.send("give utf8");
        socket.send(Buffer.from([9, 8]));
      });
      await all;
      assert.equal(messages[0], "hi");
      assert.deepEqual([...Buffer.from(messages[1])], [0, 1, 2, 3, 4]);
      assert.equal(messages[2], "пойду спать всем спокойной ночи");
      assert.deepEqual([...Buffer.from(messages[3])], [9, 8]);
      socket.close();
    });
  }

  it("is refused when the application says so", async () => {
    const socket = new EngineSocket(engine.url, { path: "/engine.io", query: { deny: 1 }, transports: ["polling"] });
    const [error] = await once(socket, "error");
    assert.equal(error.context.status, 403);
    const over_websocket = new EngineSocket(engine.url, { path: "/engine.io", query: { deny: 1 }, transports: ["websocket"] });
    await once(over_websocket, "error");
  });
});
