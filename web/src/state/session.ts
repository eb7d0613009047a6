import { isUserId, ParleyError, type Session, type User } from "../contract";
import { HttpClient } from "../services/http";
import type { Tabs } from "../services/tabs";

const KEY = "parley.session";
/** A token is renewed when less than this part of its life is left, and at the latest… */
const RENEW_PART = 0.2;
/** …this long before its end. */
const RENEW_LATEST_MS = 30_000;
const RETRY_MS = 10_000;
/** The longest time that setTimeout can wait. */
const TIMER_MAX_MS = 2 ** 31 - 1;

interface Kept extends Session {
  /** Unix milliseconds at which this token was first seen. */
  takenAt: number;
}

export interface SessionState {
  session: Session | null;
  /** The token is no longer accepted; who it was is still known. */
  isExpired: boolean;
}

/** What the token says of itself. The server alone decides whether it is good. */
export function readToken(token: string): Session | null {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const id = String(claims["userId"] ?? claims["sub"] ?? "");
    const expiry = claims["exp"];
    if (!isUserId(id) || typeof expiry !== "number") return null;
    const { name, role } = claims;
    const user: User = {
      id,
      name: typeof name === "string" ? name : id,
      role: typeof role === "string" ? role : "customer",
    };
    return { user, token, expiresAt: new Date(expiry * 1000).toISOString() };
  } catch {
    return null;
  }
}

/** Takes `#token=…` out of the address bar. It must not stay in the history. */
export function takeTokenFromAddress(): Session | null {
  const match = /^#token=([A-Za-z0-9._-]+)$/.exec(location.hash);
  if (!match?.[1]) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  return readToken(match[1]);
}

function parse(text: string | null): Kept | null {
  try {
    const kept = JSON.parse(text ?? "null") as Kept | null;
    return kept?.token && kept.user.id ? kept : null;
  } catch {
    return null;
  }
}

/**
 * Who is signed in here. A tab keeps its own session, so that a customer and a photographer can be
 * signed in side by side; a new tab takes over the last one. Tokens are renewed before they expire.
 */
export class SessionKeeper {
  readonly http: HttpClient;
  private state: SessionState = { session: null, isExpired: false };
  private takenAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly tabs: Tabs) {
    this.http = new HttpClient(() => this.state.session?.token ?? null);
    tabs.listen((message) => {
      const own = this.state.session?.user.id;
      if (message.type === "session" && message.session.user.id === own) this.put(message.session);
      if (message.type === "signed_out" && message.userId === own) this.clear();
    });
    addEventListener("hashchange", () => this.startFromAddress());
    document.addEventListener("visibilitychange", () => this.schedule());
  }

  readonly get = (): SessionState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): void {
    if (this.startFromAddress()) return;
    const kept = parse(sessionStorage.getItem(KEY)) ?? parse(localStorage.getItem(KEY));
    if (kept) this.put(kept, kept.takenAt);
  }

  signIn(session: Session): void {
    this.put(session);
    this.tabs.tell({ type: "session", session });
  }

  signOut(): void {
    const { session } = this.state;
    if (session) this.tabs.tell({ type: "signed_out", userId: session.user.id });
    this.clear();
  }

  /** The server does not accept the token. */
  refused(): void {
    if (this.state.session) this.set({ ...this.state, isExpired: true });
  }

  private startFromAddress(): boolean {
    const session = takeTokenFromAddress();
    if (session) this.signIn(session);
    return session !== null;
  }

  private put(session: Session, takenAt = Date.now()): void {
    this.takenAt = takenAt;
    const text = JSON.stringify({ ...session, takenAt } satisfies Kept);
    sessionStorage.setItem(KEY, text);
    localStorage.setItem(KEY, text);
    this.set({ session, isExpired: Date.parse(session.expiresAt) <= Date.now() });
    this.schedule();
  }

  private clear(): void {
    const own = this.state.session?.user.id;
    sessionStorage.removeItem(KEY);
    if (parse(localStorage.getItem(KEY))?.user.id === own) localStorage.removeItem(KEY);
    clearTimeout(this.timer);
    this.set({ session: null, isExpired: false });
  }

  private set(state: SessionState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }

  /** Sets the timer for the next renewal; also after a sleep, in which timers stand still. */
  private schedule(delayMs?: number): void {
    clearTimeout(this.timer);
    const { session, isExpired } = this.state;
    if (!session || isExpired) return;
    const end = Date.parse(session.expiresAt);
    const margin = Math.max((end - this.takenAt) * RENEW_PART, RENEW_LATEST_MS);
    const wait = delayMs ?? Math.max(0, end - margin - Date.now());
    this.timer = setTimeout(() => void this.renew(), Math.min(wait, TIMER_MAX_MS));
  }

  private async renew(): Promise<void> {
    const { session } = this.state;
    if (!session) return;
    const isStillThere = () => this.state.session?.token === session.token;
    try {
      const { token, expiresAt } = await this.http.refresh();
      if (isStillThere()) this.signIn({ user: session.user, token, expiresAt });
    } catch (error) {
      if (!isStillThere()) return;
      const code = error instanceof ParleyError ? error.code : "internal";
      const left = Date.parse(session.expiresAt) - Date.now();
      if (left <= 0 || code === "unauthorized" || code === "token_expired") this.refused();
      else this.schedule(Math.min(RETRY_MS, left));
    }
  }
}
