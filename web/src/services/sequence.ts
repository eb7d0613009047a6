/** Which seqs of one conversation have been seen. Pure. */
export class SequenceTracker {
  /** Everything up to here has been seen. */
  private end: number;
  /** Seen beyond `end`: an acknowledgement may overtake somebody else's message. */
  private readonly ahead = new Set<number>();

  constructor(end: number) {
    this.end = end;
  }

  get contiguous(): number {
    return this.end;
  }

  /** Notes a seq; false when it had been seen before. */
  accept(seq: number): boolean {
    if (seq <= this.end || this.ahead.has(seq)) return false;
    this.ahead.add(seq);
    while (this.ahead.delete(this.end + 1)) this.end++;
    return true;
  }
}
