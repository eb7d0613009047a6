import { beforeEach, expect, test, vi } from "vitest";
import { type Ack, type Joined, type Message, ParleyError } from "../contract";
import { joined, message, messages } from "../testing/messages";
import { waitFor } from "../testing/wait";
import { CATCH_UP_MAX, Memberships } from "./memberships";

const ID = "conv_anna_ben";

let isConnected = true;
let asked: (number | undefined)[] = [];
let answers: Ack<Joined>[] = [];
let seen: number[] = [];
const onReset = vi.fn();
const onRefused = vi.fn();
const onJoined = vi.fn();

function ok(answer: Joined): Ack<Joined> {
  return { ok: true, ...answer };
}

function make(): Memberships {
  return new Memberships({
    ask: async (_, after) => {
      asked.push(after);
      const answer = answers.shift();
      if (!answer) throw new ParleyError({ code: "unavailable", message: "no answer", retryAfterMs: 1 });
      return answer;
    },
    isConnected: () => isConnected,
    onMessage: (received: Message) => seen.push(received.seq),
    onReset,
    onRefused,
    onJoined,
  });
}

beforeEach(() => {
  isConnected = true;
  asked = [];
  answers = [];
  seen = [];
  vi.resetAllMocks();
});

async function reconnect(memberships: Memberships): Promise<void> {
  memberships.disconnected();
  const calls = onJoined.mock.calls.length;
  memberships.connected();
  await waitFor(() => expect(onJoined.mock.calls.length).toBe(calls + 1));
}

test("the first join's messages are its answer, later ones come as events, each once", async () => {
  const memberships = make();
  answers = [ok(joined(5, { messages: messages(4, 5) }))];
  const answer = await memberships.join(ID, 3);
  expect(asked).toEqual([3]);
  expect(answer.messages.map(({ seq }) => seq)).toEqual([4, 5]);
  memberships.receive(message(5));
  memberships.receive(message(6));
  memberships.receive(message(6));
  expect(seen).toEqual([6]);
});

test("after a reconnect what was missed comes in order, with no hole and nothing doubled", async () => {
  const memberships = make();
  answers = [ok(joined(5))];
  await memberships.join(ID);
  memberships.receive(message(6));
  answers = [ok(joined(9, { messages: messages(7, 9) }))];
  await reconnect(memberships);
  expect(asked).toEqual([undefined, 6]);
  memberships.receive(message(9));
  memberships.receive(message(10));
  expect(seen).toEqual([6, 7, 8, 9, 10]);
});

test("an own message that overtook others does not hide them", async () => {
  const memberships = make();
  answers = [ok(joined(5))];
  await memberships.join(ID);
  memberships.receive(message(8));
  answers = [ok(joined(8, { messages: messages(6, 8) }))];
  await reconnect(memberships);
  expect(asked.at(-1)).toBe(5);
  expect(seen).toEqual([8, 6, 7]);
});

test("a truncated answer is followed by further ones", async () => {
  const memberships = make();
  answers = [ok(joined(0))];
  await memberships.join(ID);
  answers = [
    ok(joined(7, { messages: messages(1, 3), truncated: true })),
    ok(joined(7, { messages: messages(4, 6), truncated: true })),
    ok(joined(7, { messages: messages(7, 7) })),
  ];
  await reconnect(memberships);
  expect(asked).toEqual([undefined, 0, 3, 6]);
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("messages that arrive while a join is under way come after its own", async () => {
  const memberships = make();
  answers = [ok(joined(2))];
  await memberships.join(ID);
  memberships.disconnected();
  answers = [ok(joined(4, { messages: messages(3, 4) }))];
  memberships.connected();
  memberships.receive(message(5));
  expect(seen).toEqual([]);
  await waitFor(() => expect(seen).toEqual([3, 4, 5]));
});

test("a hole too large, a restored database and a lost head all start anew", async () => {
  const head = CATCH_UP_MAX + 600;
  const cases: Ack<Joined>[][] = [
    [ok(joined(head, { messages: messages(1, 500), truncated: true })), ok(joined(head))],
    [ok(joined(9, { generation: "g2", messages: messages(1, 9) }))],
    [ok(joined(1, { reset: true }))],
  ];
  for (const script of cases) {
    seen = [];
    onReset.mockReset();
    const memberships = make();
    answers = [ok(joined(0))];
    await memberships.join(ID);
    answers = script;
    await reconnect(memberships);
    expect(onReset).toHaveBeenCalledExactlyOnceWith(ID);
    expect(seen).toEqual([]);
  }
});

test("a temporary refusal is tried again, a lasting one ends the membership", async () => {
  const memberships = make();
  answers = [
    { ok: false, error: { code: "unavailable", message: "later", retryAfterMs: 1 } },
    ok(joined(1)),
  ];
  await memberships.join(ID);
  expect(asked.length).toBe(2);
  answers = [{ ok: false, error: { code: "forbidden", message: "no" } }];
  memberships.disconnected();
  memberships.connected();
  await waitFor(() => expect(onRefused).toHaveBeenCalledOnce());
  expect(memberships.has(ID)).toBe(false);
});

test("a join made offline is answered after the connect, and leaving rejects it", async () => {
  isConnected = false;
  const memberships = make();
  const waiting = memberships.join(ID);
  expect(asked).toEqual([]);
  answers = [ok(joined(1))];
  isConnected = true;
  memberships.connected();
  expect((await waiting).headSeq).toBe(1);

  isConnected = false;
  memberships.disconnected();
  const second = memberships.join(ID);
  memberships.leave(ID);
  await expect(second).rejects.toThrow(ParleyError);
});
