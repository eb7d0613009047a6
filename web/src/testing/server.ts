import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type Socket } from "socket.io";
import {
  type ClientEvents,
  directConversationId,
  type Joined,
  type Message,
  type ServerEvents,
} from "../contract";
import { joined, message } from "./messages";

type ServerSocket = Socket<ClientEvents, ServerEvents>;

/** The other end of the wire for tests of the client: the published Socket.IO server, and one conversation. */
export class TestServer {
  readonly conversationId = directConversationId("anna", "ben");
  readonly history: Message[] = [];
  readonly joins: (number | undefined)[] = [];
  readonly tokens: string[] = [];
  readonly events: string[] = [];
  /** Tokens that are refused as expired. */
  readonly expired = new Set<string>();
  private readonly http: HttpServer = createServer();
  private readonly io = new Server<ClientEvents, ServerEvents>(this.http);

  constructor() {
    this.io.use((socket, next) => {
      const { token } = socket.handshake.auth as { token: string };
      this.tokens.push(token);
      if (!this.expired.has(token)) return next();
      next(Object.assign(new Error("Unauthorized"), { data: { code: "token_expired" } }));
    });
    this.io.on("connection", (socket) => this.serve(socket));
  }

  async start(): Promise<string> {
    await new Promise<void>((done) => this.http.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    await this.io.close();
  }

  /** Cuts every connection, as a network does. */
  cut(): void {
    for (const socket of this.io.of("/").sockets.values()) socket.conn.close();
  }

  /** A message of somebody else. */
  post(text: string): void {
    this.io.to(this.conversationId).emit("new_message", this.store("ben", text, `other-${this.history.length}`));
  }

  private store(senderId: string, text: string, clientId: string): Message {
    const known = this.history.find((each) => each.senderId === senderId && each.clientId === clientId);
    if (known) return known;
    const { conversationId } = this;
    const stored = message(this.history.length + 1, { conversationId, senderId, text, clientId });
    this.history.push(stored);
    return stored;
  }

  private join(after: number | undefined): Joined {
    this.joins.push(after);
    const missed = after === undefined ? [] : this.history.filter(({ seq }) => seq > after);
    return joined(this.history.length, { messages: missed });
  }

  private serve(socket: ServerSocket): void {
    socket.onAny((event: string) => this.events.push(event));
    socket.on("join_conversation", ({ conversationId, after }, ack) => {
      if (conversationId !== this.conversationId) {
        return ack({ ok: false, error: { code: "forbidden", message: "No" } });
      }
      void socket.join(conversationId);
      ack({ ok: true, ...this.join(after) });
    });
    socket.on("leave_conversation", ({ conversationId }, ack) => {
      void socket.leave(conversationId);
      ack({ ok: true });
    });
    socket.on("send_message", ({ conversationId, text, clientId }, ack) => {
      if (text === "") return ack({ ok: false, error: { code: "invalid_payload", message: "text is empty" } });
      const stored = this.store("anna", text, clientId ?? `made-${this.history.length}`);
      socket.to(conversationId).emit("new_message", stored);
      ack({ ok: true, message: stored });
    });
    socket.on("mark_read", ({ seq = this.history.length }, ack) =>
      ack({ ok: true, seq, readAt: "2026-01-01T00:00:00.000Z" }),
    );
    socket.on("refresh_token", ({ token }, ack) => {
      this.tokens.push(`refreshed ${token}`);
      ack({ ok: true, expiresAt: "2026-01-01T00:00:00.000Z" });
    });
  }
}
