export interface KeptDraft {
  userId: string;
  conversationId: string;
  text: string;
  replyTo?: number;
}

function prefix(userId: string): string {
  return `parley.draft.${userId} `; // a user id has no space
}

function parse(text: string | null): KeptDraft | null {
  try {
    const draft = JSON.parse(text ?? "null") as KeptDraft | null;
    return typeof draft?.text === "string" && typeof draft.conversationId === "string" ? draft : null;
  } catch {
    return null;
  }
}

/** Unfinished messages, written at every keystroke: the page may be gone a moment later. */
export class DraftStorage {
  constructor(private readonly storage: globalThis.Storage) {}

  load(userId: string): KeptDraft[] {
    const keys = Object.keys(this.storage).filter((key) => key.startsWith(prefix(userId)));
    return keys.flatMap((key) => parse(this.storage.getItem(key)) ?? []);
  }

  /** An empty draft is removed. */
  put(draft: KeptDraft): void {
    const key = prefix(draft.userId) + draft.conversationId;
    try {
      if (draft.text || draft.replyTo !== undefined) this.storage.setItem(key, JSON.stringify(draft));
      else this.storage.removeItem(key);
    } catch {
      // The storage is full: the draft lives as long as the page.
    }
  }
}
