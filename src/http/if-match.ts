import { z } from "@hono/zod-openapi";
import { HubError } from "../core/errors.ts";

/** The header of a change that is made only at one version. */
export const ifMatch = z.object({ "If-Match": z.string().max(64).optional().openapi({ example: '"7"' }) });

/** As `ifMatch`, with the header by which a thing is made only if there is none. */
export const ifMatchOrNone = ifMatch.extend({
  "If-None-Match": z
    .string()
    .max(64)
    .optional()
    .openapi({ example: "*", description: "Only `*`: make a new one, and change no existing one." }),
});

/** The version in `If-Match`: bare, quoted or weak. Undefined for `*`, which every version matches. Throws `malformed`. */
export function versionOf(headers: z.output<typeof ifMatch>): number | undefined {
  const header = headers["If-Match"]?.trim();
  if (header === undefined || header === "*") return undefined;
  const version = /^(?:W\/)?("?)(\d{1,15})\1$/.exec(header)?.[2];
  if (!version) throw new HubError("malformed", "header.If-Match: must be a version");
  return Number(version);
}

/** The version in `If-Match`; 0, which stands for none, with `If-None-Match: *`. Throws `malformed`. */
export function versionOrNone(headers: z.output<typeof ifMatchOrNone>): number | undefined {
  const none = headers["If-None-Match"];
  if (none === undefined) return versionOf(headers);
  if (none.trim() !== "*" || headers["If-Match"] !== undefined)
    throw new HubError("malformed", "header.If-None-Match: must be *, and alone");
  return 0;
}
