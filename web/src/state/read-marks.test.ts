import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ParleyError, type ReadMark } from "../contract";
import { ReadMarks } from "./read-marks";

const mark = vi.fn<(conversationId: string, seq: number) => Promise<ReadMark>>();

beforeEach(() => {
  vi.useFakeTimers();
  mark.mockImplementation(async (_, seq) => ({ seq, readAt: "2026-01-01T00:00:00.000Z" }));
});
afterEach(() => {
  vi.useRealTimers();
  mark.mockReset();
});

function fail(code: ParleyError["code"]): void {
  mark.mockRejectedValueOnce(new ParleyError({ code, message: "", retryAfterMs: 1_000 }));
}

test("what is scrolled over is one mark for each conversation: the highest", async () => {
  const marks = new ReadMarks(mark);
  for (const seq of [1, 3, 2]) marks.raise("a", seq);
  marks.raise("b", 7);
  expect(mark).not.toHaveBeenCalled();
  await vi.runAllTimersAsync();
  expect(mark.mock.calls).toEqual([["a", 3], ["b", 7]]);
});

test("a mark that got lost is sent again, a refused one is not", async () => {
  const marks = new ReadMarks(mark);
  fail("unavailable");
  marks.raise("a", 3);
  await vi.runAllTimersAsync();
  expect(mark.mock.calls).toEqual([["a", 3], ["a", 3]]);
  mark.mockClear();
  fail("forbidden");
  marks.raise("a", 4);
  await vi.runAllTimersAsync();
  marks.flush();
  expect(mark.mock.calls).toEqual([["a", 4]]);
});

test("a mark raised while a lower one is on its way follows it", async () => {
  const marks = new ReadMarks(mark);
  let answer = () => {};
  mark.mockImplementationOnce((_, seq) => new Promise((done) => (answer = () => done({ seq, readAt: "" }))));
  marks.raise("a", 3);
  await vi.runAllTimersAsync();
  marks.raise("a", 5);
  answer();
  await vi.runAllTimersAsync();
  expect(mark.mock.calls).toEqual([["a", 3], ["a", 5]]);
});
