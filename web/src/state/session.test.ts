import { afterEach, beforeEach, expect, test } from "vitest";
import { readToken, takeTokenFromAddress } from "./session";

function token(claims: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(claims));
  const part = btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `e30.${part}.c2ln`;
}

beforeEach(() => history.replaceState(null, "", "/app/conversations/x?y=1"));
afterEach(() => history.replaceState(null, "", "/"));

test("a token says who it is of, in any alphabet", () => {
  const text = token({ userId: "anna", name: "Änna Müller 😀", role: "photographer", exp: 1_900_000_000 });
  expect(readToken(text)).toEqual({
    user: { id: "anna", name: "Änna Müller 😀", role: "photographer" },
    token: text,
    expiresAt: "2030-03-17T17:46:40.000Z",
  });
});

test("integer ids and `sub` count too", () => {
  expect(readToken(token({ userId: 7, exp: 1 }))?.user).toEqual({ id: "7", name: "7", role: "customer" });
  expect(readToken(token({ sub: "ben", exp: 1 }))?.user.id).toBe("ben");
});

test.each(["", "a.b.c", token({ userId: "anna" }), token({ userId: "a b", exp: 1 }), token({ exp: 1 })])(
  "%s is no token",
  (text) => expect(readToken(text)).toBeNull(),
);

test("a token in the fragment is taken out of the address at once, and the path stays", () => {
  const text = token({ userId: "anna", exp: 1 });
  location.hash = `#token=${text}`;
  expect(takeTokenFromAddress()?.token).toBe(text);
  expect(location.href).not.toContain("token");
  expect(location.pathname + location.search).toBe("/app/conversations/x?y=1");
  expect(takeTokenFromAddress()).toBeNull();
});

test("other fragments stay", () => {
  location.hash = "#elsewhere";
  expect(takeTokenFromAddress()).toBeNull();
  expect(location.hash).toBe("#elsewhere");
});
