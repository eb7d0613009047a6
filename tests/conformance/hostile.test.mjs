// What must close a connection, and the triggers of published vulnerabilities of servers of this
// protocol: after each of them the server serves on.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, describe, it } from "node:test";

import { Connection, MAX_PAYLOAD, PollingSession, RawWebSocket, checkAlive, frame, joined, request, startPatientServer } from "./harness.mjs";

const { port, pid } = await startPatientServer();
const without_cors = await startPatientServer("socket.io-client");

afterEach(() => checkAlive(port));

const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]);
const sanitized = () => /asan/.test(readFileSync(`/proc/${pid}/maps`, "latin1"));

async function assertCloses(socket) {
  assert.equal(await socket.closeCode(), 1005);
}

describe("a packet that breaks Socket.IO closes the connection", () => {
  const after_joining = [
    ["an unknown type", "47"],
    ["a type that is no digit", "4abc"],
    ["no type", "4"],
    ["an event without payload", "42"],
    ["an event that is no array", "42{}"],
    ["an event without a name", "42[]"],
    ["an event with a name that is an object", '42[{"toString":"foo"}]'],
    ["an event with a name that is null", "42[null]"],
    ["a reserved name", '42["disconnect"]'],
    ["a reserved name, escaped", '42["\\u0064isconnect"]'],
    ["JSON that is cut off", '42["a"'],
    ["two JSON values", '42["a"]["b"]'],
    ["a control character in a string", '42["a\n"]'],
    ["an acknowledgement without id", "43[]"],
    ["an acknowledgement that is no array", "431{}"],
    ["a CONNECT_ERROR", '44{"message":"a"}'],
    ["a second CONNECT", "40"],
    ["a DISCONNECT with a payload", "41{}"],
    ["an event for a namespace that was not joined", '42/custom,["a"]'],
    ["an event for a namespace that doesn't exist", '42/random,["a"]'],
    ["leaving a namespace that was not joined", "41/custom,"],
    ["no attachments", '450-["a"]'],
    ["a count of attachments that is no number", '45a-["a"]'],
    ["a count of attachments without its dash", '451["a"]'],
    ["a placeholder beyond the attachments", '451-["a",{"_placeholder":true,"num":1}]'],
    ["a placeholder without number", '451-["a",{"_placeholder":true}]'],
    ["too deep nesting", `42["a",${"[".repeat(200)}${"]".repeat(200)}]`],
  ];
  for (const [what, packet] of after_joining) {
    it(what, async () => {
      const socket = await joined(port);
      socket.send(packet);
      await assertCloses(socket);
    });
  }

  const before_joining = [
    ["an event", '42["a"]'],
    ["an acknowledgement", "430[]"],
    ["leaving", "41"],
    ["a CONNECT with an array", "40[]"],
    ["a CONNECT with null", "40null"],
    ["a CONNECT with a string", '40"a"'],
    ["a CONNECT with broken JSON", "40{"],
  ];
  for (const [what, packet] of before_joining) {
    it(`before joining: ${what}`, async () => {
      const socket = await RawWebSocket.open(port);
      await socket.message();
      socket.send(packet);
      await assertCloses(socket);
    });
  }

  it("text while attachments are outstanding", async () => {
    const socket = await joined(port);
    socket.send('451-["message",{"_placeholder":true,"num":0}]');
    socket.send('42["message"]');
    await assertCloses(socket);
  });

  it("an attachment that belongs to nothing", async () => {
    const socket = await joined(port);
    socket.write(frame("binary", "x"));
    await assertCloses(socket);
  });

  it("no CONNECT within connectTimeout", async () => {
    const session = await PollingSession.open(port);
    const started = Date.now();
    for (;;) {
      const { status, body } = await session.poll();
      if (body.endsWith("1")) break;
      assert.equal(status, 200);
      await session.post("3");
    }
    assert.ok(Date.now() - started >= 950);
    assert.equal((await session.poll()).status, 400);
  });

  it("over polling too: the client is told at its next poll", async () => {
    const session = await PollingSession.open(port);
    await session.post("40");
    await session.packets(2);
    assert.equal((await session.post("42[]")).status, 200);
    assert.equal((await session.poll()).body, "6\x1e1");
    assert.equal((await session.poll()).status, 400);
  });
});

describe("published vulnerabilities", () => {
  it("CVE-2017-16031: session ids can't be guessed", async () => {
    const sids = await Promise.all(Array.from({ length: 200 }, async () => (await PollingSession.open(port)).sid));
    assert.equal(new Set(sids).size, 200);
    const bytes = sids.map((sid) => Buffer.from(sid, "base64url"));
    for (let i = 0; i < bytes[0].length; i++) {
      // No byte is constant, or counts.
      const seen = new Set(bytes.map((b) => b[i]));
      assert.ok(seen.size > 80, `byte ${i} takes ${seen.size} values in 200 ids`);
    }
  });

  it("CVE-2020-28481: no origin is allowed unless configured", async () => {
    const { headers } = await request(without_cors.port, "GET", "/socket.io/?EIO=4&transport=polling", {
      headers: { Origin: "http://evil" },
    });
    assert.equal(headers["access-control-allow-origin"], undefined);
    const preflight = await request(without_cors.port, "OPTIONS", "/socket.io/?EIO=4&transport=polling", {
      headers: { Origin: "http://evil", "Access-Control-Request-Method": "POST" },
    });
    assert.equal(preflight.status, 400);
  });

  it("CVE-2020-36048: a POST of very many tiny packets", async () => {
    const session = await PollingSession.open(port, "/engine.io/");
    const started = Date.now();
    assert.equal((await session.post("6\x1e".repeat(MAX_PAYLOAD / 2 - 1) + "6")).status, 200);
    assert.ok(Date.now() - started < 2000);
    const bad = await PollingSession.open(port);
    assert.equal((await bad.post("\x1e".repeat(MAX_PAYLOAD))).status, 400);
  });

  it("CVE-2020-36049: very long digits, namespaces and attachment counts", async () => {
    for (const text of [`42${"1".repeat(900000)}["a"]`, `45${"1".repeat(900000)}-["a"]`, `45${"-".repeat(900000)}`]) {
      const socket = await joined(port);
      const started = Date.now();
      socket.send(text);
      await assertCloses(socket);
      assert.ok(Date.now() - started < 2000);
    }
    const socket = await joined(port);
    socket.send(`40/${"x".repeat(900000)},`);
    assert.match(await socket.message(), /Invalid namespace/);
    socket.destroy();
  });

  it("CVE-2022-21676: an invalid frame right behind the upgrade", async () => {
    for (const reserved of [0x20, 0x30, 0x40]) {
      const socket = await RawWebSocket.open(port, { behind: frame("text", "x", { reserved }) });
      const code = await socket.closeCode();
      assert.ok(code === 1002 || code === 1006, `${code}`);
    }
  });

  it("CVE-2022-41940: a refused upgrade whose client resets", async () => {
    for (let i = 0; i < 50; i++) {
      const { text } = RawWebSocket.upgradeText("/socket.io/", "&sid=unknown");
      const socket = new RawWebSocket(port);
      await new Promise((resolve) => socket.socket.once("connect", resolve));
      socket.write(text);
      if (i % 2) await socket.response();
      socket.reset();
    }
  });

  it("CVE-2022-2421: placeholders that are no valid index", async () => {
    for (const num of ['"splice"', "-1", "5", "1e3", "0.5", "null", '{"a":1}', "99999999999999999999"]) {
      const socket = await joined(port);
      socket.send(`451-["message",{"_placeholder":true,"num":${num}}]`);
      await assertCloses(socket);
    }
  });

  it("CVE-2023-31125 and GHSA-gr94-w7qr-f4j3: names of JavaScript in transport and sid", async () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "webtransport"]) {
      assert.equal((await request(port, "GET", `/socket.io/?EIO=4&transport=${name}`)).status, 400);
      assert.equal((await request(port, "GET", `/socket.io/?EIO=4&transport=polling&sid=${name}`)).status, 400);
      const { text } = RawWebSocket.upgradeText("/socket.io/", `&sid=${name}`);
      for (const request_text of [text, text.replace("transport=websocket", `transport=${name}`)]) {
        const socket = new RawWebSocket(port);
        socket.write(request_text);
        assert.equal((await socket.response()).status, 400);
        socket.destroy();
      }
    }
  });

  it("CVE-2023-32695: an event's name that is an object", async () => {
    const socket = await joined(port);
    socket.send('42[{"toString":"foo"}]');
    await assertCloses(socket);
  });

  it("CVE-2024-38355: an event named error", async () => {
    const socket = await joined(port);
    socket.send('42["error","x"]');
    socket.send('42["message","after"]');
    assert.equal(await socket.message(), '42["message-back","after"]');
    socket.destroy();
  });

  it("CVE-2024-37890: an upgrade with more headers than the limit", async () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, "a"]));
    const socket = new RawWebSocket(port);
    socket.write(RawWebSocket.upgradeText("/socket.io/", "", many).text);
    assert.equal((await socket.response()).status, 431);
    socket.destroy();
  });

  it("CVE-2021-32640: long blanks in Sec-WebSocket-Protocol", async () => {
    const started = Date.now();
    const socket = await RawWebSocket.open(port, { headers: { "Sec-WebSocket-Protocol": `a${" ".repeat(7000)}b` } });
    assert.ok(Date.now() - started < 1000);
    socket.destroy();
  });

  it("CVE-2016-10542: a frame that announces a huge length", async () => {
    const socket = await joined(port);
    const header = Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    socket.write(Buffer.concat([header, Buffer.from("42")]));
    const code = await socket.closeCode();
    assert.ok(code === 1009 || code === 1006, `${code}`);
  });

  it("CVE-2016-10518: pings of every length", async () => {
    const socket = await joined(port);
    for (const length of [0, 1, 124, 125]) {
      socket.write(frame("ping", Buffer.alloc(length, 65)));
      const pong = await socket.frame();
      assert.equal(pong.opcode, 10);
      assert.ok(Buffer.alloc(length, 65).equals(pong.payload));
    }
    socket.write(frame("ping", Buffer.alloc(126)));
    assert.notEqual(await socket.closeCode(), 1000);
  });

  it("CVE-2026-33151: too many attachments", async () => {
    for (const count of ["11", "1000000000", "4294967296", "99999999999999999999"]) {
      const socket = await joined(port);
      socket.send(`45${count}-["message"]`);
      await assertCloses(socket);
    }
    const socket = await joined(port);
    socket.send('4510-["message",{"_placeholder":true,"num":9}]');
    for (let i = 0; i < 10; i++) socket.write(frame("binary", `${i}`));
    assert.equal(await socket.message(), '4510-["message-back",{"_placeholder":true,"num":9}]');
    socket.destroy();
  });

  it("GHSA-2m8v-j782-fhvr: zero attachments don't arm the assembly", async () => {
    const socket = await joined(port);
    socket.send('450-["message"]');
    for (let i = 0; i < 100; i++) socket.write(frame("binary", Buffer.alloc(1000)));
    await assertCloses(socket);
  });

  it("CVE-2026-59725: an octet-stream POST is answered", async () => {
    for (let i = 0; i < 20; i++) {
      const session = await PollingSession.open(port);
      const response = await session.post("4a", { "Content-Type": "application/octet-stream" });
      assert.equal(response.status, 400);
    }
  });

  it("CVE-2026-45736: nothing of the memory shows in frames", async () => {
    const socket = await joined(port);
    const bytes = Buffer.from(Array.from({ length: 70000 }, (_, i) => i & 255));
    socket.send('451-["message",{"_placeholder":true,"num":0}]');
    socket.write(frame("binary", bytes));
    assert.equal(await socket.message(), '451-["message-back",{"_placeholder":true,"num":0}]');
    assert.ok(bytes.equals(await socket.message()));
    socket.destroy();
  });

  it("CVE-2026-48779: tiny fragments don't fill the memory", async () => {
    const before = resident();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => joined(port)));
    const flood = Buffer.concat([frame("text", "4", { final: false }), ...Array(1000).fill(frame(0, "x", { final: false }))]);
    for (const socket of sockets) socket.write(flood);
    await checkAlive(port);
    assert.ok(sanitized() || resident() - before < 8 * 1024, `${resident() - before} kB more`);
    for (const socket of sockets) socket.destroy();
  });

  it("CVE-2026-48802: unsolicited pongs", async () => {
    const socket = await joined(port);
    for (let i = 0; i < 5000; i++) socket.send("3");
    socket.send('42["message",1]');
    assert.equal(await socket.message(), '42["message-back",1]');
    socket.destroy();
  });

  it("a very deep array is refused, not overflowed on", async () => {
    const socket = await joined(port);
    socket.send(`42["message",${"[".repeat(100000)}${"]".repeat(100000)}]`);
    await assertCloses(socket);
  });

  it("numbers, surrogates and NULs that other parsers stumble over pass unchanged", async () => {
    const socket = await joined(port);
    const args = '"\\ud800","\\u0000",123456789012345678901234567890,1e400,-0,{"__proto__":{"a":1}}';
    socket.send(`42["message",${args}]`);
    assert.equal(await socket.message(), `42["message-back",${args}]`);
    socket.destroy();
  });
});

describe("a client that doesn't read", () => {
  it("gets everything in order when it reads in time", async () => {
    const socket = await joined(port);
    const text = "x".repeat(100000);
    socket.socket.pause();
    for (let i = 0; i < 30; i++) socket.send(`42["message",${i},"${text}"]`);
    await checkAlive(port);
    socket.socket.resume();
    for (let i = 0; i < 30; i++) assert.equal(await socket.message(), `42["message-back",${i},"${text}"]`);
    socket.destroy();
  });

  it("is disconnected, and the memory comes back", async () => {
    const socket = await joined(port);
    socket.socket.pause();
    const message = frame("text", `42["message","${"x".repeat(900000)}"]`);
    const deadline = Date.now() + 20000;
    while (!socket.socket.destroyed && Date.now() < deadline) {
      await new Promise((resolve) => socket.socket.write(message, resolve));
    }
    assert.ok(socket.socket.destroyed);
    await checkAlive(port);
    assert.ok(sanitized() || resident() < 100 * 1024, `${resident()} kB resident`);
  });
});
