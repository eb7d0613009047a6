// Engine.IO: handshake, polling, heartbeat, upgrade, CORS. By hand, on the bytes of the wire.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import {
  Connection,
  MAX_PAYLOAD,
  PING_INTERVAL,
  PING_TIMEOUT,
  PollingSession,
  RawWebSocket,
  frame,
  request,
  requestText,
  startPatientServer,
  startServer,
} from "./harness.mjs";

const PATH = "/engine.io/";
const UNKNOWN_SID = '{"code":1,"message":"Session ID unknown"}';
const BAD_REQUEST = '{"code":3,"message":"Bad request"}';
const { port } = await startPatientServer();
const quick = await startServer(); // with the suite's heartbeat

describe("handshake", () => {
  it("has exactly the five keys, alone in the body", async () => {
    const session = await PollingSession.open(port, PATH);
    assert.deepEqual(Object.keys(session.handshake).sort(), ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]);
    assert.deepEqual(session.handshake.upgrades, ["websocket"]);
    assert.equal(session.headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(session.headers["cache-control"], "no-store");
    const socket = await RawWebSocket.open(port, { path: PATH });
    const open = await socket.message();
    assert.deepEqual(JSON.parse(open.slice(1)).upgrades, []);
    socket.destroy();
  });

  const refusals = [
    ["GET", "EIO=4", 400, '{"code":0,"message":"Transport unknown"}'],
    ["GET", "EIO=4&transport=__proto__", 400, '{"code":0,"message":"Transport unknown"}'],
    ["GET", "EIO=4&transport=webtransport", 400, '{"code":0,"message":"Transport unknown"}'],
    ["GET", "EIO=4&transport=polling&sid=abc", 400, UNKNOWN_SID],
    ["POST", "EIO=4&transport=polling", 400, '{"code":2,"message":"Bad handshake method"}'],
    ["GET", "EIO=4&transport=websocket", 400, BAD_REQUEST],
    ["GET", "transport=polling", 400, '{"code":5,"message":"Unsupported protocol version"}'],
    ["GET", "EIO=3&transport=polling", 400, '{"code":5,"message":"Unsupported protocol version"}'],
  ];
  for (const [method, query, status, body] of refusals) {
    it(`refuses ${method} ${query}`, async () => {
      const response = await request(port, method, `${PATH}?${query}`, method === "POST" ? { body: "" } : {});
      assert.deepEqual([response.status, response.body], [status, body]);
      assert.equal(response.headers["content-type"], "application/json");
    });
  }

  it("refuses WebSockets before the 101", async () => {
    for (const query of ["&EIO=4", "&sid=abc"]) {
      const { text } = RawWebSocket.upgradeText(PATH, query);
      const socket = new RawWebSocket(port);
      socket.write(query === "&EIO=4" ? text.replace("EIO=4", "EIO=9") : text);
      assert.equal((await socket.response()).status, 400);
      await socket.untilClosed();
    }
  });

  it("is at the path with and without its last slash, and nowhere else", async () => {
    assert.equal((await request(port, "GET", "/engine.io?EIO=4&transport=polling")).status, 200);
    assert.equal((await request(port, "GET", "/engine.io/x?EIO=4&transport=polling")).status, 404);
    assert.equal((await request(port, "GET", "/")).status, 404);
  });

  it("gives every session a sid of its own, of 18 random bytes", async () => {
    const sids = new Set();
    for (let i = 0; i < 50; i++) sids.add((await PollingSession.open(port, PATH)).sid);
    assert.equal(sids.size, 50);
    for (const sid of sids) assert.match(sid, /^[\w-]{24}$/);
  });
});

describe("polling", () => {
  it("answers a POST with ok and everything that waits with one poll", async () => {
    const session = await PollingSession.open(port, PATH);
    const response = await session.post("4hello\x1ebAQIDBA==\x1e4€");
    assert.deepEqual([response.status, response.body, response.headers["content-type"]], [200, "ok", "text/html"]);
    const poll = await session.poll();
    assert.equal(poll.body, "4hello\x1ebAQIDBA==\x1e4€");
  });

  it("takes a POST of any content type but a binary one", async () => {
    const session = await PollingSession.open(port, PATH);
    assert.equal((await session.post("4a", {})).status, 200);
    assert.equal((await session.post("4b", { "Content-Type": "application/json" })).status, 200);
    const refused = await session.post("4c", { "Content-Type": "application/octet-stream" });
    assert.equal(refused.status, 400);
    assert.equal((await session.poll()).body, UNKNOWN_SID);
  });

  it("takes a body in many pieces", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    const text = requestText("POST", session.target, { body: `4${"x".repeat(50)}` });
    for (const byte of text) {
      connection.write(byte);
      await new Promise(setImmediate);
    }
    assert.equal((await connection.response()).body, "ok");
    connection.destroy();
    assert.deepEqual(await session.packets(1), [`4${"x".repeat(50)}`]);
  });

  it("closes at a second poll", async () => {
    const session = await PollingSession.open(port, PATH);
    const first = session.poll();
    await sleep(20);
    const second = await session.poll();
    assert.deepEqual([second.status, (await first).body], [400, "1"]);
    assert.equal((await session.poll()).body, UNKNOWN_SID);
  });

  it("closes at a second POST", async () => {
    const session = await PollingSession.open(port, PATH);
    const first = new Connection(port);
    first.write(`POST ${session.target} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n4h`);
    await sleep(20);
    assert.equal((await session.post("4b")).status, 400);
    first.write("ell");
    assert.equal((await first.response()).status, 400);
    first.destroy();
    assert.equal((await session.poll()).body, UNKNOWN_SID);
  });

  it("refuses a body over maxPayload, and the session lives on", async () => {
    const session = await PollingSession.open(port, PATH);
    const response = await session.post(`4${"x".repeat(MAX_PAYLOAD)}`);
    assert.deepEqual([response.status, response.body], [413, ""]);
    assert.equal((await session.post(`4${"x".repeat(MAX_PAYLOAD - 1)}`)).status, 200);
    assert.equal((await session.packets(1))[0].length, MAX_PAYLOAD);
  });

  for (const body of ["abc", "", "4a\x1e", "2", "4\xff"]) {
    it(`closes at the invalid body ${JSON.stringify(body)}`, async () => {
      const session = await PollingSession.open(port, PATH);
      const connection = new Connection(port);
      const bytes = Buffer.from(body, "latin1");
      connection.write(`POST ${session.target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes.length}\r\n\r\n`);
      connection.write(bytes);
      assert.equal((await connection.response()).status, 400);
      connection.destroy();
      assert.equal((await session.poll()).body, UNKNOWN_SID);
    });
  }

  it("closes when the client gives its poll up", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    connection.write(requestText("GET", session.target));
    await sleep(20);
    connection.destroy();
    await sleep(20);
    assert.equal((await session.poll()).body, UNKNOWN_SID);
  });

  it("closes when the client says so", async () => {
    const session = await PollingSession.open(port, PATH);
    const poll = session.poll();
    await sleep(20);
    const post = await session.post("1");
    assert.deepEqual([post.status, post.body, (await poll).body], [200, "ok", "6"]);
    assert.equal((await session.poll()).body, UNKNOWN_SID);
  });

  it("answers other methods on a session with an empty 500", async () => {
    const session = await PollingSession.open(port, PATH);
    const response = await request(port, "PUT", session.target);
    assert.deepEqual([response.status, response.body], [500, ""]);
    assert.ok(await session.isOpen());
  });

  it("refuses another protocol version on a session", async () => {
    const session = await PollingSession.open(port, PATH);
    assert.equal((await request(port, "GET", session.target.replace("EIO=4", "EIO=3"))).body, BAD_REQUEST);
    assert.ok(await session.isOpen());
  });
});

describe("heartbeat", () => {
  it("pings after the interval and keeps a session that answers", async () => {
    const session = await PollingSession.open(quick.port, PATH);
    for (let i = 0; i < 3; i++) {
      const started = Date.now();
      assert.equal((await session.poll()).body, "2");
      assert.ok(Date.now() - started > PING_INTERVAL - 100);
      assert.equal((await session.post("3")).status, 200);
    }
  });

  it("ends a polling session that doesn't answer, to the millisecond", async () => {
    const session = await PollingSession.open(quick.port, PATH);
    await sleep(PING_INTERVAL + PING_TIMEOUT);
    assert.equal((await session.poll()).body, UNKNOWN_SID);
  });

  it("ends a WebSocket that doesn't answer", async () => {
    const socket = await RawWebSocket.open(quick.port, { path: PATH });
    const started = Date.now();
    assert.equal(await socket.closeCode(), 1005);
    const took = Date.now() - started;
    assert.ok(took >= PING_INTERVAL + PING_TIMEOUT - 20 && took < 2000, `${took} ms`);
  });

  it("ignores pongs that it didn't ask for", async () => {
    const socket = await RawWebSocket.open(quick.port, { path: PATH });
    for (let i = 0; i < 1000; i++) socket.send("3");
    socket.send("4still here");
    await socket.message("open");
    assert.equal(await socket.message(), "4still here");
    socket.destroy();
  });
});

describe("upgrade", () => {
  async function probed(session, options = {}) {
    const socket = await RawWebSocket.open(port, { path: PATH, sid: session.sid, ...options });
    if (!options.behind) socket.send("2probe");
    assert.equal(await socket.message(), "3probe");
    return socket;
  }

  it("moves the session, with what waits, in order", async () => {
    const session = await PollingSession.open(port, PATH);
    const poll = session.poll();
    const socket = await probed(session);
    assert.equal((await poll).body, "6");
    await session.post("4one\x1e4two");
    await session.post("4three");
    socket.send("5");
    socket.send("4four");
    for (const text of ["4one", "4two", "4three", "4four"]) assert.equal(await socket.message(), text);
    assert.equal((await session.poll()).body, BAD_REQUEST);
    assert.equal((await session.post("4x")).status, 400);
    socket.destroy();
  });

  it("takes the probe that comes in one segment with the request", async () => {
    const session = await PollingSession.open(port, PATH);
    const behind = Buffer.concat([frame("text", "2probe"), frame("text", "5"), frame("text", "4early")]);
    const socket = await probed(session, { behind });
    assert.equal(await socket.message(), "4early");
    socket.destroy();
  });

  it("loses, doubles and reorders nothing while it happens", async () => {
    for (let round = 0; round < 10; round++) {
      const session = await PollingSession.open(port, PATH);
      const received = [];
      let polling = true;
      const polls = (async () => {
        while (polling) {
          const { status, body } = await session.poll();
          if (status !== 200) break;
          received.push(...body.split("\x1e"));
        }
      })();
      let n = 0;
      const next = () => `4${n++}`;
      await session.post(next());
      const socket = await probed(session);
      for (let i = 0; i < round; i++) await session.post(`${next()}\x1e${next()}`);
      polling = false;
      await polls;
      socket.send("5");
      for (let i = 0; i < 5; i++) socket.send(next());
      while (received.filter((packet) => packet[0] === "4").length < n) received.push(await socket.message());
      const numbers = received.filter((packet) => packet[0] === "4").map((packet) => Number(packet.slice(1)));
      assert.deepEqual(numbers, [...numbers.keys()]);
      assert.equal(numbers.length, n);
      socket.destroy();
    }
  });

  it("drops a probe that says something else, and the session lives on", async () => {
    for (const text of ["5", "4hello", "2", "1"]) {
      const session = await PollingSession.open(port, PATH);
      const socket = await RawWebSocket.open(port, { path: PATH, sid: session.sid });
      socket.send(text);
      assert.equal(await socket.closeCode(), 1005);
      assert.ok(await session.isOpen());
      const again = await probed(session);
      again.destroy();
      assert.ok(await session.isOpen());
    }
  });

  it("closes a second WebSocket on a session without touching it", async () => {
    const session = await PollingSession.open(port, PATH);
    const socket = await probed(session);
    const while_probing = await RawWebSocket.open(port, { path: PATH, sid: session.sid });
    assert.equal(await while_probing.closeCode(), 1005);
    socket.send("5");
    const behind = await RawWebSocket.open(port, { path: PATH, sid: session.sid });
    assert.equal(await behind.closeCode(), 1005);
    socket.send("4hello");
    assert.equal(await socket.message(), "4hello");
    socket.destroy();
  });
});

describe("WebSocket", () => {
  async function open() {
    const socket = await RawWebSocket.open(port, { path: PATH });
    await socket.message("open");
    return socket;
  }

  it("joins fragments, with control frames between them", async () => {
    const socket = await open();
    socket.write(frame("text", "4he", { final: false }));
    socket.write(frame("ping", "x"));
    socket.write(frame(0, "ll", { final: false }));
    socket.write(frame(0, "o"));
    const frames = [await socket.frame(), await socket.frame()]; // in either order
    const found = frames.map(({ opcode, payload }) => `${opcode} ${payload}`).sort();
    assert.deepEqual(found, ["1 4hello", "10 x"]);
    socket.destroy();
  });

  it("carries binary, empty and large messages", async () => {
    const socket = await open();
    const large = Buffer.alloc(MAX_PAYLOAD, 7);
    socket.write(frame("binary", ""));
    socket.write(frame("binary", large));
    socket.send("4");
    assert.equal((await socket.message()).length, 0);
    assert.ok(large.equals(await socket.message()));
    assert.equal(await socket.message(), "4");
    socket.destroy();
  });

  const violations = [
    ["a message over maxPayload", frame("text", Buffer.alloc(MAX_PAYLOAD + 1, 52)), 1009],
    ["text that isn't UTF-8", frame("text", Buffer.from([52, 0xff])), 1007],
    ["an unknown packet", frame("text", "abc"), 1005],
    ["an empty text message", frame("text", ""), 1005],
    ["a ping", frame("text", "2"), 1005],
    ["the client's close packet", frame("text", "1"), 1005],
  ];
  for (const [what, bytes, code] of violations) {
    it(`closes with ${code} at ${what}`, async () => {
      const socket = await open();
      socket.write(bytes);
      assert.equal(await socket.closeCode(), code);
    });
  }

  it("adds up fragments for maxPayload", async () => {
    const socket = await open();
    const half = Buffer.alloc(MAX_PAYLOAD / 2 + 1, 52);
    socket.write(frame("text", half, { final: false }));
    socket.write(frame(0, half));
    assert.equal(await socket.closeCode(), 1009);
  });

  it("closes at a flood of tiny fragments", async () => {
    const socket = await open();
    socket.write(frame("text", "4", { final: false }));
    const tiny = frame(0, "", { final: false });
    socket.write(Buffer.concat(Array(2000).fill(tiny)));
    assert.equal(await socket.closeCode(), 1008);
  });

  it("answers the close of the client", async () => {
    const socket = await open();
    socket.write(frame("close", Buffer.from([0x03, 0xe8])));
    assert.equal(await socket.closeCode(), 1000);
  });
});

describe("CORS", () => {
  it("is on every response when configured", async () => {
    const session = await PollingSession.open(port, PATH);
    assert.equal(session.headers["access-control-allow-origin"], "*");
    assert.equal((await session.post("4a")).headers["access-control-allow-origin"], "*");
    assert.equal((await session.poll()).headers["access-control-allow-origin"], "*");
    const refused = await request(port, "GET", `${PATH}?EIO=4`);
    assert.equal(refused.headers["access-control-allow-origin"], "*");
    const socket = await RawWebSocket.open(port, { path: PATH });
    assert.equal(socket.upgrade.headers["access-control-allow-origin"], "*");
    socket.destroy();
  });

  it("answers a preflight", async () => {
    const { status, headers } = await request(port, "OPTIONS", `${PATH}?EIO=4&transport=polling`, {
      headers: {
        Origin: "http://a",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-a,x-b",
      },
    });
    assert.equal(status, 204);
    assert.equal(headers["content-length"], "0");
    assert.equal(headers["access-control-allow-methods"], "GET,HEAD,PUT,PATCH,POST,DELETE");
    assert.equal(headers["access-control-allow-headers"], "x-a,x-b");
    assert.equal(headers.vary, "Access-Control-Request-Headers");
  });
});
