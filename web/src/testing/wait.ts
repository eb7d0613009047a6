import { vi } from "vitest";

/** Long for a busy machine: no test judges how fast it is. */
export const WAIT_MS = 20_000;

/** Runs `check` until it throws no more. */
export function waitFor<Result>(check: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(check, { timeout: WAIT_MS, interval: 5 });
}
