import { expect, test } from "vitest";
import { SequenceTracker } from "./sequence";

test("accepts each seq once, and knows up to where nothing is missing", () => {
  const tracker = new SequenceTracker(3);
  expect(tracker.accept(3)).toBe(false);
  expect(tracker.accept(4)).toBe(true);
  expect(tracker.accept(4)).toBe(false);
  expect(tracker.contiguous).toBe(4);
});

test("an acknowledgement may overtake others", () => {
  const tracker = new SequenceTracker(0);
  expect(tracker.accept(3)).toBe(true);
  expect(tracker.contiguous).toBe(0);
  expect(tracker.accept(3)).toBe(false);
  expect(tracker.accept(1)).toBe(true);
  expect(tracker.contiguous).toBe(1);
  expect(tracker.accept(2)).toBe(true);
  expect(tracker.contiguous).toBe(3);
});
