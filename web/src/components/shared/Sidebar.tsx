import { Search, SquarePen } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { ConversationState } from "../../state/state";
import { texts } from "../../texts";
import { useChatState } from "../ChatContext";
import { IconButton } from "../ui/controls";
import { ConnectionIndicator } from "./ConnectionIndicator";
import { ConversationList } from "./ConversationList";
import type { RoleWords } from "./MessagesLayout";
import { UserMenu } from "./UserMenu";
import styles from "./list.module.css";

interface SidebarProps {
  words: RoleWords;
  accepts: ((conversation: ConversationState) => boolean) | undefined;
  tools: ReactNode;
  selectedId: string | null;
  onCreate: () => void;
}

export function Sidebar({ words, accepts, tools, selectedId, onCreate }: SidebarProps) {
  const [filter, setFilter] = useState("");
  const role = useChatState((state) => state.me.role);
  return (
    <div className={styles["sidebar"]}>
      <header className={styles["head"]}>
        <h1>{texts.list.title}</h1>
        <IconButton label={texts.list.newConversation} onClick={onCreate}>
          <SquarePen size={21} />
        </IconButton>
        <UserMenu />
      </header>
      <div className={styles["status"]}>
        <ConnectionIndicator />
        <span className={styles["role"]}>{texts.roles[role] ?? role}</span>
      </div>
      <div className={styles["search"]}>
        <Search size={17} aria-hidden="true" />
        <input
          type="search"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          placeholder={texts.list.search}
          aria-label={texts.list.search}
        />
      </div>
      {tools && <div className={styles["tools"]}>{tools}</div>}
      <ConversationList
        words={words}
        filter={filter}
        accepts={accepts}
        selectedId={selectedId}
        onCreate={onCreate}
      />
    </div>
  );
}
