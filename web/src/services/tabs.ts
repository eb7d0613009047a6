import type { Session } from "../contract";
import type { KeptDraft } from "./drafts";
import { randomId } from "./random";

/** What one tab tells the others of the same browser. */
export type TabMessage =
  | { type: "session"; session: Session }
  | { type: "signed_out"; userId: string }
  | { type: "outbox"; userId: string }
  | { type: "draft"; draft: KeptDraft }
  | { type: "conversation"; userId: string; conversationId: string }
  | { type: "read"; userId: string; conversationId: string; seq: number };

function lockName(tab: string): string {
  return `parley-tab-${tab}`;
}

function viewName(userId: string): string {
  return `parley-view-${userId}`;
}

/** The tabs of this browser: they talk to each other, and can tell who is closed and who can be seen. */
export class Tabs {
  readonly id = randomId();
  private readonly channel = new BroadcastChannel("parley");
  private readonly locks = navigator.locks as LockManager | undefined; // absent without https
  private readonly isHeld: Promise<void>;
  private readonly watched = new Set<string>();

  constructor() {
    // Held until the tab goes: that is how the others see that it lives.
    this.isHeld = new Promise((resolve) => {
      if (!this.locks) return resolve();
      this.locks
        .request(lockName(this.id), () => {
          resolve();
          return new Promise<never>(() => undefined);
        })
        .catch(() => resolve());
    });
  }

  tell(message: TabMessage): void {
    this.channel.postMessage(message);
  }

  listen(listener: (message: TabMessage) => void): () => void {
    const onMessage = (event: MessageEvent<TabMessage>) => listener(event.data);
    this.channel.addEventListener("message", onMessage);
    return () => this.channel.removeEventListener("message", onMessage);
  }

  /** Lets the others know whenever this tab of that user can be seen. Returns what ends it. */
  showView(userId: string): () => void {
    let release: (() => void) | null = null;
    const update = () => {
      if (document.visibilityState === "hidden") {
        release?.();
        release = null;
      } else if (!release) {
        const isOver = new Promise<void>((resolve) => (release = resolve));
        void this.locks?.request(viewName(userId), { mode: "shared" }, () => isOver).catch(() => undefined);
      }
    };
    update();
    document.addEventListener("visibilitychange", update);
    return () => {
      document.removeEventListener("visibilitychange", update);
      release?.();
    };
  }

  /** Whether a tab of that user can be seen. Where that can't be known: whether this one can. */
  async isInView(userId: string): Promise<boolean> {
    if (document.visibilityState === "visible") return true;
    const { held = [] } = (await this.locks?.query()) ?? {};
    return held.some((lock) => lock.name === viewName(userId));
  }

  /**
   * Those of the tabs that are closed; `onDeath` is called when another one of them closes. Where that
   * can't be known, all: sending twice does no harm.
   */
  async findDead(tabs: string[], onDeath: () => void): Promise<string[]> {
    if (!this.locks) return tabs;
    await this.isHeld;
    const { held = [] } = await this.locks.query();
    const alive = new Set(held.map((lock) => lock.name));
    const [living, dead] = [tabs.filter(isAlive), tabs.filter((tab) => !isAlive(tab))];
    function isAlive(tab: string): boolean {
      return alive.has(lockName(tab));
    }
    for (const tab of living.filter((name) => !this.watched.has(name))) {
      this.watched.add(tab);
      void this.locks.request(lockName(tab), onDeath).catch(() => undefined);
    }
    return dead;
  }
}
