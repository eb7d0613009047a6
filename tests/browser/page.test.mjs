// The page itself: safe, small, accessible, quick with long conversations, and fit for a phone.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import {
  bubble,
  bubbles,
  composer,
  conversationPath,
  dist,
  item,
  PHONE,
  ready,
  seqs,
  Site,
  status,
  until,
  write,
} from "./harness.mjs";

const FIRST_LOAD_BYTES_MAX = 150_000;
const LONG = 10_000;
const SCROLL_STEPS = 240;
/** No message is lower than this. */
const ROW_PX_MIN = 30;
/** Rows in the document at once: those in view and few besides. */
const ROWS_MAX = 40;
/** Between two messages in view there may be a day's separator, no more. */
const GAP_PX_MAX = 80;
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let site;

before(async () => {
  site = await Site.start();
});
afterEach(() => site.closeWindows());
after(() => site?.stop());

/** What axe finds that is serious. */
async function seriousFaults(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
}

test(`the first load is below ${FIRST_LOAD_BYTES_MAX} bytes of gzipped JavaScript`, async () => {
  const folder = join(dist, "assets");
  const scripts = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
  assert.ok(scripts.length > 0);
  assert.ok(bytes < FIRST_LOAD_BYTES_MAX, `${bytes} bytes`);
});

test("files are compressed and cached by their names; the page itself is not", async () => {
  const html = await fetch(`${site.url}/`);
  assert.equal(html.headers.get("cache-control"), "no-cache");
  assert.match(html.headers.get("content-security-policy"), /script-src 'self'(;|$)/);
  const [, path] = /src="(\/assets\/[^"]+\.js)"/.exec(await html.text());
  const script = await fetch(site.url + path, { headers: { "Accept-Encoding": "gzip" } });
  assert.match(script.headers.get("cache-control"), /immutable/);
  assert.equal(script.headers.get("content-encoding"), "gzip");
});

test("a third user cannot open the conversation, and learns nothing of it", async () => {
  for (const id of ["p-anna", "p-ben", "p-eve"]) await site.addUser(id, `Name of ${id}`);
  const { id } = await site.http("POST", "/conversations", "p-anna", { userId: "p-ben" });
  await site.send("p-anna", id, "between us");
  const eve = await site.open("p-eve", { path: conversationPath(id) });
  await eve.getByRole("alert").filter({ hasText: "This conversation is not open to you." }).waitFor();
  const { id: groupId } = await site.http("POST", "/conversations", "p-anna", {
    title: "Secret plans",
    userIds: ["p-ben"],
  });
  await eve.goto(site.url + conversationPath(groupId));
  await eve.getByRole("alert").filter({ hasText: "This conversation is not open to you." }).waitFor();
  const shown = await eve.locator("body").innerText();
  for (const text of ["between us", "Secret plans", "Name of p-anna"]) assert.ok(!shown.includes(text));
});

test("HTML and scripts in text, name and title stay text", async () => {
  const attack = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
  const name = `<svg onload=window.hacked=1>`;
  await site.addUser("x-mal", name);
  await site.addUser("x-vic", "victim", "photographer");
  const { id } = await site.http("POST", "/conversations", "x-mal", {
    title: `Title ${attack}`,
    userIds: ["x-vic"],
  });
  const texts = [
    attack,
    "javascript:window.hacked=1",
    "[click](javascript:window.hacked=1)",
    `http://example.org/"onmouseover="window.hacked=1`,
    "data:text/html,<script>window.hacked=1</script>",
    "\u202Egnp.exe \u0000".replace("\u0000", ""),
  ];
  for (const text of texts) await site.send("x-mal", id, text);
  const page = await site.open("x-vic", { name: "victim", role: "photographer", path: conversationPath(id) });
  for (const text of texts) {
    await until(text, async () => (await page.locator("[data-text]").allTextContents()).includes(text));
  }
  await page.getByRole("heading", { name: `Title ${attack}` }).waitFor();
  await page.getByText(name, { exact: true }).first().waitFor();
  for (const link of await page.locator("[data-text] a").all()) {
    assert.match(await link.getAttribute("href"), /^https?:\/\//);
    await link.hover();
  }
  assert.equal(await page.locator("[data-messages] img, [data-messages] script").count(), 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
});

test("emoji, right-to-left, very long words and 8,000 characters arrive as written and fit", async () => {
  for (const id of ["u-a", "u-b"]) await site.addUser(id);
  const { id } = await site.http("POST", "/conversations", "u-a", { userId: "u-b" });
  const path = conversationPath(id);
  const sender = await site.open("u-a", { path, viewport: PHONE });
  const reader = await site.open("u-b", { path, viewport: PHONE });
  await composer(sender).waitFor();
  const samples = ["👩‍👩‍👧‍👦 👍🏽", "שלום, מה שלומך?", "w".repeat(300), "a\n\n  b\n\tc", "é".normalize("NFD")];
  for (const text of samples) await write(sender, text);
  await write(sender, "😀".repeat(8_000));
  await bubble(reader, "😀").last().getByRole("button", { name: "Show all" }).click();
  await until("all 8,000", async () =>
    (await reader.locator("[data-text]").allTextContents()).includes("😀".repeat(8_000)),
  );
  for (const page of [sender, reader]) {
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} pixels too wide`);
  }
  await composer(sender).fill("x".repeat(8_001));
  await sender.getByText("1 character too many").waitFor();
  assert.ok(await sender.getByRole("button", { name: "Send", exact: true }).isDisabled());
  const stored = await site.http("GET", `/conversations/${id}/messages`, "u-b");
  assert.deepEqual(stored.messages.slice(0, samples.length).map((message) => message.text), samples);
});

test("on a phone one thing at a time, and back", async () => {
  for (const id of ["ph-a", "ph-b"]) await site.addUser(id);
  const { id } = await site.http("POST", "/conversations", "ph-a", { userId: "ph-b" });
  await site.send("ph-b", id, "hello phone");
  const page = await site.open("ph-a", { viewport: PHONE, hasTouch: true, isMobile: true });
  await status(page, "Connected").waitFor();
  await item(page, "ph-b").tap();
  await bubble(page, "hello phone").waitFor();
  assert.equal(await page.getByRole("navigation").isVisible(), false);
  await composer(page).tap();
  await composer(page).pressSequentially("from the thumb");
  await page.getByRole("button", { name: "Send", exact: true }).tap();
  await bubble(page, "from the thumb").locator('[data-status="sent"]').waitFor();
  await page.getByRole("link", { name: "Back to the list" }).tap();
  await item(page, "ph-b").getByText("from the thumb").waitFor();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= PHONE.width, `${width} pixels wide`);
  const fresh = await site.open("ph-c", { viewport: PHONE, hasTouch: true, isMobile: true });
  await fresh.getByRole("button", { name: "Write to a photographer" }).tap();
  const dialog = fresh.getByRole("dialog");
  await dialog.getByLabel("The photographer's user name").waitFor();
  await dialog.getByRole("radio", { name: "Group", exact: true }).check();
  await dialog.getByRole("button", { name: "Add", exact: true }).waitFor();
  assert.equal(await dialog.evaluate((element) => element.scrollWidth - element.clientWidth), 0);
});

test("axe finds nothing serious: light and dark, phone and desktop, every view", async () => {
  for (const id of ["ax-a", "ax-b", "ax-c"]) await site.addUser(id);
  const { id } = await site.http("POST", "/conversations", "ax-a", { userId: "ax-b" });
  const group = await site.http("POST", "/conversations", "ax-a", { title: "Group", userIds: ["ax-b", "ax-c"] });
  await site.send("ax-b", id, "see https://example.org");
  await site.send("ax-a", id, "https://example.org it is");
  await site.send("ax-b", group.id, "to all");
  const faults = [];
  const check = async (page, what) =>
    faults.push(...(await seriousFaults(page)).map((fault) => `${what}: ${fault}`));
  for (const colorScheme of ["light", "dark"]) {
    const signIn = await site.page(await site.window({ colorScheme }), "axe");
    await check(signIn, `sign in, ${colorScheme}`);
    await signIn.getByRole("button", { name: "New here? Create an account" }).click();
    await check(signIn, `register, ${colorScheme}`);
    for (const role of ["customer", "photographer"]) {
      const page = await site.open("ax-a", { role, colorScheme });
      await item(page, "Group").waitFor();
      await check(page, `list, ${role}, ${colorScheme}`);
      await page.getByRole("button", { name: "Menu" }).click();
      await check(page, `menu, ${role}, ${colorScheme}`);
      await page.keyboard.press("Escape");
      await item(page, "Group").click();
      await bubble(page, "to all").waitFor();
      await check(page, `group, ${role}, ${colorScheme}`);
      await page.getByRole("button", { name: "Members and details" }).click();
      await check(page, `details, ${role}, ${colorScheme}`);
      await page.keyboard.press("Escape");
      await page.setViewportSize(PHONE);
      await page.goto(site.url + conversationPath(id));
      await bubble(page, "it is").waitFor();
      await bubble(page, "see").hover();
      await bubble(page, "see").getByRole("button", { name: "Reply" }).click();
      await check(page, `conversation, phone, ${role}, ${colorScheme}`);
      await page.goto(site.url);
      await page.getByRole("button", { name: "New conversation" }).click();
      await page.getByRole("radio", { name: "Group", exact: true }).check();
      await check(page, `new group, phone, ${role}, ${colorScheme}`);
      await page.context().close();
    }
  }
  assert.deepEqual(faults, []);
});

test("new messages are said to screen readers", async () => {
  for (const id of ["sr-a", "sr-b"]) await site.addUser(id);
  const { id } = await site.http("POST", "/conversations", "sr-a", { userId: "sr-b" });
  const page = await site.open("sr-a", { path: conversationPath(id) });
  await page.getByText("The conversation begins here.").waitFor();
  await site.send("sr-b", id, "please say this");
  await page.getByRole("log").filter({ hasText: "sr-b: please say this" }).waitFor({ state: "attached" });
});

/** Puts a long conversation into the database, as years of talk would. */
async function seedLong(a, b) {
  for (const id of [a, b]) await site.addUser(id);
  const { id } = await site.http("POST", "/conversations", a, { userId: b });
  await site.sql(
    `insert into messages (conversation_id, seq, id, sender_id, client_id, text, created_at)
     select '${id}', n, gen_random_uuid(), case when n % 3 = 0 then '${a}' else '${b}' end, 'seed-' || n,
            'number ' || n || repeat(' and more words', (n % 7)::int),
            now() - (${LONG} - n) * interval '10 minutes'
       from generate_series(1, ${LONG}) n;
     update conversations set head_seq = ${LONG}, last_activity_at = now() where conversation_id = '${id}';
     update participants set last_read_seq = ${LONG} where conversation_id = '${id}'`,
  );
  return id;
}

/** Scrolls up until the first message is there. */
async function scrollToBeginning(page) {
  const scroller = page.locator("[data-messages]");
  await until(
    "the beginning",
    async () => {
      await scroller.evaluate((element) => element.scrollTo({ top: 0 }));
      return (await seqs(page))[0] === 1;
    },
    90_000,
  );
}

/** In the page: once nothing moves any more, notes where each message stands. */
async function rememberPlaces() {
  const places = () =>
    Object.fromEntries(
      [...document.querySelectorAll("[data-seq]")].map((one) => [one.dataset.seq, one.getBoundingClientRect().top]),
    );
  for (let still = 0; still < 5; ) {
    const last = JSON.stringify(places());
    await new Promise(requestAnimationFrame);
    still = JSON.stringify(places()) === last ? still + 1 : 0;
  }
  window.tops = places();
}

test("older pages come in without a jump", async () => {
  const id = await seedLong("old-a", "old-b");
  const page = await site.open("old-a", { path: conversationPath(id) });
  await bubble(page, `number ${LONG}`).waitFor();
  const scroller = page.locator("[data-messages]");
  const height = () => scroller.evaluate((element) => element.scrollHeight);
  let isAsked = false;
  let before = Infinity;
  await page.route("**/messages?**", async (route) => {
    isAsked = true;
    await page.evaluate(rememberPlaces);
    before = await height();
    await route.continue();
  });
  await until("older messages to be asked for", async () => {
    if (!isAsked) await scroller.evaluate((element) => element.scrollBy({ top: -300, behavior: "instant" }));
    return isAsked;
  });
  await until("older rows", async () => (await height()) > before + 1000);
  const moved = await page.evaluate(() => {
    const shifts = [...document.querySelectorAll("[data-seq]")]
      .filter((one) => one.dataset.seq in window.tops)
      .map((one) => Math.abs(one.getBoundingClientRect().top - window.tops[one.dataset.seq]));
    return { compared: shifts.length, most: Math.max(...shifts) };
  });
  console.log(`a page of older messages moved what was in view: ${JSON.stringify(moved)}`);
  assert.ok(moved.compared > 3, JSON.stringify(moved));
  assert.ok(moved.most <= 2, JSON.stringify(moved));
});

/**
 * In the page: scrolls from the first message to the last in that many steps. Returns the most rows
 * that the document had at once, the widest gap between rows in view, how often they were out of
 * order, and how long the frames took.
 */
async function scrollThrough(steps) {
  const element = document.querySelector("[data-messages]");
  const view = element.getBoundingClientRect();
  const rowsNow = () =>
    [...document.querySelectorAll("[data-seq]")].map((one) => {
      const { top, bottom } = one.getBoundingClientRect();
      return { seq: Number(one.dataset.seq), top, bottom };
    });
  const follows = (row, last) => row.seq === last.seq + 1 && row.top >= last.bottom - 1;
  const widestGap = (rows) => {
    const inView = rows.filter(({ top, bottom }) => bottom > view.top && top < view.bottom);
    const edges = [view.top, ...inView.flatMap(({ top, bottom }) => [top, bottom]), view.bottom];
    let gap = 0;
    for (let i = 0; i < edges.length; i += 2) gap = Math.max(gap, edges[i + 1] - edges[i]);
    return gap;
  };
  const result = { rows: 0, gap: 0, disorders: 0, frames: [], height: element.scrollHeight };
  const step = element.scrollHeight / steps;
  for (let i = 0; i < steps; i++) {
    const began = performance.now();
    element.scrollBy({ top: step, behavior: "instant" });
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done)); // after that frame has its layout
    const rows = rowsNow();
    result.rows = Math.max(result.rows, rows.length);
    result.gap = Math.max(result.gap, widestGap(rows));
    const isOrdered = rows.every((row, k) => k === 0 || follows(row, rows[k - 1]));
    if (!isOrdered) result.disorders++;
    result.frames.push(performance.now() - began);
  }
  return result;
}

/** Whether all of that message is where one can see it. */
async function isInView(message) {
  return message.evaluateAll((found) => {
    const view = document.querySelector("[data-messages]").getBoundingClientRect();
    const place = found[0]?.getBoundingClientRect();
    return place !== undefined && place.top >= view.top && place.bottom <= view.bottom;
  });
}

/** How long half of the frames took at most, and nineteen of twenty. */
function frameTimes(frames) {
  const sorted = [...frames].sort((a, b) => a - b);
  const at = (share) => `${sorted[Math.floor(sorted.length * share)].toFixed(1)} ms`;
  return `median ${at(0.5)}, 95 % ${at(0.95)}`;
}

test(`${LONG} messages scroll smoothly: few of them are in the document, and the view is never blank`, async () => {
  const id = await seedLong("long-a", "long-b");
  const page = await site.open("long-a", { path: conversationPath(id) });
  await bubble(page, `number ${LONG}`).waitFor();
  await scrollToBeginning(page);
  const { frames, ...result } = await page.evaluate(scrollThrough, SCROLL_STEPS);
  console.log(`scrolling through ${LONG} messages: frames of ${frameTimes(frames)}; ${JSON.stringify(result)}`);
  assert.equal(frames.length, SCROLL_STEPS);
  assert.ok(result.height > LONG * ROW_PX_MIN, JSON.stringify(result));
  assert.ok(result.rows > 0 && result.rows < ROWS_MAX, JSON.stringify(result));
  assert.ok(result.gap < GAP_PX_MAX, JSON.stringify(result));
  assert.equal(result.disorders, 0);
  await page.locator("[data-messages]").evaluate((element) => element.scrollTo({ top: element.scrollHeight / 2 }));
  const toNewest = page.getByRole("button", { name: "Go to the newest message" });
  await toNewest.waitFor();
  await site.send("long-b", id, "the newest one");
  await toNewest.filter({ hasText: "1 new message" }).click();
  await until("the newest message in view", () => isInView(bubble(page, "the newest one")));
  assert.ok((await bubbles(page).count()) < ROWS_MAX);
});
