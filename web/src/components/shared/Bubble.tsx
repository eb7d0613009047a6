import { Check, CheckCheck, Clock3, CornerUpLeft, TriangleAlert } from "lucide-react";
import { memo, type ReactNode } from "react";
import type { Message } from "../../contract";
import type { OutboxEntry } from "../../services/outbox";
import { nameOf } from "../../state/selectors";
import { texts } from "../../texts";
import { useChat, useChatState } from "../ChatContext";
import { Avatar } from "../ui/Avatar";
import { Button, Hidden, IconButton } from "../ui/controls";
import { MessageText } from "./MessageText";
import { useRepliedMessage } from "./useRepliedMessage";
import styles from "./message.module.css";

interface FrameProps {
  isOwn: boolean;
  isFirst: boolean;
  isLast: boolean;
  /** Groups: whose message it is. */
  sender?: { id: string; name: string } | undefined;
  isMarked?: boolean;
  action?: ReactNode;
  children: ReactNode;
  dataset?: Record<`data-${string}`, string | number | undefined>;
}

function Frame({ isOwn, isFirst, isLast, sender, isMarked, action, children, dataset }: FrameProps) {
  return (
    <div
      {...dataset}
      className={styles["message"]}
      data-own={isOwn}
      data-first={isFirst}
      data-last={isLast}
      data-marked={isMarked || undefined}
    >
      {sender && <span className={styles["face"]}>{isLast && <Avatar {...sender} isSmall />}</span>}
      <div className={styles["bubble"]}>
        {sender && isFirst && (
          <p className={styles["sender"]} dir="auto">
            {sender.name}
          </p>
        )}
        {children}
      </div>
      {action}
    </div>
  );
}

export interface MessageBubbleProps {
  message: Message;
  isOwn: boolean;
  isGroup: boolean;
  senderName: string;
  isFirst: boolean;
  isLast: boolean;
  /** How many of the others have read it, of how many. */
  readBy: number;
  others: number;
  isMarked: boolean;
  onJump: (seq: number) => void;
}

export const MessageBubble = memo(function MessageBubble(props: MessageBubbleProps) {
  const { message, isOwn, isGroup, senderName, onJump } = props;
  const chat = useChat();
  const at = new Date(message.createdAt);
  return (
    <Frame
      isOwn={isOwn}
      isFirst={props.isFirst}
      isLast={props.isLast}
      isMarked={props.isMarked}
      sender={isGroup && !isOwn ? { id: message.senderId, name: senderName } : undefined}
      dataset={{ "data-seq": message.seq }}
      action={
        !message.deletedAt && (
          <IconButton
            label={texts.message.reply}
            className={styles["action"]}
            onClick={() => chat.reply(message.conversationId, message.seq)}
          >
            <CornerUpLeft size={17} />
          </IconButton>
        )
      }
    >
      <Hidden>{isOwn ? texts.message.you : senderName}:</Hidden>
      {message.replyTo !== undefined && (
        <Quote conversationId={message.conversationId} seq={message.replyTo} onJump={onJump} />
      )}
      {message.deletedAt ? (
        <p className={styles["deleted"]}>{texts.message.deleted}</p>
      ) : (
        <MessageText text={message.text} />
      )}
      <p className={styles["meta"]}>
        {message.editedAt && <span>{texts.message.edited}</span>}
        <time dateTime={message.createdAt} title={texts.time.moment(at)}>
          {texts.time.clock(at)}
        </time>
        {isOwn && <ReadMark readBy={props.readBy} others={props.others} />}
      </p>
    </Frame>
  );
});

/** One check: stored. Two: read by everybody. */
function ReadMark({ readBy, others }: { readBy: number; others: number }) {
  const isRead = others > 0 && readBy >= others;
  const isPartly = readBy > 0 && !isRead;
  const text = isRead ? texts.message.read : isPartly ? texts.message.readBy(readBy, others) : texts.message.sent;
  return (
    <span className={styles["mark"]} data-status={isRead ? "read" : "sent"} title={text}>
      {isRead ? <CheckCheck size={15} aria-hidden="true" /> : <Check size={15} aria-hidden="true" />}
      <Hidden>{text}</Hidden>
    </span>
  );
}

interface PendingBubbleProps {
  entry: OutboxEntry;
  isFirst: boolean;
  isLast: boolean;
}

/** Written, and not stored yet. */
export function PendingBubble({ entry, isFirst, isLast }: PendingBubbleProps) {
  const isConnected = useChatState((state) => state.connection.state === "connected");
  const text = isConnected ? texts.message.sending : texts.message.waiting;
  return (
    <Frame isOwn isFirst={isFirst} isLast={isLast} dataset={{ "data-pending": entry.clientId }}>
      <Hidden>{texts.message.you}:</Hidden>
      {entry.replyTo !== undefined && <Quote conversationId={entry.conversationId} seq={entry.replyTo} />}
      <MessageText text={entry.text} />
      {entry.refusal ? (
        <Refusal entry={entry} />
      ) : (
        <p className={styles["meta"]}>
          <span className={styles["mark"]} data-status="sending" title={text}>
            <Clock3 size={14} aria-hidden="true" />
            <Hidden>{text}</Hidden>
          </span>
        </p>
      )}
    </Frame>
  );
}

function Refusal({ entry }: { entry: OutboxEntry }) {
  const chat = useChat();
  const code = entry.refusal?.code ?? "internal";
  return (
    <div className={styles["refusal"]} role="alert">
      <p>
        <TriangleAlert size={16} aria-hidden="true" /> {texts.message.failed} {texts.errors[code]}
      </p>
      <div>
        <Button isSmall onClick={() => chat.retry(entry.clientId)}>
          {texts.message.retry}
        </Button>
        <Button isSmall isDanger onClick={() => chat.discard(entry.clientId)}>
          {texts.message.discard}
        </Button>
      </div>
    </div>
  );
}

interface QuoteProps {
  conversationId: string;
  seq: number;
  onJump?: (seq: number) => void;
}

function Quote({ conversationId, seq, onJump }: QuoteProps) {
  const me = useChatState((state) => state.me);
  const conversation = useChatState((state) => state.conversations[conversationId]);
  const replied = useRepliedMessage(conversationId, seq);
  const name = replied?.senderId === me.id ? texts.message.you : nameOf(conversation, replied?.senderId ?? "");
  return (
    <button
      type="button"
      className={styles["quote"]}
      title={texts.message.showReplied}
      onClick={() => onJump?.(seq)}
    >
      {replied && <b dir="auto">{name}</b>}
      <span dir="auto">{replied?.text ?? texts.message.replyGone}</span>
    </button>
  );
}
