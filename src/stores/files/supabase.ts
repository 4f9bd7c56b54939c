import { createClient } from "@supabase/supabase-js";
import { HubError } from "../../core/errors.ts";
import { fileIn, rangeHeader } from "../../core/files.ts";
import type { FileStorage } from "../../features/media/storage.ts";

interface SupabaseBucket {
  readonly url: string;
  /** The service role's key: the bucket is private. */
  readonly key: string;
  readonly bucket: string;
}

const WRITE_MS = 30_000;

/** Files in a private bucket of Supabase Storage. @see https://supabase.com/docs/guides/storage */
export function supabaseStorage({ url, key, bucket }: SupabaseBucket): FileStorage {
  const client = createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(WRITE_MS) }) },
  });
  const files = client.storage.from(bucket);
  const root = `${url.replace(/\/+$/, "")}/storage/v1/object/authenticated/${encodeURIComponent(bucket)}`;
  return {
    async put(name, bytes, contentType) {
      const { error } = await files.upload(name, bytes as Uint8Array<ArrayBuffer>, {
        contentType,
        upsert: true,
      });
      if (error) throw down(error);
    },
    // The client reads whole files into memory, so the bytes come by a request of our own.
    async find(name) {
      return {
        async open(range, signal) {
          const response = await fetch(`${root}/${name}`, {
            headers: { authorization: `Bearer ${key}`, apikey: key, ...rangeHeader(range) },
            redirect: "manual",
            signal,
          }).catch(() => {
            throw down();
          });
          const file = await fileIn(response);
          if (!("refused" in file)) return file;
          // Supabase answers 400 for a file that is not there.
          if (file.refused === 404 || file.refused === 400)
            throw new HubError("media_expired", "the upload was deleted");
          throw down();
        },
      };
    },
    async delete(names) {
      const { error } = await files.remove([...names]);
      if (error) throw down(error);
    },
  };
}

function down(cause?: unknown): HubError {
  return new HubError("unavailable", "the file storage did not answer", { reason: "file_storage", cause });
}
