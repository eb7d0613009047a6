import { describe, expect, test } from "vitest";
import { conversation, joined, message, messages, participant } from "../testing/messages";
import type { Action } from "./actions";
import { reduce } from "./reducer";
import { initialState, type State, unreadCount } from "./state";

const ID = "conv_anna_ben";
const me = { id: "anna", name: "Anna", role: "customer" };

function run(...actions: Action[]): State {
  return actions.reduce(reduce, initialState(me));
}

function loaded(extra = {}): Action {
  return { type: "conversation_loaded", conversation: conversation(extra) };
}

function unread(state: State): number {
  const known = state.conversations[ID];
  return known ? unreadCount(known) : -1;
}

function seqs(state: State): number[] {
  return state.threads[ID]?.messages.map(({ seq }) => seq) ?? [];
}

const opened: Action = { type: "thread_loaded", conversationId: ID, messages: messages(3, 5), hasOlder: true };

describe("unread messages", () => {
  test("come from the list, grow with others' messages, and go when read", () => {
    const actions: Action[] = [loaded({ lastMessage: message(5), unreadCount: 2 })];
    expect(unread(run(...actions))).toBe(2);
    actions.push({ type: "message_received", message: message(6) });
    expect(unread(run(...actions))).toBe(3);
    actions.push({ type: "read", conversationId: ID, userId: "anna", seq: 6 });
    expect(unread(run(...actions))).toBe(0);
  });

  test("an own message reads everything before it", () => {
    const state = run(
      loaded({ lastMessage: message(5), unreadCount: 2 }),
      { type: "message_received", message: message(6, { senderId: "anna" }) },
    );
    expect(unread(state)).toBe(0);
  });

  test("a hint that arrives late takes nothing back", () => {
    const state = run(
      loaded({ lastMessage: message(5), unreadCount: 0 }),
      { type: "message_received", message: message(7) },
      { type: "conversation_updated", update: { conversationId: ID, lastMessage: message(6), unreadCount: 1 } },
    );
    expect(state.conversations[ID]?.lastMessage?.seq).toBe(7);
    expect(unread(state)).toBe(2);
  });
});

describe("a thread", () => {
  test("older pages go in front, the same message again changes nothing", () => {
    const state = run(
      loaded(),
      opened,
      { type: "older_loaded", conversationId: ID, page: { messages: messages(1, 2), nextBefore: null } },
      { type: "message_received", message: message(6) },
      { type: "message_received", message: message(6) },
    );
    expect(seqs(state)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(state.threads[ID]?.hasOlder).toBe(false);
  });

  test("messages that overtook each other are put in order", () => {
    const state = run(
      loaded(),
      opened,
      { type: "message_received", message: message(7) },
      { type: "message_received", message: message(6) },
    );
    expect(seqs(state)).toEqual([3, 4, 5, 6, 7]);
  });

  test("a reset empties it, and seqs may be lower than before", () => {
    const reset: Action = { type: "thread_reset", conversationId: ID };
    const actions: Action[] = [loaded({ lastMessage: message(5), unreadCount: 1 }), opened, reset];
    expect(seqs(run(...actions))).toEqual([]);
    actions.push({ type: "joined", answer: joined(2) }, loaded({ lastMessage: message(2), unreadCount: 2 }));
    const state = run(...actions);
    expect(state.conversations[ID]?.lastMessage?.seq).toBe(2);
    expect(unread(state)).toBe(2);
  });

  test("a removal leaves nothing but the reason, until one is a member again", () => {
    const removed = run(loaded(), opened, { type: "conversation_removed", conversationId: ID });
    expect(removed.conversations).toEqual({});
    expect(removed.threads[ID]).toMatchObject({ phase: "failed", messages: [], error: { code: "forbidden" } });
    expect(reduce(removed, loaded()).threads).toEqual({});
  });

  test("messages of a conversation that is not open only change the list", () => {
    const state = run(loaded(), { type: "message_received", message: message(1) });
    expect(state.threads).toEqual({});
    expect(state.conversations[ID]?.lastMessage?.seq).toBe(1);
  });
});

test("read marks only rise, whatever comes late", () => {
  const state = run(
    loaded(),
    { type: "read", conversationId: ID, userId: "ben", seq: 4 },
    { type: "read", conversationId: ID, userId: "ben", seq: 2 },
    {
      type: "joined",
      answer: joined(5, { participants: [participant("anna"), participant("ben", { lastReadSeq: 3 })] }),
    },
  );
  expect(state.conversations[ID]?.participants.find(({ id }) => id === "ben")?.lastReadSeq).toBe(4);
});

test("joining brings presence; events change it", () => {
  const seen = "2026-01-01T00:00:00.000Z";
  const participants = [participant("anna"), participant("ben", { online: true })];
  const state = run(loaded(), { type: "joined", answer: joined(0, { participants }) });
  expect(state.presence["ben"]?.online).toBe(true);
  const gone = reduce(state, { type: "presence", event: { userId: "ben", online: false, lastSeenAt: seen } });
  expect(gone.presence["ben"]).toEqual({ online: false, lastSeenAt: seen });
  const lost = reduce(state, { type: "connection_changed", status: { state: "reconnecting", since: 0 } });
  expect(lost.presence).toEqual({});
});

describe("typing", () => {
  const event = { conversationId: ID, userId: "ben" };
  const typing: Action = { type: "typing", event, until: 1000 };

  test.each<[string, Action]>([
    ["a stop", { type: "typing", event, until: null }],
    ["the message itself", { type: "message_received", message: message(1) }],
    ["time", { type: "typing_expired", now: 1000 }],
    ["a lost connection", { type: "connection_changed", status: { state: "reconnecting", since: 0 } }],
  ])("ends by %s", (_, action) => {
    expect(run(loaded(), typing).typing[ID]).toEqual({ ben: 1000 });
    expect(run(loaded(), typing, action).typing[ID] ?? {}).toEqual({});
  });

  test("goes on before its time", () => {
    expect(run(typing, { type: "typing_expired", now: 999 }).typing[ID]).toEqual({ ben: 1000 });
  });
});

describe("the list", () => {
  const page = { conversations: [conversation()], nextCursor: "next" };

  test("reading its first page again keeps the place of further pages", () => {
    const state = run(
      { type: "list_loaded", page, isFirst: true },
      { type: "list_loaded", page: { conversations: [], nextCursor: "third" }, isFirst: false },
      { type: "list_loaded", page, isFirst: true },
    );
    expect(state.list).toEqual({ phase: "ready", nextCursor: "third", isLoadingMore: false });
  });

  test("whoever made a group is known from the list and from joining it", () => {
    const head = { id: ID, kind: "group" as const, title: "Team", creatorId: "ben" };
    const fromJoin: Action = { type: "joined", answer: joined(0, { conversation: head }) };
    for (const state of [run(loaded(head)), run(fromJoin), run(loaded(head), fromJoin)]) {
      expect(state.conversations[ID]?.creatorId).toBe("ben");
    }
    expect(run(loaded()).conversations[ID]?.creatorId).toBeNull();
  });

  test("a failure shows only when there is nothing to show", () => {
    expect(run({ type: "list_failed" }).list.phase).toBe("failed");
    expect(run({ type: "list_loaded", page, isFirst: true }, { type: "list_failed" }).list.phase).toBe("ready");
  });
});

test("reducing changes nothing in place", () => {
  const before = run(loaded({ lastMessage: message(5) }), opened);
  const copy = structuredClone(before);
  reduce(before, { type: "message_received", message: message(6) });
  reduce(before, { type: "read", conversationId: ID, userId: "ben", seq: 5 });
  expect(before).toEqual(copy);
});
