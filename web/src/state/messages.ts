import type { Message } from "../contract";

/** Where `seq` is in the ascending list, or would have to be put in. */
function position(messages: readonly Message[], seq: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((messages[middle] as Message).seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function findMessage(messages: readonly Message[], seq: number): Message | undefined {
  const found = messages[position(messages, seq)];
  return found?.seq === seq ? found : undefined;
}

/** Puts the messages into the ascending list; those that are there already are replaced. */
export function mergeMessages(known: Message[], added: readonly Message[]): Message[] {
  if (!added.length) return known;
  const last = known.at(-1)?.seq ?? 0;
  if (added.every((message, i) => message.seq > (added[i - 1]?.seq ?? last))) return [...known, ...added];
  const bySeq = new Map(known.map((message) => [message.seq, message]));
  for (const message of added) bySeq.set(message.seq, message);
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}
