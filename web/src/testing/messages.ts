import type { Conversation, Joined, Message, Participant } from "../contract";

/** Data for tests: what a server would send. */
export function message(seq: number, extra: Partial<Message> = {}): Message {
  return {
    id: `id-${seq}`,
    conversationId: "conv_anna_ben",
    seq,
    senderId: "ben",
    text: `text ${seq}`,
    clientId: `client-${seq}`,
    createdAt: new Date(Date.UTC(2026, 0, 5, 12, 0, seq)).toISOString(),
    ...extra,
  };
}

export function messages(from: number, to: number): Message[] {
  return Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
}

export function participant(id: string, extra: Partial<Participant> = {}): Participant {
  return { id, name: id.toUpperCase(), role: "customer", lastReadSeq: 0, lastSeenAt: null, ...extra };
}

export function conversation(extra: Partial<Conversation> = {}): Conversation {
  return {
    id: "conv_anna_ben",
    kind: "direct",
    participants: [participant("anna"), participant("ben")],
    lastMessage: null,
    unreadCount: 0,
    createdAt: "2026-01-01T00:00:00.000Z",
    ...extra,
  };
}

export function joined(headSeq: number, extra: Partial<Joined> = {}): Joined {
  return {
    conversation: { id: "conv_anna_ben", kind: "direct" },
    participants: [participant("anna"), participant("ben")],
    headSeq,
    generation: "g1",
    messages: [],
    ...extra,
  };
}
