import { io, type Socket } from "socket.io-client";
import type { ClientEvents, ConnectErrorData, ErrorCode, ServerEvents } from "../contract";

export type ClientSocket = Socket<ServerEvents, ClientEvents>;

export type ConnectionState =
  | "idle" // not asked to connect
  | "connecting" // for the first time
  | "connected"
  | "reconnecting"
  | "refused"; // the token is not accepted; a new one is needed

export interface ConnectionStatus {
  state: ConnectionState;
  /** Unix milliseconds: since when it is connected, or since when it isn't. */
  since: number;
}

export type TokenSource = () => string | Promise<string>;

export interface ConnectionHandlers {
  onStatus(status: ConnectionStatus): void;
  onRefused(code: ErrorCode): void;
}

const OPEN_TIMEOUT_MS = 10_000;
const REFUSAL_RETRY_MS = 5_000;
const WEBSOCKET_FIRST = ["websocket", "polling"];
const POLLING_FIRST = ["polling", "websocket"];

function isTokenRefusal(code: string | undefined): code is ErrorCode {
  return code === "unauthorized" || code === "token_expired";
}

/** One socket.io-client connection: its state in words, and what makes it come back soon. */
export class Connection {
  readonly socket: ClientSocket;
  status: ConnectionStatus = { state: "idle", since: Date.now() };
  private token: TokenSource = () => "";
  private retry: ReturnType<typeof setTimeout> | undefined;
  /** True from open() to close(). */
  private isWanted = false;

  constructor(
    url: string | undefined,
    path: string | undefined,
    private readonly handlers: ConnectionHandlers,
  ) {
    const options = {
      ...(path && { path }),
      autoConnect: false,
      forceNew: true,
      timeout: OPEN_TIMEOUT_MS,
      transports: WEBSOCKET_FIRST,
      tryAllTransports: true,
      auth: (answer: (data: object) => void) => void this.authenticate(answer),
    };
    this.socket = url ? io(url, options) : io(options);
    this.socket.on("connect", () => this.setState("connected"));
    this.socket.on("disconnect", () => this.onDisconnect());
    this.socket.on("connect_error", (error) => this.onConnectError(error));
  }

  get isConnected(): boolean {
    return this.socket.connected;
  }

  open(token: TokenSource): void {
    this.token = token;
    this.isWanted = true;
    globalThis.addEventListener?.("online", this.hurry);
    globalThis.addEventListener?.("offline", this.onOffline);
    globalThis.document?.addEventListener("visibilitychange", this.hurry);
    if (this.socket.active) return;
    this.setState("connecting");
    this.socket.connect();
  }

  close(): void {
    this.isWanted = false;
    clearTimeout(this.retry);
    globalThis.removeEventListener?.("online", this.hurry);
    globalThis.removeEventListener?.("offline", this.onOffline);
    globalThis.document?.removeEventListener("visibilitychange", this.hurry);
    this.socket.disconnect();
    this.setState("idle");
  }

  /** Connects now rather than when the next try is due. */
  readonly hurry = (): void => {
    const isHidden = globalThis.document?.visibilityState === "hidden";
    if (!this.isWanted || this.isConnected || isHidden) return;
    if (this.status.state === "refused") return;
    this.restart();
  };

  /** A new token is there. */
  resume(): void {
    if (this.isWanted && !this.isConnected) this.restart();
  }

  private restart(): void {
    clearTimeout(this.retry);
    this.socket.disconnect();
    if (this.status.state !== "connecting") this.setState("reconnecting");
    this.socket.connect();
  }

  /** The network is said to be gone: find out at once, don't wait for the heartbeat. */
  private readonly onOffline = (): void => {
    this.socket.io.engine?.close();
  };

  private async authenticate(answer: (data: object) => void): Promise<void> {
    try {
      answer({ token: await this.token() });
    } catch {
      this.socket.io.engine?.close(); // no token now: the next reconnect asks again
    }
  }

  private onDisconnect(): void {
    if (!this.isWanted) return;
    this.setState("reconnecting");
    if (!this.socket.active) this.retryLater(); // the server sent us away
  }

  private onConnectError(error: Error & { data?: ConnectErrorData }): void {
    if (!this.isWanted) return;
    if (this.socket.active) {
      this.swapTransports();
      if (this.status.state === "connected") this.setState("reconnecting");
      return;
    }
    const code = error.data?.code;
    if (!isTokenRefusal(code)) return this.retryLater();
    this.setState("refused");
    this.handlers.onRefused(code);
  }

  /** A proxy may swallow one transport without a word, so every other try starts with the other. */
  private swapTransports(): void {
    const { opts } = this.socket.io;
    opts.transports = opts.transports === WEBSOCKET_FIRST ? POLLING_FIRST : WEBSOCKET_FIRST;
  }

  private retryLater(): void {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.resume(), REFUSAL_RETRY_MS);
  }

  private setState(state: ConnectionState): void {
    if (state === this.status.state) return;
    const isSameLoss = state !== "connected" && ["connecting", "reconnecting"].includes(this.status.state);
    this.status = { state, since: isSameLoss ? this.status.since : Date.now() };
    this.handlers.onStatus(this.status);
  }
}
