// A client as an application would write it: joins with `after` on every connection, repeats what
// isn't acknowledged under its clientId, in order; and checks all that it is told.

import { View } from "./audit.mjs";

const REPEAT_MS = 4_000; // an unanswered send or join is repeated, on the same socket too
const RETRY_MS = 100;

export class Client {
  views = new Map(); // conversation => View
  acknowledged = [];
  connects = 0;
  recoveries = 0;
  connectMs = 0; // the longest time from losing a connection to the next
  #outgoing = new Map(); // conversation => messages that are not acknowledged, in order
  #joined = new Set(); // conversations, on this connection
  #life = 0;
  #lostAt = 0;

  /** `seen(message)` is told of each message once the client has it. */
  constructor(system, user, { gateway = 0, name = user, seen = () => {} } = {}) {
    Object.assign(this, { user, name, seen });
    this.socket = system.socket(user, { gateway, autoConnect: false });
    this.socket.on("connect", () => this.#onConnect());
    this.socket.on("disconnect", () => (this.#lostAt ||= performance.now()));
    this.socket.on("new_message", (message) => this.#onMessage(message));
    this.socket.on("conversation_removed", ({ conversationId }) => {
      const view = this.views.get(conversationId);
      if (view && !view.mayBeRemoved) view.refused("nothing", "conversation_removed");
    });
  }

  start() {
    this.#lostAt = performance.now();
    this.socket.connect();
  }

  stop() {
    this.socket.disconnect();
  }

  get violations() {
    return [...this.views.values()].flatMap((view) => view.violations);
  }

  /** Takes part in a conversation, from `last` on. */
  join(conversationId, last = 0) {
    let view = this.views.get(conversationId);
    if (!view) {
      view = new View(`${this.name} in ${conversationId}`);
      view.last = last;
      this.views.set(conversationId, view);
      this.#outgoing.set(conversationId, []);
    }
    this.#joined.delete(conversationId);
    if (this.socket.connected) this.#join(conversationId, this.#life);
    return view;
  }

  /** Joined and caught up on the present connection? */
  isIn(conversationId) {
    return this.socket.connected && this.#joined.has(conversationId);
  }

  /** What is sent and not acknowledged yet, oldest first. */
  waiting(conversationId) {
    return this.#outgoing.get(conversationId) ?? [];
  }

  /** Sends until acknowledged; the text is the clientId, so that each message is known by it. */
  send(conversationId, clientId) {
    const message = { conversationId, clientId, text: `text of ${clientId}` };
    this.#outgoing.get(conversationId).push(message);
    if (this.socket.connected) this.#emit(message, this.#life);
  }

  #onConnect() {
    this.#life++;
    this.connects++;
    this.connectMs = Math.max(this.connectMs, performance.now() - this.#lostAt);
    this.#lostAt = 0;
    if (this.socket.recovered) this.recoveries++;
    else this.#joined.clear();
    for (const view of this.views.values()) view.connected(this.socket.recovered);
    for (const [conversationId, view] of this.views)
      if (!view.isRemoved && !this.#joined.has(conversationId)) this.#join(conversationId, this.#life);
    for (const messages of this.#outgoing.values())
      for (const message of messages) this.#emit(message, this.#life);
  }

  #join(conversationId, life) {
    const view = this.views.get(conversationId);
    if (life !== this.#life || !this.socket.connected || view.isRemoved) return;
    const after = view.last;
    // Judged within the callback: what comes next may already be there behind it.
    this.socket.emit("join_conversation", { conversationId, after }, (answer) => {
      if (life !== this.#life || view.isRemoved) return;
      if (answer.ok) this.#onJoined(view, conversationId, after, answer);
      if (answer.ok ? answer.truncated : answer.error.code === "unavailable")
        setTimeout(() => this.#join(conversationId, life), answer.error?.retryAfterMs ?? 0);
      else if (!answer.ok) view.refused("a join", answer.error.code);
    });
  }

  #onJoined(view, conversationId, after, answer) {
    view.joined(after, answer);
    answer.messages.forEach((message) => this.seen(message, this));
    if (!answer.truncated) this.#joined.add(conversationId);
  }

  #emit(message, life) {
    const view = this.views.get(message.conversationId);
    const messages = this.#outgoing.get(message.conversationId);
    const again = (ms) =>
      setTimeout(() => {
        if (life === this.#life && this.socket.connected && messages.includes(message)) this.#emit(message, life);
      }, ms);
    const unanswered = again(REPEAT_MS);
    view.emitted(message.clientId);
    this.socket.emit("send_message", message, (answer) => {
      clearTimeout(unanswered);
      if (life !== this.#life) return;
      view.answered(message.clientId, answer);
      if (answer.ok) this.#onStored(messages, message, answer.message);
      else if (answer.error.code === "unavailable") again(answer.error.retryAfterMs ?? RETRY_MS);
      else if (!view.mayBeRemoved) view.refused("a send", answer.error.code);
      else messages.splice(messages.indexOf(message), 1);
    });
  }

  #onStored(messages, message, stored) {
    const at = messages.indexOf(message);
    if (at < 0) return; // the answer to its repetition
    messages.splice(at, 1);
    this.acknowledged.push({ ...stored, text: message.text });
    if (stored.senderId !== this.user || stored.clientId !== message.clientId)
      this.views.get(message.conversationId).refused(message.clientId, "another message");
  }

  #onMessage(message) {
    this.views.get(message.conversationId)?.message(message, message.senderId === this.user, this.socket.recovered);
    this.seen(message, this);
  }
}
