// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { texts } from "./texts";

const components = fileURLToPath(new URL("components/", import.meta.url));

test("components say nothing but what is in texts.ts", () => {
  const files = readdirSync(components, { recursive: true, encoding: "utf8" });
  const sources = files.filter((name) => name.endsWith(".tsx") && !name.includes(".test."));
  expect(sources.length).toBeGreaterThan(15);
  for (const name of sources) {
    const code = readFileSync(components + name, "utf8");
    expect(code.match(/>[^<>{}=;]*\p{L}{2,}[^<>{}=;]*<\//gu), name).toBeNull();
    expect(code.match(/\b(aria-label|title|placeholder|label|alt)="[^"]/g), name).toBeNull();
  }
});

test("times are told by the calendar, not by hours", () => {
  const now = new Date(2026, 2, 10, 0, 30);
  const { short, day, ago, duration } = texts.time;
  expect(day(new Date(2026, 2, 9, 23, 59), now)).toBe("Yesterday");
  expect(day(new Date(2026, 2, 10, 0, 1), now)).toBe("Today");
  expect(day(new Date(2026, 1, 3), now)).toBe("Tuesday, February 3");
  expect(day(new Date(2025, 1, 3), now)).toBe("February 3, 2025");
  expect(short(new Date(2026, 2, 9, 23, 59), now)).toBe("Yesterday");
  expect(short(new Date(2026, 2, 5), now)).toBe("Thursday");
  expect(short(new Date(2026, 1, 3), now)).toBe("Feb 3");
  expect(ago(new Date(now.getTime() - 59_000), now)).toBe("just now");
  expect(ago(new Date(now.getTime() - 5 * 60_000), now)).toBe("5 min ago");
  expect([0, 61_000, 3_700_000, 90_000_000].map(duration)).toEqual(["0 s", "1 min", "1 h 1 min", "1 day"]);
});
