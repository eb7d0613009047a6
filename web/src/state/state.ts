import type { ConnectionStatus } from "../services/connection";
import type { OutboxEntry } from "../services/outbox";
import type { ErrorBody, Message, Participant, User } from "../contract";

/** A conversation as the list shows it. */
export interface ConversationState {
  id: string;
  kind: "direct" | "group";
  title: string | null;
  /** Groups: who made it, and may remove others. */
  creatorId: string | null;
  participants: Participant[];
  lastMessage: Message | null;
  headSeq: number;
  /** The viewer's own read mark. */
  readSeq: number;
  createdAt: string | null;
}

/** What is loaded of a conversation that was opened. */
export interface Thread {
  phase: "loading" | "ready" | "failed";
  error: ErrorBody | null;
  /** Ascending by seq. */
  messages: Message[];
  hasOlder: boolean;
  isLoadingOlder: boolean;
}

export interface Draft {
  text: string;
  /** The seq that is being answered. */
  replyTo: number | null;
}

export interface State {
  me: User;
  connection: ConnectionStatus;
  list: {
    phase: "loading" | "ready" | "failed";
    nextCursor: string | null;
    isLoadingMore: boolean;
  };
  conversations: Record<string, ConversationState>;
  threads: Record<string, Thread>;
  /** Conversation → users typing there → Unix milliseconds at which that ends by itself. */
  typing: Record<string, Record<string, number>>;
  presence: Record<string, { online: boolean; lastSeenAt: string | null }>;
  outbox: readonly OutboxEntry[];
  drafts: Record<string, Draft>;
}

export const EMPTY_DRAFT: Draft = { text: "", replyTo: null };

export function initialState(me: User): State {
  return {
    me,
    connection: { state: "idle", since: Date.now() },
    list: { phase: "loading", nextCursor: null, isLoadingMore: false },
    conversations: {},
    threads: {},
    typing: {},
    presence: {},
    outbox: [],
    drafts: {},
  };
}

export function unreadCount(conversation: ConversationState): number {
  return Math.max(0, conversation.headSeq - conversation.readSeq);
}
