import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TYPING_REFRESH_MS, TYPING_SILENCE_MS, TypingSignals } from "./typing";

const emit = vi.fn<(on: boolean, conversationId: string) => void>();

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  emit.mockReset();
});

test("many keystrokes are one event, and silence ends it", () => {
  const signals = new TypingSignals(emit);
  for (let i = 0; i < 20; i++) {
    signals.start("c");
    vi.advanceTimersByTime(50);
  }
  expect(emit.mock.calls).toEqual([[true, "c"]]);
  vi.advanceTimersByTime(TYPING_SILENCE_MS);
  expect(emit.mock.calls).toEqual([[true, "c"], [false, "c"]]);
  vi.advanceTimersByTime(60_000);
  expect(emit).toHaveBeenCalledTimes(2);
});

test("long typing is refreshed before the server's time-out", () => {
  const signals = new TypingSignals(emit);
  for (let ms = 0; ms <= 3 * TYPING_REFRESH_MS; ms += 500) {
    signals.start("c");
    vi.advanceTimersByTime(500);
  }
  const starts = emit.mock.calls.filter(([on]) => on);
  expect(starts.length).toBe(4);
});

test("sending ends it without a word: the message says it", () => {
  const signals = new TypingSignals(emit);
  signals.start("c");
  signals.forget("c");
  vi.advanceTimersByTime(60_000);
  expect(emit.mock.calls).toEqual([[true, "c"]]);
  signals.start("c");
  expect(emit).toHaveBeenCalledTimes(2);
});

test("stopping what never began says nothing", () => {
  new TypingSignals(emit).stop("c");
  expect(emit).not.toHaveBeenCalled();
});
