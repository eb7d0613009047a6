import { Zap } from "lucide-react";
import { useId, useRef } from "react";
import { texts } from "../../texts";
import { useChat } from "../ChatContext";
import { IconButton } from "../ui/controls";
import styles from "../shared/composer.module.css";

/** Puts a ready answer into the composer, to be changed and sent. */
export function QuickReplies({ conversationId }: { conversationId: string }) {
  const chat = useChat();
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  function choose(text: string): void {
    chat.insert(conversationId, text);
    menu.current?.hidePopover();
    document.querySelector<HTMLTextAreaElement>("[data-composer]")?.focus();
  }
  return (
    <>
      <IconButton label={texts.photographer.quickReplies} popoverTarget={id}>
        <Zap size={20} />
      </IconButton>
      <div
        ref={menu}
        id={id}
        popover="auto"
        className={styles["quick"]}
        role="group"
        aria-label={texts.photographer.quickReplies}
      >
        {texts.photographer.quickReplyTexts.map((text) => (
          <button key={text} type="button" onClick={() => choose(text)}>
            {text}
          </button>
        ))}
      </div>
    </>
  );
}
