import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileStorage } from "../../src/features/media/storage.ts";
import { folderBucket } from "../../src/node/folder.ts";
import { bucketStorage } from "../../src/stores/files/bucket.ts";

/** A file storage in a folder of the test's own. */
export async function folderStorage() {
  const folder = await mkdtemp(join(tmpdir(), "hub-media-"));
  return {
    folder,
    storage: bucketStorage(folderBucket(folder)),
    files: () => readdir(folder),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A file storage in memory. */
export function memoryFiles(): FileStorage {
  const files = new Map<string, Uint8Array>();
  return bucketStorage({
    put: async (key, bytes) => files.set(key, bytes.slice()),
    head: async (key) => (files.has(key) ? { size: files.get(key)!.byteLength } : null),
    async get(key, { range: { offset, length } }) {
      const bytes = files.get(key);
      if (!bytes) return null;
      const part = bytes.slice(offset, length === undefined ? undefined : offset + length);
      return { size: bytes.byteLength, body: new Blob([part]).stream() };
    },
    delete: async (keys) => {
      for (const key of keys) files.delete(key);
    },
  });
}
