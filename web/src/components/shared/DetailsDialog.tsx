import { UserMinus } from "lucide-react";
import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import { ParleyError, type Participant } from "../../contract";
import { conversationName } from "../../state/selectors";
import type { ConversationState } from "../../state/state";
import { texts } from "../../texts";
import { useChat, useChatState } from "../ChatContext";
import { Avatar } from "../ui/Avatar";
import { Button, IconButton } from "../ui/controls";
import { Dialog } from "../ui/Dialog";
import { LIST_PATH } from "./routes";
import { UserPicker } from "./UserPicker";
import styles from "./forms.module.css";
import ui from "../ui/ui.module.css";

interface DetailsDialogProps {
  conversation: ConversationState;
  onClose: () => void;
}

/** Runs a change of the members, one at a time; keeps what to say when it fails. */
function useChange() {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  async function run(change: () => Promise<void>): Promise<void> {
    setBusy(true);
    setFailure(null);
    try {
      await change();
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      setFailure(texts.errors[error.code]);
    } finally {
      setBusy(false);
    }
  }
  return { isBusy, failure, run };
}

/** Who takes part. In groups members add others and leave; who made the group removes others too. */
export function DetailsDialog({ conversation, onClose }: DetailsDialogProps) {
  const chat = useChat();
  const me = useChatState((state) => state.me);
  const [, navigate] = useLocation();
  const { isBusy, failure, run } = useChange();
  const { id } = conversation;
  const isGroup = conversation.kind === "group";
  useEffect(() => void chat.refreshConversation(id), [chat, id]);

  function remove({ id: userId, name }: Participant): void {
    if (confirm(texts.details.removeConfirm(name))) void run(() => chat.removeParticipant(id, userId));
  }

  function leave(): void {
    if (!confirm(texts.details.leaveConfirm)) return;
    void run(async () => {
      await chat.removeParticipant(id, me.id);
      onClose();
      navigate(LIST_PATH);
    });
  }

  return (
    <Dialog title={conversationName(conversation, me)} onClose={onClose}>
      <h3 className={styles["heading"]}>{texts.details.members}</h3>
      <ul className={styles["users"]} aria-label={texts.details.members}>
        {conversation.participants.map((member) => (
          <Member
            key={member.id}
            member={member}
            isMe={member.id === me.id}
            isCreator={member.id === conversation.creatorId}
            isBusy={isBusy}
            onRemove={conversation.creatorId === me.id && member.id !== me.id ? () => remove(member) : null}
          />
        ))}
      </ul>
      {isGroup && (
        <UserPicker users={[]} onChange={(users) => void run(() => chat.addParticipants(id, users.map((user) => user.id)))} />
      )}
      {failure && (
        <p role="alert" className={ui["error"]}>
          {failure}
        </p>
      )}
      {isGroup && (
        <div className={ui["actions"]}>
          <Button isDanger disabled={isBusy} onClick={leave}>
            {texts.details.leave}
          </Button>
        </div>
      )}
    </Dialog>
  );
}

interface MemberProps {
  member: Participant;
  isMe: boolean;
  isCreator: boolean;
  isBusy: boolean;
  /** Null: the viewer may not. */
  onRemove: (() => void) | null;
}

function Member({ member, isMe, isCreator, isBusy, onRemove }: MemberProps) {
  const isOnline = useChatState((state) => state.presence[member.id]?.online === true);
  const facts = [member.id, texts.roles[member.role] ?? member.role, isCreator && texts.details.creator];
  return (
    <li>
      <Avatar id={member.id} name={member.name} isOnline={isOnline} isSmall />
      <span dir="auto">
        {member.name} {isMe && texts.details.you}
        <small>{facts.filter(Boolean).join(" · ")}</small>
      </span>
      {onRemove && (
        <IconButton label={texts.details.remove(member.name)} disabled={isBusy} onClick={onRemove}>
          <UserMinus size={18} />
        </IconButton>
      )}
    </li>
  );
}
