// The network and the servers fail: what is written arrives, once, and the page says how it stands.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  bubble,
  composer,
  conversationPath,
  follow,
  framesOf,
  item,
  ready,
  Site,
  status,
  texts,
  until,
  write,
} from "./harness.mjs";

/** Messages that a socket may send at once here, and a second. */
const SENDS_BURST = 10;
const SENDS = 1;

let site;

before(async () => {
  const environment = { RATE_SENDS: String(SENDS), RATE_SENDS_BURST: String(SENDS_BURST) };
  site = await Site.start({ environment });
});
afterEach(() => site.closeWindows());
after(() => site?.stop());

/** Both in their conversation; `options` are those of the first one's window. */
async function pair(a, b, options = {}) {
  await site.addUser(a, a);
  await site.addUser(b, b, "photographer");
  const { id } = await site.http("POST", "/conversations", a, { userId: b });
  const path = conversationPath(id);
  const customer = await site.open(a, { path, ...options });
  const photographer = await site.open(b, { path, role: "photographer" });
  for (const page of [customer, photographer]) await page.getByText("The conversation begins here.").waitFor();
  return { id, path, customer, photographer };
}

async function stored(id, userId) {
  const { messages } = await site.http("GET", `/conversations/${id}/messages?limit=200`, userId);
  return messages.map((message) => message.text);
}

/** Whether the dot beside "Reconnecting…" moves: not for those who want less motion. */
async function dotMoves(page, isMoving) {
  const dot = page.locator("[data-look=reconnecting]:visible [aria-hidden]").first();
  assert.equal((await dot.evaluate((element) => getComputedStyle(element).animationName)) !== "none", isMoving);
}

test("stopped gateways show “Reconnecting…”; then all heals with nothing lost or doubled", async () => {
  const { id, customer, photographer } = await pair("heal-a", "heal-b");
  await write(customer, "before");
  await bubble(photographer, "before").waitFor();
  await site.gateways("down");
  try {
    await status(customer, "Reconnecting…").waitFor();
    await status(photographer, "Reconnecting…").waitFor();
    await status(customer, /for \d+ s/).waitFor();
    await dotMoves(customer, false);
    await customer.emulateMedia({ reducedMotion: "no-preference" });
    await dotMoves(customer, true);
    for (const text of ["written meanwhile 1", "written meanwhile 2"]) await write(customer, text);
    await bubble(customer, "written meanwhile 2").locator('[data-status="sending"]').waitFor();
    await write(photographer, "written meanwhile 3");
    await site.send("heal-b", id, "over HTTP meanwhile");
  } finally {
    await site.gateways("up");
  }
  await status(customer, "Connected").waitFor();
  await status(photographer, "Connected").waitFor();
  await write(photographer, "after");
  await bubble(customer, "after").waitFor();
  await until("all five at both", async () =>
    [customer, photographer].every(async (page) => (await page.locator("[data-seq]").count()) === 6),
  );
  await bubble(photographer, "written meanwhile 2").waitFor();
  await bubble(customer, "written meanwhile 3").waitFor();
  const all = await stored(id, "heal-a");
  assert.equal(new Set(all).size, 6);
  assert.equal(all.length, 6);
  assert.ok(all.indexOf("written meanwhile 1") < all.indexOf("written meanwhile 2"));
  await until("the same everywhere", async () => {
    const [left, right] = [await texts(customer), await texts(photographer)];
    return left.join("|") === all.join("|") && right.join("|") === all.join("|");
  });
});

/** As behind a proxy that knows no WebSocket every one fails: always, or while localStorage has `key`. */
function breakWebSockets(context, key = null) {
  return context.addInitScript((name) => {
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
      constructor(url) {
        const isBroken = name === null || localStorage.getItem(name) !== null;
        super(isBroken ? `ws://${location.host}/blocked` : url);
      }
    };
  }, key);
}

test("what is written offline outlives a reload, goes out in order and appears once", async () => {
  for (const id of ["box-a", "box-b"]) await site.addUser(id);
  const { id } = await site.http("POST", "/conversations", "box-a", { userId: "box-b" });
  const path = conversationPath(id);
  const reader = await site.open("box-b", { path });
  // The page itself can be fetched all the time, the server's sockets only at first and at the end.
  let isBlocked = false;
  const context = await site.window();
  await breakWebSockets(context, "isBlocked");
  await context.route("**/socket.io/**", (route) => (isBlocked ? route.abort() : route.continue()));
  const page = await site.page(context, "box-a", `${path}#token=${site.token("box-a")}`);
  await ready(page);
  await page.getByText("The conversation begins here.").waitFor();

  isBlocked = true;
  await page.evaluate(() => localStorage.setItem("isBlocked", "true"));
  await context.setOffline(true);
  await status(page, "Offline").waitFor();
  for (const text of ["offline 1", "offline 2", "offline 3"]) await write(page, text);
  await bubble(page, "offline 3").locator('[data-status="sending"]').waitFor();
  await context.setOffline(false);
  await page.reload();
  await status(page, "Connecting…").waitFor();
  assert.deepEqual(await stored(id, "box-a"), []);

  isBlocked = false;
  await page.evaluate(() => localStorage.removeItem("isBlocked"));
  await ready(page);
  await bubble(reader, "offline 3").waitFor();
  assert.deepEqual(await stored(id, "box-a"), ["offline 1", "offline 2", "offline 3"]);
  await bubble(page, "offline 3").locator('[data-status="read"]').waitFor();
  assert.deepEqual(await texts(page), await texts(reader));
  assert.equal((await texts(page)).length, 3);
});

/** Puts texts into the browser's outbox, as of a tab that was closed before it could send them. */
function leaveBehind(page, userId, conversationId, texts) {
  const entries = texts.map((text, i) => ({
    clientId: `left-${userId}-${i}`,
    userId,
    conversationId,
    text,
    writtenAt: i + 1,
    owner: "a tab that is gone",
  }));
  return page.evaluate((all) => {
    const request = indexedDB.open("parley");
    return new Promise((done, failed) => {
      request.onerror = failed;
      request.onsuccess = () => {
        const transaction = request.result.transaction("outbox", "readwrite");
        for (const entry of all) transaction.objectStore("outbox").put(entry);
        transaction.oncomplete = done;
      };
    });
  }, entries);
}

test("more than the limit on sends goes out all the same, in order, as fast as is allowed", async () => {
  const { id, customer, photographer } = await pair("burst-a", "burst-b");
  const all = Array.from({ length: SENDS_BURST + 4 }, (_, i) => `burst ${i + 1} of all`);
  await leaveBehind(customer, "burst-a", id, all);
  await customer.reload();
  await bubble(photographer, all.at(-1)).waitFor();
  assert.deepEqual(await stored(id, "burst-a"), all);
  await bubble(customer, all.at(-1)).locator('[data-status="read"]').waitFor();
  const refusals = framesOf(customer).received.filter((frame) => frame.includes("rate_limited"));
  assert.ok(refusals.length > 0);
  assert.deepEqual(await texts(customer), all);
});

test("a refused message says why, and can be discarded or tried again", async () => {
  const { id, customer } = await pair("refuse-a", "refuse-b");
  // More characters than the server takes; the page itself would not send them.
  await leaveBehind(customer, "refuse-a", id, Array(2).fill("x".repeat(8001)));
  await customer.reload();
  const refused = customer.getByRole("alert").filter({ hasText: "Not sent: The server could not accept this." });
  await refused.nth(1).waitFor();
  await item(customer, "refuse-b").getByText("Not sent:").waitFor();
  await refused.first().getByRole("button", { name: "Discard" }).click();
  await until("one is gone", async () => (await refused.count()) === 1);
  await refused.getByRole("button", { name: "Try again" }).click();
  await refused.getByRole("button", { name: "Discard" }).click();
  await write(customer, "short enough");
  await bubble(customer, "short enough").locator('[data-status="sent"]').waitFor();
  assert.deepEqual(await stored(id, "refuse-a"), ["short enough"]);
});

test("it all works by long-polling alone", async () => {
  for (const id of ["poll-a", "poll-b"]) await site.addUser(id);
  const { id } = await site.http("POST", "/conversations", "poll-a", { userId: "poll-b" });
  const context = await site.window();
  await breakWebSockets(context);
  const page = await site.page(context, "poll-a", `/#token=${site.token("poll-a", { role: "customer" })}`);
  await ready(page);
  const other = await site.open("poll-b", { path: conversationPath(id), role: "photographer" });
  await item(page, "poll-b").click();
  await write(page, "by polling");
  await bubble(other, "by polling").waitFor();
  await write(other, "an answer");
  await bubble(page, "an answer").waitFor();
  await bubble(page, "by polling").locator('[data-status="read"]').waitFor();
});

test("a slow phone network: usable within seconds, and what is written shows at once", async () => {
  const { path, customer, photographer } = await pair("slow-a", "slow-b");
  const session = await customer.context().newCDPSession(customer);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 400,
    downloadThroughput: 50_000,
    uploadThroughput: 25_000,
  });
  const began = Date.now();
  await customer.goto(site.url + path);
  await composer(customer).waitFor();
  await ready(customer);
  console.log(`over a slow network the page was ready after ${Date.now() - began} ms`);
  await write(customer, "from far away");
  assert.equal(await bubble(customer, "from far away").count(), 1);
  await bubble(photographer, "from far away").waitFor();
});

test("a token is renewed before it expires, on the live socket too", async () => {
  const page = await site.open("renew-a");
  await ready(page);
  const refreshes = () => framesOf(page).sent.filter((frame) => frame.includes("refresh_token"));
  // A newer token that is due for renewal soon: both it and the one that follows go to the live socket.
  const renewed = page.waitForResponse((response) => response.url().endsWith("/auth/refresh"));
  const token = site.token("renew-a", { ttl: 33, role: "customer" });
  await follow(page, token);
  const response = await renewed;
  assert.equal(response.status(), 200);
  await until("refresh_token on the socket", () => refreshes().length === 2);
  assert.ok(refreshes()[0].includes(token));
  assert.ok(refreshes()[1].includes((await response.json()).token));
  const connects = framesOf(page).sent.filter((frame) => frame.startsWith("40"));
  assert.equal(connects.length, 1);
  await status(page, "Connected").waitFor();
});

test("an expired session asks to sign in again and loses no draft", async () => {
  await site.addUser("exp-b", "exp-b", "photographer");
  const page = await site.page(await site.window(), "exp-a");
  await page.getByRole("button", { name: "New here? Create an account" }).click();
  await page.getByLabel("Your name").fill("Ada");
  await page.getByLabel("User name").fill("exp-a");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Create account" }).click();
  await ready(page);
  const { id } = await site.http("POST", "/conversations", "exp-a", { userId: "exp-b" });
  await page.goto(site.url + conversationPath(id));
  await composer(page).fill("half a sentence");
  // A token of few seconds, and nobody to renew it.
  await page.route("**/auth/refresh", (route) => route.abort());
  await follow(page, site.token("exp-a", { ttl: 2, role: "customer" }));
  const dialog = page.getByRole("dialog", { name: "Please sign in again" });
  await dialog.waitFor();
  await site.send("exp-b", id, "sent meanwhile");
  await page.unroute("**/auth/refresh");
  await page.keyboard.type("correct horse");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  await bubble(page, "sent meanwhile").waitFor();
  assert.equal(await composer(page).inputValue(), "half a sentence");
  await composer(page).press("Enter");
  await bubble(page, "half a sentence").locator('[data-status="sent"]').waitFor();
});
