import { ArrowLeft, Info } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { Link } from "wouter";
import type { ErrorBody, User } from "../../contract";
import { useNow } from "../../hooks/useNow";
import type { OutboxEntry } from "../../services/outbox";
import { conversationName, peerOf } from "../../state/selectors";
import type { ConversationState, State } from "../../state/state";
import { texts } from "../../texts";
import { useChat, useChatState } from "../ChatContext";
import { Avatar } from "../ui/Avatar";
import { Button, IconButton, Spinner } from "../ui/controls";
import { PendingBubble } from "./Bubble";
import { Composer } from "./Composer";
import { ConnectionIndicator, useLook } from "./ConnectionIndicator";
import { DetailsDialog } from "./DetailsDialog";
import { MessageList } from "./MessageList";
import { LIST_PATH } from "./routes";
import { TypingLine } from "./TypingLine";
import styles from "./conversation.module.css";

/** How often "5 min ago" is looked at again. */
const AGO_TICK_MS = 30_000;

interface ConversationViewProps {
  conversationId: string;
  placeholder: string;
  tools: ReactNode;
}

export function ConversationView({ conversationId, placeholder, tools }: ConversationViewProps) {
  const chat = useChat();
  const me = useChatState((state) => state.me);
  const conversation = useChatState((state) => state.conversations[conversationId]);
  const thread = useChatState((state) => state.threads[conversationId]);
  const outbox = useChatState((state) => state.outbox);
  const pending = useMemo(
    () => outbox.filter((entry) => entry.conversationId === conversationId),
    [outbox, conversationId],
  );
  const isMissing = !thread;
  const isGroup = conversation?.kind === "group";

  useEffect(() => {
    if (isMissing) void chat.open(conversationId);
  }, [chat, conversationId, isMissing]);

  useEffect(() => {
    if (isGroup) void chat.refreshConversation(conversationId);
  }, [chat, conversationId, isGroup]);

  if (thread?.phase === "failed" && thread.messages.length === 0) {
    return <Failed error={thread.error} pending={pending} onRetry={() => void chat.open(conversationId)} />;
  }
  return (
    <section className={styles["view"]} aria-label={conversation && conversationName(conversation, me)}>
      <Header conversation={conversation} me={me} />
      <LostBanner />
      {conversation && thread?.phase === "ready" ? (
        <MessageList conversation={conversation} thread={thread} pending={pending} me={me} />
      ) : (
        <div className={styles["loading"]}>
          <Spinner label={texts.conversation.loading} />
          <Unsent pending={pending} />
        </div>
      )}
      <TypingLine conversationId={conversationId} />
      <Composer conversationId={conversationId} placeholder={placeholder} tools={tools} />
    </section>
  );
}

/** Says so when nothing gets through; the list's own indicator may be out of sight. */
function LostBanner() {
  const isLost = useLook() !== "connected";
  return isLost ? (
    <div className={styles["lost"]}>
      <ConnectionIndicator />
    </div>
  ) : null;
}

function explain(error: ErrorBody | null): string {
  if (error?.code === "forbidden") return texts.conversation.forbidden;
  if (error?.code === "not_found" || error?.code === "invalid_payload") return texts.conversation.notFound;
  return texts.conversation.failed;
}

/** What was written and is still here, while there is no list of messages to show it in. */
function Unsent({ pending }: { pending: readonly OutboxEntry[] }) {
  return (
    <div className={styles["unsent"]}>
      {pending.map((entry) => (
        <PendingBubble key={entry.clientId} entry={entry} isFirst isLast />
      ))}
    </div>
  );
}

interface FailedProps {
  error: ErrorBody | null;
  pending: readonly OutboxEntry[];
  onRetry: () => void;
}

function Failed({ error, pending, onRetry }: FailedProps) {
  return (
    <div className={styles["failed"]}>
      <p role="alert">{explain(error)}</p>
      <Button onClick={onRetry}>{texts.conversation.tryAgain}</Button>
      <Link href={LIST_PATH}>{texts.conversation.back}</Link>
      <Unsent pending={pending} />
    </div>
  );
}

function Header({ conversation, me }: { conversation: ConversationState | undefined; me: User }) {
  const [isOpen, setOpen] = useState(false);
  const peer = conversation && peerOf(conversation, me);
  const presence = useChatState((state) => (peer ? state.presence[peer.id] : undefined));
  const now = new Date(useNow(AGO_TICK_MS));
  const name = conversation ? conversationName(conversation, me) : "";
  const isGroup = conversation?.kind === "group";
  return (
    <header className={styles["head"]}>
      <Link href={LIST_PATH} className={styles["back"] ?? ""} aria-label={texts.conversation.back}>
        <ArrowLeft size={22} />
      </Link>
      {conversation && (
        <>
          <Avatar
            id={peer?.id ?? conversation.id}
            name={name}
            isGroup={isGroup}
            isOnline={presence?.online === true}
            isSmall
          />
          <div className={styles["title"]}>
            <h2 dir="auto">{name}</h2>
            <p>{isGroup ? texts.conversation.members(conversation.participants.length) : seenText(presence, now)}</p>
          </div>
          <IconButton label={texts.conversation.details} onClick={() => setOpen(true)}>
            <Info size={21} />
          </IconButton>
          {isOpen && <DetailsDialog conversation={conversation} onClose={() => setOpen(false)} />}
        </>
      )}
    </header>
  );
}

function seenText(presence: State["presence"][string] | undefined, now: Date): string {
  if (presence?.online) return texts.conversation.online;
  if (!presence?.lastSeenAt) return "\u00a0";
  return texts.conversation.lastSeen(texts.time.ago(new Date(presence.lastSeenAt), now));
}
