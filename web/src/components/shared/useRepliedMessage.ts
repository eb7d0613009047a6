import { useEffect, useState } from "react";
import { type Message, ParleyError } from "../../contract";
import { findMessage } from "../../state/messages";
import { useChat, useChatState } from "../ChatContext";

/** The message of that seq: from what is loaded, else asked for. */
export function useRepliedMessage(conversationId: string, seq: number | null): Message | null {
  const chat = useChat();
  const loaded = useChatState((state) =>
    seq === null ? undefined : findMessage(state.threads[conversationId]?.messages ?? [], seq),
  );
  const [fetched, setFetched] = useState<Message | null>(null);
  const isMissing = seq !== null && !loaded;

  useEffect(() => {
    if (!isMissing) return;
    let isWanted = true;
    chat.findMessage(conversationId, seq).then(
      (message) => isWanted && setFetched(message),
      (error: unknown) => {
        if (!(error instanceof ParleyError)) throw error; // without it the quote stays empty
      },
    );
    return () => {
      isWanted = false;
    };
  }, [chat, conversationId, seq, isMissing]);

  return loaded ?? (fetched?.seq === seq ? fetched : null);
}
