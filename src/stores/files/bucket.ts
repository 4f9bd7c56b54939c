import { HubError } from "../../core/errors.ts";
import type { FileStorage } from "../../features/media/storage.ts";

/** What the hub uses of a bucket of Cloudflare R2. Under Node a folder has the same methods. */
export interface Bucket {
  put(key: string, bytes: Uint8Array, options: { httpMetadata: { contentType: string } }): Promise<unknown>;
  head(key: string): Promise<{ readonly size: number } | null>;
  get(
    key: string,
    options: { range: { offset: number; length?: number } },
  ): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly size: number } | null>;
  delete(keys: string[]): Promise<void>;
}

/** Files in a bucket. @see https://developers.cloudflare.com/r2/api/workers/workers-api-reference/ */
export function bucketStorage(bucket: Bucket): FileStorage {
  const gone = () => new HubError("media_expired", "the upload was deleted");
  return {
    put: (key, bytes, type) =>
      asked(async () => void (await bucket.put(key, bytes, { httpMetadata: { contentType: type } }))),
    async find(key) {
      const found = await asked(() => bucket.head(key));
      if (!found) throw gone();
      return {
        size: found.size,
        async open({ start, end }) {
          const range = { offset: start, ...(end !== undefined && { length: end - start + 1 }) };
          const file = await asked(() => bucket.get(key, { range }));
          if (!file) throw gone();
          return { body: file.body, start, size: found.size };
        },
      };
    },
    delete: (keys) => asked(() => bucket.delete([...keys])),
  };
}

async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new HubError("unavailable", "the file storage did not answer", { reason: "file_storage", cause });
  }
}
