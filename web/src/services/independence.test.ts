// @vitest-environment node
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = resolve(dirname(fileURLToPath(import.meta.url)), "..");

function read(path: string): string {
  return readFileSync(join(src, path), "utf8");
}

/** The files of src/ that it imports, and those which they import. */
function needs(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, name] of read(path).matchAll(/from "(\.[^"]+)"/g)) {
    const base = relative(src, resolve(src, dirname(path), name as string));
    const file = [".ts", ".tsx"].map((end) => base + end).find((each) => existsSync(join(src, each)));
    needs(file as string, found);
  }
  return found;
}

test("service, outbox and hook need nothing of the page, so that another app can take them", () => {
  const parts = readdirSync(join(src, "services")).filter((name) => !name.includes(".test."));
  const taken = [...parts.map((name) => `services/${name}`), "hooks/useSocket.ts"];
  expect(taken).toContain("services/socket.service.ts");
  const needed = new Set(taken.flatMap((path) => [...needs(path)]));
  const others = [...needed].filter((path) => !path.startsWith("services/"));
  expect(others.sort()).toEqual(["contract.ts", "hooks/useSocket.ts"]);
});
