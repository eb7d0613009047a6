// Two people talk: what each sees of what the other does.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import {
  bubble,
  bubbles,
  composer,
  conversationPath,
  framesOf,
  item,
  marksOf,
  ready,
  settle,
  Site,
  texts,
  until,
  write,
} from "./harness.mjs";

let site;

before(async () => {
  site = await Site.start({ environment: { TYPING_TIMEOUT_MS: "60000" } });
});
afterEach(() => site.closeWindows());
after(() => site?.stop());

/** A customer and a photographer, each in the conversation with the other. */
async function pair(a, b) {
  await site.addUser(a, a);
  await site.addUser(b, b, "photographer");
  const { id } = await site.http("POST", "/conversations", a, { userId: b });
  const path = conversationPath(id);
  const customer = await site.open(a, { path });
  const photographer = await site.open(b, { path, role: "photographer" });
  for (const page of [customer, photographer]) await page.getByText("The conversation begins here.").waitFor();
  return { id, customer, photographer };
}

test("the two links of ./parley up sign in, and the token leaves the address bar", async () => {
  const links = [...site.welcome.matchAll(/http\S+#token=\S+/g)].map(([link]) => link);
  assert.equal(links.length, 2);
  const pages = [];
  for (const link of links) {
    const page = await site.page(await site.window(), "demo", link.slice(site.url.length));
    await ready(page);
    assert.ok(!page.url().includes("token"), page.url());
    pages.push(page);
  }
  const [customer, photographer] = pages;
  await customer.getByText("Customer", { exact: true }).waitFor();
  await photographer.getByRole("radiogroup", { name: "Show" }).waitFor();
  await write(customer, "Hello from the demo");
  await bubble(photographer, "Hello from the demo").waitFor();
});

test("register, sign out, sign in", async () => {
  const page = await site.page(await site.window(), "dora");
  await page.getByRole("button", { name: "New here? Create an account" }).click();
  await page.getByRole("radio", { name: "Photographer" }).check();
  await page.getByLabel("Your name").fill("Dora Lind");
  await page.getByLabel("User name").fill("no spaces");
  await page.getByRole("alert").filter({ hasText: "Use 1 to 64" }).waitFor();
  await page.getByLabel("User name").fill("dora@example.org");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Create account" }).click();
  await ready(page);
  await page.getByText("Photographer", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByText("Dora Lind").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();

  await page.getByLabel("User name").fill("dora@example.org");
  await page.getByLabel("Password").fill("wrong horse");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await ready(page);
  await page.reload();
  await ready(page);
});

test("a customer finds a photographer and writes; the message appears in the other window", async () => {
  await site.addUser("ben", "Ben Ortiz", "photographer");
  const anna = await site.open("anna", { name: "Anna Berg" });
  const ben = await site.open("ben", { name: "Ben Ortiz", role: "photographer" });
  await ready(anna);
  await ready(ben);
  await anna.getByRole("button", { name: "Write to a photographer" }).click();
  await anna.getByLabel("The photographer's user name").fill("nobody");
  await anna.getByRole("button", { name: "Start conversation" }).click();
  await anna.getByText("Nobody is called “nobody” here.").waitFor();
  await anna.getByLabel("The photographer's user name").fill("ben");
  await anna.getByRole("button", { name: "Start conversation" }).click();
  await item(ben, "Anna Berg").waitFor();
  await write(anna, "Are you free on 12 June?");
  await item(ben, "Anna Berg").getByText("1 unread message", { exact: true }).waitFor({ state: "attached" });
  await until("the title's badge", async () => (await ben.title()) === "(1) Parley");
  await item(ben, "Anna Berg").click();
  await bubble(ben, "Are you free on 12 June?").waitFor();
  await ben.getByText("New messages", { exact: true }).waitFor();
  await until("no badge", async () => (await ben.title()) === "Parley");
  await anna.getByRole("heading", { name: "Ben Ortiz" }).waitFor();
  await anna.getByText("Online", { exact: true }).waitFor();
});

test("sent turns to read when the other has the message in view, and not before", async () => {
  const { id, customer, photographer } = await pair("read-a", "read-b");
  await photographer.goto(`${site.url}/`);
  await ready(photographer);
  await write(customer, "Have you seen this?");
  const mark = bubble(customer, "Have you seen this?").locator("[data-status]");
  await bubble(customer, "Have you seen this?").locator('[data-status="sent"]').waitFor();
  await item(photographer, "read-a").getByText("Have you seen this?").waitFor();
  await settle(photographer);
  assert.deepEqual(marksOf(photographer), []);
  assert.equal(await mark.getAttribute("data-status"), "sent");
  await item(photographer, "read-a").click();
  await bubble(customer, "Have you seen this?").locator('[data-status="read"]').waitFor();
  const { conversations } = await site.http("GET", "/conversations", "read-b");
  assert.equal(conversations.find((one) => one.id === id).unreadCount, 0);
});

test("who is there has a dot, in the list and in the conversation, and none when gone", async () => {
  const { customer, photographer } = await pair("dot-a", "dot-b");
  const dot = item(customer, "dot-b").getByText(", online", { exact: true });
  await dot.waitFor({ state: "attached" });
  await customer.getByText("Online", { exact: true }).waitFor();
  await photographer.context().close();
  await dot.waitFor({ state: "detached" });
  await customer.getByText("Last seen just now").waitFor();
});

test("a message that is scrolled out of view is not read", async () => {
  const { id, customer, photographer } = await pair("view-a", "view-b");
  for (let i = 1; i <= 40; i++) await site.send("view-a", id, `line ${i}`);
  await bubble(photographer, "line 40").waitFor();
  await photographer.locator("[data-messages]").hover();
  await photographer.mouse.wheel(0, -1500);
  await photographer.getByRole("button", { name: "Go to the newest message" }).waitFor();
  await write(customer, "down here");
  await photographer.getByText("1 new message").waitFor();
  await settle(photographer);
  assert.equal(Math.max(...marksOf(photographer)), 40);
  assert.equal(
    await bubble(customer, "down here").locator("[data-status]").getAttribute("data-status"),
    "sent",
  );
  await photographer.getByRole("button", { name: "Go to the newest message" }).click();
  await bubble(customer, "down here").locator('[data-status="read"]').waitFor();
});

test("typing dots come, and go after silence, after the message and when the text is removed", async () => {
  const { customer, photographer } = await pair("type-a", "type-b");
  const line = photographer.locator("[data-typing]");
  await line.evaluate((element) => {
    // However briefly the dots are there.
    window.seen = [];
    new MutationObserver(() => window.seen.push(element.innerText)).observe(element, {
      attributes: true,
      childList: true,
      subtree: true,
    });
  });
  const comeAndGo = async (act) => {
    await photographer.evaluate(() => window.seen.splice(0));
    await act();
    await until("the dots", () => photographer.evaluate(() => window.seen.some((text) => text.includes("type-a is typing"))));
  };
  const gone = () => photographer.locator('[data-typing="false"]').waitFor({ state: "attached" });
  // The server would keep them for a minute here: it is the page that stops.
  await comeAndGo(() => composer(customer).pressSequentially("Hm", { delay: 20 }));
  const began = Date.now();
  await until("the page says so", () => framesOf(customer).sent.at(-1)?.includes("stop_typing"));
  await gone();
  console.log(`the dots went ${Date.now() - began} ms after they had come`);
  await comeAndGo(() => composer(customer).pressSequentially("!", { delay: 20 }));
  await composer(customer).press("Enter");
  await bubble(photographer, "Hm!").waitFor();
  await gone();
  await comeAndGo(() => composer(customer).pressSequentially("no", { delay: 20 }));
  await composer(customer).fill("");
  await gone();
});

test("a reply shows what it answers, and leads to it", async () => {
  const { customer, photographer } = await pair("reply-a", "reply-b");
  await write(customer, "The first question");
  await write(customer, "The second question");
  await bubble(photographer, "The first question").hover();
  await bubble(photographer, "The first question").getByRole("button", { name: "Reply" }).click();
  await photographer.getByText("Reply to reply-a").waitFor();
  await write(photographer, "An answer");
  const quote = bubble(customer, "An answer").getByRole("button", { name: /The first question/ });
  await quote.click();
  await customer.locator("[data-marked]").filter({ hasText: "The first question" }).waitFor();
});

test("a group has a title and members: who made it removes others, all add others and leave", async () => {
  for (const id of ["g-eva", "g-finn", "g-gil"]) await site.addUser(id, id.slice(2), "photographer");
  const owner = await site.open("g-owner", { name: "Owner", role: "photographer" });
  const eva = await site.open("g-eva", { name: "eva", role: "photographer" });
  await ready(owner);
  await ready(eva);
  await owner.getByRole("button", { name: "New conversation" }).click();
  await owner.getByRole("radio", { name: "Group", exact: true }).check();
  await owner.getByLabel("Title of the group").fill("Wedding in June");
  for (const id of ["g-eva", "g-finn"]) {
    await owner.getByLabel("Add a member by user name").fill(id);
    await owner.getByRole("button", { name: "Add", exact: true }).click();
    await owner.getByRole("list", { name: "Members" }).getByText(id.slice(2)).waitFor();
  }
  await owner.getByRole("button", { name: "Create group" }).click();
  await owner.getByText("3 members").waitFor();
  await write(owner, "Welcome, both");
  await item(eva, "Wedding in June").click();
  await bubble(eva, "Welcome, both").getByText("Owner", { exact: true }).waitFor();
  await bubble(owner, "Welcome, both").getByText("Read by 1 of 2").waitFor({ state: "attached" });
  for (const page of [owner, eva]) page.on("dialog", (dialog) => void dialog.accept());

  await eva.getByRole("button", { name: "Members and details" }).click();
  await eva.getByText("made this group").waitFor();
  assert.equal(await eva.getByRole("button", { name: /^Remove / }).count(), 0);
  await eva.getByLabel("Add a member by user name").fill("g-gil");
  await eva.getByRole("button", { name: "Add", exact: true }).click();
  await eva.getByRole("list", { name: "Members" }).getByText("g-gil").waitFor();
  const gil = await site.open("g-gil", { name: "gil", role: "photographer" });
  await item(gil, "Wedding in June").click();
  await bubble(gil, "Welcome, both").waitFor();

  const other = await site.page(owner.context(), "g-owner, second tab", new URL(owner.url()).pathname);
  await bubble(other, "Welcome, both").waitFor();
  await owner.getByRole("button", { name: "Members and details" }).click();
  await owner.getByRole("button", { name: "Remove gil from the group" }).click();
  await owner.getByRole("list", { name: "Members" }).getByText("g-gil").waitFor({ state: "detached" });
  await gil.getByRole("alert").filter({ hasText: "This conversation is not open to you." }).waitFor();
  for (const page of [owner, other]) await page.getByText("3 members").waitFor();

  await eva.getByRole("button", { name: "Leave group" }).click();
  await item(eva, "Wedding in June").waitFor({ state: "detached" });
  await owner.getByRole("button", { name: "Close" }).click();
  await owner.getByRole("button", { name: "Members and details" }).click();
  await owner.getByText("2 members").waitFor();
});

test("two tabs of one user stay in step", async () => {
  const { id, customer, photographer } = await pair("tab-a", "tab-b");
  const second = await site.page(customer.context(), "tab-a, second tab", conversationPath(id));
  await composer(second).waitFor();
  await write(customer, "from the first tab");
  await bubble(second, "from the first tab").waitFor();
  await write(second, "from the second tab");
  await bubble(customer, "from the second tab").waitFor();
  await composer(second).fill("a draft");
  await until("the draft in the other tab", async () => (await composer(customer).inputValue()) === "a draft");
  await bubble(photographer, "from the second tab").waitFor();
  assert.deepEqual(await texts(photographer), ["from the first tab", "from the second tab"]);
  assert.deepEqual(await texts(customer), await texts(second));
  await site.addUser("tab-c", "tab-c", "photographer");
  await second.getByRole("button", { name: "New conversation" }).click();
  await second.getByLabel("The photographer's user name").fill("tab-c");
  await second.getByRole("button", { name: "Start conversation" }).click();
  await item(customer, "tab-c").waitFor();
  await second.getByRole("button", { name: "Menu" }).click();
  await second.getByRole("button", { name: "Sign out" }).click();
  await customer.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("a customer and a photographer side by side in one browser stay who they are", async () => {
  await site.addUser("side-b", "side-b", "photographer");
  const context = await site.window();
  const customer = await site.page(context, "side-a", `/#token=${site.token("side-a", { role: "customer" })}`);
  await ready(customer);
  const photographer = await site.page(
    context,
    "side-b",
    `/#token=${site.token("side-b", { role: "photographer" })}`,
  );
  await ready(photographer);
  await customer.reload();
  await ready(customer);
  await customer.getByText("Customer", { exact: true }).waitFor();
  await photographer.getByText("Photographer", { exact: true }).waitFor();
});

test("a draft outlives a reload and a change of conversation", async () => {
  const { customer } = await pair("draft-a", "draft-b");
  await composer(customer).fill("not finished");
  await customer.goto(`${site.url}/`);
  await item(customer, "draft-b").getByText("not finished").waitFor();
  await customer.reload();
  await item(customer, "draft-b").click();
  await until("the draft", async () => (await composer(customer).inputValue()) === "not finished");
});

test("the photographer filters, and has quick replies at hand", async () => {
  const { customer, photographer } = await pair("quick-a", "quick-b");
  await composer(photographer).fill("Dear quick-a,");
  await photographer.getByRole("button", { name: "Quick replies" }).click();
  await photographer.getByRole("button", { name: /That date is free/ }).click();
  await composer(photographer).press("Enter");
  await bubble(customer, "Dear quick-a,\nThat date is free").waitFor();
  await photographer.goto(`${site.url}/`);
  await item(photographer, "quick-a").waitFor();
  await photographer.getByRole("radio", { name: "Unread" }).check();
  await photographer.getByText("No conversation matches.").waitFor();
  await write(customer, "Yes, hold it");
  await item(photographer, "quick-a").waitFor();
});

/** What the page hears when its tab is hidden or shown: a browser without windows does neither. */
function setVisible(page, isVisible) {
  return page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isVisible ? "visible" : "hidden");
}

test("a hidden page is told of messages by a notification, if allowed", async () => {
  const { id, customer, photographer } = await pair("note-a", "note-b");
  const second = await site.page(photographer.context(), "note-b, second tab");
  await item(second, "note-a").waitFor();
  await photographer.evaluate(() => {
    // The system's notifications can't be seen from here: what the page asks for can.
    window.asked = [];
    window.Notification = class {
      static permission = "granted";
      constructor(title, options) {
        window.asked.push({ title, body: options.body, tag: options.tag });
      }
      close() {}
    };
  });
  await setVisible(photographer, false);
  await write(customer, "Seen in the other tab");
  await item(second, "note-a").getByText("Seen in the other tab").waitFor();
  await item(photographer, "note-a").getByText("1 unread message", { exact: true }).waitFor({ state: "attached" });
  await setVisible(second, false);
  await write(customer, "Are you there?");
  const asked = await until("a notification", () =>
    photographer.evaluate(() => (window.asked.length ? window.asked : null)),
  );
  assert.deepEqual(asked, [{ title: "note-a", body: "Are you there?", tag: id }]);
  await until("the title's badge", async () => (await photographer.title()) === "(2) Parley");
  await settle(photographer);
  assert.deepEqual(marksOf(photographer), []);
  const mark = bubble(customer, "Are you there?").locator("[data-status]");
  assert.equal(await mark.getAttribute("data-status"), "sent");
  await setVisible(photographer, true);
  await bubble(customer, "Are you there?").locator('[data-status="read"]').waitFor();
});

test("the keyboard alone is enough", async () => {
  const { customer, photographer } = await pair("keys-a", "keys-b");
  await customer.goto(`${site.url}/`);
  await item(customer, "keys-b").waitFor();
  const focused = item(customer, "keys-b").and(customer.locator(":focus"));
  for (let i = 0; i < 20 && !(await focused.count()); i++) await customer.keyboard.press("Tab");
  await customer.keyboard.press("Enter");
  await composer(customer).waitFor();
  await customer.keyboard.type("typed");
  await customer.keyboard.press("Shift+Enter");
  await customer.keyboard.type("in two lines");
  await customer.keyboard.press("Enter");
  await bubble(photographer, "typed\nin two lines").waitFor();
  assert.deepEqual(await texts(photographer), ["typed\nin two lines"]);
  assert.equal(await bubbles(customer).count(), 1);
  await site.addUser("keys-c", "keys-c", "photographer");
  await customer.getByRole("button", { name: "New conversation" }).press("Enter");
  await customer.getByRole("dialog").waitFor();
  await customer.keyboard.type("keys-c");
  await customer.keyboard.press("Enter");
  await customer.getByRole("heading", { name: "keys-c" }).waitFor();
});
