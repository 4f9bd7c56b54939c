import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { RemoteFile } from "../../core/files.ts";
import type { Hub } from "../../core/hub.ts";
import { sha256Hex } from "../../core/signature.ts";
import { callerOf } from "../../http/auth.ts";
import { security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { staffOf } from "../staff/operator.ts";
import { staffSecurity } from "../staff/shape.ts";
import { answerFile } from "./answer.ts";
import { OPEN_MS } from "./limits.ts";
import type { MessageFile, Reader } from "./media.ts";
import { mediaOf } from "./options.ts";

/** How long the next bytes may take. */
const IDLE_MS = 15_000;
const REOPENINGS = 2;

const bytes = z.string().openapi({ type: "string", format: "binary" });
const file = {
  description: "The file's bytes. Its type is in `Content-Type`, its name in `Content-Disposition`.",
  content: { "application/octet-stream": { schema: bytes } },
};

/** Registers `GET /api/media/{id}`: the files of messages, and uploads. */
export function addMedia(app: App, options: AppOptions): void {
  const get = createRoute({
    method: "get",
    path: "/api/media/{id}",
    tags: ["Media"],
    summary: "Read the file of a message",
    description:
      "`id` is the message's `message_id`, or an upload's id. With a session's token: the files of its own messages. With an admin key, or a token of the staff: every file. " +
      "Without either: by the link that the hub has signed (`media_url` of a message), until it ends. The hub passes the bytes " +
      "on from the platform and stores nothing. It takes one byte range, `If-Range` and `If-None-Match`. " +
      "After a failure in the middle the answer breaks off: its `Content-Length` shows that bytes are missing.",
    security: [...security.token, { apiKey: [] }, ...staffSecurity, {}],
    request: {
      params: z.object({ id: z.uuid() }),
      query: z.object({
        card: z.coerce
          .number()
          .int()
          .min(1)
          .max(10)
          .optional()
          .openapi({ description: "Of a carousel: the picture of this card, from 1." }),
        expires: z.coerce.number().int().min(0).optional().openapi({ description: "Of a signed link." }),
        signature: z.string().max(128).optional().openapi({ description: "Of a signed link." }),
      }),
    },
    responses: {
      200: file,
      206: { ...file, description: "The bytes that `Range` asks for." },
      304: { description: "The file has the ETag of `If-None-Match`." },
      416: { description: "The file ends before the range." },
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "session_not_found",
        "session_expired",
        "not_found",
        "media_expired",
        "media_too_large",
        "needs_database",
        "needs_storage",
      ),
    },
  });
  app.openapi(get, async (c) => {
    const { id } = c.req.valid("param");
    const { card, ...link } = c.req.valid("query");
    const hub = c.var.exchange.hub();
    const reader = await readerOf(c, options, { id, card, ...link });
    const found = await featuresOf(hub).media.find(id.toLowerCase(), card, reader, hub.now());
    const etag = `"${(await sha256Hex(`${found.channel}\n${found.id ?? found.upload}`)).slice(0, 22)}"`;
    const limits = {
      openMs: OPEN_MS,
      idleMs: IDLE_MS,
      reopenings: REOPENINGS,
      maxBytes: mediaOf(hub).maxBytes,
    };
    c.var.exchange.facts.channel = found.channel;
    const broken = (failure: object) =>
      hub.log("warn", "media.broken", { id, channel: found.channel, ...failure });
    return answerFile(found, placeOf(hub, found), c.req.raw, limits, etag, broken) as never;
  });
}

/** The reader that the credentials, or the link, stand for. Throws `unauthorized` and `forbidden`. */
async function readerOf(
  c: HttpContext,
  { keys }: AppOptions,
  link: {
    id: string;
    card?: number | undefined;
    expires?: number | undefined;
    signature?: string | undefined;
  },
): Promise<Reader> {
  const { expires, signature } = link;
  if (signature !== undefined || expires !== undefined) {
    const hub = c.var.exchange.hub();
    const isWhole = signature !== undefined && expires !== undefined;
    if (isWhole && mediaOf(hub).links.opens({ ...link, expires, signature }, hub.now())) return "anybody";
    throw new HubError("unauthorized", "the link has ended, or is not one of this hub");
  }
  if (await staffOf(c)) return "anybody";
  const { token_hash, scopes } = await callerOf(c.req.raw.headers, keys);
  if (scopes?.has("admin")) return "anybody";
  if (token_hash) return { token_hash };
  if (scopes) throw new HubError("forbidden", "files need an admin key, or the session's own token");
  throw new HubError("unauthorized", "files need an admin key, the session's own token, or a signed link");
}

/** How to look a file up at its platform. */
function placeOf(
  hub: Hub,
  { channel: name, id, upload }: MessageFile,
): (signal: AbortSignal) => Promise<RemoteFile> {
  return async (signal) => {
    if (upload !== undefined) {
      const { storage } = mediaOf(hub);
      if (storage) return storage.find(upload, signal);
      throw new HubError("needs_storage", "the file storage of this upload is not configured");
    }
    const channel = hub.channels[name];
    if (!channel)
      throw new HubError("unavailable", `channel ${name} is not configured`, { reason: "channel_off" });
    if (!channel.findFile || id === undefined)
      throw new HubError("not_found", "this file's id is a page's own: the hub has no such file");
    return channel.findFile(id, signal);
  };
}
