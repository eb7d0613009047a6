import { Emitter } from "@socket.io/component-emitter";
import {
  type Ack,
  type ClientEvents,
  type ErrorCode,
  type Joined,
  type Message,
  ParleyError,
  type ReadMark,
  type ServerEvents,
} from "../contract";
import { Connection, type ConnectionStatus, type TokenSource } from "./connection";
import { Memberships } from "./memberships";
import { TypingSignals } from "./typing";

export type { ConnectionState, ConnectionStatus, TokenSource } from "./connection";

/** Longer than the server itself waits for its database. */
const ACK_TIMEOUT_MS = 20_000;

/** What a SocketService tells: the server's events, and its own. */
export interface ServiceEvents extends ServerEvents {
  connection: (status: ConnectionStatus) => void;
  /** The token was refused: connecting goes on after updateToken(). */
  token_refused: (code: ErrorCode) => void;
  /** A conversation was joined, for the first time or again. */
  joined: (answer: Joined) => void;
  /** What was loaded of it no longer connects to what comes: load it anew. */
  conversation_reset: (event: { conversationId: string }) => void;
  /** Joining it was refused for good. */
  join_refused: (event: { conversationId: string; error: ParleyError }) => void;
}

export interface SocketServiceOptions {
  /** The server's origin; the page's own by default. */
  url?: string;
  /** Default "/socket.io/". */
  path?: string;
}

const FORWARDED = [
  "user_typing",
  "user_stop_typing",
  "messages_read",
  "conversation_updated",
  "conversation_added",
  "presence",
  "error",
] as const satisfies (keyof ServerEvents)[];

type Acknowledged = Exclude<keyof ClientEvents, "typing" | "stop_typing">;
type Payload<Event extends Acknowledged> = Parameters<ClientEvents[Event]>[0];
type Answer<Event extends Acknowledged> = Parameters<Parameters<ClientEvents[Event]>[1]>[0];

function unwrap<Fields>(answer: Ack<Fields>): Fields {
  if (!answer.ok) throw new ParleyError(answer.error);
  return answer;
}

/**
 * Parley over Socket.IO, for any front end. It reconnects by itself, joins again what was joined, and
 * gives each message of a joined conversation once, in order, as `new_message`: one's own too, and
 * those that came while it was away. Methods that promise something reject with a ParleyError.
 */
export class SocketService {
  private readonly events = new Emitter<ServiceEvents, ServiceEvents>();
  private readonly connection: Connection;
  private readonly memberships: Memberships;
  private readonly typing: TypingSignals;
  private token: TokenSource = () => "";

  constructor({ url, path }: SocketServiceOptions = {}) {
    this.connection = new Connection(url, path, {
      onStatus: (status) => this.onStatus(status),
      onRefused: (code) => this.events.emit("token_refused", code),
    });
    this.memberships = new Memberships({
      ask: (conversationId, after) =>
        this.ask("join_conversation", { conversationId, ...(after !== undefined && { after }) }),
      isConnected: () => this.isConnected,
      onMessage: (message) => this.events.emit("new_message", message),
      onReset: (conversationId) => this.events.emit("conversation_reset", { conversationId }),
      onJoined: (answer) => this.events.emit("joined", answer),
      onRefused: (conversationId, error) =>
        this.events.emit("join_refused", { conversationId, error }),
    });
    this.typing = new TypingSignals((on, conversationId) => {
      if (this.isConnected) this.connection.socket.emit(on ? "typing" : "stop_typing", { conversationId });
    });
    this.forward();
  }

  get status(): ConnectionStatus {
    return this.connection.status;
  }

  get isConnected(): boolean {
    return this.connection.isConnected;
  }

  /** Connects and stays connected. A function is asked for the token at every (re)connect. */
  connect(token: string | TokenSource): void {
    this.token = typeof token === "string" ? () => token : token;
    this.connection.open(() => this.token());
  }

  /** Ends the connection and forgets the joined conversations. */
  disconnect(): void {
    this.memberships.leaveAll();
    this.typing.forgetAll();
    this.connection.close();
  }

  /** Goes on with a newer token of the same user, on the live connection too. */
  async updateToken(token: string | TokenSource): Promise<void> {
    this.token = typeof token === "string" ? () => token : token;
    if (!this.isConnected) return this.connection.resume();
    unwrap(await this.ask("refresh_token", { token: await this.token() }));
  }

  /**
   * Subscribes to a conversation until leaveConversation(), over reconnects too. Resolves when it is
   * joined, which may be after the next reconnect. With `after`, the first join's answer has the
   * messages past that seq; whatever comes later is a `new_message`.
   */
  joinConversation(conversationId: string, { after }: { after?: number } = {}): Promise<Joined> {
    return this.memberships.join(conversationId, after);
  }

  leaveConversation(conversationId: string): void {
    this.memberships.leave(conversationId);
    this.typing.forget(conversationId);
    // If it does not arrive the connection is gone, and with it what it had joined.
    this.ask("leave_conversation", { conversationId }).catch(() => undefined);
  }

  isJoined(conversationId: string): boolean {
    return this.memberships.has(conversationId);
  }

  /**
   * Sends once. Rejects with code `unavailable` when there is no connection or no answer: the message
   * may be stored all the same, and sending it again with the same clientId is harmless (see Outbox).
   */
  async sendMessage(
    conversationId: string,
    text: string,
    extra: { clientId?: string; replyTo?: number } = {},
  ): Promise<Message> {
    this.typing.forget(conversationId);
    const { message } = unwrap(await this.ask("send_message", { conversationId, text, ...extra }));
    this.memberships.receive(message);
    return message;
  }

  /** Call it at every keystroke; it sends few events, and stops by itself after 2 s of silence. */
  startTyping(conversationId: string): void {
    this.typing.start(conversationId);
  }

  stopTyping(conversationId: string): void {
    this.typing.stop(conversationId);
  }

  /** Everything up to `seq`, without it up to the head, has been read. */
  async markRead(conversationId: string, seq?: number): Promise<ReadMark> {
    const payload = { conversationId, ...(seq !== undefined && { seq }) };
    const { seq: marked, readAt } = unwrap(await this.ask("mark_read", payload));
    return { seq: marked, readAt };
  }

  /** Listens; returns what ends it. */
  on<Event extends keyof ServiceEvents>(event: Event, listener: ServiceEvents[Event]): () => void {
    this.events.on(event, listener as never);
    return () => this.off(event, listener);
  }

  off<Event extends keyof ServiceEvents>(event: Event, listener: ServiceEvents[Event]): void {
    this.events.off(event, listener as never);
  }

  private forward(): void {
    const { socket } = this.connection;
    for (const event of FORWARDED) {
      socket.on(event, ((payload: never) => this.events.emit(event, payload)) as never);
    }
    socket.on("new_message", (message) => this.memberships.receive(message));
    socket.on("conversation_removed", (event) => {
      this.memberships.leave(event.conversationId);
      this.events.emit("conversation_removed", event);
    });
  }

  private onStatus(status: ConnectionStatus): void {
    if (status.state !== "connected") {
      this.typing.forgetAll();
      this.memberships.disconnected();
    }
    this.events.emit("connection", status);
    if (status.state === "connected") this.memberships.connected();
  }

  private async ask<Event extends Acknowledged>(
    event: Event,
    payload: Payload<Event>,
  ): Promise<Answer<Event>> {
    if (!this.isConnected) throw new ParleyError({ code: "unavailable", message: "Not connected" });
    const socket = this.connection.socket.timeout(ACK_TIMEOUT_MS) as unknown as {
      emitWithAck(event: string, payload: object): Promise<Answer<Event>>;
    };
    return socket.emitWithAck(event, payload).catch(() => {
      throw new ParleyError({ code: "unavailable", message: "No answer" });
    });
  }
}
