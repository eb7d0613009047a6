import { SendHorizontal, X } from "lucide-react";
import { type FormEvent, type KeyboardEvent, type ReactNode, useEffect, useId, useRef } from "react";
import TextareaAutosize from "react-textarea-autosize";
import { countCharacters, LIMITS } from "../../contract";
import { nameOf } from "../../state/selectors";
import { EMPTY_DRAFT } from "../../state/state";
import { texts } from "../../texts";
import { useChat, useChatState } from "../ChatContext";
import { IconButton } from "../ui/controls";
import { useRepliedMessage } from "./useRepliedMessage";
import styles from "./composer.module.css";
import ui from "../ui/ui.module.css";

const COUNTER_FROM = LIMITS.text - 500;
const ROWS_MAX = 8;

interface ComposerProps {
  conversationId: string;
  placeholder: string;
  tools: ReactNode;
}

function isTouch(): boolean {
  return matchMedia("(pointer: coarse)").matches;
}

export function Composer({ conversationId, placeholder, tools }: ComposerProps) {
  const chat = useChat();
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const { text, replyTo } = useChatState((state) => state.drafts[conversationId] ?? EMPTY_DRAFT);
  const length = countCharacters(text);
  const canSend = text.trim() !== "" && length <= LIMITS.text;

  useEffect(() => {
    if (!isTouch() || replyTo !== null) field.current?.focus();
  }, [conversationId, replyTo]);

  function send(event?: FormEvent): void {
    event?.preventDefault();
    if (!canSend) return;
    chat.send(conversationId, text.trim(), replyTo);
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    const isPlainEnter = event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing;
    if (isPlainEnter && !isTouch()) send(event);
    if (event.key === "Escape" && replyTo !== null) chat.reply(conversationId, null);
  }

  return (
    <form className={styles["composer"]} onSubmit={send}>
      {replyTo !== null && <ReplyBar conversationId={conversationId} seq={replyTo} />}
      <div className={styles["row"]}>
        {tools}
        <label className={ui["hidden"]} htmlFor={id}>
          {texts.composer.placeholder}
        </label>
        <TextareaAutosize
          ref={field}
          id={id}
          data-composer
          className={styles["field"]}
          dir="auto"
          value={text}
          placeholder={placeholder}
          maxRows={ROWS_MAX}
          onChange={(event) => chat.type(conversationId, event.target.value)}
          onKeyDown={onKeyDown}
          aria-describedby={length > COUNTER_FROM ? `${id}-left` : undefined}
          aria-invalid={length > LIMITS.text ? true : undefined}
          enterKeyHint="enter"
        />
        <IconButton label={texts.composer.send} type="submit" disabled={!canSend} className={styles["send"]}>
          <SendHorizontal size={20} />
        </IconButton>
      </div>
      {length > COUNTER_FROM && (
        <p id={`${id}-left`} className={styles["left"]} data-over={length > LIMITS.text}>
          {texts.composer.left(LIMITS.text - length)}
        </p>
      )}
    </form>
  );
}

function ReplyBar({ conversationId, seq }: { conversationId: string; seq: number }) {
  const chat = useChat();
  const me = useChatState((state) => state.me);
  const conversation = useChatState((state) => state.conversations[conversationId]);
  const replied = useRepliedMessage(conversationId, seq);
  const name = replied?.senderId === me.id ? texts.message.you : nameOf(conversation, replied?.senderId ?? "");
  return (
    <div className={styles["reply"]}>
      <div>
        <b dir="auto">{texts.message.replyTo(name)}</b>
        <p dir="auto">{replied?.text ?? texts.message.replyGone}</p>
      </div>
      <IconButton label={texts.composer.cancelReply} onClick={() => chat.reply(conversationId, null)}>
        <X size={18} />
      </IconButton>
    </div>
  );
}
