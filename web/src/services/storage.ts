import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { OutboxEntry, OutboxStorage } from "./outbox";

export interface Draft {
  userId: string;
  conversationId: string;
  text: string;
  replyTo?: number;
}

export interface DraftStorage {
  loadDrafts(userId: string): Promise<Draft[]>;
  /** An empty draft is removed. */
  putDraft(draft: Draft): Promise<void>;
}

interface Schema extends DBSchema {
  outbox: { key: string; value: OutboxEntry; indexes: { userId: string } };
  drafts: { key: [string, string]; value: Draft; indexes: { userId: string } };
}

const NAME = "parley";
const VERSION = 1;

/** What must outlive a reload, in IndexedDB. */
export class Storage implements OutboxStorage, DraftStorage {
  private opened: Promise<IDBPDatabase<Schema>> | null = null;

  async load(userId: string): Promise<OutboxEntry[]> {
    return (await this.database()).getAllFromIndex("outbox", "userId", userId);
  }

  async put(entry: OutboxEntry): Promise<void> {
    await (await this.database()).put("outbox", entry);
  }

  async delete(clientId: string): Promise<void> {
    await (await this.database()).delete("outbox", clientId);
  }

  async loadDrafts(userId: string): Promise<Draft[]> {
    return (await this.database()).getAllFromIndex("drafts", "userId", userId);
  }

  async putDraft(draft: Draft): Promise<void> {
    const database = await this.database();
    if (draft.text || draft.replyTo !== undefined) await database.put("drafts", draft);
    else await database.delete("drafts", [draft.userId, draft.conversationId]);
  }

  private database(): Promise<IDBPDatabase<Schema>> {
    this.opened ??= openDB<Schema>(NAME, VERSION, {
      upgrade(database) {
        const outbox = database.createObjectStore("outbox", { keyPath: "clientId" });
        outbox.createIndex("userId", "userId");
        const drafts = database.createObjectStore("drafts", {
          keyPath: ["userId", "conversationId"],
        });
        drafts.createIndex("userId", "userId");
      },
      terminated: () => {
        this.opened = null;
      },
    }).catch((error: unknown) => {
      this.opened = null;
      throw error;
    });
    return this.opened;
  }
}
