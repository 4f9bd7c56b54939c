import { z } from "@hono/zod-openapi";
import { HubError } from "../core/errors.ts";

/** The header by which a change is bound to a version. */
export const ifMatch = z.object({
  "If-Match": z.string().max(64).optional().openapi({ example: '"7"' }),
});

/** The version in `If-Match`: bare, quoted or weak; `*` asks for nothing. Throws `malformed`. */
export function versionOf(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === "*") return undefined;
  const version = /^(?:W\/)?("?)(\d{1,15})\1$/.exec(header.trim())?.[2];
  if (!version) throw new HubError("malformed", "header.If-Match: must be a version, as the ETag told it");
  return Number(version);
}
