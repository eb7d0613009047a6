import { ParleyError, type ReadMark } from "../contract";

/** Marks are gathered this long: scrolling raises them many times a second. */
const DELAY_MS = 250;
const RETRY_MS = 5_000;

/** The user's read marks on their way to the server, tried again until it takes or refuses them. */
export class ReadMarks {
  private readonly pending = new Map<string, number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly mark: (conversationId: string, seq: number) => Promise<ReadMark>) {}

  raise(conversationId: string, seq: number): void {
    this.pending.set(conversationId, Math.max(seq, this.pending.get(conversationId) ?? 0));
    this.flushIn(DELAY_MS);
  }

  flush(): void {
    this.stop();
    for (const [conversationId, seq] of this.pending) void this.send(conversationId, seq);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private flushIn(ms: number): void {
    this.timer ??= setTimeout(() => this.flush(), ms);
  }

  private async send(conversationId: string, seq: number): Promise<void> {
    try {
      await this.mark(conversationId, seq);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      if (error.isTemporary) return this.flushIn(error.retryAfterMs ?? RETRY_MS);
    }
    if (this.pending.get(conversationId) === seq) this.pending.delete(conversationId);
  }
}
