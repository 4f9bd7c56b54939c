import { z } from "zod";
import { type Env, settingsOf } from "../core/settings.ts";
import { mediaLinks } from "../features/media/links.ts";
import type { MediaOptions } from "../features/media/options.ts";

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
});

/** Reads the settings of files. Throws `misconfigured`. */
export function mediaOptionsOf(env: Env): MediaOptions {
  const given = settingsOf("media", schema, env)!;
  return {
    links: mediaLinks(given.MEDIA_LINK_SECRET, given.PUBLIC_URL),
    maxBytes: given.MEDIA_MAX_MB * MB,
  };
}
