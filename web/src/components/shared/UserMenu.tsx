import { Menu } from "lucide-react";
import { useId, useState } from "react";
import { useNotificationPermission } from "../../hooks/useAttention";
import { applyTheme, readTheme, type Theme } from "../../state/theme";
import { texts } from "../../texts";
import { useChatParts, useChatState } from "../ChatContext";
import { Button, IconButton, Segments } from "../ui/controls";
import styles from "./layout.module.css";

const THEMES = [
  { value: "system", text: texts.menu.system },
  { value: "light", text: texts.menu.light },
  { value: "dark", text: texts.menu.dark },
] as const satisfies { value: Theme; text: string }[];

export function UserMenu() {
  const id = useId();
  const { keeper } = useChatParts();
  const me = useChatState((state) => state.me);
  const unsent = useChatState((state) => state.outbox.length);
  const [theme, setTheme] = useState(readTheme);
  function signOut(): void {
    if (!unsent || confirm(texts.menu.signOutUnsent(unsent))) keeper.signOut();
  }
  return (
    <>
      <IconButton label={texts.menu.open} popoverTarget={id}>
        <Menu size={21} />
      </IconButton>
      <div id={id} popover="auto" className={styles["menu"]} role="group" aria-label={texts.menu.open}>
        <p className={styles["me"]}>
          <b dir="auto">{me.name}</b>
          <span>
            {me.id} · {texts.roles[me.role] ?? me.role}
          </span>
        </p>
        <p className={styles["menuLabel"]}>{texts.menu.theme}</p>
        <Segments
          label={texts.menu.theme}
          value={theme}
          options={THEMES}
          onChange={(next) => {
            setTheme(next);
            applyTheme(next);
          }}
        />
        <NotificationSwitch />
        <Button className={styles["wide"]} onClick={signOut}>
          {texts.menu.signOut}
        </Button>
      </div>
    </>
  );
}

function NotificationSwitch() {
  const { permission, ask } = useNotificationPermission();
  if (permission === "denied") return <p className={styles["note"]}>{texts.menu.notificationsBlocked}</p>;
  if (permission !== "default") return null;
  return (
    <Button className={styles["wide"]} onClick={ask}>
      {texts.menu.notifications}
    </Button>
  );
}
