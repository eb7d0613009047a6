import { useState } from "react";
import { type ConversationState, unreadCount } from "../../state/state";
import { texts } from "../../texts";
import { MessagesLayout } from "../shared/MessagesLayout";
import { Segments } from "../ui/controls";
import { QuickReplies } from "./QuickReplies";

type Filter = "all" | "unread" | "groups";

const FILTERS = [
  { value: "all", text: texts.photographer.filterAll },
  { value: "unread", text: texts.photographer.filterUnread },
  { value: "groups", text: texts.photographer.filterGroups },
] as const satisfies { value: Filter; text: string }[];

const ACCEPTS: Record<Filter, (conversation: ConversationState) => boolean> = {
  all: () => true,
  unread: (conversation) => unreadCount(conversation) > 0,
  groups: (conversation) => conversation.kind === "group",
};

/** A photographer's inbox: many customers at once, so it filters, and has answers at hand. */
export function PhotographerMessagesPage() {
  const [filter, setFilter] = useState<Filter>("all");
  return (
    <MessagesLayout
      role="photographer"
      words={texts.photographer}
      accepts={ACCEPTS[filter]}
      listTools={
        <Segments label={texts.photographer.filterLabel} value={filter} options={FILTERS} onChange={setFilter} />
      }
      composerTools={(conversationId) => <QuickReplies conversationId={conversationId} />}
    />
  );
}
