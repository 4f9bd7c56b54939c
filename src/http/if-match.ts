import { z } from "@hono/zod-openapi";
import { HubError } from "../core/errors.ts";

/** The header of a change that is to happen at one version or not at all. */
export const ifMatch = z.object({ "If-Match": z.string().max(64).optional().openapi({ example: '"7"' }) });

/** As `ifMatch`, and the header by which a thing is made only where there is none. */
export const ifMatchOrNone = ifMatch.extend({
  "If-None-Match": z
    .string()
    .max(64)
    .optional()
    .openapi({ example: "*", description: "Only `*`: make it, and change none that is there." }),
});

/** The version in `If-Match`: bare, quoted or weak; `*` asks for nothing. Throws `malformed`. */
export function versionOf(headers: z.output<typeof ifMatch>): number | undefined {
  const header = headers["If-Match"]?.trim();
  if (header === undefined || header === "*") return undefined;
  const version = /^(?:W\/)?("?)(\d{1,15})\1$/.exec(header)?.[2];
  if (!version) throw new HubError("malformed", "header.If-Match: must be a version");
  return Number(version);
}

/** The version in `If-Match`; 0, that of what is not there, with `If-None-Match: *`. Throws `malformed`. */
export function versionOrNone(headers: z.output<typeof ifMatchOrNone>): number | undefined {
  const none = headers["If-None-Match"];
  if (none === undefined) return versionOf(headers);
  if (none.trim() !== "*" || headers["If-Match"] !== undefined)
    throw new HubError("malformed", "header.If-None-Match: must be *, and alone");
  return 0;
}
