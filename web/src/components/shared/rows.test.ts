import { describe, expect, test } from "vitest";
import type { OutboxEntry } from "../../services/outbox";
import { message } from "../../testing/messages";
import { buildRows } from "./rows";

function at(text: string): { createdAt: string } {
  return { createdAt: new Date(text).toISOString() };
}

function entry(clientId: string): OutboxEntry {
  return { clientId, userId: "anna", conversationId: "c", text: "t", writtenAt: 1, owner: "tab" };
}

describe("buildRows", () => {
  test("a day's line stands above its first message", () => {
    const rows = buildRows(
      [message(1, at("2026-01-05T23:58:00")), message(2, at("2026-01-06T00:01:00"))],
      [],
      null,
    );
    expect(rows.map(({ kind }) => kind)).toEqual(["top", "day", "message", "day", "message"]);
  });

  test("messages of one sender stand together until a pause", () => {
    const rows = buildRows(
      [
        message(1, at("2026-01-05T10:00:00")),
        message(2, at("2026-01-05T10:01:00")),
        message(3, at("2026-01-05T10:20:00")),
        message(4, { ...at("2026-01-05T10:20:30"), senderId: "anna" }),
      ],
      [],
      null,
    );
    const groups = rows.flatMap((row) => (row.kind === "message" ? [[row.isFirst, row.isLast]] : []));
    expect(groups).toEqual([
      [true, false],
      [false, true],
      [true, true],
      [true, true],
    ]);
  });

  test("the unread line parts a group", () => {
    const rows = buildRows(
      [message(1, at("2026-01-05T10:00:00")), message(2, at("2026-01-05T10:00:10"))],
      [],
      2,
    );
    expect(rows.map(({ kind }) => kind)).toEqual(["top", "day", "message", "unread", "message"]);
    expect(rows.at(-1)).toMatchObject({ isFirst: true });
  });

  test("a row keeps its key when its message is acknowledged", () => {
    const before = buildRows([], [entry("x")], null);
    const after = buildRows([message(1, { senderId: "anna", clientId: "x" })], [], null);
    expect(before.at(-1)?.kind).toBe("pending");
    expect(after.at(-1)?.key).toBe(before.at(-1)?.key);
  });

  test("all keys differ", () => {
    const start = Date.UTC(2026, 0, 5);
    const many = Array.from({ length: 500 }, (_, i) =>
      message(i + 1, { createdAt: new Date(start + i * 3_600_000).toISOString() }),
    );
    const keys = buildRows(many, [entry("p")], 9).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
