import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { OutboxEntry, OutboxStorage } from "./outbox";

interface Schema extends DBSchema {
  outbox: { key: string; value: OutboxEntry; indexes: { userId: string } };
}

const NAME = "parley";
const VERSION = 1;

/** The outbox in IndexedDB. */
export class Storage implements OutboxStorage {
  private opened: Promise<IDBPDatabase<Schema>> | null = null;

  async load(userId: string): Promise<OutboxEntry[]> {
    return (await this.database()).getAllFromIndex("outbox", "userId", userId);
  }

  async put(entry: OutboxEntry): Promise<void> {
    const transaction = (await this.database()).transaction("outbox", "readwrite");
    void transaction.store.put(entry);
    transaction.commit(); // at once: the page may be gone before the answer comes
    await transaction.done;
  }

  async delete(clientId: string): Promise<void> {
    await (await this.database()).delete("outbox", clientId);
  }

  private database(): Promise<IDBPDatabase<Schema>> {
    this.opened ??= openDB<Schema>(NAME, VERSION, {
      upgrade(database) {
        const outbox = database.createObjectStore("outbox", { keyPath: "clientId" });
        outbox.createIndex("userId", "userId");
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
