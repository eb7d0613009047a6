import { nameOf } from "../../state/selectors";
import { texts } from "../../texts";
import { useChatState } from "../ChatContext";
import styles from "./conversation.module.css";

/** Who is typing, with dots that move. Its place is always kept, so that nothing jumps. */
export function TypingLine({ conversationId }: { conversationId: string }) {
  const users = useChatState((state) => state.typing[conversationId]);
  const conversation = useChatState((state) => state.conversations[conversationId]);
  const names = Object.keys(users ?? {}).map((id) => nameOf(conversation, id));
  return (
    <div className={styles["typing"]} role="status" data-typing={names.length > 0}>
      {names.length > 0 && (
        <>
          <span className={styles["dots"]} aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <span dir="auto">{texts.conversation.typing(names)}</span>
        </>
      )}
    </div>
  );
}
