import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { ParleyError, type User } from "../../contract";
import { conversationName } from "../../state/selectors";
import type { ConversationState } from "../../state/state";
import { texts } from "../../texts";
import { useChat, useChatState } from "../ChatContext";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/controls";
import { Dialog } from "../ui/Dialog";
import { LIST_PATH } from "./routes";
import { UserPicker } from "./UserPicker";
import styles from "./forms.module.css";
import ui from "../ui/ui.module.css";

interface DetailsDialogProps {
  conversation: ConversationState;
  onClose: () => void;
}

/** Who takes part; in groups also who shall. */
export function DetailsDialog({ conversation, onClose }: DetailsDialogProps) {
  const chat = useChat();
  const me = useChatState((state) => state.me);
  const presence = useChatState((state) => state.presence);
  const { id } = conversation;
  useEffect(() => void chat.refreshConversation(id), [chat, id]);
  return (
    <Dialog title={conversationName(conversation, me)} onClose={onClose}>
      <h3 className={styles["heading"]}>{texts.details.members}</h3>
      <ul className={styles["users"]}>
        {conversation.participants.map((user) => (
          <li key={user.id}>
            <Avatar id={user.id} name={user.name} isOnline={presence[user.id]?.online === true} isSmall />
            <span dir="auto">
              {user.name} {user.id === me.id && texts.details.you}
              <small>
                {user.id} · {texts.roles[user.role] ?? user.role}
              </small>
            </span>
          </li>
        ))}
      </ul>
      {conversation.kind === "group" && <GroupTools conversation={conversation} onClose={onClose} />}
    </Dialog>
  );
}

function GroupTools({ conversation, onClose }: DetailsDialogProps) {
  const chat = useChat();
  const me = useChatState((state) => state.me);
  const [, navigate] = useLocation();
  const [failure, setFailure] = useState<string | null>(null);

  async function run(request: () => Promise<void>): Promise<void> {
    try {
      await request();
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      setFailure(texts.errors[error.code]);
    }
  }

  function add(users: User[]): void {
    const ids = users.map((user) => user.id);
    void run(() => chat.addParticipants(conversation.id, ids));
  }

  function leave(): void {
    if (!confirm(texts.details.leaveConfirm)) return;
    void run(async () => {
      await chat.removeParticipant(conversation.id, me.id);
      onClose();
      navigate(LIST_PATH);
    });
  }

  return (
    <>
      <UserPicker users={[]} onChange={add} />
      {failure && (
        <p role="alert" className={ui["error"]}>
          {failure}
        </p>
      )}
      <div className={ui["actions"]}>
        <Button isDanger onClick={leave}>
          {texts.details.leave}
        </Button>
      </div>
    </>
  );
}
