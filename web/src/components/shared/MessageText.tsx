import Linkify from "linkify-react";
import { useState } from "react";
import { texts } from "../../texts";
import styles from "./message.module.css";

/** Longer texts are folded. */
const FOLD_CHARACTERS = 1_600;
const FOLD_LINES = 24;
const SAFE = new Set(["http:", "https:", "mailto:"]);

export function isSafeLink(href: string): boolean {
  return URL.canParse(href) && SAFE.has(new URL(href).protocol);
}

const OPTIONS = {
  defaultProtocol: "https",
  render: ({ attributes, content }: { attributes: Record<string, unknown>; content: string }) => {
    const href = String(attributes["href"] ?? "");
    if (!isSafeLink(href)) return <>{content}</>;
    return (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">
        {content}
      </a>
    );
  },
};

function fold(text: string): string {
  const lines = text.split("\n").slice(0, FOLD_LINES).join("\n");
  return [...lines.slice(0, FOLD_CHARACTERS * 2)].slice(0, FOLD_CHARACTERS).join("");
}

const ONLY_EMOJI = /^(\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u200d|\ufe0f|\s){1,12}$/u;

/** A message's text: as it was written, never HTML, with links that can be followed. */
export function MessageText({ text }: { text: string }) {
  const [isOpen, setOpen] = useState(false);
  const folded = fold(text);
  const isLong = folded.length < text.length;
  return (
    <>
      <p className={styles["body"]} dir="auto" data-text data-emoji={ONLY_EMOJI.test(text) || undefined}>
        <Linkify options={OPTIONS}>{isLong && !isOpen ? `${folded}…` : text}</Linkify>
      </p>
      {isLong && (
        <button type="button" className={styles["more"]} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? texts.message.less : texts.message.more}
        </button>
      )}
    </>
  );
}
