import type { Store, StoreSettings } from "../core/store.ts";
import { memoryConversations } from "./memory/conversations.ts";
import { memoryHousekeeping } from "./memory/housekeeping.ts";
import { memoryOperations } from "./memory/operations.ts";
import { memoryPrivacy } from "./memory/privacy.ts";
import { memoryProofs } from "./memory/proofs.ts";
import { memorySessions } from "./memory/sessions.ts";
import { newTables } from "./memory/tables.ts";
import { memoryThreads } from "./memory/threads.ts";

/**
 * The store in memory: all data is lost with the process. It is the executable specification that the SQL store is
 * tested against.
 */
export function memoryStore(settings: StoreSettings, tables = newTables(settings)): Store {
  return {
    conversations: memoryConversations(tables),
    sessions: memorySessions(tables),
    housekeeping: memoryHousekeeping(tables),
    operations: memoryOperations(tables),
    proofs: memoryProofs(tables),
    privacy: memoryPrivacy(tables),
    threads: memoryThreads(tables),
    ping: async () => {},
  };
}
