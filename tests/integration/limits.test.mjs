// Rate and connection limits, as a flooding client meets them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, System } from "./harness/system.mjs";

let system;

before(async () => {
  system = await System.start({ environment: { RATE_LIMIT: "on" } });
  await system.addUsers("2");
});
after(() => system?.stop());

test("a flood of messages is rate_limited with a time to try again; others are not", async () => {
  const flooder = await system.connect("1");
  const other = await system.connect("3");
  await system.connect("2");
  const answers = await Promise.all(
    Array.from({ length: 400 }, (_, i) => ask(flooder, "send_message", { conversationId: "conv_1_2", text: `${i}` })),
  );
  const refused = answers.filter((answer) => !answer.ok);
  assert.ok(refused.length > 0);
  for (const answer of refused) {
    assert.equal(answer.error.code, "rate_limited");
    assert.ok(answer.error.retryAfterMs > 0);
  }
  const stored = answers.filter((answer) => answer.ok).map((answer) => answer.message.seq);
  assert.deepEqual(stored, stored.map((_, i) => i + 1));
  assert.equal((await ask(other, "send_message", { conversationId: "conv_2_3", text: "fine" })).ok, true);
});

test("a user's connections are bounded", async () => {
  const opened = [];
  let refused = 0;
  for (let i = 0; i < 60 && !refused; i++)
    await system.connect("greedy", { reconnection: false }).then(
      (socket) => opened.push(socket),
      () => refused++,
    );
  assert.equal(refused, 1);
  opened[0].disconnect();
  await system.connect("1");
});
