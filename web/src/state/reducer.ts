import type {
  Conversation,
  ConversationPage,
  ConversationUpdate,
  Joined,
  Message,
  MessagePage,
  Participant,
  PresenceEvent,
} from "../contract";
import type { ConnectionStatus } from "../services/connection";
import type { Action } from "./actions";
import { mergeMessages } from "./messages";
import type { ConversationState, State, Thread } from "./state";

const EMPTY_THREAD: Thread = {
  phase: "loading",
  error: null,
  messages: [],
  hasOlder: false,
  isLoadingOlder: false,
};

function patchConversation(
  state: State,
  id: string,
  patch: (conversation: ConversationState) => Partial<ConversationState>,
): State {
  const known = state.conversations[id];
  if (!known) return state;
  const conversation = { ...known, ...patch(known) };
  return { ...state, conversations: { ...state.conversations, [id]: conversation } };
}

function patchThread(state: State, id: string, patch: Partial<Thread>): State {
  const known = state.threads[id];
  return known ? { ...state, threads: { ...state.threads, [id]: { ...known, ...patch } } } : state;
}

/** The newer of two last messages: answers and events may overtake each other. */
function newerMessage(a: Message | null, b: Message | null): Message | null {
  if (!a || !b) return a ?? b;
  return b.seq >= a.seq ? b : a;
}

/** Read marks only ever rise. */
function mergeParticipants(known: Participant[], fresh: Participant[]): Participant[] {
  const marks = new Map(known.map((participant) => [participant.id, participant.lastReadSeq]));
  return fresh.map((participant) => ({
    ...participant,
    lastReadSeq: Math.max(participant.lastReadSeq ?? 0, marks.get(participant.id) ?? 0),
  }));
}

function putConversation(state: State, fresh: Conversation): State {
  const known = state.conversations[fresh.id];
  const lastMessage = newerMessage(known?.lastMessage ?? null, fresh.lastMessage);
  const headSeq = Math.max(known?.headSeq ?? 0, fresh.lastMessage?.seq ?? 0);
  const readSeq = Math.max(known?.readSeq ?? 0, (fresh.lastMessage?.seq ?? 0) - fresh.unreadCount);
  const conversation: ConversationState = {
    id: fresh.id,
    kind: fresh.kind,
    title: fresh.title ?? null,
    creatorId: fresh.creatorId ?? null,
    participants: mergeParticipants(known?.participants ?? [], fresh.participants),
    lastMessage,
    headSeq,
    readSeq,
    createdAt: fresh.createdAt ?? known?.createdAt ?? null,
  };
  return { ...state, conversations: { ...state.conversations, [fresh.id]: conversation } };
}

/** What is open of it stays open, and says that it isn't accessible any more. */
function removeConversation(state: State, id: string): State {
  const { [id]: _, ...conversations } = state.conversations;
  const error = { code: "forbidden" as const, message: "No longer a participant" };
  return patchThread({ ...state, conversations }, id, { ...EMPTY_THREAD, phase: "failed", error });
}

/** It can be opened again: what was said of it before no longer holds. */
function readmit(state: State, id: string): State {
  if (state.threads[id]?.error?.code !== "forbidden") return state;
  const { [id]: _, ...threads } = state.threads;
  return { ...state, threads };
}

/** The seqs from before mean nothing any more; what follows the reset says how it stands. */
function resetConversation(state: State, id: string): State {
  const reset = patchConversation(state, id, ({ participants }) => ({
    lastMessage: null,
    headSeq: 0,
    readSeq: 0,
    participants: participants.map((participant) => ({ ...participant, lastReadSeq: 0 })),
  }));
  return patchThread(reset, id, EMPTY_THREAD);
}

function updateConversation(state: State, update: ConversationUpdate): State {
  return patchConversation(state, update.conversationId, (known) => {
    const seq = update.lastMessage?.seq ?? 0;
    return {
      lastMessage: newerMessage(known.lastMessage, update.lastMessage),
      headSeq: Math.max(known.headSeq, seq),
      readSeq: Math.max(known.readSeq, seq - update.unreadCount),
    };
  });
}

function putPresence(state: State, event: PresenceEvent): State {
  const { userId, online, lastSeenAt } = event;
  return { ...state, presence: { ...state.presence, [userId]: { online, lastSeenAt } } };
}

function join(state: State, { conversation, participants, headSeq }: Joined): State {
  const known = state.conversations[conversation.id];
  const own = participants.find((participant) => participant.id === state.me.id);
  const joined: ConversationState = {
    id: conversation.id,
    kind: conversation.kind,
    title: conversation.title ?? null,
    creatorId: conversation.creatorId ?? null,
    participants: mergeParticipants(known?.participants ?? [], participants),
    lastMessage: known?.lastMessage ?? null,
    headSeq: Math.max(known?.headSeq ?? 0, headSeq),
    readSeq: Math.max(known?.readSeq ?? 0, own?.lastReadSeq ?? 0),
    createdAt: conversation.createdAt ?? known?.createdAt ?? null,
  };
  const presence = { ...state.presence };
  for (const { id, online = false, lastSeenAt } of participants) presence[id] = { online, lastSeenAt };
  return { ...state, presence, conversations: { ...state.conversations, [joined.id]: joined } };
}

function receive(state: State, message: Message): State {
  const { conversationId: id, senderId, seq } = message;
  let next = markRead(state, id, senderId, seq); // sending moves the sender's own mark
  next = stopTyping(next, id, senderId);
  next = patchConversation(next, id, (known) => ({
    lastMessage: newerMessage(known.lastMessage, message),
    headSeq: Math.max(known.headSeq, seq),
  }));
  const thread = next.threads[id];
  return thread ? patchThread(next, id, { messages: mergeMessages(thread.messages, [message]) }) : next;
}

function markRead(state: State, conversationId: string, userId: string, seq: number): State {
  return patchConversation(state, conversationId, (known) => ({
    readSeq: userId === state.me.id ? Math.max(known.readSeq, seq) : known.readSeq,
    participants: known.participants.map((participant) =>
      participant.id === userId && participant.lastReadSeq < seq
        ? { ...participant, lastReadSeq: seq }
        : participant,
    ),
  }));
}

function startTyping(state: State, id: string, userId: string, until: number): State {
  return { ...state, typing: { ...state.typing, [id]: { ...state.typing[id], [userId]: until } } };
}

function stopTyping(state: State, id: string, userId: string): State {
  if (!(userId in (state.typing[id] ?? {}))) return state;
  const { [userId]: _, ...rest } = state.typing[id] ?? {};
  return { ...state, typing: { ...state.typing, [id]: rest } };
}

function expireTyping(state: State, now: number): State {
  let next = state;
  for (const [id, users] of Object.entries(state.typing)) {
    for (const [userId, until] of Object.entries(users)) {
      if (until <= now) next = stopTyping(next, id, userId);
    }
  }
  return next;
}

function loadOlder(state: State, id: string, page: MessagePage): State {
  const thread = state.threads[id];
  if (!thread) return state;
  return patchThread(state, id, {
    messages: mergeMessages(thread.messages, page.messages),
    hasOlder: page.nextBefore !== null,
    isLoadingOlder: false,
  });
}

function loadThread(state: State, id: string, messages: Message[], hasOlder: boolean): State {
  const known = state.threads[id] ?? EMPTY_THREAD;
  const thread: Thread = {
    ...known,
    phase: "ready",
    error: null,
    messages: mergeMessages(known.messages, messages),
    hasOlder,
  };
  const loaded = { ...state, threads: { ...state.threads, [id]: thread } };
  return patchConversation(loaded, id, (conversation) => ({
    lastMessage: newerMessage(conversation.lastMessage, thread.messages.at(-1) ?? null),
    headSeq: Math.max(conversation.headSeq, thread.messages.at(-1)?.seq ?? 0),
  }));
}

function startThread(state: State, id: string): State {
  const thread: Thread = { ...(state.threads[id] ?? EMPTY_THREAD), phase: "loading", error: null };
  return { ...state, threads: { ...state.threads, [id]: thread } };
}

/** Reading the first page again leaves the place in the list where it was. */
function loadList(state: State, page: ConversationPage, isFirst: boolean): State {
  const isKnown = state.list.phase === "ready" && isFirst;
  const nextCursor = isKnown ? state.list.nextCursor : page.nextCursor;
  const list = { phase: "ready" as const, nextCursor, isLoadingMore: false };
  return page.conversations.reduce(putConversation, { ...state, list });
}

/** Without a connection nobody knows who types or who is there. */
function changeConnection(state: State, connection: ConnectionStatus): State {
  const isConnected = connection.state === "connected";
  return { ...state, connection, ...(!isConnected && { typing: {}, presence: {} }) };
}

/** The whole state after an action. Pure. */
export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "connection_changed":
      return changeConnection(state, action.status);
    case "list_loading_more":
      return { ...state, list: { ...state.list, isLoadingMore: true } };
    case "list_failed": {
      const phase = state.list.phase === "ready" ? "ready" : "failed";
      return { ...state, list: { ...state.list, phase, isLoadingMore: false } };
    }
    case "list_loaded":
      return loadList(state, action.page, action.isFirst);
    case "conversation_loaded":
      return readmit(putConversation(state, action.conversation), action.conversation.id);
    case "conversation_removed":
      return removeConversation(state, action.conversationId);
    case "conversation_updated":
      return updateConversation(state, action.update);
    case "joined":
      return join(state, action.answer);
    case "thread_loading":
      return startThread(state, action.conversationId);
    case "thread_failed":
      return patchThread(state, action.conversationId, { phase: "failed", error: action.error });
    case "thread_loaded":
      return loadThread(state, action.conversationId, action.messages, action.hasOlder);
    case "older_loading":
      return patchThread(state, action.conversationId, { isLoadingOlder: action.isLoading });
    case "older_loaded":
      return loadOlder(state, action.conversationId, action.page);
    case "thread_reset":
      return resetConversation(state, action.conversationId);
    case "message_received":
      return receive(state, action.message);
    case "read":
      return markRead(state, action.conversationId, action.userId, action.seq);
    case "typing": {
      const { conversationId, userId } = action.event;
      return action.until === null
        ? stopTyping(state, conversationId, userId)
        : startTyping(state, conversationId, userId, action.until);
    }
    case "typing_expired":
      return expireTyping(state, action.now);
    case "presence":
      return putPresence(state, action.event);
    case "outbox_changed":
      return { ...state, outbox: action.entries };
    case "draft_changed": {
      const drafts = { ...state.drafts, [action.conversationId]: action.draft };
      return { ...state, drafts };
    }
  }
}
