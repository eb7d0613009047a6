import { useState } from "react";
import { useSocketEvent } from "../../hooks/useSocket";
import { nameOf } from "../../state/selectors";
import { texts } from "../../texts";
import { useChatParts } from "../ChatContext";
import ui from "../ui/ui.module.css";

const SPOKEN_CHARACTERS = 300;
/** So many are kept: what has been said may go. */
const LINES = 3;

/** Says new messages of others to screen readers. */
export function Announcer() {
  const { chat, service } = useChatParts();
  const [lines, setLines] = useState<{ id: string; text: string }[]>([]);
  useSocketEvent(service, "new_message", (message) => {
    const { me, conversations } = chat.store.getState();
    if (message.senderId === me.id) return;
    const name = nameOf(conversations[message.conversationId], message.senderId);
    const text = texts.conversation.announce(name, message.text.slice(0, SPOKEN_CHARACTERS));
    setLines((said) => [...said, { id: message.id, text }].slice(-LINES));
  });
  return (
    <div className={ui["hidden"]} role="log" aria-live="polite">
      {lines.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}
