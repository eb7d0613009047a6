// What one socket.io client may and may not see of one conversation, as the promises of the client
// contract put it; and the comparison of what was acknowledged, stored and seen.
//
// Pure: told of each thing in the order in which the client saw it, it keeps the violations.

/** What one user's client knows of one conversation, over all its connections. */
export class View {
  last = 0; // everything up to here was seen or is this client's own and acknowledged
  #ahead = new Set(); // seen above `last`: what is missing before them must turn out to be its own
  #unanswered = new Set(); // clientIds that were emitted, on any connection
  violations = [];
  mayBeRemoved = false; // its user is added and removed during the test
  isRemoved = false;
  #own = new Set(); // acknowledged, above `last`
  #joined = false; // on this connection
  #sends = []; // of this connection, in the order emitted: {clientId, seq, failed, echoed}
  #bar = Infinity; // the highest seq that a removed member may have seen

  constructor(name) {
    this.name = name;
  }

  #violated(what) {
    this.violations.push(`${this.name}: ${what}`);
  }

  /** A new connection; `recovered`: of the session of before. */
  connected(recovered = false) {
    this.#joined &&= recovered;
    this.#judgeOrder();
    this.#sends = [];
  }

  /** Messages are emitted again on each connection until they are acknowledged. */
  emitted(clientId) {
    this.#unanswered.add(clientId);
    if (!this.#sends.some((send) => send.clientId === clientId)) this.#sends.push({ clientId, seq: 0 });
  }

  /** An answer on the connection that the event was emitted on. */
  answered(clientId, answer) {
    const send = this.#sends.find((each) => each.clientId === clientId);
    if (!answer.ok) {
      if (send && !send.seq) send.failed = true;
      return;
    }
    const { seq } = answer.message;
    this.#unanswered.delete(clientId);
    if (send && !send.seq) {
      if (send.echoed && !send.failed) this.#violated(`seq ${seq} came as an event and was acknowledged`);
      send.seq = seq;
    }
    if (seq > this.last) this.#own.add(seq);
    this.#advance(this.last);
  }

  #judgeOrder() {
    let before = 0;
    for (const { clientId, seq, failed } of this.#sends) {
      if (failed) before = 0;
      else if (seq && seq <= before) this.#violated(`${clientId} got seq ${seq} after ${before}`);
      else if (seq) before = seq;
    }
  }

  #advance(seq) {
    this.last = Math.max(this.last, seq);
    while (this.#own.has(this.last + 1) || this.#ahead.has(this.last + 1)) this.last++;
    for (const set of [this.#own, this.#ahead])
      for (const each of set) if (each <= this.last) set.delete(each);
  }

  /** The ok answer to a join with `after`. */
  joined(after, answer) {
    let expected = after + 1;
    for (const { seq } of answer.messages) {
      if (seq !== expected) this.#violated(`join after ${after} returned ${seq} where ${expected} was due`);
      if (seq > this.#bar) this.#violated(`join returned seq ${seq} to a removed member`);
      expected = seq + 1;
    }
    if (answer.reset) this.#violated(`join after ${after} was told to start anew`);
    if (!answer.truncated && expected <= answer.headSeq)
      this.#violated(`join ended at ${expected - 1}, but the head is ${answer.headSeq}`);
    this.#joined = !answer.truncated;
    this.#advance(expected - 1);
  }

  /** What is missing before a message, as far as is known. */
  #missingBefore(seq) {
    const missing = [];
    for (let each = this.last + 1; each < seq; each++)
      if (!this.#own.has(each) && !this.#ahead.has(each)) missing.push(each);
    return missing;
  }

  /**
   * A new_message; `own`: this user is its sender; `recovered`: the session is, which isn't sent
   * again what came from it, though the acknowledgement may be lost.
   */
  message({ seq, clientId }, own = false, recovered = false) {
    if (!this.#joined) this.#violated(`seq ${seq} came before the join was answered`);
    if (seq > this.#bar) this.#violated(`seq ${seq} came to a removed member`);
    const send = own && this.#sends.find((each) => each.clientId === clientId);
    if (send?.seq) this.#violated(`seq ${seq} came back to the socket that sent it`);
    else if (send) send.echoed = true;
    const missing = this.#missingBefore(seq);
    if (seq <= this.last || this.#ahead.has(seq)) this.#violated(`seq ${seq} came again, after ${this.last}`);
    else if (missing.length > (recovered ? this.#unanswered.size : 0)) this.#violated(`seq ${seq} came after ${this.last}`);
    else if (missing.length) {
      this.#ahead.add(seq);
      return;
    }
    this.#advance(seq);
  }

  /** The user was removed when the conversation's head was at most `head`. */
  removed(head) {
    this.#bar = head;
    this.isRemoved = true;
  }

  added() {
    this.#bar = Infinity;
    this.isRemoved = false;
    this.#joined = false;
  }

  refused(what, code) {
    this.#violated(`${what} was answered ${code}`);
  }

  /** The end: everything up to `head` must have been seen. */
  finish(head) {
    this.connected();
    if (this.last !== head) this.#violated(`saw up to ${this.last} of ${head}`);
  }
}

/**
 * Compares what was acknowledged ([{conversationId, senderId, clientId, seq, text}]) with what is
 * stored (the same, ordered by conversation and seq). Returns {lost, doubled, disordered}: texts.
 */
export function compareStored(acknowledged, stored) {
  const found = { lost: [], doubled: [], disordered: [] };
  const byKey = new Map();
  const seqs = new Map();
  const texts = new Set();
  for (const row of stored) {
    const where = `${row.conversationId} ${row.seq}`;
    const expected = (seqs.get(row.conversationId) ?? 0) + 1;
    if (row.seq !== expected) found.disordered.push(`${where} where ${expected} is due`);
    seqs.set(row.conversationId, row.seq);
    const text = `${row.conversationId} ${row.text}`;
    if (texts.has(text)) found.doubled.push(`${where}: stored twice`);
    texts.add(text);
    byKey.set(`${row.conversationId} ${row.senderId} ${row.clientId}`, row);
  }
  for (const message of acknowledged) {
    const where = `${message.conversationId} ${message.clientId}`;
    const row = byKey.get(`${message.conversationId} ${message.senderId} ${message.clientId}`);
    if (!row) found.lost.push(`${where}: acknowledged as ${message.seq}, not stored`);
    else if (row.seq !== message.seq) found.doubled.push(`${where}: acknowledged as ${message.seq}, stored as ${row.seq}`);
    else if (row.text !== message.text) found.lost.push(`${where}: stored with another text`);
  }
  return found;
}

/** The middle one of some numbers; 0 of none. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
