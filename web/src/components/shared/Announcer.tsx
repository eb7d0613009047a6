import { useState } from "react";
import { useSocketEvent } from "../../hooks/useSocket";
import { nameOf } from "../../state/selectors";
import { texts } from "../../texts";
import { useChatParts } from "../ChatContext";
import ui from "../ui/ui.module.css";

const SPOKEN_CHARACTERS = 300;

/** Says new messages of others to screen readers. */
export function Announcer() {
  const { chat, service } = useChatParts();
  const [text, setText] = useState("");
  useSocketEvent(service, "new_message", (message) => {
    const { me, conversations } = chat.store.getState();
    if (message.senderId === me.id) return;
    const name = nameOf(conversations[message.conversationId], message.senderId);
    setText(texts.conversation.announce(name, message.text.slice(0, SPOKEN_CHARACTERS)));
  });
  return (
    <div className={ui["hidden"]} role="log" aria-live="polite">
      {text}
    </div>
  );
}
