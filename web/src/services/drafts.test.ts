import { beforeEach, expect, test } from "vitest";
import { DraftStorage } from "./drafts";

beforeEach(() => localStorage.clear());

test("drafts are kept for each user and conversation, until they are empty", () => {
  const drafts = new DraftStorage(localStorage);
  drafts.put({ userId: "anna", conversationId: "c1", text: "one" });
  drafts.put({ userId: "anna", conversationId: "c2", text: "", replyTo: 7 });
  drafts.put({ userId: "anna.b", conversationId: "c1", text: "somebody else's" });
  expect(drafts.load("anna")).toEqual([
    { userId: "anna", conversationId: "c1", text: "one" },
    { userId: "anna", conversationId: "c2", text: "", replyTo: 7 },
  ]);
  drafts.put({ userId: "anna", conversationId: "c1", text: "" });
  expect(drafts.load("anna").map(({ conversationId }) => conversationId)).toEqual(["c2"]);
});

test("a full storage and strange contents do no harm", () => {
  localStorage.setItem("parley.draft.anna c1", "not JSON");
  localStorage.setItem("parley.draft.anna c2", "{}");
  const drafts = new DraftStorage(localStorage);
  expect(drafts.load("anna")).toEqual([]);
  drafts.put({ userId: "anna", conversationId: "c3", text: "x".repeat(20_000_000) });
  expect(drafts.load("anna")).toEqual([]);
});
