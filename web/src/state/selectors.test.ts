import { describe, expect, test } from "vitest";
import { conversation, message, participant } from "../testing/messages";
import { reduce } from "./reducer";
import { conversationName, peerOf, sortedConversations, totalUnread } from "./selectors";
import { initialState, type State } from "./state";

const me = { id: "anna", name: "Anna", role: "customer" };

function stateOf(...list: ReturnType<typeof conversation>[]): State {
  return list.reduce(
    (state, each) => reduce(state, { type: "conversation_loaded", conversation: each }),
    initialState(me),
  );
}

test("the list is newest first, whatever came last: a message or the conversation itself", () => {
  const at = (day: number) => `2026-02-0${day}T10:00:00.000Z`;
  const state = stateOf(
    conversation({ id: "conv_anna_ben", lastMessage: message(1, { createdAt: at(2) }) }),
    conversation({ id: "conv_anna_carl", createdAt: at(3) }),
    conversation({ id: "conv_anna_dora", lastMessage: message(9, { createdAt: at(1) }) }),
  );
  const ids = (of: State) => sortedConversations(of.conversations).map(({ id }) => id);
  expect(ids(state)).toEqual(["conv_anna_carl", "conv_anna_ben", "conv_anna_dora"]);
  const next = message(10, { conversationId: "conv_anna_dora", createdAt: at(4) });
  const moved = reduce(state, { type: "message_received", message: next });
  expect(ids(moved)).toEqual(["conv_anna_dora", "conv_anna_carl", "conv_anna_ben"]);
});

describe("a conversation's name", () => {
  test.each([
    ["the other one's", conversation(), "BEN"],
    ["a group's title", conversation({ id: "group_x", kind: "group", title: "Team" }), "Team"],
    ["a group's members without a title", conversation({ id: "group_x", kind: "group", title: "" }), "BEN"],
    ["from the id while nobody is known", conversation({ participants: [] }), "ben"],
  ])("%s", (_, given, name) => {
    const state = stateOf(given);
    const known = state.conversations[given.id];
    expect(known && conversationName(known, me)).toBe(name);
  });
});

test("groups have no other one", () => {
  const state = stateOf(conversation({ kind: "group", participants: [participant("anna"), participant("ben")] }));
  const known = state.conversations["conv_anna_ben"];
  expect(known && peerOf(known, me)).toBeUndefined();
});

test("the badge counts what is unread everywhere", () => {
  const state = stateOf(
    conversation({ lastMessage: message(5), unreadCount: 2 }),
    conversation({ id: "conv_anna_carl", lastMessage: message(7), unreadCount: 3 }),
  );
  expect(totalUnread(state)).toBe(5);
});
