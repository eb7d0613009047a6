// What Parley's clients and servers say to each other: the one place for names, payloads and limits.
// Everything else in src/ takes its types from here; docs/asyncapi.yaml and rest/openapi.yaml describe
// the same for other languages.

export const LIMITS = {
  /** Unicode code points of a message. */
  text: 8_000,
  clientId: 64,
  title: 200,
  name: 64,
  userIds: 100,
  /** Most messages that one join_conversation answers. */
  joinMessages: 500,
  /** Most items of one page over HTTP. */
  page: 200,
} as const;

/** How long the server keeps a typing indicator that is neither refreshed nor stopped (its default). */
export const TYPING_TIMEOUT_MS = 5_000;

export type ErrorCode =
  | "unauthorized"
  | "token_expired"
  | "forbidden"
  | "not_found"
  | "invalid_payload"
  | "payload_too_large"
  | "conflict"
  | "rate_limited"
  | "unavailable"
  | "internal";

export interface ErrorBody {
  code: ErrorCode;
  message: string;
  retryAfterMs?: number;
}

export interface User {
  id: string;
  name: string;
  role: string;
}

export interface Participant extends User {
  lastReadSeq: number;
  lastSeenAt: string | null;
  /** Known once the conversation is joined. */
  online?: boolean;
}

export interface Message {
  id: string;
  conversationId: string;
  /** 1, 2, 3, … in each conversation, without a hole. */
  seq: number;
  senderId: string;
  text: string;
  clientId: string;
  replyTo?: number;
  /** ISO 8601, UTC, milliseconds. */
  createdAt: string;
  editedAt?: string;
  deletedAt?: string;
}

export interface ConversationHead {
  id: string;
  kind: "direct" | "group";
  title?: string;
  /** Groups: who made it, and may remove others. */
  creatorId?: string;
  createdAt?: string;
}

export interface Conversation extends ConversationHead {
  participants: Participant[];
  lastMessage: Message | null;
  unreadCount: number;
}

// Socket.IO: what the client sends, and how it is acknowledged.

export type Ack<Fields = object> = ({ ok: true } & Fields) | { ok: false; error: ErrorBody };

export interface Joined {
  conversation: ConversationHead;
  participants: Participant[];
  headSeq: number;
  /** Changes when the database was restored: positions from before mean nothing then. */
  generation: string;
  /** Those past `after`, oldest first; none without `after`. */
  messages: Message[];
  /** There are more: join again with the last seq. Nothing is delivered live yet. */
  truncated?: boolean;
  /** `after` was beyond the head. */
  reset?: boolean;
}

export interface ReadMark {
  seq: number;
  readAt: string;
}

export interface ClientEvents {
  join_conversation: (
    payload: { conversationId: string; after?: number },
    ack: (answer: Ack<Joined>) => void,
  ) => void;
  leave_conversation: (payload: { conversationId: string }, ack: (answer: Ack) => void) => void;
  send_message: (
    payload: { conversationId: string; text: string; clientId?: string; replyTo?: number },
    ack: (answer: Ack<{ message: Message }>) => void,
  ) => void;
  typing: (payload: { conversationId: string }) => void;
  stop_typing: (payload: { conversationId: string }) => void;
  mark_read: (
    payload: { conversationId: string; seq?: number },
    ack: (answer: Ack<ReadMark>) => void,
  ) => void;
  refresh_token: (
    payload: { token: string },
    ack: (answer: Ack<{ expiresAt: string }>) => void,
  ) => void;
}

// Socket.IO: what the server sends unasked.

export interface TypingEvent {
  conversationId: string;
  userId: string;
}

export interface ReadEvent extends ReadMark {
  conversationId: string;
  userId: string;
}

export interface PresenceEvent {
  userId: string;
  online: boolean;
  lastSeenAt: string | null;
}

export interface ConversationUpdate {
  conversationId: string;
  lastMessage: Message | null;
  unreadCount: number;
}

export interface ServerEvents {
  new_message: (message: Message) => void;
  user_typing: (event: TypingEvent) => void;
  user_stop_typing: (event: TypingEvent) => void;
  messages_read: (event: ReadEvent) => void;
  /** Only to sockets that have not joined the conversation. */
  conversation_updated: (update: ConversationUpdate) => void;
  conversation_added: (conversation: Conversation) => void;
  conversation_removed: (event: { conversationId: string }) => void;
  presence: (event: PresenceEvent) => void;
  /** Answers an event that asked for no acknowledgement. */
  error: (error: { event: string; code: ErrorCode; message: string }) => void;
}

/** `data` of a refused connection. */
export interface ConnectErrorData {
  code: ErrorCode;
}

// HTTP

export interface Session {
  user: User;
  token: string;
  expiresAt: string;
}

export interface RefreshedToken {
  token: string;
  expiresAt: string;
}

export interface ConversationPage {
  conversations: Conversation[];
  nextCursor: string | null;
}

export interface MessagePage {
  messages: Message[];
  /** `before` of the next older page; null at the beginning. */
  nextBefore: number | null;
}

export type Role = "customer" | "photographer";

const USER_ID = /^[A-Za-z0-9.@|:-]{1,64}$/;

export function isUserId(text: string): boolean {
  return USER_ID.test(text);
}

function isNumeric(id: string): boolean {
  return /^[0-9]+$/.test(id);
}

/** Negative when `a` stands before `b` in the id of their conversation. */
function compareUserIds(a: string, b: string): number {
  if (isNumeric(a) && isNumeric(b)) {
    const left = BigInt(a);
    const right = BigInt(b);
    if (left !== right) return left < right ? -1 : 1;
  }
  return a < b ? -1 : a > b ? 1 : 0; // ids are ASCII: the order of code units is that of bytes
}

/** The id of the direct conversation of two different users. */
export function directConversationId(a: string, b: string): string {
  return compareUserIds(a, b) < 0 ? `conv_${a}_${b}` : `conv_${b}_${a}`;
}

/** Unicode code points, as the server counts them. */
export function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

export class ParleyError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(body: ErrorBody) {
    super(body.message);
    this.name = "ParleyError";
    this.code = body.code;
    this.retryAfterMs = body.retryAfterMs;
  }

  /** Trying the same again may work. */
  get isTemporary(): boolean {
    return ["unavailable", "rate_limited", "internal", "unauthorized", "token_expired"].includes(this.code);
  }
}
