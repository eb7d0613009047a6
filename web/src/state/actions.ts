import type { ConnectionStatus } from "../services/connection";
import type { OutboxEntry } from "../services/outbox";
import type {
  Conversation,
  ConversationPage,
  ConversationUpdate,
  ErrorBody,
  Joined,
  Message,
  MessagePage,
  PresenceEvent,
  TypingEvent,
} from "../contract";
import type { Draft } from "./state";

export type Action =
  | { type: "connection_changed"; status: ConnectionStatus }
  | { type: "list_loading_more" }
  | { type: "list_failed" }
  /** `isFirst`: the newest page. */
  | { type: "list_loaded"; page: ConversationPage; isFirst: boolean }
  | { type: "conversation_loaded"; conversation: Conversation }
  | { type: "conversation_removed"; conversationId: string }
  | { type: "conversation_updated"; update: ConversationUpdate }
  | { type: "joined"; answer: Joined }
  | { type: "thread_loading"; conversationId: string }
  | { type: "thread_failed"; conversationId: string; error: ErrorBody }
  | { type: "thread_loaded"; conversationId: string; messages: Message[]; hasOlder: boolean }
  | { type: "older_loading"; conversationId: string; isLoading: boolean }
  | { type: "older_loaded"; conversationId: string; page: MessagePage }
  | { type: "thread_reset"; conversationId: string }
  | { type: "message_received"; message: Message }
  | { type: "read"; conversationId: string; userId: string; seq: number }
  /** `until`: Unix milliseconds; null: stopped. */
  | { type: "typing"; event: TypingEvent; until: number | null }
  | { type: "typing_expired"; now: number }
  | { type: "presence"; event: PresenceEvent }
  | { type: "outbox_changed"; entries: readonly OutboxEntry[] }
  | { type: "draft_changed"; conversationId: string; draft: Draft };
