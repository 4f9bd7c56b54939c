import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { isSafeUrl } from "../core/safe-url.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { mediaLinks } from "../features/media/links.ts";
import type { MediaOptions } from "../features/media/options.ts";
import type { FileStorage } from "../features/media/storage.ts";
import { type Bucket, bucketStorage } from "../stores/files/bucket.ts";
import { supabaseStorage } from "../stores/files/supabase.ts";

const MB = 1024 * 1024;

const schema = z.object({
  MEDIA_LINK_SECRET: z
    .string()
    .transform((list) =>
      list
        .split(",")
        .map((item) => item.trim())
        .filter(Boolean),
    )
    .refine((secrets) => secrets.every(({ length }) => length >= 32), "must have at least 32 characters")
    .default([]),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: "must be the hub's own address" })
    .refine((text) => URL.parse(text)?.username === "", "must be without credentials")
    .transform((text) => text.replace(/\/+$/, ""))
    .optional(),
  MEDIA_MAX_MB: z.coerce.number().int().min(1).max(2_048).default(100),
  MEDIA_BUCKET: z
    .string()
    .regex(/^[\w-]{1,63}$/, "must be a bucket's name")
    .optional(),
  MEDIA_SCAN_URL: z
    .string()
    .refine(isSafeUrl, "must be an https URL without credentials (http on loopback only)")
    .optional(),
  MEDIA_SCAN_TOKEN: z.string().optional(),
  MEDIA: z
    .custom<Bucket>(
      (value) => typeof value === "object" && value !== null && typeof (value as Bucket).put === "function",
      "is no bucket",
    )
    .optional(),
  SUPABASE_URL: z.string().optional(),
  SUPABASE_SERVICE_ROLE_KEY: z.string().optional(),
});

/** Reads the settings of files. Throws `misconfigured`. */
export function mediaOptionsOf(env: Env): MediaOptions {
  const given = settingsOf("media", schema, env)!;
  const storage = storageOf(given);
  const { MEDIA_SCAN_URL: url, MEDIA_SCAN_TOKEN: token } = given;
  return {
    links: mediaLinks(given.MEDIA_LINK_SECRET, given.PUBLIC_URL),
    maxBytes: given.MEDIA_MAX_MB * MB,
    ...(storage && { storage }),
    ...(url && { scanner: { url, ...(token && { token }) } }),
  };
}

/** The bucket that is bound, else the one of Supabase. Throws `misconfigured` for a name without Supabase. */
function storageOf(given: z.infer<typeof schema>): FileStorage | undefined {
  const { MEDIA, MEDIA_BUCKET: bucket, SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key } = given;
  if (MEDIA) return bucketStorage(MEDIA);
  if (!bucket) return undefined;
  if (url && key) return supabaseStorage({ url, key, bucket });
  throw new HubError(
    "misconfigured",
    "MEDIA_BUCKET is set, but SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY are missing",
  );
}
