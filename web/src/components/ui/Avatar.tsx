import { UsersRound } from "lucide-react";
import styles from "./ui.module.css";

const HUES = [0, 1, 2, 3, 4, 5, 6, 7].map((hue) => styles[`hue${hue}`]);

/** The same colour for the same id everywhere. */
function hueOf(id: string): string | undefined {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return HUES[hash % HUES.length];
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = [...(words[0] ?? "?")][0] ?? "?";
  const last = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
  return (first + last).toUpperCase();
}

interface AvatarProps {
  id: string;
  name: string;
  isGroup?: boolean;
  isOnline?: boolean;
  isSmall?: boolean;
}

/** Decoration: the name stands beside it. */
export function Avatar({ id, name, isGroup, isOnline, isSmall }: AvatarProps) {
  const classes = [styles["avatar"], hueOf(id), isOnline && styles["online"], isSmall && styles["avatarSmall"]];
  return (
    <span className={classes.filter(Boolean).join(" ")} aria-hidden="true">
      {isGroup ? <UsersRound size={isSmall ? 18 : 22} /> : initials(name)}
    </span>
  );
}
