import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { type Env, settingsOf } from "../core/settings.ts";

/** The shop's pages that open sessions without an API key. */
export interface PublicPages {
  /** The public ids that pages hold; several while one replaces another. */
  readonly ids: readonly string[];
  /** The origins whose pages may use them. */
  readonly origins: readonly string[];
  /** The secrets with which the shop's server signs its customers; none: nobody is signed. */
  readonly secrets: readonly string[];
}

const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean),
);
const schema = z.object({
  WEB_PUBLIC_ID: list.refine(
    (ids) => ids.length > 0 && ids.every((id) => /^[\w-]{8,64}$/.test(id)),
    "must be 8 to 64 letters, digits, - or _",
  ),
  WEB_PUBLIC_ORIGINS: list.refine(
    (origins) => origins.length > 0 && origins.every((origin) => URL.parse(origin)?.origin === origin),
    "must be origins such as https://shop.example",
  ),
  WEB_IDENTITY_SECRET: list
    .refine((secrets) => secrets.every(({ length }) => length >= 32), "must have at least 32 characters")
    .optional(),
});

/** Reads the settings of public pages; undefined without a public id. Throws `misconfigured`. */
export function publicPagesOf(env: Env): PublicPages | undefined {
  const given = settingsOf("the public id", schema, env);
  if (given)
    return {
      ids: given.WEB_PUBLIC_ID,
      origins: given.WEB_PUBLIC_ORIGINS,
      secrets: given.WEB_IDENTITY_SECRET ?? [],
    };
  if (env.WEB_IDENTITY_SECRET)
    throw new HubError("misconfigured", "WEB_IDENTITY_SECRET is set, but WEB_PUBLIC_ID is missing");
  return undefined;
}
