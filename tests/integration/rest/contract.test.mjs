// openapi.yaml against the routes that the binary has, asyncapi.yaml against the gateway's table of
// events; and that both documents hold together.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { ApiDocument, OpenApi, root } from "./schemas.mjs";

const buildDir = resolve(root, process.env.BUILD_DIR ?? "build/dev");
const openapi = new OpenApi();
const asyncapi = new ApiDocument("docs/asyncapi.yaml");

/** The binary's own table, as {method, path, auth}. */
function binaryRoutes() {
  const text = execFileSync(resolve(buildDir, "rest/parley-rest"), ["--routes"], { encoding: "utf8" });
  return text
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([method, path, auth]) => ({ method, path, auth }));
}

test("the document has the routes of the binary, each with its rights, and no others", () => {
  const described = openapi.operations.map(({ method, path, operation }) => ({
    name: `${method} ${path}`,
    open: operation.security?.length === 0,
  }));
  const real = binaryRoutes().map(({ method, path, auth }) => ({
    name: `${method} ${path}`,
    open: auth === "open",
  }));
  const byName = (a, b) => (a.name < b.name ? -1 : 1);
  assert.ok(real.length >= 14);
  assert.deepEqual(described.sort(byName), real.sort(byName));
});

test("every operation names itself, its parameters and its errors", () => {
  const names = new Set();
  for (const { method, path, operation, parameters } of openapi.operations) {
    const where = `${method} ${path}`;
    const statuses = Object.keys(operation.responses);
    assert.ok(operation.operationId && operation.summary, where);
    assert.ok(!names.has(operation.operationId), `${where}: ${operation.operationId} twice`);
    names.add(operation.operationId);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    assert.deepEqual(parameters.filter((p) => p.in === "path").map((p) => p.name), inPath, where);
    assert.ok(statuses.some((status) => status.startsWith("2")), where);
    if (operation.security?.length !== 0)
      for (const status of ["401", "429", "503"]) assert.ok(statuses.includes(status), `${where}: ${status}`);
    if (operation.requestBody) assert.ok(statuses.includes("415") && statuses.includes("400"), where);
    for (const [status, response] of Object.entries(operation.responses))
      assert.ok(openapi.resolve(response).headers["X-Request-Id"], `${where} ${status}: X-Request-Id`);
  }
});

test("every reference leads somewhere, every component is used", () => {
  for (const document of [openapi, asyncapi]) {
    const references = document.references();
    for (const $ref of references) document.resolve({ $ref });
    for (const [kind, things] of Object.entries(document.content.components))
      for (const name of Object.keys(things))
        if (kind !== "securitySchemes")
          assert.ok(references.includes(`#/components/${kind}/${name}`), `${kind}/${name} is unused`);
  }
});

/** Every {schema, example} below a content object. */
function examplesOf(content) {
  return Object.values(content ?? {}).flatMap(({ schema, example, examples }) => [
    ...(example === undefined ? [] : [{ schema, value: example }]),
    ...Object.values(examples ?? {}).map((one) => ({ schema, value: openapi.resolve(one).value })),
  ]);
}

test("every body of the document has an example, and it fits its schema", () => {
  let checked = 0;
  for (const { method, path, operation } of openapi.operations) {
    const bodies = [
      ...Object.entries(operation.responses).map(([status, one]) => [status, openapi.resolve(one).content]),
      ...(operation.requestBody ? [["request", operation.requestBody.content]] : []),
    ];
    for (const [what, content] of bodies) {
      const examples = examplesOf(content);
      if (content) assert.ok(examples.length > 0, `${method} ${path} ${what} has no example`);
      for (const { schema, value } of examples) {
        assert.equal(openapi.faults(schema, value), undefined, `${method} ${path} ${what}`);
        checked++;
      }
    }
  }
  assert.ok(checked > 100);
});

test("the validator refuses what breaks the document", () => {
  const headers = new Headers({ "X-Request-Id": "x" });
  const answer = (status, body) => openapi.answerFaults("GET", "/me", { status, headers, body });
  assert.equal(answer(200, { id: "a", name: "A", role: "x" }), undefined);
  assert.ok(answer(200, { id: "a_b", name: "A", role: "x" }));
  assert.ok(answer(200, { id: "a", name: "A" }));
  assert.ok(answer(418, {}));
  assert.ok(answer(401, { error: { code: "nonsense", message: "x" } }));
});

test("the events that clients send are those of the gateway's table, with its fields", () => {
  const table = readFileSync(resolve(root, "gateway/events.h"), "utf8").replaceAll("\\\n", "");
  const rows = [...table.matchAll(/X\(\s*[A-Z_]+,\s*"([a-z_]+)",\s*([A-Z_|0 ]+),\s*([A-Z_|0\s]+),/g)];
  const camel = (text) => text.toLowerCase().replace(/_(\w)/g, (_, c) => c.toUpperCase());
  const fields = (text) => [...text.matchAll(/FIELD_([A-Z_]+)/g)].map(([, name]) => camel(name));
  const real = rows.map(([, name, required, optional]) => ({
    name,
    required: fields(required).sort(),
    all: [...fields(required), ...fields(optional)].sort(),
  }));
  const described = asyncapi.content.operations.clientEvents.messages.map(({ $ref }) => {
    const name = $ref.split("/").at(-1);
    const payload = asyncapi.resolve(asyncapi.resolve({ $ref }).payload);
    const object = asyncapi.resolve(payload.oneOf?.at(-1) ?? payload);
    return { name, required: [...object.required].sort(), all: Object.keys(object.properties).sort() };
  });
  const byName = (a, b) => (a.name < b.name ? -1 : 1);
  assert.ok(real.length >= 7);
  assert.deepEqual(described.sort(byName), real.sort(byName));
});

test("the events that clients hear are those that the gateway emits", () => {
  const folder = resolve(root, "gateway");
  const code = readdirSync(folder)
    .filter((name) => name.endsWith(".c"))
    .map((name) => readFileSync(resolve(folder, name), "utf8"))
    .join("\n");
  const emitted = new Set();
  for (const [, call] of code.matchAll(/(?:core_emit(?:_lasting)?\(|packet_new\(|\.event = |str_eq\(event, )([^;{}]*)/g))
    for (const [, name] of call.matchAll(/STR\("([a-z_]+)"\)/g)) emitted.add(name);
  const described = asyncapi.content.operations.serverEvents.messages.map(({ $ref }) => $ref.split("/").at(-1));
  assert.deepEqual([...emitted].sort(), described.sort());
});

test("every event has an example that fits its payload", () => {
  for (const [name, message] of Object.entries(asyncapi.content.components.messages)) {
    if (name !== "acknowledgement") assert.ok(message.examples?.length > 0, name);
    for (const { payload } of message.examples ?? [])
      assert.equal(asyncapi.faults(message.payload, payload), undefined, name);
  }
});

test("both documents give the same codes", () => {
  assert.deepEqual(
    asyncapi.content.components.schemas.Code.enum,
    openapi.content.components.schemas.Error.properties.error.properties.code.enum,
  );
  const table = readFileSync(resolve(root, "proto/proto.h"), "utf8");
  const real = [...table.matchAll(/X\(\d+, [A-Z_]+, "([a-z_]+)"\)/g)].map(([, name]) => name);
  assert.deepEqual(asyncapi.content.components.schemas.Code.enum, real.filter((name) => name !== "ok"));
});
