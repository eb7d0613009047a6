import { useSyncExternalStore } from "react";
import { useNow } from "../../hooks/useNow";
import { texts } from "../../texts";
import { useChatState } from "../ChatContext";
import styles from "./layout.module.css";

const TICK_MS = 1_000;

type Look = "connected" | "connecting" | "reconnecting" | "offline";

function subscribeOnline(listener: () => void): () => void {
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
  };
}

export function useLook(): Look {
  const state = useChatState(({ connection }) => connection.state);
  const isOnline = useSyncExternalStore(subscribeOnline, () => navigator.onLine);
  if (state === "connected") return "connected";
  if (!isOnline || state === "refused") return "offline";
  return state === "reconnecting" ? "reconnecting" : "connecting";
}

/** Whether what is written arrives, and since when it is so. */
export function ConnectionIndicator() {
  const look = useLook();
  const since = useChatState(({ connection }) => connection.since);
  const isLost = look !== "connected";
  const now = useNow(isLost ? TICK_MS : null);
  return (
    <p className={styles["connection"]} data-look={look} title={texts.time.moment(new Date(since))}>
      <span className={styles["dot"]} aria-hidden="true" />
      <span role="status">{texts.connection[look]}</span>
      {isLost && (
        <span className={styles["since"]} aria-hidden="true">
          {texts.connection.since(now - since)}
        </span>
      )}
    </p>
  );
}
