// Takes the pictures of docs/img/ from the running system:
//
//   BUILD_DIR=build/release node tests/browser/screenshots.mjs

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  bubble,
  composer,
  conversationPath,
  item,
  PHONE,
  ready,
  root,
  Site,
  status,
  write,
} from "./harness.mjs";

const folder = join(root, "docs/img");
const PEOPLE = {
  anna: ["Anna Berg", "customer"],
  ben: ["Ben Ortiz", "photographer"],
  chloe: ["Chloé Martin", "customer"],
  dina: ["Dina Farah", "photographer"],
  emil: ["Emil Sørensen", "customer"],
  farid: ["Farid Aziz", "customer"],
};

const TALK = [
  ["anna", "Hello Ben! We marry on 12 June in the old mill. Is that day still free?"],
  ["ben", "Congratulations! 🎉 Yes, it is."],
  ["ben", "How many guests will there be, and from when to when shall I come?"],
  ["anna", "About 60. From the ceremony at two until the first dance, around ten."],
  ["anna", "The place: https://example.org/old-mill"],
  ["ben", "Beautiful light there in the evening. I would plan half an hour at the water for the two of you."],
];

const site = await Site.start();
try {
  mkdirSync(folder, { recursive: true });
  await fill();
  await desktop();
  await phone();
  await lost();
} finally {
  await site.stop();
}

function picture(page, name) {
  return page.screenshot({ path: join(folder, `${name}.png`) });
}

async function fill() {
  for (const [id, [name, role]] of Object.entries(PEOPLE)) await site.addUser(id, name, role);
  for (const [id, text] of [
    ["emil", "Thank you, the pictures are wonderful!"],
    ["farid", "Could we move the portrait session to Friday?"],
    ["chloe", "Merci! À bientôt 📷"],
  ]) {
    const { id: conversation } = await site.http("POST", "/conversations", "ben", { userId: id });
    await site.send(id, conversation, text);
  }
  const group = await site.http("POST", "/conversations", "ben", {
    title: "Summer wedding team",
    userIds: ["dina", "chloe", "anna"],
  });
  await site.send("dina", group.id, "I'll bring the second camera and the lights.");
  await site.send("anna", group.id, "Perfect, see you all on the 12th!");
  for (const [sender, text] of TALK) await site.send(sender, "conv_anna_ben", text);
}

function open(id, options) {
  const [name, role] = PEOPLE[id];
  return site.open(id, { name, role, path: conversationPath("conv_anna_ben"), ...options });
}

/** Customer and photographer side by side in time: one writes, the other sees it. */
async function desktop() {
  const viewport = { width: 1120, height: 720 };
  const anna = await open("anna", { viewport });
  const ben = await open("ben", { viewport, colorScheme: "dark" });
  await bubble(anna, "half an hour at the water").waitFor();
  await bubble(ben, "half an hour at the water").waitFor();
  await bubble(anna, "half an hour at the water").hover();
  await bubble(anna, "half an hour at the water").getByRole("button", { name: "Reply" }).click();
  await write(anna, "We would love that! 🥂");
  await bubble(anna, "We would love that").locator('[data-status="read"]').waitFor();
  await composer(ben).pressSequentially("I'll send you", { delay: 30 });
  await anna.locator('[data-typing="true"]').waitFor();
  await anna.mouse.move(5, 700);
  await picture(anna, "customer-light");
  await picture(ben, "photographer-dark");
  await composer(ben).fill("");
  await ben.getByRole("button", { name: "Quick replies" }).click();
  await picture(ben, "photographer-quick-replies-dark");
  await anna.context().close();
  await ben.context().close();
  const register = await site.page(await site.window({ viewport }), "register");
  await register.getByRole("button", { name: "New here? Create an account" }).click();
  await register.getByRole("radio", { name: "Photographer" }).check();
  await picture(register, "register-light");
}

async function phone() {
  const options = { viewport: PHONE, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
  for (const colorScheme of ["light", "dark"]) {
    const ben = await open("ben", { ...options, colorScheme });
    await bubble(ben, "We would love that").waitFor();
    await picture(ben, `phone-conversation-${colorScheme}`);
    await ben.getByRole("link", { name: "Back to the list" }).tap();
    await item(ben, "Emil").waitFor();
    await ready(ben);
    await picture(ben, `phone-list-${colorScheme}`);
    if (colorScheme === "light") await members(ben);
    await ben.context().close();
  }
}

/** A group, as who made it sees its members. */
async function members(page) {
  await item(page, "Summer wedding team").tap();
  await bubble(page, "see you all").waitFor();
  await page.getByRole("button", { name: "Members and details" }).tap();
  await page.getByRole("button", { name: /^Remove .* from the group/ }).first().waitFor();
  await picture(page, "phone-members-light");
}

async function lost() {
  const anna = await open("anna", { viewport: PHONE, deviceScaleFactor: 2 });
  await bubble(anna, "We would love that").waitFor();
  await anna.context().setOffline(true);
  await status(anna, "Offline").waitFor();
  await write(anna, "This waits until I'm out of the tunnel.");
  await bubble(anna, "out of the tunnel").waitFor();
  await status(anna, /for [3-9] s/).waitFor();
  await picture(anna, "phone-offline-light");
}
