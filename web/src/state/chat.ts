import { createStore, type StoreApi } from "zustand/vanilla";
import {
  type Conversation,
  type ErrorCode,
  LIMITS,
  type Message,
  ParleyError,
  TYPING_TIMEOUT_MS,
  type TypingEvent,
  type User,
} from "../contract";
import { delay } from "../services/backoff";
import type { DraftStorage } from "../services/drafts";
import type { HttpClient } from "../services/http";
import { Outbox, type OutboxEntry, type OutboxStorage } from "../services/outbox";
import type { SocketService } from "../services/socket.service";
import type { TabMessage, Tabs } from "../services/tabs";
import type { Action } from "./actions";
import { ReadMarks } from "./read-marks";
import { reduce } from "./reducer";
import { type ConversationState, type Draft, EMPTY_DRAFT, initialState, type State, unreadCount } from "./state";

const LIST_PAGE = 50;
const THREAD_PAGE = 60;
const OLDER_PAGE = 100;
const OLDER_RETRY_MS = 2_000;
/** Messages above the first unread one. */
const READ_BEFORE = 20;
/** So many of the newest conversations are joined, for their presence dots and typing. */
const LIVE_CONVERSATIONS = 20;
/** A typing indicator whose end got lost goes by itself. */
const TYPING_SHOWN_MS = TYPING_TIMEOUT_MS + 1_000;

export interface ChatParts {
  me: User;
  service: SocketService;
  http: HttpClient;
  storage: OutboxStorage;
  drafts: DraftStorage;
  tabs: Tabs;
  onTokenRefused(): void;
}

function errorBody(error: unknown): { code: ErrorCode; message: string } {
  if (error instanceof ParleyError) return { code: error.code, message: error.message };
  throw error;
}

/** How many of the newest messages to load at first: all unread ones, and some that were read. */
function pageSize(conversation: ConversationState | undefined): number {
  const unread = conversation ? unreadCount(conversation) : 0;
  return Math.min(LIMITS.page, Math.max(THREAD_PAGE, unread + READ_BEFORE));
}

/** What the pages work with: the state of one signed-in user, and everything that changes it. */
export class Chat {
  readonly store: StoreApi<State>;
  private readonly outbox: Outbox;
  private readonly marks: ReadMarks;
  private readonly unsubscribe: (() => void)[] = [];
  private readonly met = new Set<string>();

  constructor(private readonly parts: ChatParts) {
    this.store = createStore(() => initialState(parts.me));
    const { service, tabs, me } = parts;
    this.marks = new ReadMarks((conversationId, seq) => service.markRead(conversationId, seq));
    this.outbox = new Outbox({
      userId: me.id,
      owner: tabs.id,
      storage: this.announced(parts.storage),
      isConnected: () => service.isConnected,
      send: (entry) => this.sendEntry(entry),
      findDead: (owners) => tabs.findDead(owners, () => void this.outbox.load()),
      onChange: (entries) => this.dispatch({ type: "outbox_changed", entries }),
    });
    this.listen();
  }

  /** What has been kept here is loaded; the rest comes with the connection. */
  async start(): Promise<void> {
    for (const { conversationId, text, replyTo = null } of this.parts.drafts.load(this.parts.me.id)) {
      this.dispatch({ type: "draft_changed", conversationId, draft: { text, replyTo } });
    }
    await this.outbox.load();
  }

  stop(): void {
    for (const unsubscribe of this.unsubscribe) unsubscribe();
    this.outbox.stop();
    this.marks.stop();
  }

  // Conversations

  async loadMoreConversations(): Promise<void> {
    const { nextCursor, isLoadingMore } = this.state.list;
    if (!nextCursor || isLoadingMore) return;
    this.dispatch({ type: "list_loading_more" });
    await this.loadList(nextCursor);
  }

  async startDirect(userId: string): Promise<string> {
    return this.announce(await this.parts.http.createDirect(userId));
  }

  async startGroup(title: string, userIds: string[]): Promise<string> {
    return this.announce(await this.parts.http.createGroup(title, userIds));
  }

  async addParticipants(conversationId: string, userIds: string[]): Promise<void> {
    this.announce(await this.parts.http.addParticipants(conversationId, userIds));
  }

  async removeParticipant(conversationId: string, userId: string): Promise<void> {
    await this.parts.http.removeParticipant(conversationId, userId);
    if (userId === this.state.me.id) this.forget(conversationId);
    else this.announce(await this.parts.http.conversation(conversationId));
  }

  /** Asks for its members anew: nobody is told when others come or go. */
  async refreshConversation(id: string): Promise<void> {
    try {
      this.adopt(await this.parts.http.conversation(id));
    } catch (error) {
      errorBody(error); // the list is read again at the next connect
    }
  }

  findUser(id: string): Promise<User> {
    return this.parts.http.user(id);
  }

  /** Loads the newest messages, once; later ones come by themselves. */
  async open(conversationId: string): Promise<void> {
    const phase = this.state.threads[conversationId]?.phase;
    if (phase === "ready" || phase === "loading") return;
    this.dispatch({ type: "thread_loading", conversationId });
    await this.loadThread(conversationId);
  }

  async loadOlder(conversationId: string): Promise<void> {
    const thread = this.state.threads[conversationId];
    const before = thread?.messages[0]?.seq;
    if (!thread?.hasOlder || thread.isLoadingOlder || before === undefined) return;
    this.dispatch({ type: "older_loading", conversationId, isLoading: true });
    try {
      const page = await this.parts.http.messages(conversationId, OLDER_PAGE, before);
      this.confirmOwn(page.messages);
      this.dispatch({ type: "older_loaded", conversationId, page });
    } catch (error) {
      errorBody(error);
      await delay(OLDER_RETRY_MS);
      this.dispatch({ type: "older_loading", conversationId, isLoading: false });
    }
  }

  /** One message that is not loaded, to show what a reply answers. */
  async findMessage(conversationId: string, seq: number): Promise<Message | null> {
    const page = await this.parts.http.messages(conversationId, 1, seq + 1);
    return page.messages.find((message) => message.seq === seq) ?? null;
  }

  // Messages

  send(conversationId: string, text: string, replyTo: number | null): void {
    this.outbox.add(conversationId, text, replyTo ?? undefined);
    this.parts.service.stopTyping(conversationId);
    this.setDraft(conversationId, EMPTY_DRAFT);
  }

  retry(clientId: string): void {
    this.outbox.retry(clientId);
  }

  discard(clientId: string): void {
    this.outbox.discard(clientId);
  }

  /** Adds a ready text to what has been written. */
  insert(conversationId: string, text: string): void {
    const written = this.state.drafts[conversationId]?.text.trimEnd() ?? "";
    this.type(conversationId, written ? `${written}\n${text}` : text);
  }

  /** The user writes. */
  type(conversationId: string, text: string): void {
    const { replyTo } = this.state.drafts[conversationId] ?? EMPTY_DRAFT;
    this.setDraft(conversationId, { text, replyTo });
    if (text.trim()) this.parts.service.startTyping(conversationId);
    else this.parts.service.stopTyping(conversationId);
  }

  reply(conversationId: string, replyTo: number | null): void {
    const { text } = this.state.drafts[conversationId] ?? EMPTY_DRAFT;
    this.setDraft(conversationId, { text, replyTo });
  }

  /** Messages up to `seq` have been in view. */
  seen(conversationId: string, seq: number): void {
    const conversation = this.state.conversations[conversationId];
    if (!conversation || seq <= conversation.readSeq) return;
    const userId = this.state.me.id;
    this.dispatch({ type: "read", conversationId, userId, seq });
    this.parts.tabs.tell({ type: "read", userId, conversationId, seq });
    this.marks.raise(conversationId, seq);
  }

  // Inside

  private get state(): State {
    return this.store.getState();
  }

  private dispatch(action: Action): void {
    this.store.setState((state) => reduce(state, action), true);
  }

  private listen(): void {
    const { service, tabs } = this.parts;
    const dispatch = (action: Action) => this.dispatch(action);
    this.unsubscribe.push(
      service.on("connection", (status) => {
        dispatch({ type: "connection_changed", status });
        if (status.state === "connected") void this.connected();
      }),
      service.on("token_refused", () => this.parts.onTokenRefused()),
      service.on("new_message", (message) => this.receive(message)),
      service.on("user_typing", (event) => this.showTyping(event)),
      service.on("user_stop_typing", (event) => dispatch({ type: "typing", event, until: null })),
      service.on("messages_read", (event) => dispatch({ type: "read", ...event })),
      service.on("presence", (event) => dispatch({ type: "presence", event })),
      service.on("joined", (answer) => dispatch({ type: "joined", answer })),
      service.on("conversation_updated", (update) => {
        if (this.state.conversations[update.conversationId]) dispatch({ type: "conversation_updated", update });
        else void this.refreshConversation(update.conversationId);
      }),
      service.on("conversation_added", (conversation) => this.adopt(conversation)),
      service.on("conversation_removed", ({ conversationId }) => this.forget(conversationId)),
      service.on("join_refused", ({ conversationId, error }) => {
        if (error.code === "forbidden") this.forget(conversationId);
      }),
      service.on("conversation_reset", ({ conversationId }) => {
        dispatch({ type: "thread_reset", conversationId });
        void this.refreshConversation(conversationId);
        if (this.state.threads[conversationId]) void this.loadPage(conversationId);
      }),
      tabs.listen((message) => this.hear(message)),
    );
    dispatch({ type: "connection_changed", status: service.status });
  }

  private async connected(): Promise<void> {
    void this.outbox.load();
    this.marks.flush();
    for (const [id, thread] of Object.entries(this.state.threads)) {
      if (thread.phase === "failed") void this.open(id);
    }
    await this.loadList(null);
  }

  private async loadList(cursor: string | null): Promise<void> {
    try {
      const page = await this.parts.http.conversations(cursor, LIST_PAGE);
      this.dispatch({ type: "list_loaded", page, isFirst: cursor === null });
      if (cursor) return;
      for (const { id } of page.conversations.slice(0, LIVE_CONVERSATIONS)) this.joinQuietly(id);
    } catch (error) {
      errorBody(error);
      this.dispatch({ type: "list_failed" });
    }
  }

  private adopt(conversation: Conversation): string {
    this.dispatch({ type: "conversation_loaded", conversation });
    this.joinQuietly(conversation.id);
    return conversation.id;
  }

  /** The server tells others of what was made or changed here, but not one's own tabs. */
  private announce(conversation: Conversation): string {
    const userId = this.state.me.id;
    this.parts.tabs.tell({ type: "conversation", userId, conversationId: conversation.id });
    return this.adopt(conversation);
  }

  private joinQuietly(id: string): void {
    // A refusal comes as the event join_refused, too.
    if (!this.parts.service.isJoined(id)) this.parts.service.joinConversation(id).catch(() => undefined);
  }

  private forget(conversationId: string): void {
    this.parts.service.leaveConversation(conversationId);
    this.dispatch({ type: "conversation_removed", conversationId });
  }

  /** A first join brings the newest messages along; of what is joined already they are asked for. */
  private async loadThread(conversationId: string): Promise<void> {
    const { service } = this.parts;
    const known = this.state.conversations[conversationId];
    if (service.isJoined(conversationId)) return this.loadPage(conversationId);
    try {
      const after = known && Math.max(0, known.headSeq - pageSize(known));
      const options = after === undefined ? {} : { after };
      const { messages, headSeq, reset } = await service.joinConversation(conversationId, options);
      const isComplete = !reset && (known !== undefined || headSeq === 0);
      if (!isComplete) return await this.loadPage(conversationId);
      const hasOlder = (messages[0]?.seq ?? 1) > 1;
      this.confirmOwn(messages);
      this.dispatch({ type: "thread_loaded", conversationId, messages, hasOlder });
    } catch (error) {
      this.dispatch({ type: "thread_failed", conversationId, error: errorBody(error) });
    }
  }

  private async loadPage(conversationId: string): Promise<void> {
    try {
      const limit = pageSize(this.state.conversations[conversationId]);
      const page = await this.parts.http.messages(conversationId, limit);
      const hasOlder = page.nextBefore !== null;
      this.confirmOwn(page.messages);
      this.dispatch({ type: "thread_loaded", conversationId, messages: page.messages, hasOlder });
    } catch (error) {
      this.dispatch({ type: "thread_failed", conversationId, error: errorBody(error) });
    }
  }

  private receive(message: Message): void {
    const { conversationId, senderId } = message;
    this.confirmOwn([message]);
    this.dispatch({ type: "message_received", message });
    this.meet(conversationId, senderId);
  }

  /** What is stored waits no longer, even if its acknowledgement was lost. */
  private confirmOwn(messages: readonly Message[]): void {
    for (const { senderId, clientId } of messages) {
      if (senderId === this.state.me.id) this.outbox.confirm(clientId);
    }
  }

  /** A sender who is not known as a member may have been added meanwhile. Asked once for each. */
  private meet(conversationId: string, senderId: string): void {
    const participants = this.state.conversations[conversationId]?.participants;
    const key = `${conversationId} ${senderId}`;
    if (this.met.has(key) || participants?.some(({ id }) => id === senderId)) return;
    this.met.add(key);
    void this.refreshConversation(conversationId);
  }

  private async sendEntry(entry: OutboxEntry): Promise<Message> {
    const { conversationId, text, clientId, replyTo } = entry;
    const extra = { clientId, ...(replyTo !== undefined && { replyTo }) };
    const message = await this.parts.service.sendMessage(conversationId, text, extra);
    this.receive(message); // not every conversation that is written to is joined
    return message;
  }

  private showTyping(event: TypingEvent): void {
    if (event.userId === this.state.me.id) return;
    this.dispatch({ type: "typing", event, until: Date.now() + TYPING_SHOWN_MS });
    setTimeout(() => this.dispatch({ type: "typing_expired", now: Date.now() }), TYPING_SHOWN_MS + 10);
  }

  private setDraft(conversationId: string, draft: Draft): void {
    this.dispatch({ type: "draft_changed", conversationId, draft });
    const { text, replyTo } = draft;
    const kept = { userId: this.state.me.id, conversationId, text, ...(replyTo && { replyTo }) };
    this.parts.tabs.tell({ type: "draft", draft: kept });
    this.parts.drafts.put(kept);
  }

  /** The outbox's storage; the other tabs hear of every change. */
  private announced(storage: OutboxStorage): OutboxStorage {
    const tell = () => this.parts.tabs.tell({ type: "outbox", userId: this.parts.me.id });
    return {
      load: (userId) => storage.load(userId),
      put: (entry) => storage.put(entry).then(tell),
      delete: (clientId) => storage.delete(clientId).then(tell),
    };
  }

  private hear(message: TabMessage): void {
    const { me } = this.state;
    if (message.type === "outbox" && message.userId === me.id) void this.outbox.load();
    if (message.type === "conversation" && message.userId === me.id) {
      void this.refreshConversation(message.conversationId);
    }
    if (message.type === "read" && message.userId === me.id) this.dispatch(message);
    if (message.type === "draft" && message.draft.userId === me.id) {
      const { conversationId, text, replyTo = null } = message.draft;
      this.dispatch({ type: "draft_changed", conversationId, draft: { text, replyTo } });
    }
  }
}
