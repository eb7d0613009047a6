import { type Ack, type Joined, type Message, ParleyError } from "../contract";
import { backoffMs, delay } from "./backoff";
import { SequenceTracker } from "./sequence";

/** Missed messages beyond this are not fetched one by one: the conversation starts anew at its head. */
export const CATCH_UP_MAX = 2_000;

export interface MembershipHandlers {
  /** One join_conversation over the wire; rejects with a ParleyError when it gets no answer. */
  ask(conversationId: string, after: number | undefined): Promise<Ack<Joined>>;
  isConnected(): boolean;
  /** A message that this client has not had: each once, in order. */
  onMessage(message: Message): void;
  /** What was loaded of the conversation no longer connects to what comes. */
  onReset(conversationId: string): void;
  /** (Re)joined, everything missed has been passed on. */
  onJoined(answer: Joined): void;
  /** The server refuses; it is not tried again. */
  onRefused(conversationId: string, error: ParleyError): void;
}

interface Membership {
  conversationId: string;
  /** What the first join asks for. */
  after: number | undefined;
  /** Null until the first join is answered. */
  tracker: SequenceTracker | null;
  generation: string | null;
  /** Live messages that arrived while a join was under way. */
  held: Message[] | null;
  /** Raised to make a running join give up. */
  attempt: number;
  waiters: { resolve: (answer: Joined) => void; reject: (error: ParleyError) => void }[];
}

interface Catch {
  answer: Joined;
  messages: Message[];
  /** The messages don't connect to what was there before. */
  isReset: boolean;
}

/**
 * The joined conversations. After every reconnect it joins them anew with `after`, and passes on what
 * was missed: each message once, in the order of seq, with no hole.
 */
export class Memberships {
  private readonly all = new Map<string, Membership>();

  constructor(private readonly handlers: MembershipHandlers) {}

  has(conversationId: string): boolean {
    return this.all.has(conversationId);
  }

  join(conversationId: string, after?: number): Promise<Joined> {
    let membership = this.all.get(conversationId);
    if (!membership) {
      membership = {
        conversationId,
        after,
        tracker: null,
        generation: null,
        held: null,
        attempt: 0,
        waiters: [],
      };
      this.all.set(conversationId, membership);
    }
    const { waiters } = membership;
    const promise = new Promise<Joined>((resolve, reject) => waiters.push({ resolve, reject }));
    if (this.handlers.isConnected() && !membership.held) void this.run(membership);
    return promise;
  }

  leave(conversationId: string): void {
    const membership = this.all.get(conversationId);
    if (!membership) return;
    this.all.delete(conversationId);
    this.cancel(membership);
    this.reject(membership, new ParleyError({ code: "unavailable", message: "The conversation was left" }));
  }

  leaveAll(): void {
    for (const conversationId of [...this.all.keys()]) this.leave(conversationId);
  }

  connected(): void {
    for (const membership of this.all.values()) void this.run(membership);
  }

  disconnected(): void {
    for (const membership of this.all.values()) this.cancel(membership);
  }

  /** A live message, or the answer to one's own. */
  receive(message: Message): void {
    const membership = this.all.get(message.conversationId);
    if (membership?.held) membership.held.push(message);
    else if (membership?.tracker?.accept(message.seq)) this.handlers.onMessage(message);
  }

  private cancel(membership: Membership): void {
    membership.attempt++;
    membership.held = null;
  }

  private async run(membership: Membership): Promise<void> {
    const attempt = ++membership.attempt;
    const isCurrent = () => membership.attempt === attempt;
    membership.held = [];
    for (let failures = 0; isCurrent(); failures++) {
      try {
        const caught = await this.catchUp(membership);
        if (isCurrent()) this.finish(membership, caught);
        return;
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        if (!isCurrent()) return;
        if (!error.isTemporary) return this.refuse(membership, error);
        await delay(error.retryAfterMs ?? backoffMs(failures));
      }
    }
  }

  private async catchUp(membership: Membership): Promise<Catch> {
    const messages: Message[] = [];
    let after = membership.tracker?.contiguous ?? membership.after;
    let isReset = false;
    for (;;) {
      const answer = await this.handlers.ask(membership.conversationId, after);
      if (!answer.ok) throw new ParleyError(answer.error);
      const isRestored = membership.generation !== null && membership.generation !== answer.generation;
      if (answer.reset || isRestored) return { answer, messages: [], isReset: true };
      messages.push(...answer.messages);
      const last = messages.at(-1);
      if (!answer.truncated || !last) return { answer, messages, isReset };
      after = last.seq;
      if (answer.headSeq - after > CATCH_UP_MAX) {
        messages.length = 0;
        after = undefined;
        isReset = true;
      }
    }
  }

  private finish(membership: Membership, { answer, messages, isReset }: Catch): void {
    const held = membership.held ?? [];
    membership.held = null;
    membership.generation = answer.generation;
    const isFirst = membership.tracker === null;
    if (isReset && !isFirst) this.handlers.onReset(membership.conversationId);
    if (isFirst || isReset || !membership.tracker) {
      membership.tracker = new SequenceTracker(answer.headSeq);
    } else {
      for (const message of messages) this.receive(message);
    }
    const complete = { ...answer, reset: isReset, messages: isFirst ? messages : [] };
    this.handlers.onJoined(complete);
    for (const { resolve } of membership.waiters.splice(0)) resolve(complete);
    for (const message of held) this.receive(message);
  }

  private refuse(membership: Membership, error: ParleyError): void {
    this.all.delete(membership.conversationId);
    this.reject(membership, error);
    this.handlers.onRefused(membership.conversationId, error);
  }

  private reject(membership: Membership, error: ParleyError): void {
    for (const { reject } of membership.waiters.splice(0)) reject(error);
  }
}
