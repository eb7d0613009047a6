import { type ErrorBody, type Message, ParleyError } from "../contract";
import { backoffMs, delay } from "./backoff";
import { randomId } from "./random";

export interface OutboxEntry {
  /** Makes a second try harmless, and is the message's identity until it has a seq. */
  clientId: string;
  userId: string;
  conversationId: string;
  text: string;
  replyTo?: number;
  /** Unix milliseconds of writing; entries go out in this order, and no two are equal. */
  writtenAt: number;
  /** The tab that sends it. */
  owner: string;
  /** The server's refusal; absent while it waits or is on its way. */
  refusal?: ErrorBody;
}

export interface OutboxStorage {
  load(userId: string): Promise<OutboxEntry[]>;
  put(entry: OutboxEntry): Promise<void>;
  delete(clientId: string): Promise<void>;
}

export interface OutboxOptions {
  userId: string;
  /** Identifies this tab. */
  owner: string;
  storage: OutboxStorage;
  isConnected(): boolean;
  send(entry: OutboxEntry): Promise<Message>;
  /** Which of these other tabs live no longer, so that this one sends for them. */
  findDead(owners: string[]): Promise<string[]>;
  /** Something was added, sent, refused or removed here. */
  onChange(entries: readonly OutboxEntry[]): void;
}

/**
 * Messages that have been written and not yet acknowledged. They outlive a reload, go out in the order
 * of writing within each conversation, one after another, and are tried until the server takes or
 * refuses them.
 */
export class Outbox {
  private entries: OutboxEntry[] = [];
  /** Conversations whose entries are going out right now. */
  private readonly running = new Set<string>();
  /** Known to be stored, or discarded: they may be in the storage for a moment longer. */
  private readonly settled = new Set<string>();
  private loading: Promise<void> | null = null;
  private isStale = false;
  private isStopped = false;

  constructor(private readonly options: OutboxOptions) {}

  /** Takes up what an earlier page left behind, and looks again at what other tabs wrote. */
  load(): Promise<void> {
    this.isStale = true;
    this.loading ??= this.loadWhileStale().finally(() => (this.loading = null));
    return this.loading;
  }

  add(conversationId: string, text: string, replyTo?: number): OutboxEntry {
    const entry: OutboxEntry = {
      clientId: randomId(),
      userId: this.options.userId,
      conversationId,
      text,
      ...(replyTo !== undefined && { replyTo }),
      writtenAt: this.nextTime(),
      owner: this.options.owner,
    };
    this.entries.push(entry);
    this.changed();
    void this.store(entry).then(() => this.run(conversationId));
    return entry;
  }

  /** Tries a refused entry again, behind those that were written meanwhile. */
  retry(clientId: string): void {
    const entry = this.remove(clientId);
    if (!entry) return;
    const { refusal: _, ...rest } = entry;
    const again = { ...rest, owner: this.options.owner, writtenAt: this.nextTime() };
    this.entries.push(again);
    this.changed();
    void this.store(again).then(() => this.run(again.conversationId));
  }

  discard(clientId: string): void {
    if (!this.remove(clientId)) return;
    this.settled.add(clientId);
    void this.options.storage.delete(clientId).catch(() => undefined);
    this.changed();
  }

  /** The message is known to be stored, whether its acknowledgement came or not. */
  confirm(clientId: string): void {
    this.settled.add(clientId); // another tab's entry may still be on its way through the storage
    this.discard(clientId);
  }

  connected(): void {
    for (const { conversationId } of this.entries) void this.run(conversationId);
  }

  stop(): void {
    this.isStopped = true;
  }

  private async loadWhileStale(): Promise<void> {
    while (this.isStale && !this.isStopped) {
      this.isStale = false;
      await this.readStorage();
    }
  }

  private async readStorage(): Promise<void> {
    const { userId, owner, storage, findDead } = this.options;
    const stored = await storage.load(userId).catch(() => []);
    const others = new Set(stored.map((entry) => entry.owner).filter((name) => name !== owner));
    const dead = new Set(others.size ? await findDead([...others]) : []);
    // From here on nothing waits: what is added or settled meanwhile is seen as it is.
    const own = this.entries.filter((entry) => entry.owner === owner);
    const known = new Set(own.map((entry) => entry.clientId));
    const found: OutboxEntry[] = [];
    for (const entry of stored) {
      const isOwn = entry.owner === owner || known.has(entry.clientId);
      if (isOwn || this.settled.has(entry.clientId)) continue;
      if (dead.has(entry.owner)) {
        entry.owner = owner;
        void this.store(entry);
      }
      found.push(entry);
    }
    // Another tab's may be of the same millisecond: it was written before we knew of it.
    this.entries = [...found, ...own].sort((a, b) => a.writtenAt - b.writtenAt);
    this.changed();
    this.connected();
  }

  private async run(conversationId: string): Promise<void> {
    if (this.running.has(conversationId)) return;
    this.running.add(conversationId);
    try {
      for (let failures = 0; ; ) {
        const entry = this.next(conversationId);
        if (!entry || this.isStopped || !this.options.isConnected()) return;
        if (await this.trySending(entry, failures)) failures = 0;
        else failures++;
      }
    } finally {
      this.running.delete(conversationId);
    }
  }

  /** Returns whether the entry is settled: sent, or refused for good. */
  private async trySending(entry: OutboxEntry, failures: number): Promise<boolean> {
    try {
      const message = await this.options.send(entry);
      this.confirm(message.clientId);
      return true;
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      if (!error.isTemporary) {
        this.refuse(entry.clientId, error);
        return true;
      }
      if (this.options.isConnected()) await delay(error.retryAfterMs ?? backoffMs(failures));
      return false;
    }
  }

  private refuse(clientId: string, error: ParleyError): void {
    const index = this.entries.findIndex((entry) => entry.clientId === clientId);
    const entry = this.entries[index];
    if (!entry) return;
    const refused = { ...entry, refusal: { code: error.code, message: error.message } };
    this.entries[index] = refused;
    void this.store(refused);
    this.changed();
  }

  private next(conversationId: string): OutboxEntry | undefined {
    return this.entries.find(
      (entry) =>
        entry.conversationId === conversationId &&
        entry.owner === this.options.owner &&
        !entry.refusal,
    );
  }

  private remove(clientId: string): OutboxEntry | undefined {
    const index = this.entries.findIndex((entry) => entry.clientId === clientId);
    return index < 0 ? undefined : this.entries.splice(index, 1)[0];
  }

  /** Now, but later than every entry even if the clock was set back. */
  private nextTime(): number {
    return Math.max(Date.now(), (this.entries.at(-1)?.writtenAt ?? 0) + 1);
  }

  /** Without storage (a private window, a full disk) it goes on in memory. */
  private async store(entry: OutboxEntry): Promise<void> {
    await this.options.storage.put(entry).catch(() => undefined);
  }

  private changed(): void {
    this.options.onChange([...this.entries]);
  }
}
