const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/** How long to wait after so many failures in a row: doubling, with jitter so that many clients spread. */
export function backoffMs(failures: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
  return ceiling * (0.5 + Math.random() / 2);
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
