import { memo, useMemo } from "react";
import { Link } from "wouter";
import type { User } from "../../contract";
import { activityAt, conversationName, nameOf, peerOf, sortedConversations } from "../../state/selectors";
import { type ConversationState, unreadCount } from "../../state/state";
import { texts } from "../../texts";
import { useChat, useChatState } from "../ChatContext";
import { Avatar } from "../ui/Avatar";
import { Button, Hidden, Spinner } from "../ui/controls";
import type { RoleWords } from "./MessagesLayout";
import { conversationPath } from "./routes";
import styles from "./list.module.css";

interface ConversationListProps {
  words: RoleWords;
  filter: string;
  accepts: ((conversation: ConversationState) => boolean) | undefined;
  selectedId: string | null;
  onCreate: () => void;
}

function matches(conversation: ConversationState, me: User, filter: string): boolean {
  const wanted = filter.trim().toLocaleLowerCase();
  if (!wanted) return true;
  const names = conversation.participants.flatMap(({ id, name }) => [id, name]);
  return [conversationName(conversation, me), ...names].some((text) =>
    text.toLocaleLowerCase().includes(wanted),
  );
}

export function ConversationList({ words, filter, accepts, selectedId, onCreate }: ConversationListProps) {
  const chat = useChat();
  const me = useChatState((state) => state.me);
  const list = useChatState((state) => state.list);
  const conversations = useChatState((state) => state.conversations);
  const sorted = useMemo(() => sortedConversations(conversations), [conversations]);
  const shown = sorted.filter(
    (conversation) =>
      conversation.id === selectedId ||
      ((accepts?.(conversation) ?? true) && matches(conversation, me, filter)),
  );
  return (
    <nav className={styles["scroll"]} aria-label={texts.list.label}>
      {shown.length > 0 && (
        <ul className={styles["items"]}>
          {shown.map((conversation) => (
            <Item
              key={conversation.id}
              conversation={conversation}
              me={me}
              isSelected={conversation.id === selectedId}
            />
          ))}
        </ul>
      )}
      <div className={styles["below"]}>
        {list.phase === "loading" && <Spinner label={texts.list.loading} />}
        {list.phase === "failed" && <p role="alert">{texts.list.failed}</p>}
        {list.phase === "ready" && sorted.length === 0 && (
          <div className={styles["empty"]}>
            <p>{words.emptyBody}</p>
            <Button isPrimary className={styles["start"]} onClick={onCreate}>
              {words.start}
            </Button>
          </div>
        )}
        {list.phase === "ready" && sorted.length > 0 && shown.length === 0 && <p>{texts.list.noMatch}</p>}
        {list.nextCursor && (
          <Button isSmall disabled={list.isLoadingMore} onClick={() => void chat.loadMoreConversations()}>
            {texts.list.more}
          </Button>
        )}
      </div>
    </nav>
  );
}

interface ItemProps {
  conversation: ConversationState;
  me: User;
  isSelected: boolean;
}

const Item = memo(function Item({ conversation, me, isSelected }: ItemProps) {
  const chat = useChat();
  const peer = peerOf(conversation, me);
  const isOnline = useChatState((state) => (peer ? state.presence[peer.id]?.online === true : false));
  const name = conversationName(conversation, me);
  const unread = unreadCount(conversation);
  const at = activityAt(conversation);
  const load = () => void chat.open(conversation.id);
  return (
    <li>
      <Link
        href={conversationPath(conversation.id)}
        className={styles["item"] ?? ""}
        aria-current={isSelected ? "page" : undefined}
        onPointerDown={load}
      >
        <Avatar
          id={peer?.id ?? conversation.id}
          name={name}
          isGroup={conversation.kind === "group"}
          isOnline={isOnline}
        />
        <span className={styles["text"]}>
          <span className={styles["line"]}>
            <span className={styles["name"]} dir="auto">
              {name}
            </span>
            {isOnline && <Hidden>, {texts.list.online}</Hidden>}
            {at > 0 && <time dateTime={new Date(at).toISOString()}>{texts.time.short(new Date(at))}</time>}
          </span>
          <span className={styles["line"]}>
            <Preview conversation={conversation} me={me} isSelected={isSelected} />
            {unread > 0 && (
              <span className={styles["badge"]}>
                <span aria-hidden="true">{unread > 99 ? "99+" : unread}</span>
                <Hidden>{texts.list.unread(unread)}</Hidden>
              </span>
            )}
          </span>
        </span>
      </Link>
    </li>
  );
});

/** What was refused, who types, a draft, or the last message. */
function Preview({ conversation, me, isSelected }: ItemProps) {
  const isTyping = useChatState((state) => Object.keys(state.typing[conversation.id] ?? {}).length > 0);
  const draft = useChatState((state) => state.drafts[conversation.id]?.text.trim() ?? "");
  const refused = useChatState((state) =>
    state.outbox.find(({ conversationId, refusal }) => refusal && conversationId === conversation.id),
  );
  const { lastMessage } = conversation;
  if (refused) {
    return (
      <span className={styles["preview"]} dir="auto">
        <b className={styles["draft"]}>{texts.message.failed}</b> {refused.text}
      </span>
    );
  }
  if (isTyping) return <span className={styles["typing"]}>{texts.list.typing}</span>;
  if (draft && !isSelected) {
    return (
      <span className={styles["preview"]} dir="auto">
        <b className={styles["draft"]}>{texts.list.draft}</b> {draft}
      </span>
    );
  }
  if (!lastMessage) return <span className={styles["preview"]}>{texts.list.noMessages}</span>;
  return (
    <span className={styles["preview"]} dir="auto">
      {lastMessage.senderId === me.id && `${texts.list.you} `}
      {lastMessage.senderId !== me.id &&
        conversation.kind === "group" &&
        `${nameOf(conversation, lastMessage.senderId)}: `}
      {lastMessage.deletedAt ? texts.message.deleted : lastMessage.text}
    </span>
  );
}
