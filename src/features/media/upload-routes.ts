import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { SessionRef } from "../../core/sessions/session.ts";
import { sha256Bytes } from "../../core/signature.ts";
import { adminOf, botOf, callerOf } from "../../http/auth.ts";
import { readBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { staffOf } from "../staff/operator.ts";
import { staffSecurity } from "../staff/shape.ts";
import { UPLOAD_BYTES } from "./limits.ts";
import { mediaOf } from "./options.ts";
import { scan } from "./scan.ts";
import { sniff } from "./sniff.ts";
import { withoutPosition } from "./strip.ts";

const uploadSchema = z
  .object({
    upload: z.uuid().openapi({ description: "Its id: `media: {upload}` of a message or a reply names it." }),
    kind: z.enum(["image", "video", "audio", "document"]).openapi({
      description: "The kind of message that suits it.",
    }),
    mime_type: z.string().openapi({ description: "What its first bytes show.", example: "image/jpeg" }),
    file_name: z.string().nullable(),
    size: z.int().openapi({ description: "In bytes, after EXIF and XMP were taken out of a picture." }),
    sha256: z.string().openapi({ description: "Of the stored bytes, in hex." }),
  })
  .openapi("Upload");

/** Registers `POST /api/media` and `DELETE /api/media/{id}`. */
export function addUploads(app: App, options: AppOptions): void {
  const post = createRoute({
    method: "post",
    path: "/api/media",
    tags: ["Media"],
    summary: "Upload a file",
    description:
      `The body is the file's bytes, at most ${UPLOAD_BYTES / 1024 / 1024} MB. With a session's token, or a web or admin key and \`session\`: a file of that session's ` +
      "customer, for a message on web or kiosk. With a web, admin or bot key alone, or a token of the staff: a file of the shop, for replies to every customer. " +
      "The type is what the bytes show; docs/media.md lists those that are taken. Place and other metadata are taken out of pictures. " +
      "A customer's file that no message names within a day is deleted, a file of the shop 90 days after it was last sent.",
    security: [...security.token, { apiKey: [] }, ...staffSecurity],
    request: {
      query: z.object({
        name: z.string().trim().min(1).max(240).optional().openapi({
          description: "The file's name, for the one who saves it.",
        }),
        session: z.uuid().optional().openapi({ description: "Whose file it is; with a key only." }),
      }),
      body: {
        required: true,
        content: {
          "application/octet-stream": { schema: z.string().openapi({ type: "string", format: "binary" }) },
        },
      },
    },
    responses: {
      201: json("The stored file.", z.object({ upload: uploadSchema })),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "session_not_found",
        "session_expired",
        "not_found",
        "payload_too_large",
        "media_type_refused",
        "media_infected",
        "scan_unavailable",
        "needs_database",
        "needs_storage",
      ),
    },
  });
  app.openapi(post, async (c) => {
    const { name, session } = c.req.valid("query");
    const { of, author } = await uploaderOf(c, options, session);
    const hub = c.var.exchange.hub();
    const { media } = featuresOf(hub);
    const { storage, scanner } = mediaOf(hub);
    if (!storage)
      throw new HubError("needs_storage", "uploads need a file storage: docs/media.md names the three");
    if (Number(c.req.header("content-length")) > UPLOAD_BYTES) throw tooLarge();
    // Before the body is read: a stranger's bytes are not taken in.
    const id = await media.begin(of, author, hub.now());
    c.var.exchange.facts.upload = id;
    const given = await readBody(c.req.raw, UPLOAD_BYTES);
    const mime_type = sniff(given, c.req.header("content-type")?.toLowerCase());
    if (!mime_type)
      throw new HubError("media_type_refused", "the bytes are of no type that docs/media.md lists");
    const bytes = withoutPosition(given, mime_type);
    if (scanner) await scan(scanner, bytes, mime_type);
    await storage.put(id, bytes, mime_type);
    const file = {
      mime_type,
      size: bytes.byteLength,
      sha256: sha256Bytes(bytes),
      ...(name !== undefined && { file_name: cleanName(name) }),
    };
    const stored = await media.finish(id, file, of, hub.now());
    const { upload, size, sha256 } = stored;
    return c.json(
      {
        upload: {
          upload,
          kind: kindOf(mime_type),
          mime_type,
          file_name: stored.file_name ?? null,
          size,
          sha256,
        },
      },
      201,
    );
  });

  const remove = createRoute({
    method: "delete",
    path: "/api/media/{id}",
    tags: ["Media"],
    summary: "Delete an upload",
    description:
      "With an admin key. It is read no more at once, and its bytes are deleted by the next sweep. Deleting twice is no error.",
    security: security.key,
    request: { params: z.object({ id: z.uuid() }) },
    responses: {
      200: json("Whether it was there.", z.object({ deleted: z.boolean() })),
      ...problems("malformed", "unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(remove, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const hub = c.var.exchange.hub();
    const { media } = featuresOf(hub);
    return c.json({ deleted: await media.delete(c.req.valid("param").id, actor, hub.now()) }, 200);
  });
}

/** Whose file it is, and the key that uploads it. Throws `unauthorized`, `forbidden` and `malformed`. */
async function uploaderOf(
  c: HttpContext,
  { keys }: AppOptions,
  session: string | undefined,
): Promise<{ of: SessionRef | "shop"; author: string | undefined }> {
  const { headers } = c.req.raw;
  const staff = await staffOf(c);
  if (staff && session !== undefined) throw new HubError("forbidden", "staff upload files of the shop only");
  if (staff) return { of: "shop", author: staff.actor };
  const bot = await botOf(headers, keys);
  if (bot && session === undefined) return { of: "shop", author: bot };
  if (bot) throw new HubError("forbidden", "a bot's key uploads files of the shop only");
  const { token_hash, scopes, actor } = await callerOf(headers, keys);
  if (token_hash) {
    if (session === undefined) return { of: { token_hash }, author: actor };
    throw new HubError("malformed", "query.session: a token speaks for its own session only");
  }
  if (!scopes) throw new HubError("unauthorized", "a session's token or an API key is needed");
  // A kiosk's key alone is anybody's who stands at a kiosk.
  if (!scopes.has("web")) throw new HubError("forbidden", "with a kiosk's key the session's token is needed");
  return { of: session === undefined ? "shop" : { session_id: session.toLowerCase() }, author: actor };
}

function kindOf(type: string): "image" | "video" | "audio" | "document" {
  const [top] = type.split("/");
  return top === "image" || top === "video" || top === "audio" ? top : "document";
}

/** A name without folders and without characters that deceive the eye. */
function cleanName(name: string): string {
  const last = name.toWellFormed().split(/[\\/]/).at(-1)!;
  return last.replaceAll(/[\p{Cc}\p{Cf}]/gu, "").trim() || "file";
}

function tooLarge(): HubError {
  return new HubError("payload_too_large", `the body is larger than ${UPLOAD_BYTES} bytes`);
}
