import { directConversationId, type Participant, type User } from "../contract";
import { texts } from "../texts";
import { type ConversationState, type State, unreadCount } from "./state";

/** The other one of a direct conversation. */
export function peerOf(conversation: ConversationState, me: User): Participant | undefined {
  if (conversation.kind === "group") return undefined;
  return conversation.participants.find((participant) => participant.id !== me.id);
}

/** The id's other half, for a conversation of which nothing is loaded yet. */
function peerIdFromConversationId(id: string, me: User): string {
  const [, first = "", second = ""] = id.split("_");
  const peer = first === me.id ? second : first;
  return peer && directConversationId(peer, me.id) === id ? peer : id;
}

export function conversationName(conversation: ConversationState, me: User): string {
  if (conversation.title) return conversation.title;
  if (conversation.kind === "direct") {
    return peerOf(conversation, me)?.name ?? peerIdFromConversationId(conversation.id, me);
  }
  const others = conversation.participants.filter((participant) => participant.id !== me.id);
  return others.map((participant) => participant.name).join(", ") || texts.conversation.groupFallback;
}

export function nameOf(conversation: ConversationState | undefined, userId: string): string {
  return conversation?.participants.find((participant) => participant.id === userId)?.name ?? userId;
}

/** Unix milliseconds of the last thing that happened in it. */
export function activityAt(conversation: ConversationState): number {
  const time = conversation.lastMessage?.createdAt ?? conversation.createdAt;
  return time ? Date.parse(time) : 0;
}

/** Newest first. */
export function sortedConversations(conversations: State["conversations"]): ConversationState[] {
  return Object.values(conversations).sort(
    (a, b) => activityAt(b) - activityAt(a) || (a.id < b.id ? -1 : 1),
  );
}

export function totalUnread(state: State): number {
  return Object.values(state.conversations).reduce((sum, each) => sum + unreadCount(each), 0);
}
