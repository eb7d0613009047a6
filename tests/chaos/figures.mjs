// How long messages took from their first emission until each listener had them, by fault.

import { median } from "./audit.mjs";

/** Follows every message from first emission to each client that is to see it. */
export class Delays {
  #emitted = new Map(); // clientId => ms
  #longest = new Map(); // "client conversation" => ms, since the last begin()
  #newest = new Map(); // "client conversation" => when the newest message seen was first emitted

  begin() {
    this.#longest.clear();
  }

  emitted(clientId) {
    this.#emitted.set(clientId, performance.now());
  }

  seen(message, client) {
    const at = this.#emitted.get(message.clientId);
    const now = performance.now();
    if (at === undefined) return;
    const key = `${client.name} ${message.conversationId}`;
    this.#newest.set(key, Math.max(this.#newest.get(key) ?? 0, at));
    this.#longest.set(key, Math.max(this.#longest.get(key) ?? 0, now - at));
  }

  /** Has this message been emitted before `ms`? */
  isOlder(clientId, ms) {
    return this.#emitted.get(clientId) < ms;
  }

  /** Has the client seen a message of the conversation that was emitted after `ms`? */
  isFresh(client, conversationId, ms) {
    return (this.#newest.get(`${client.name} ${conversationId}`) ?? 0) > ms;
  }

  /** The longest delay at each listener of each conversation. */
  get longest() {
    return [...this.#longest.values()];
  }
}

/** Rows by fault: {fault, times, pauses, reconnects, connectMs}. */
export class Table {
  #rows = new Map();

  add(fault, { pauses, reconnects, connectMs }) {
    const row = this.#rows.get(fault) ?? { times: 0, pauses: [], reconnects: 0, connectMs: 0 };
    row.times++;
    row.pauses.push(...pauses);
    row.reconnects = Math.max(row.reconnects, reconnects);
    row.connectMs = Math.max(row.connectMs, connectMs);
    this.#rows.set(fault, row);
  }

  get text() {
    const lines = [
      "| fault | times | pause p50 (ms) | pause max (ms) | reconnects per client, most | reconnect max (ms) |",
      "|---|--:|--:|--:|--:|--:|",
    ];
    for (const [fault, row] of this.#rows)
      lines.push(
        `| ${fault} | ${row.times} | ${Math.round(median(row.pauses))} | ${Math.round(Math.max(0, ...row.pauses))} | ` +
          `${row.reconnects} | ${Math.round(row.connectMs)} |`,
      );
    return lines.join("\n");
  }

  get rows() {
    return this.#rows;
  }
}
