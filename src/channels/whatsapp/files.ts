import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { fileIn, type RemoteFile, rangeHeader } from "../../core/files.ts";
import type { Api } from "./send/api.ts";

const foundSchema = z.object({
  url: z.string(),
  mime_type: z.string().optional().catch(undefined),
  // Sent as a number or as digits.
  file_size: z.coerce.number().int().nonnegative().optional().catch(undefined),
});

/** Hosts of Meta from which its files are downloaded. */
const META = /(^|\.)(fbsbx\.com|fbcdn\.net|facebook\.com|whatsapp\.net)$/;

/**
 * Finds a file by its id. Its address is valid for five minutes and wants our token, so it stays in this file.
 * @see https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
 */
export async function findFile(api: Api, id: string, signal: AbortSignal): Promise<RemoteFile> {
  const headers = { authorization: `Bearer ${api.token}` };
  const request = { headers, redirect: "manual" as const, signal };
  const answer = await fetch(`${api.root}/${api.version}/${encodeURIComponent(id)}`, request).catch(
    unreachable,
  );
  const found = foundSchema.safeParse(await answer.json().catch(() => undefined)).data;
  if (!answer.ok || !found) fail(answer.status);
  refuseForeign(found.url, api);
  return {
    ...(found.file_size !== undefined && { size: found.file_size }),
    ...(found.mime_type !== undefined && { type: found.mime_type }),
    async open(range, signal) {
      const response = await fetch(found.url, {
        // Meta's download refuses callers without a name.
        headers: { ...headers, ...rangeHeader(range), "user-agent": "session-hub" },
        redirect: "manual",
        signal,
      }).catch(unreachable);
      const file = await fileIn(response);
      if (!("refused" in file)) return file;
      return fail(file.refused);
    },
  };
}

/** Throws for an address that is not Meta's: our token must not go there. In development the emulator stands for Meta. */
function refuseForeign(text: string, { root }: Api): void {
  const url = URL.parse(text);
  const isMeta = url?.protocol === "https:" && url.port === "" && META.test(url.hostname);
  if (url && url.username === "" && (isMeta || url.origin === URL.parse(root)?.origin)) return;
  throw new HubError("unavailable", "the Graph API named an address that is not Meta's", {
    reason: "foreign_url",
  });
}

/** Throws without a cause: a runtime's error may quote the address or the token. */
function unreachable(): never {
  throw new HubError("unavailable", "WhatsApp's files did not answer", { reason: "network" });
}

function fail(status: number): never {
  const reason = `http_${status}`;
  if (status === 400 || status === 404 || status === 410)
    throw new HubError("media_expired", "whatsapp no longer has this file", { reason });
  if (status === 429) throw new HubError("throttled", "whatsapp wants us to wait", { reason });
  throw new HubError("unavailable", `whatsapp's files answered ${status}`, { reason });
}
