// The web page's files: what is served, how it is cached and compressed, and with which headers.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { brotliCompressSync, gunzipSync } from "node:zlib";
import { Alone } from "./alone.mjs";

const script = `console.log(${JSON.stringify("x".repeat(20_000))});\n`;
const page = '<!doctype html><html lang="en"><title>Parley</title><script type="module" src="/assets/app-1a2b.js"></script></html>\n';
let rest;

before(async () => {
  rest = await Alone.start({
    files: {
      "index.html": page,
      "assets/app-1a2b.js": script,
      "assets/app-1a2b.js.br": brotliCompressSync(script),
      "assets/style-3c.css": "p{}\n".repeat(1000),
      "assets/logo.png": Buffer.alloc(2000, 7),
      "favicon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
      ".env": "SECRET=1",
      ".git/config": "x",
    },
  });
});
after(() => rest?.stop());

/** A GET that neither adds headers nor decodes. */
function get(path, headers = {}, method = "GET") {
  return new Promise((done, failed) => {
    const asked = request(rest.url + path, { method, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => done({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(parts) }));
    });
    asked.on("error", failed);
    asked.end();
  });
}

test("the page comes for / and everything under /app/, never cached", async () => {
  for (const path of ["/", "/index.html", "/app", "/app/", "/app/conversations/conv_1_2?x=1"]) {
    const answer = await get(path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.bytes.toString(), page);
    assert.equal(answer.headers["content-type"], "text/html; charset=utf-8");
    assert.equal(answer.headers["cache-control"], "no-cache");
    assert.ok(answer.headers["x-request-id"]);
  }
});

test("the page may run its own scripts alone, and may not be framed", async () => {
  const { headers } = await get("/");
  const policy = Object.fromEntries(
    headers["content-security-policy"].split("; ").map((rule) => [rule.split(" ")[0], rule.split(" ").slice(1).join(" ")]),
  );
  assert.equal(policy["default-src"], "'self'");
  assert.equal(policy["script-src"], "'self'");
  assert.equal(policy["object-src"], "'none'");
  assert.equal(policy["base-uri"], "'none'");
  assert.equal(policy["frame-ancestors"], "'none'");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["referrer-policy"], "no-referrer");
});

test("assets are immutable and compressed as the client likes", async () => {
  const path = "/assets/app-1a2b.js";
  const plain = await get(path);
  assert.equal(plain.bytes.toString(), script);
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.equal(plain.headers["cache-control"], "public, max-age=31536000, immutable");
  assert.equal(plain.headers["content-type"], "text/javascript; charset=utf-8");
  assert.equal(plain.headers.vary, "Accept-Encoding");
  const gzip = await get(path, { "Accept-Encoding": "gzip, deflate" });
  assert.equal(gzip.headers["content-encoding"], "gzip");
  assert.equal(gunzipSync(gzip.bytes).toString(), script);
  const brotli = await get(path, { "Accept-Encoding": "gzip, deflate, br" });
  assert.equal(brotli.headers["content-encoding"], "br");
  assert.deepEqual(brotli.bytes, brotliCompressSync(script));
  assert.equal(new Set([plain, gzip, brotli].map(({ headers }) => headers.etag)).size, 3);
  const style = await get("/assets/style-3c.css", { "Accept-Encoding": "br, gzip;q=0.5" });
  assert.equal(style.headers["content-encoding"], "gzip");
  const image = await get("/assets/logo.png", { "Accept-Encoding": "br, gzip" });
  assert.equal(image.headers["content-encoding"], undefined);
  assert.equal(image.headers["content-type"], "image/png");
});

test("what the client has is 304", async () => {
  for (const path of ["/", "/assets/app-1a2b.js"]) {
    const first = await get(path, { "Accept-Encoding": "gzip" });
    const again = await get(path, { "Accept-Encoding": "gzip", "If-None-Match": `"x", ${first.headers.etag}` });
    assert.equal(again.status, 304);
    assert.equal(again.bytes.length, 0);
    assert.equal(again.headers.etag, first.headers.etag);
    assert.equal(again.headers["cache-control"], first.headers["cache-control"]);
    assert.equal((await get(path, { "If-None-Match": '"other"' })).status, 200);
  }
});

test("HEAD, other methods and foreign origins", async () => {
  const head = await get("/assets/app-1a2b.js", {}, "HEAD");
  assert.equal(head.status, 200);
  assert.equal(head.headers["content-length"], String(script.length));
  assert.equal(head.bytes.length, 0);
  const post = await get("/", {}, "POST");
  assert.equal(post.status, 405);
  assert.equal(post.headers.allow, "GET, HEAD, OPTIONS");
  const foreign = await get("/", { Origin: "https://evil.example" });
  assert.equal(foreign.headers["access-control-allow-origin"], undefined);
});

test("nothing else is there", async () => {
  const none = ["/assets/none.js", "/assets/", "/assets", "/.env", "/.git/config", "/%2e%2e/etc/passwd",
    "/assets/../.env", "/assets/app-1a2b.js.br", "/application", "//", "/index.html/"];
  for (const path of none) {
    const connection = await rest.raw(); // as it is, no client tidies the path
    connection.send(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await connection.end();
    assert.deepEqual(connection.statuses(), [404], path);
  }
});

test("without a page / is 404", async () => {
  const bare = await Alone.start();
  try {
    assert.equal((await bare.request("GET", "/")).status, 404);
    assert.equal((await bare.request("GET", "/app/")).status, 404);
  } finally {
    await bare.stop();
  }
});
