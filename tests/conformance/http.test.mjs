// HTTP as clients, proxies and attackers may send it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Connection, PollingSession, RawWebSocket, checkAlive, frame, request, requestText, startPatientServer } from "./harness.mjs";

const PATH = "/engine.io/";
const { port, pid } = await startPatientServer();

// Milliseconds of processor time the server has used.
function processorTime() {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function assertIdle(milliseconds = 400) {
  const before = processorTime();
  await sleep(milliseconds);
  const used = processorTime() - before;
  assert.ok(used < milliseconds / 2, `${used} ms of processor time in ${milliseconds} ms of nothing to do`);
}

describe("one connection for many requests", () => {
  it("is kept alive", async () => {
    const connection = new Connection(port);
    connection.write(requestText("GET", `${PATH}?EIO=4&transport=polling`));
    const { sid } = JSON.parse((await connection.response()).body.slice(1));
    const target = `${PATH}?EIO=4&transport=polling&sid=${sid}`;
    for (let i = 0; i < 20; i++) {
      connection.write(requestText("POST", target, { body: `4${i}` }));
      assert.equal((await connection.response()).body, "ok");
      connection.write(requestText("GET", target));
      assert.match((await connection.response()).body, new RegExp(`4${i}$`));
    }
    connection.destroy();
  });

  it("serves two POSTs with bodies in one segment, each once", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    const post = (text) => requestText("POST", session.target, { body: text });
    connection.write(post("4one") + post("4two") + post("4three"));
    for (let i = 0; i < 3; i++) assert.equal((await connection.response()).body, "ok");
    assert.deepEqual(await session.packets(3), ["4one", "4two", "4three"]);
    connection.destroy();
    await assertIdle();
    await checkAlive(port);
  });

  it("serves requests that come behind a held poll, after it", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    connection.write(requestText("GET", session.target) + requestText("POST", session.target, { body: "4later" }));
    await sleep(20);
    assert.equal((await session.post("4first")).body, "ok");
    assert.equal((await connection.response()).body, "4first");
    assert.equal((await connection.response()).body, "ok");
    assert.deepEqual(await session.packets(1), ["4later"]);
    connection.destroy();
  });

  it("closes when asked to, and for HTTP/1.0", async () => {
    const connection = new Connection(port);
    connection.write(requestText("GET", `${PATH}?EIO=4&transport=polling`, { headers: { Connection: "close" } }));
    assert.equal((await connection.response()).headers.connection, "close");
    await connection.untilClosed();
    const old = new Connection(port);
    old.write(`GET ${PATH}?EIO=4&transport=polling HTTP/1.0\r\n\r\n`);
    assert.equal((await old.response()).status, 200);
    await old.untilClosed();
  });
});

describe("a held poll", () => {
  it("costs nothing when its client half-closes or sends on", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    connection.write(requestText("GET", session.target));
    await sleep(20);
    connection.write("GET ");
    await assertIdle(200);
    connection.destroy();
    const other = await PollingSession.open(port, PATH);
    const half = new Connection(port);
    half.write(requestText("GET", other.target));
    await sleep(20);
    half.socket.end();
    await sleep(50);
    assert.match((await other.poll()).body, /Session ID unknown/);
    await assertIdle(200);
  });

  it("stops reading a client that sends without end", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    connection.write(requestText("GET", session.target));
    await sleep(20);
    connection.write(Buffer.alloc(50 * 1024 * 1024, 65));
    await sleep(100);
    const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]);
    const sanitized = /asan/.test(readFileSync(`/proc/${pid}/maps`, "latin1"));
    assert.ok(sanitized || resident < 60 * 1024, `${resident} kB resident`);
    connection.destroy();
    await checkAlive(port);
  });
});

describe("bodies", () => {
  it("refuses a chunked one with 411", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    connection.write(requestText("POST", session.target, { headers: { "Transfer-Encoding": "chunked" } }) + "2\r\n4a\r\n0\r\n\r\n");
    assert.equal((await connection.response()).status, 411);
    await connection.untilClosed();
    assert.ok(await session.isOpen());
  });

  it("refuses one without length with 411", async () => {
    const session = await PollingSession.open(port, PATH);
    assert.equal((await request(port, "POST", session.target)).status, 411);
  });

  it("goes on after Expect: 100-continue", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    connection.write(`POST ${session.target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n`);
    assert.equal((await connection.response()).status, 100);
    connection.write("4a");
    assert.equal((await connection.response()).body, "ok");
    connection.destroy();
  });

  it("closes the session of a client that goes away within one", async () => {
    const session = await PollingSession.open(port, PATH);
    const connection = new Connection(port);
    connection.write(`POST ${session.target} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n4half`);
    await sleep(20);
    connection.reset();
    await sleep(20);
    assert.match((await session.poll()).body, /Session ID unknown/);
  });
});

describe("what isn't HTTP", () => {
  const garbage = [
    ["nothing but a line end", "\r\n\r\n", 400],
    ["a TLS hello", Buffer.from("16030100a5010000a10303\r\n\r\n", "latin1"), 400],
    ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["an absolute target", "GET http://a/engine.io/ HTTP/1.1\r\n\r\n", 400],
    ["a folded header", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400],
    ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
    ["a negative length", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400],
    ["a header without end", `GET / HTTP/1.1\r\nA: ${"b".repeat(70000)}`, 431],
    ["too many headers", `GET / HTTP/1.1\r\n${"A: b\r\n".repeat(200)}\r\n`, 431],
  ];
  for (const [what, bytes, status] of garbage) {
    it(`is answered ${status}: ${what}`, async () => {
      const connection = new Connection(port);
      connection.write(bytes);
      assert.equal((await connection.response()).status, status);
      await connection.untilClosed();
    });
  }

  it("survives random bytes", async () => {
    const seed = (n) => Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 7919 + n * 104729) % 256));
    await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const connection = new Connection(port);
        connection.write(Buffer.concat([seed(n), Buffer.from("\r\n\r\n")]));
        await connection.untilClosed();
      }),
    );
    await checkAlive(port);
  });
});

describe("upgrade requests", () => {
  const upgrade = (headers) => RawWebSocket.upgradeText(PATH, "", headers).text;
  const refused = [
    ["a key of another length", upgrade({ "Sec-WebSocket-Key": "abc" }), 400],
    ["a key with other characters", upgrade({ "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAA\"==" }), 400],
    ["no key", upgrade({}).replace(/Sec-WebSocket-Key.*\r\n/, ""), 400],
    ["another version", upgrade({ "Sec-WebSocket-Version": "8" }), 400],
    ["a body", upgrade({ "Content-Length": "5" }) + "hello", 400],
    ["another protocol to upgrade to", upgrade({ Upgrade: "h2c" }), 400],
    ["a POST", upgrade({}).replace("GET", "POST"), 400],
  ];
  for (const [what, text, status] of refused) {
    it(`are refused with ${what}`, async () => {
      const connection = new Connection(port);
      connection.write(text);
      assert.equal((await connection.response()).status, status);
      connection.destroy();
    });
  }

  it("don't need to be the first request of a connection", async () => {
    const socket = new RawWebSocket(port);
    socket.write(requestText("GET", "/none"));
    assert.equal((await socket.response()).status, 404);
    socket.write(RawWebSocket.upgradeText(PATH, "").text);
    assert.equal((await socket.response()).status, 101);
    assert.match(await socket.message(), /^0\{/);
    socket.destroy();
  });

  it("may come with every subprotocol and extension: none is negotiated", async () => {
    const socket = await RawWebSocket.open(port, {
      path: PATH,
      headers: { "Sec-WebSocket-Protocol": "a, b", "Sec-WebSocket-Extensions": "permessage-deflate" },
    });
    assert.equal(socket.upgrade.headers["sec-websocket-protocol"], undefined);
    assert.equal(socket.upgrade.headers["sec-websocket-extensions"], undefined);
    socket.destroy();
  });

  it("may be followed by a close in the same segment", async () => {
    const socket = await RawWebSocket.open(port, { path: PATH, behind: frame("close", "") });
    assert.match(await socket.message(), /^0\{/);
    assert.equal(await socket.closeCode(), 1005);
    await checkAlive(port);
  });
});
