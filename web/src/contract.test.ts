import { describe, expect, test } from "vitest";
import { countCharacters, directConversationId, isUserId, ParleyError } from "./contract";

describe("directConversationId", () => {
  test.each([
    ["2", "10", "conv_2_10"], // by number
    ["10", "2", "conv_2_10"],
    ["007", "7", "conv_007_7"], // equal numbers: by bytes
    ["b", "a", "conv_a_b"],
    ["a", "B", "conv_B_a"], // by bytes, not by alphabet
    ["10", "a", "conv_10_a"],
    ["99999999999999999998", "99999999999999999999", "conv_99999999999999999998_99999999999999999999"],
  ])("%s and %s", (a, b, id) => expect(directConversationId(a, b)).toBe(id));
});

test("user ids", () => {
  for (const id of ["a", "anna@example.org", "a.b|c:d-e", "x".repeat(64)]) expect(isUserId(id)).toBe(true);
  for (const id of ["", "a b", "a_b", "ä", "x".repeat(65)]) expect(isUserId(id)).toBe(false);
});

test("characters are code points", () => {
  expect(countCharacters("añ😀")).toBe(3);
  expect(countCharacters("👩‍👧")).toBe(3);
});

test("what may be tried again", () => {
  const isTemporary = (code: ParleyError["code"]) => new ParleyError({ code, message: "" }).isTemporary;
  expect(isTemporary("unavailable")).toBe(true);
  expect(isTemporary("rate_limited")).toBe(true);
  expect(isTemporary("token_expired")).toBe(true);
  expect(isTemporary("forbidden")).toBe(false);
  expect(isTemporary("invalid_payload")).toBe(false);
});
