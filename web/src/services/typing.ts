import { TYPING_TIMEOUT_MS } from "../contract";

/** Silence after which one has stopped typing. */
export const TYPING_SILENCE_MS = 2_000;
/** How often `typing` is repeated meanwhile: well within the server's own time-out. */
export const TYPING_REFRESH_MS = TYPING_TIMEOUT_MS / 2;

interface Indicator {
  sentAt: number;
  silence: ReturnType<typeof setTimeout>;
}

/** Turns keystrokes into few `typing` and `stop_typing` events. */
export class TypingSignals {
  private readonly indicators = new Map<string, Indicator>();

  constructor(private readonly emit: (on: boolean, conversationId: string) => void) {}

  /** A key was pressed. */
  start(conversationId: string): void {
    const now = Date.now();
    const known = this.indicators.get(conversationId);
    clearTimeout(known?.silence);
    const isDue = !known || now - known.sentAt >= TYPING_REFRESH_MS;
    if (isDue) this.emit(true, conversationId);
    this.indicators.set(conversationId, {
      sentAt: isDue ? now : known.sentAt,
      silence: setTimeout(() => this.stop(conversationId), TYPING_SILENCE_MS),
    });
  }

  stop(conversationId: string): void {
    if (this.forget(conversationId)) this.emit(false, conversationId);
  }

  /** Without telling: the server knows by itself, from the message or the lost connection. */
  forget(conversationId: string): boolean {
    const known = this.indicators.get(conversationId);
    clearTimeout(known?.silence);
    return this.indicators.delete(conversationId);
  }

  forgetAll(): void {
    for (const conversationId of [...this.indicators.keys()]) this.forget(conversationId);
  }
}
