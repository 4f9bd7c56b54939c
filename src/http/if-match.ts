import { z } from "@hono/zod-openapi";
import { HubError } from "../core/errors.ts";

/** The header of a change that is to happen at one version or not at all. */
export const ifMatch = z.object({ "If-Match": z.string().max(64).optional().openapi({ example: '"7"' }) });

/** The version in `If-Match`: bare, quoted or weak; `*` asks for nothing. Throws `malformed`. */
export function versionOf(headers: z.output<typeof ifMatch>): number | undefined {
  const header = headers["If-Match"]?.trim();
  if (header === undefined || header === "*") return undefined;
  const version = /^(?:W\/)?("?)(\d{1,15})\1$/.exec(header)?.[2];
  if (!version) throw new HubError("malformed", "header.If-Match: must be a version");
  return Number(version);
}
