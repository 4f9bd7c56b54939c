import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { SessionChanges } from "../../core/sessions/sessions.ts";
import { tokenOf } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName } from "../request.ts";
import { sessionSchema } from "../shapes.ts";
import { clientDocument, documentSchema } from "./document.ts";
import { present } from "./present.ts";

const text = z.string().min(1).max(32_768);

const messageSchema = z.union([
  text,
  z.object({
    text,
    role: z.enum(["user", "assistant"]).default("user"),
    external_id: z.string().min(1).max(256).optional(),
  }),
]);

const languageSchema = z
  .string()
  .max(35)
  .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, "must be a language tag such as de or pt-BR");

/** Registers `POST /session/update`: what a frontend changes in its session. */
export function addUpdate(app: App, options: AppOptions): void {
  const bounds = boundsOf(options);
  const bodySchema = z.object({
    data: documentSchema.optional(),
    metadata: documentSchema.optional(),
    message: messageSchema.optional(),
    channel: channelName(options).optional(),
    language: languageSchema.optional(),
  });
  const route = createRoute({
    method: "post",
    path: "/session/update",
    tags: ["Sessions"],
    summary: "Change a session",
    description:
      "`data` and `metadata` are JSON merge patches (RFC 7396) of at most 64 KiB, applied in the database. `message` " +
      "is kept in the history and wakes no bot; with an `external_id` it is kept once. With `If-Match` the change " +
      "happens at that version or not at all.",
    security: security.token,
    middleware: jsonBody(bounds.bodyBytes),
    request: {
      headers: z.object({ "If-Match": z.string().max(64).optional().openapi({ example: '"7"' }) }),
      body: { required: true, content: { "application/json": { schema: bodySchema } } },
    },
    responses: {
      200: json("The session after the change.", z.object({ session: sessionSchema })),
      ...problems(
        "malformed",
        "unauthorized",
        "session_not_found",
        "session_expired",
        "version_conflict",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });

  app.openapi(route, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const body = c.req.valid("json");
    if (body.channel) c.var.exchange.facts.channel = body.channel;
    const if_version = versionOf(c.req.valid("header")["If-Match"]);
    const changes: SessionChanges = {
      ...(body.data && { data: clientDocument("data", body.data, bounds.documentBytes) }),
      ...(body.metadata && { metadata: clientDocument("metadata", body.metadata, bounds.documentBytes) }),
      ...(body.message !== undefined && { message: messageOf(body.message) }),
      ...(body.channel && { channel: body.channel }),
      ...(body.language && { language: body.language }),
      ...(if_version !== undefined && { if_version }),
    };
    const hub = c.var.exchange.hub();
    const session = await hub.store.sessions.update(token_hash, changes, hub.now());
    if (changes.message) hub.live.publish(session.session_id, { type: "messages" });
    return c.json({ session: present(c, token_hash, session) }, 200);
  });
}

function messageOf(given: z.output<typeof messageSchema>): NonNullable<SessionChanges["message"]> {
  if (typeof given === "string") return { text: given, role: "user" };
  const { text, role, external_id } = given;
  return { text, role, ...(external_id !== undefined && { external_id }) };
}

/** The version in `If-Match`: bare, quoted or weak; `*` asks for nothing. Throws `malformed`. */
function versionOf(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === "*") return undefined;
  const version = /^(?:W\/)?("?)(\d{1,15})\1$/.exec(header.trim())?.[2];
  if (!version) throw new HubError("malformed", "header.If-Match: must be a session's version");
  return Number(version);
}
