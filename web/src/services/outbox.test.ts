import "fake-indexeddb/auto";
import { beforeEach, expect, test, vi } from "vitest";
import { type Message, ParleyError } from "../contract";
import { message } from "../testing/messages";
import { waitFor } from "../testing/wait";
import { Outbox, type OutboxEntry, type OutboxOptions } from "./outbox";
import { Storage } from "./storage";

const ID = "conv_anna_ben";

let userId: string;
let users = 0;
let isConnected: boolean;
let sent: OutboxEntry[];
let entries: readonly OutboxEntry[];
let failures: ParleyError[];

function stored(entry: OutboxEntry): Message {
  return message(sent.length, { senderId: userId, clientId: entry.clientId, text: entry.text });
}

function make(extra: Partial<OutboxOptions> = {}): Outbox {
  return new Outbox({
    userId,
    owner: "tab-1",
    storage: new Storage(),
    isConnected: () => isConnected,
    send: async (entry) => {
      const failure = failures.shift();
      if (failure) throw failure;
      sent.push(entry);
      return stored(entry);
    },
    findDead: async (owners) => owners,
    onChange: (changed) => (entries = changed),
    ...extra,
  });
}

beforeEach(() => {
  userId = `user-${users++}`; // each test has an outbox of its own in the one database
  isConnected = true;
  sent = [];
  entries = [];
  failures = [];
});

async function storedEntries(): Promise<OutboxEntry[]> {
  return new Storage().load(userId);
}

test("what is written goes out in order and leaves nothing behind", async () => {
  const outbox = make();
  for (const text of ["a", "b", "c"]) outbox.add(ID, text);
  expect(entries.map(({ text }) => text)).toEqual(["a", "b", "c"]);
  await waitFor(() => expect(entries).toEqual([]));
  expect(sent.map(({ text }) => text)).toEqual(["a", "b", "c"]);
  await waitFor(async () => expect(await storedEntries()).toEqual([]));
});

test("offline it waits, and outlives the page; the clientId stays the same", async () => {
  isConnected = false;
  const before = make();
  const first = before.add(ID, "one");
  before.add(ID, "two", 7);
  await waitFor(async () => expect((await storedEntries()).length).toBe(2));
  before.stop();
  expect(sent).toEqual([]);

  const after = make({ owner: "tab-2" });
  isConnected = true;
  await after.load();
  await waitFor(() => expect(sent.length).toBe(2));
  expect(sent.map(({ text }) => text)).toEqual(["one", "two"]);
  expect(sent[0]?.clientId).toBe(first.clientId);
  expect(sent[1]?.replyTo).toBe(7);
});

test("another living tab's messages are shown, not sent", async () => {
  isConnected = false;
  make({ owner: "tab-1" }).add(ID, "from the other tab");
  await waitFor(async () => expect((await storedEntries()).length).toBe(1));
  isConnected = true;
  const outbox = make({ owner: "tab-2", findDead: async () => [] });
  await outbox.load();
  expect(entries.map(({ text }) => text)).toEqual(["from the other tab"]);
  expect(sent).toEqual([]);
});

test("what is written, sent or discarded while the storage is read stays so", async () => {
  isConnected = false;
  const before = make({ owner: "gone" });
  const old = before.add(ID, "old");
  await waitFor(async () => expect((await storedEntries()).length).toBe(1));
  let answer = () => {};
  const outbox = make({
    owner: "tab-2",
    findDead: (owners) => new Promise((resolve) => (answer = () => resolve(owners))),
  });
  const loads = [outbox.load(), outbox.load()];
  await waitFor(() => answer());
  outbox.add(ID, "new");
  await waitFor(() => {
    answer();
    expect(entries.map(({ text }) => text)).toEqual(["old", "new"]);
  });
  const again = outbox.load();
  outbox.discard(old.clientId);
  const timer = setInterval(() => answer(), 1);
  await Promise.all([...loads, again]);
  clearInterval(timer);
  expect(entries.map(({ text }) => text)).toEqual(["new"]);
});

test("a lost answer is tried again with the same clientId, ahead of what was written later", async () => {
  failures = [new ParleyError({ code: "unavailable", message: "", retryAfterMs: 1 })];
  const outbox = make();
  outbox.add(ID, "a");
  outbox.add(ID, "b");
  await waitFor(() => expect(sent.map(({ text }) => text)).toEqual(["a", "b"]));
});

test("a refused message says why, does not hold up others, and can be retried or discarded", async () => {
  failures = [new ParleyError({ code: "invalid_payload", message: "no" })];
  const outbox = make();
  const { clientId } = outbox.add(ID, "bad");
  outbox.add(ID, "good");
  await waitFor(() => expect(sent.map(({ text }) => text)).toEqual(["good"]));
  expect(entries.map(({ refusal }) => refusal?.code)).toEqual(["invalid_payload"]);
  await waitFor(async () => expect((await storedEntries())[0]?.refusal?.code).toBe("invalid_payload"));

  outbox.retry(clientId);
  await waitFor(() => expect(sent.map(({ text }) => text)).toEqual(["good", "bad"]));
  expect(sent[1]?.clientId).toBe(clientId);

  failures = [new ParleyError({ code: "forbidden", message: "no" })];
  const refused = outbox.add(ID, "never");
  await waitFor(() => expect(entries[0]?.refusal?.code).toBe("forbidden"));
  outbox.discard(refused.clientId);
  expect(entries).toEqual([]);
  await waitFor(async () => expect(await storedEntries()).toEqual([]));
});

test("a message that is known to be stored is not sent again", async () => {
  isConnected = false;
  const outbox = make();
  const { clientId } = outbox.add(ID, "arrived after all");
  outbox.confirm(clientId);
  isConnected = true;
  outbox.connected();
  await waitFor(async () => expect(await storedEntries()).toEqual([]));
  expect(sent).toEqual([]);
});

test("another tab's message that has arrived is not shown as waiting", async () => {
  isConnected = false;
  const { clientId } = make({ owner: "tab-1" }).add(ID, "from the other tab");
  await waitFor(async () => expect((await storedEntries()).length).toBe(1));
  const outbox = make({ owner: "tab-2", findDead: async () => [] });
  outbox.confirm(clientId);
  await outbox.load();
  expect(entries).toEqual([]);
});

test("conversations don't wait for each other", async () => {
  let release = () => {};
  const outbox = make({
    send: async (entry) => {
      if (entry.conversationId === ID) await new Promise<void>((resolve) => (release = resolve));
      sent.push(entry);
      return stored(entry);
    },
  });
  outbox.add(ID, "slow");
  outbox.add("conv_anna_carl", "fast");
  await waitFor(() => expect(sent.map(({ text }) => text)).toEqual(["fast"]));
  release();
  await waitFor(() => expect(sent.length).toBe(2));
});

test("without storage it goes on in memory", async () => {
  const broken = {
    load: () => Promise.reject(new Error("no database")),
    put: () => Promise.reject(new Error("no database")),
    delete: () => Promise.reject(new Error("no database")),
  };
  const outbox = make({ storage: broken });
  await outbox.load();
  outbox.add(ID, "a");
  await waitFor(() => expect(sent.length).toBe(1));
  expect(entries).toEqual([]);
});

test("a clock that is set back does not change the order", async () => {
  isConnected = false;
  const outbox = make();
  outbox.add(ID, "first");
  vi.spyOn(Date, "now").mockReturnValue(1000);
  outbox.add(ID, "second");
  await waitFor(async () => expect((await storedEntries()).length).toBe(2));
  const again = make({ owner: "tab-2" });
  await again.load();
  expect(entries.map(({ text }) => text)).toEqual(["first", "second"]);
});
