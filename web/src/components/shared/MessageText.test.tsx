import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, test } from "vitest";
import { isSafeLink, MessageText } from "./MessageText";

afterEach(cleanup);

function show(text: string): HTMLElement {
  return render(<MessageText text={text} />).container;
}

describe("links", () => {
  test("addresses can be followed, safely", () => {
    const links = show("see https://example.org/a?b=c&d, www.example.org and a@example.org").querySelectorAll("a");
    expect([...links].map((link) => link.getAttribute("href"))).toEqual([
      "https://example.org/a?b=c&d",
      "https://www.example.org",
      "mailto:a@example.org",
    ]);
    for (const link of links) {
      expect(link.target).toBe("_blank");
      expect(link.rel).toContain("noopener");
    }
  });

  test.each([
    "javascript:alert(1)",
    "JaVaScRiPt://example.org/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://example.org/a",
  ])("%s is no link", (text) => {
    for (const link of show(text).querySelectorAll("a")) {
      expect(new URL(link.href).protocol).toMatch(/^https?:$/);
    }
    expect(isSafeLink(text)).toBe(false);
  });
});

test("text is never HTML", () => {
  const text = `<img src=x onerror="alert(1)"><script>alert(2)</script> & <b>bold</b>`;
  const container = show(text);
  expect(container.querySelector("img, script, b")).toBeNull();
  expect(container.textContent).toBe(text);
});

test("white space and right-to-left text stay as they were written", () => {
  const text = "a\n  b\tשלום";
  const container = show(text);
  expect(container.querySelector("p")?.textContent).toBe(text);
  expect(container.querySelector("p")?.dir).toBe("auto");
});

test("a long text is folded and can be opened", () => {
  const text = "😀".repeat(8_000);
  const container = show(text);
  expect([...(container.querySelector("p")?.textContent ?? "")].length).toBeLessThan(2_000);
  fireEvent.click(screen.getByRole("button"));
  expect(container.querySelector("p")?.textContent).toBe(text);
});

test("emoji alone are large", () => {
  expect(show("👍🏽 👩‍👧").querySelector("[data-emoji]")).not.toBeNull();
  expect(show("ok 👍").querySelector("[data-emoji]")).toBeNull();
});
