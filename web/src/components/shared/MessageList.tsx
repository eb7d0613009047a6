import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import type { Message, User } from "../../contract";
import type { OutboxEntry } from "../../services/outbox";
import { conversationName, nameOf } from "../../state/selectors";
import { type ConversationState, type Thread, unreadCount } from "../../state/state";
import { texts } from "../../texts";
import { useChat } from "../ChatContext";
import { Spinner } from "../ui/controls";
import { MessageBubble, PendingBubble } from "./Bubble";
import { buildRows, type Row } from "./rows";
import styles from "./conversation.module.css";

/** Nearer to the end than this counts as being there. */
const BOTTOM_PX = 40;
/** Older messages are asked for when fewer pixels than this are left above. */
const OLDER_PX = 800;
/** So much of a message must be in view for it to be read. */
const READ_PX = 40;
const MARKED_MS = 1_600;
/** How many pages back a replied message is looked for. */
const JUMP_PAGES_MAX = 30;

export interface MessageListProps {
  conversation: ConversationState;
  thread: Thread;
  pending: readonly OutboxEntry[];
  me: User;
}

/** The line above the first unread message stays where it was when the conversation was opened. */
function firstUnread(conversation: ConversationState): number | null {
  return unreadCount(conversation) > 0 ? conversation.readSeq + 1 : null;
}

/** True in the render in which older messages are put in front. */
function useIsPrepend(messages: readonly Message[]): boolean {
  const first = messages[0]?.seq;
  const previous = useRef(first);
  const isPrepend = first !== undefined && previous.current !== undefined && first < previous.current;
  useLayoutEffect(() => {
    previous.current = first;
  });
  return isPrepend;
}

/** The newest message of which enough is in view. */
function lastSeenSeq(list: VirtualizerHandle, rows: readonly Row[]): number | null {
  const bottom = list.scrollOffset + list.viewportSize;
  for (let i = list.findItemIndex(bottom); i >= 0; i--) {
    const row = rows[i];
    const visible = bottom - list.getItemOffset(i);
    const isSeen = visible >= Math.min(list.getItemSize(i), READ_PX);
    if (row?.kind === "message" && isSeen) return row.message.seq;
  }
  return null;
}

export function MessageList({ conversation, thread, pending, me }: MessageListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<VirtualizerHandle>(null);
  const [unreadFrom] = useState(() => firstUnread(conversation));
  const { messages } = thread;
  const rows = useMemo(() => buildRows(messages, pending, unreadFrom), [messages, pending, unreadFrom]);
  const isPrepend = useIsPrepend(messages);
  const bottom = useBottom(scroller, list, rows, me, unreadFrom);
  const { marked, jump } = useJump(list, rows, conversation.id, thread);
  const look = useLookAt(list, rows, conversation.id, thread.isLoadingOlder);

  const onScroll = useCallback(() => {
    bottom.onScroll();
    look();
  }, [bottom.onScroll, look]);

  return (
    <div className={styles["frame"]}>
      <div
        ref={scroller}
        className={styles["scroller"]}
        tabIndex={0}
        role="region"
        aria-label={texts.conversation.messages(conversationName(conversation, me))}
        aria-busy={thread.isLoadingOlder}
        data-messages
      >
        <div className={styles["filler"]} />
        <Virtualizer ref={list} shift={isPrepend} data={rows} onScroll={onScroll} onResize={bottom.onResize}>
          {(row) => (
            <RowView
              key={row.key}
              row={row}
              thread={thread}
              conversation={conversation}
              me={me}
              marked={marked}
              onJump={jump}
            />
          )}
        </Virtualizer>
      </div>
      {!bottom.isThere && <ToBottom missed={bottom.missed} onClick={bottom.go} />}
    </div>
  );
}

function ToBottom({ missed, onClick }: { missed: number; onClick: () => void }) {
  return (
    <button
      type="button"
      className={styles["toBottom"]}
      onClick={onClick}
      aria-label={texts.conversation.toBottom}
    >
      <ArrowDown size={18} aria-hidden="true" />
      {missed > 0 && <span>{texts.conversation.newMessages(missed)}</span>}
    </button>
  );
}

/** Keeps the end in view while one is there; counts what comes in while one is not. */
function useBottom(
  scroller: React.RefObject<HTMLElement | null>,
  list: React.RefObject<VirtualizerHandle | null>,
  rows: readonly Row[],
  me: User,
  unreadFrom: number | null,
) {
  const [isThere, setThere] = useState(true);
  const [missed, setMissed] = useState(0);
  const ref = useRef({ isThere: true, isPlaced: false, lastSeq: 0, offset: 0, size: 0 });

  // At once, and again at every resize: scrollToIndex() would go on for a while against the user.
  const stick = useCallback(() => {
    const element = scroller.current;
    element?.scrollTo({ top: element.scrollHeight, behavior: "instant" });
  }, [scroller]);

  const go = useCallback(() => {
    ref.current.isThere = true;
    setThere(true);
    setMissed(0);
    stick();
  }, [stick]);

  const onScroll = useCallback(() => {
    if (!list.current) return;
    const state = ref.current;
    const { scrollOffset, viewportSize, scrollSize } = list.current;
    const isEnd = scrollOffset + viewportSize >= scrollSize - BOTTOM_PX;
    // Only going up leaves the end: what comes in below moves it away without anybody's doing.
    const isUp = scrollOffset < state.offset && scrollSize >= state.size;
    state.isThere = isEnd || (state.isThere && !isUp);
    state.offset = scrollOffset;
    state.size = scrollSize;
    setThere(state.isThere);
    if (isEnd) setMissed(0);
  }, [list]);

  useLayoutEffect(() => {
    const state = ref.current;
    const last = rows.at(-1);
    const lastMessage = rows.findLast((row) => row.kind === "message");
    const lastSeq = lastMessage?.kind === "message" ? lastMessage.message.seq : 0;
    const fresh = lastSeq - state.lastSeq;
    const isOwn = last?.kind === "pending";
    state.lastSeq = lastSeq;
    if (!state.isPlaced) {
      state.isPlaced = true;
      const unread = unreadFrom === null ? -1 : rows.findIndex((row) => row.kind === "unread");
      if (unread < 0) return go();
      state.isThere = false; // until the scroll that follows says where this is
      list.current?.scrollToIndex(unread, { align: "start" });
    } else if (state.isThere || isOwn) {
      go();
    } else if (fresh > 0 && lastMessage?.kind === "message" && lastMessage.message.senderId !== me.id) {
      setMissed((count) => count + fresh);
    }
  }, [rows, go, list, me.id, unreadFrom]);

  const onResize = useCallback(() => {
    if (ref.current.isThere) stick();
  }, [stick]);

  return { isThere, missed, go, onScroll, onResize };
}

/**
 * Looks at what is in view, after every scroll and every change: asks for older messages near the
 * beginning, and tells what has been seen, unless the page itself is hidden.
 */
function useLookAt(
  list: React.RefObject<VirtualizerHandle | null>,
  rows: readonly Row[],
  conversationId: string,
  isLoadingOlder: boolean,
): () => void {
  const chat = useChat();
  const look = useCallback(() => {
    if (!list.current) return;
    if (list.current.scrollOffset < OLDER_PX) void chat.loadOlder(conversationId);
    const seq = document.visibilityState === "visible" ? lastSeenSeq(list.current, rows) : null;
    if (seq !== null) chat.seen(conversationId, seq);
  }, [chat, list, rows, conversationId]);

  useEffect(() => {
    // After the frame in which the new rows have got their sizes and places.
    const frame = requestAnimationFrame(() => requestAnimationFrame(look));
    document.addEventListener("visibilitychange", look);
    return () => {
      cancelAnimationFrame(frame);
      document.removeEventListener("visibilitychange", look);
    };
  }, [look, isLoadingOlder]);
  return look;
}

/** Goes to the message that a reply answers, loading older pages until it is there. */
function useJump(
  list: React.RefObject<VirtualizerHandle | null>,
  rows: readonly Row[],
  conversationId: string,
  thread: Thread,
) {
  const chat = useChat();
  const [wanted, setWanted] = useState<number | null>(null);
  const [marked, setMarked] = useState<number | null>(null);
  const pagesLeft = useRef(0);

  const jump = useCallback((seq: number) => {
    pagesLeft.current = JUMP_PAGES_MAX;
    setWanted(seq);
  }, []);

  useEffect(() => {
    if (wanted === null) return;
    const index = rows.findIndex((row) => row.kind === "message" && row.message.seq === wanted);
    if (index >= 0) {
      list.current?.scrollToIndex(index, { align: "center" });
      setMarked(wanted);
      setWanted(null);
    } else if (thread.hasOlder && pagesLeft.current > 0) {
      if (thread.isLoadingOlder) return;
      pagesLeft.current--;
      void chat.loadOlder(conversationId);
    } else {
      setWanted(null);
    }
  }, [wanted, rows, thread, chat, conversationId, list]);

  useEffect(() => {
    if (marked === null) return;
    const timer = setTimeout(() => setMarked(null), MARKED_MS);
    return () => clearTimeout(timer);
  }, [marked]);

  return { marked, jump };
}

interface RowViewProps {
  row: Row;
  thread: Thread;
  conversation: ConversationState;
  me: User;
  marked: number | null;
  onJump: (seq: number) => void;
}

function RowView({ row, thread, conversation, me, marked, onJump }: RowViewProps) {
  switch (row.kind) {
    case "top":
      return <TopRow thread={thread} />;
    case "day":
      return (
        <div className={styles["day"]}>
          <span>{texts.time.day(row.at)}</span>
        </div>
      );
    case "unread":
      return <div className={styles["unread"]}>{texts.conversation.unreadLine}</div>;
    case "pending":
      return <PendingBubble entry={row.entry} isFirst={row.isFirst} isLast={row.isLast} />;
    case "message": {
      const { message } = row;
      const others = conversation.participants.filter(({ id }) => id !== message.senderId);
      return (
        <MessageBubble
          message={message}
          isOwn={message.senderId === me.id}
          isGroup={conversation.kind === "group"}
          senderName={nameOf(conversation, message.senderId)}
          isFirst={row.isFirst}
          isLast={row.isLast}
          readBy={others.filter(({ lastReadSeq }) => lastReadSeq >= message.seq).length}
          others={others.length}
          isMarked={marked === message.seq}
          onJump={onJump}
        />
      );
    }
  }
}

function TopRow({ thread }: { thread: Thread }) {
  if (!thread.hasOlder) return <p className={styles["beginning"]}>{texts.conversation.beginning}</p>;
  return (
    <div className={styles["beginning"]}>
      {thread.isLoadingOlder && <Spinner label={texts.conversation.loadingOlder} />}
    </div>
  );
}
