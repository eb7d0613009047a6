import { MessagesSquare } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useLocation, useRoute } from "wouter";
import type { Role } from "../../contract";
import type { ConversationState } from "../../state/state";
import { useAttention } from "../../hooks/useAttention";
import { useChatState } from "../ChatContext";
import { Button } from "../ui/controls";
import { Announcer } from "./Announcer";
import { ConversationView } from "./ConversationView";
import { NewConversationDialog } from "./NewConversationDialog";
import { conversationPath, CONVERSATION_ROUTE } from "./routes";
import { Sidebar } from "./Sidebar";
import styles from "./layout.module.css";

/** What each role's page says in its own words. */
export interface RoleWords {
  emptyTitle: string;
  emptyBody: string;
  choose: string;
  start: string;
  userId: string;
  composer: string;
}

export interface MessagesLayoutProps {
  role: Role;
  words: RoleWords;
  /** Which conversations are listed; all by default. */
  accepts?: (conversation: ConversationState) => boolean;
  /** Above the list. */
  listTools?: ReactNode;
  /** Beside the composer. */
  composerTools?: (conversationId: string) => ReactNode;
}

/** List and conversation: side by side, or one at a time where there is no room. */
export function MessagesLayout({ role, words, accepts, listTools, composerTools }: MessagesLayoutProps) {
  const [, params] = useRoute<{ id: string }>(CONVERSATION_ROUTE);
  const [, navigate] = useLocation();
  const [isCreating, setCreating] = useState(false);
  const conversationId = params?.id ?? null;
  useAttention();
  return (
    <div className={styles["shell"]} data-role={role} data-view={conversationId ? "conversation" : "list"}>
      <Sidebar
        words={words}
        accepts={accepts}
        tools={listTools}
        selectedId={conversationId}
        onCreate={() => setCreating(true)}
      />
      <main className={styles["main"]}>
        {conversationId ? (
          <ConversationView
            key={conversationId}
            conversationId={conversationId}
            placeholder={words.composer}
            tools={composerTools?.(conversationId)}
          />
        ) : (
          <Placeholder words={words} onCreate={() => setCreating(true)} />
        )}
      </main>
      <Announcer />
      {isCreating && (
        <NewConversationDialog
          words={words}
          onClose={() => setCreating(false)}
          onCreated={(id) => {
            setCreating(false);
            navigate(conversationPath(id));
          }}
        />
      )}
    </div>
  );
}

function Placeholder({ words, onCreate }: { words: RoleWords; onCreate: () => void }) {
  const isEmpty = useChatState((state) => Object.keys(state.conversations).length === 0);
  return (
    <div className={styles["placeholder"]}>
      <MessagesSquare size={44} aria-hidden="true" />
      {isEmpty && <h2>{words.emptyTitle}</h2>}
      <p>{isEmpty ? words.emptyBody : words.choose}</p>
      <Button isPrimary onClick={onCreate}>
        {words.start}
      </Button>
    </div>
  );
}
