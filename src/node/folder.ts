import { createReadStream } from "node:fs";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

/** A folder with the methods of a bucket of Cloudflare R2 that the hub uses. A file is there whole, or not at all. */
export function folderBucket(folder: string) {
  const at = (key: string) => join(folder, key.replaceAll(/[^\w-]/g, "_"));
  return {
    async put(key: string, bytes: Uint8Array): Promise<void> {
      await mkdir(folder, { recursive: true });
      const part = `${at(key)}.${crypto.randomUUID()}.part`;
      try {
        await writeFile(part, bytes);
        await rename(part, at(key));
      } finally {
        await rm(part, { force: true });
      }
    },
    async head(key: string): Promise<{ size: number } | null> {
      return stat(at(key)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return null;
        throw error;
      });
    },
    async get(key: string, { range }: { range: { offset: number; length?: number } }) {
      const found = await this.head(key);
      if (!found) return null;
      const { offset, length } = range;
      const stream = createReadStream(at(key), {
        start: offset,
        ...(length !== undefined && { end: offset + length - 1 }),
      });
      return { size: found.size, body: Readable.toWeb(stream) as unknown as ReadableStream<Uint8Array> };
    },
    async delete(keys: string[]): Promise<void> {
      await Promise.all(keys.map((key) => rm(at(key), { force: true })));
    },
  };
}
