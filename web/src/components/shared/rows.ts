import type { Message } from "../../contract";
import type { OutboxEntry } from "../../services/outbox";

/** Messages of one sender closer than this stand together. */
const GROUP_MS = 5 * 60_000;

export type Row =
  | { kind: "top"; key: "top" }
  | { kind: "day"; key: string; at: Date }
  | { kind: "unread"; key: "unread" }
  | {
      kind: "message";
      key: string;
      message: Message;
      /** First and last of a group that stands together. */
      isFirst: boolean;
      isLast: boolean;
    }
  | { kind: "pending"; key: string; entry: OutboxEntry; isFirst: boolean; isLast: boolean };

function dayOf(date: Date): string {
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/** The same before and after the server has answered, so that the row stays the same element. */
function messageKey(senderId: string, clientId: string): string {
  return `${senderId} ${clientId}`;
}

interface Item {
  key: string;
  senderId: string;
  at: Date;
  message?: Message;
  entry?: OutboxEntry;
}

function toItems(messages: readonly Message[], pending: readonly OutboxEntry[]): Item[] {
  const items: Item[] = messages.map((message) => ({
    key: messageKey(message.senderId, message.clientId),
    senderId: message.senderId,
    at: new Date(message.createdAt),
    message,
  }));
  const now = new Date();
  for (const entry of pending) {
    const key = messageKey(entry.userId, entry.clientId);
    items.push({ key, senderId: entry.userId, at: now, entry });
  }
  return items;
}

function standTogether(a: Item | undefined, b: Item | undefined): boolean {
  if (!a || !b || a.senderId !== b.senderId) return false;
  return b.at.getTime() - a.at.getTime() < GROUP_MS;
}

/** Above which seq the line "new messages" stands; null: nowhere. */
export type UnreadFrom = number | null;

/** What the list shows, oldest first. Pure but for today's date, which pending entries get. */
export function buildRows(
  messages: readonly Message[],
  pending: readonly OutboxEntry[],
  unreadFrom: UnreadFrom,
): Row[] {
  const rows: Row[] = [{ kind: "top", key: "top" }];
  const items = toItems(messages, pending);
  let day = "";
  let isJoined = false;
  items.forEach((item, i) => {
    const itemDay = dayOf(item.at);
    if (itemDay !== day) {
      rows.push({ kind: "day", key: `day ${itemDay} ${rows.length === 1 ? "first" : ""}`, at: item.at });
      day = itemDay;
      isJoined = false;
    }
    if (unreadFrom !== null && item.message?.seq === unreadFrom) {
      rows.push({ kind: "unread", key: "unread" });
      isJoined = false;
    }
    const next = items[i + 1];
    const isNextJoined =
      standTogether(item, next) &&
      next !== undefined &&
      dayOf(next.at) === itemDay &&
      !(unreadFrom !== null && next.message?.seq === unreadFrom);
    const group = { isFirst: !isJoined, isLast: !isNextJoined };
    if (item.message) rows.push({ kind: "message", key: item.key, message: item.message, ...group });
    if (item.entry) rows.push({ kind: "pending", key: item.key, entry: item.entry, ...group });
    isJoined = isNextJoined;
  });
  return rows;
}
