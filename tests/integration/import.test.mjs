// deploy/database/import: another chat's users and messages, in their order.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { ask, System } from "./harness/system.mjs";

const program = new URL("../../deploy/database/import", import.meta.url).pathname;

let system;

before(async () => {
  system = await System.start();
});
after(() => system?.stop());

const lines = (...rows) => rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row)));

function run(rows, ...options) {
  const done = spawnSync(program, [...options, "-"], {
    input: rows.join("\n"),
    encoding: "utf8",
    env: { ...process.env, DATABASE_URL: system.database.url },
  });
  return { code: done.status, said: done.stdout.trim(), refused: done.stderr.trim().split("\n") };
}

function must(rows, ...options) {
  const done = run(rows, ...options);
  assert.equal(done.code, 0, done.refused.join("\n"));
  return done.said;
}

const user = (id, name = `Old ${id}`) => ({ type: "user", id, name });
const message = (id, sender, text, second, more = {}) => ({
  type: "message",
  id,
  users: ["17", "9"],
  sender,
  text,
  createdAt: `2024-03-01T10:00:${String(second).padStart(2, "0")}.000Z`,
  ...more,
});
const count = async (table) => Number((await system.sql.query(`select count(*) from ${table}`)).rows[0].count);

const first = lines(
  user(17),
  user("9"),
  user("cy"),
  { type: "group", key: "room-9", title: "Wedding", creator: "17", users: ["17", "9", "cy"] },
  message("a", "17", 'tab\there, new\nline, \\ \\N "quotes" 😀', 1),
  message("b", "9", "second", 1, { replyTo: "a" }),
  message("g", "cy", "in the group", 2, { users: undefined, group: "room-9" }),
  message(undefined, "9", "third, without an id", 3),
  { type: "read", user: "17", users: ["9", "17"], message: "b" },
);

test("a dry run judges everything and keeps nothing", async () => {
  assert.match(must(first, "--dry-run"), /^3 users, 2 new conversations, 4 messages \(dry run/);
  assert.equal(await count("messages"), 0);
  assert.equal(await count("users"), 0);
});

test("imported messages are read in their order, and the chat goes on behind them", async () => {
  assert.equal(must(first), "3 users, 2 new conversations, 4 messages");
  const socket = await system.connect("17");
  const joined = await ask(socket, "join_conversation", { conversationId: "conv_9_17", after: 0 });
  assert.equal(joined.ok, true, JSON.stringify(joined));
  assert.deepEqual(
    joined.messages.map(({ seq, senderId, text, replyTo, createdAt }) => [seq, senderId, text, replyTo, createdAt]),
    [
      [1, "17", 'tab\there, new\nline, \\ \\N "quotes" 😀', undefined, "2024-03-01T10:00:01.000Z"],
      [2, "9", "second", 1, "2024-03-01T10:00:01.000Z"],
      [3, "9", "third, without an id", undefined, "2024-03-01T10:00:03.000Z"],
    ],
  );
  for (const { id, createdAt } of joined.messages) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(parseInt(id.slice(0, 8) + id.slice(9, 13), 16), Date.parse(createdAt));
  }
  const list = (await system.http("GET", "/conversations", { as: "17" })).body.conversations;
  const unread = Object.fromEntries(list.map(({ id, kind, title, unreadCount }) => [title ?? id, [kind, unreadCount]]));
  assert.deepEqual(unread, { conv_9_17: ["direct", 1], Wedding: ["group", 0] });
  const group = list.find(({ kind }) => kind === "group").id;
  assert.equal((await ask(socket, "join_conversation", group)).headSeq, 1);
  const sent = await ask(socket, "send_message", { conversationId: group, text: "new" });
  assert.equal(sent.message.seq, 2);
});

test("the same again adds nothing, a longer file adds the rest", async () => {
  assert.match(must(first), /^3 users, 0 new conversations, 0 messages; 4 messages were there already$/);
  const more = [...first, ...lines(message("c", "17", "fourth", 4), message("d", "9", "fifth", 5, { replyTo: "b" }))];
  assert.match(must(more), /^3 users, 0 new conversations, 2 messages; 4 /);
  const { rows } = await system.sql.query(
    "select seq::int, text, reply_to::int from messages where conversation_id = 'conv_9_17' and seq > 3 order by seq",
  );
  assert.deepEqual(rows, [
    { seq: 4, text: "fourth", reply_to: null },
    { seq: 5, text: "fifth", reply_to: 2 },
  ]);
});

test("what would break the order is refused", async () => {
  const before = await count("messages");
  const between = lines(message("a", "17", "x", 1), message("new", "9", "y", 2), message("d", "9", "z", 5));
  assert.deepEqual(run(lines(user("17"), user("9")).concat(between)).refused, [
    "line 4: conv_9_17 has later messages already",
    "refused: nothing was imported",
  ]);
  const inserted = lines(message("a", "17", "x", 1), message("new", "9", "y", 5), message("d", "9", "z", 5));
  assert.deepEqual(run(lines(user("17"), user("9")).concat(inserted)).refused, [
    "line 4: comes before messages that were imported already",
    "refused: nothing was imported",
  ]);
  assert.equal(await count("messages"), before);
});

test("wrong lines are named, all of them, and nothing is imported", async () => {
  const users = await count("users");
  const bad = [
    ["{", /^no JSON/],
    ["[]", /^type must be one of user, group, message, read$/],
    [{ type: "user", id: "x" }, /^user has no name$/],
    [{ ...user("x"), color: 1 }, /^user has unknown color$/],
    [user("has_underscore"), /^'has_underscore' is no user id/],
    [{ ...user("x"), role: "service" }, /^role service/],
    [user("fine"), null],
    [user("fine"), /^user fine came before$/],
    [message("1", "17", "", 1), /^text has 0 characters, not 1 to 8000$/],
    [message("1", "17", "x".repeat(8001), 1), /^text has 8001 characters/],
    [message("1", "17", "\0", 1), /^text has a NUL$/],
    ['{"type":"message","users":["17","9"],"sender":"17","createdAt":1,"text":"\\ud800"}', /^text is no valid Unicode$/],
    [message("1", "cy", "x", 1), /^sender cy is not in the conversation$/],
    [message("1", "17", "x", 1, { users: ["17", "17"] }), /^users are one and the same$/],
    [message("1", "17", "x", 1, { group: "g" }), /^needs users or group, and not both$/],
    [message("1", "17", "x", 1, { users: undefined, group: "g" }), /^group 'g' is not known by a line before$/],
    [message("1", "17", "x", 1, { createdAt: "2024-03-01T10:00:00" }), /has no time zone$/],
    [message("1", "17", "x", 1, { createdAt: "yesterday" }), /^'yesterday' is no ISO 8601 time$/],
    [message("1", "17", "x", 9), null],
    [message("1", "17", "x", 9), /^id '1' came in line 19$/],
    [message("2", "17", "x", 8), /^createdAt is before that of line 19, the conversation's last$/],
    [message("3", "17", "x", 9, { replyTo: "none" }), /^replyTo 'none' is no message before this one$/],
  ];
  const done = run(lines(...bad.map(([row]) => row)));
  assert.equal(done.code, 1);
  const expected = bad.flatMap(([, problem], i) => (problem ? [[i + 1, problem]] : []));
  assert.equal(done.refused.length, expected.length + 1, done.refused.join("\n"));
  expected.forEach(([line, problem], i) => {
    const [, number, words] = /^line (\d+): (.*)$/.exec(done.refused[i]);
    assert.equal(Number(number), line);
    assert.match(words, problem);
  });
  assert.equal(done.refused.at(-1), `refused: ${expected.length} lines are wrong; nothing was imported`);
  assert.deepEqual(run(lines(message("x", "stranger", "x", 1, { users: ["stranger", "9"] }))).refused, [
    "user stranger is neither in the file nor known",
    "refused: nothing was imported",
  ]);
  assert.equal(await count("users"), users);
});
