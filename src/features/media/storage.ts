import type { RemoteFile } from "../../core/files.ts";

/** Where the bytes of uploads lie. Each method throws `unavailable` when that place does not answer. */
export interface FileStorage {
  /** Stores a file; one under the same key is replaced. */
  put(key: string, bytes: Uint8Array, type: string): Promise<void>;
  /** Finds a file. Throws `media_expired` when there is none, then or when it is opened. */
  find(key: string, signal: AbortSignal): Promise<RemoteFile>;
  /** Deletes files. Those that are not there are no error. */
  delete(keys: readonly string[]): Promise<void>;
}
