import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { shownLanguage } from "../../core/language/with-language.ts";
import { opened } from "../../core/receive/effects.ts";
import type { SessionRef } from "../../core/sessions/session.ts";
import type { SessionChanges, SessionQuery } from "../../core/sessions/sessions.ts";
import { type Caller, callerOf } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { ifMatch, versionOf } from "../if-match.ts";
import { type App, type AppOptions, boundsOf, channelName, type HttpContext } from "../request.ts";
import { sessionSchema } from "../shapes.ts";
import { clientDocument, documentSchema } from "./document.ts";
import { customerId, identitiesIn, identityBody, isUntrusted, refuseCustomerId } from "./identities.ts";
import { languageTag } from "./languages.ts";
import { counted } from "./lookups.ts";
import { conflicts, present } from "./present.ts";

const text = z.string().min(1).max(32_768);

const messageSchema = z.union([
  text,
  z.strictObject({
    text,
    role: z.enum(["user", "assistant"]).default("user"),
    external_id: z.string().min(1).max(256).optional(),
  }),
]);

/** Registers `POST /session/update`: changes a frontend's own session, or for a trusted caller any session. */
export function addUpdate(app: App, options: AppOptions): void {
  const bounds = boundsOf(options);
  const bodySchema = z.strictObject({
    data: documentSchema.optional(),
    metadata: documentSchema.optional(),
    message: messageSchema.optional(),
    channel: channelName(options).optional(),
    language: languageTag.optional(),
    customer_id: customerId.optional().openapi({
      description:
        "The shop's own id of the customer, to be saved; only with an API key. With a key and nothing else that names a " +
        "session: the customer whose active session is changed.",
    }),
    session_id: z.uuid().optional(),
    ...identityBody,
  });
  const route = createRoute({
    method: "post",
    path: "/session/update",
    tags: ["Sessions"],
    summary: "Change a session",
    description:
      "`data` and `metadata` are JSON merge patches (RFC 7396) of at most 64 KiB, applied in the database. `message` " +
      "is saved in the history and wakes no bot; with an `external_id` it is saved once. With `If-Match` the change " +
      "is made only at that version.\n\n" +
      "With a token its own session is changed; a `message` is then the customer's own (`user`), on the device's own " +
      "channel. With an API key and no token the session is named by exactly one of `session_id`, `phone`, " +
      "`telegram_chat_id`, `whatsapp_user_id` and `customer_id`, and must be active. A message that a key sends has the " +
      "key's name as `author`; only a key can send a message of the role `assistant`. A kiosk's key also needs the " +
      "session's token, unless KIOSK_PHONE_POLICY is `trust`.",
    security: [...security.token, ...security.key],
    middleware: jsonBody(bounds.bodyBytes),
    request: {
      headers: ifMatch,
      body: { required: true, content: { "application/json": { schema: bodySchema } } },
    },
    responses: {
      200: json("The session after the change.", z.object({ session: sessionSchema, conflicts })),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "language_not_allowed",
        "verification_required",
        "session_not_found",
        "session_expired",
        "version_conflict",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });

  app.openapi(route, async (c) => {
    const caller = await callerOf(c.req.raw.headers, options.keys);
    const body = c.req.valid("json");
    const if_version = versionOf(c.req.valid("header"));
    const target = await targetOf(c, caller, body, options);
    const message =
      body.message === undefined ? undefined : await shown(messageOf(body.message, caller), options);
    const { channel } = body;
    if (channel) c.var.exchange.facts.channel = channel;
    const changes: SessionChanges = {
      ...(body.data && { data: clientDocument("data", body.data, bounds.documentBytes) }),
      ...(body.metadata && { metadata: clientDocument("metadata", body.metadata, bounds.documentBytes) }),
      ...(message && { message }),
      ...(channel && { channel }),
      ...(body.language && { language: body.language }),
      ...(target.customer_id !== undefined && { customer_id: target.customer_id }),
      ...(if_version !== undefined && { if_version }),
    };
    const hub = c.var.exchange.hub();
    const session = opened(hub, await hub.store.sessions.update(target.of, changes, hub.now()));
    if (message) hub.live.publish(session.session_id, { type: "messages" });
    return c.json(present(c, caller.token_hash, session), 200);
  });
}

type Body = Parameters<typeof identitiesIn>[0] & {
  readonly session_id?: string | undefined;
  readonly customer_id?: string | number | undefined;
};

interface Target {
  readonly of: SessionRef;
  /** The id to set. */
  readonly customer_id?: string;
}

/** The session to change, and the `customer_id` to set. */
export async function targetOf(
  c: HttpContext,
  caller: Caller,
  body: Body,
  options: AppOptions,
): Promise<Target> {
  const { session_id } = body;
  const customer_id = body.customer_id === undefined ? undefined : String(body.customer_id);
  const identities = identitiesIn(body, options.country);
  const named = [...Object.keys(identities), ...(session_id === undefined ? [] : ["session_id"])];
  if (caller.token_hash) {
    if (named.length > 0)
      throw new HubError("malformed", `${named[0]}: a token speaks for its own session only`);
    if (customer_id !== undefined && !caller.scopes)
      throw new HubError("forbidden", "customer_id: only an API key can set it");
    refuseCustomerId(caller, body, options);
    return { of: { token_hash: caller.token_hash }, ...(customer_id !== undefined && { customer_id }) };
  }
  if (!caller.scopes) throw new HubError("unauthorized", "a session token or an API key is needed");
  return counted(c, caller, async () => {
    if (isUntrusted(caller, options))
      throw new HubError("verification_required", "a kiosk's key needs the session's own token beside it");
    if (named.length > 1 || (named.length === 0 && customer_id === undefined))
      throw new HubError(
        "malformed",
        "beside an API key exactly one of session_id, phone, telegram_chat_id, whatsapp_user_id and customer_id is needed",
      );
    if (named.length === 0) return { of: await activeSession(c, { customer_id: customer_id! }) };
    const of = session_id ? { session_id: session_id.toLowerCase() } : await activeSession(c, { identities });
    return { of, ...(customer_id !== undefined && { customer_id }) };
  });
}

/** The active session of a customer. Throws `session_not_found`. */
async function activeSession(c: HttpContext, who: SessionQuery): Promise<SessionRef> {
  const hub = c.var.exchange.hub();
  const found = await hub.store.sessions.find(who, hub.now());
  const active = found.find(({ status }) => status === "active");
  if (!active) throw new HubError("session_not_found", "this customer has no active session");
  return { session_id: active.session_id };
}

type Reported = NonNullable<SessionChanges["message"]>;

/** A customer's message with the language that its words show. */
async function shown(message: Reported, { languages }: AppOptions): Promise<Reported> {
  const language = message.role === "user" ? await shownLanguage(languages, message.text) : undefined;
  return { ...message, ...(language !== undefined && { language }) };
}

/** The message to save. Throws `forbidden` for a message of the role `assistant` without an API key. */
function messageOf(given: z.output<typeof messageSchema>, { token_hash, actor }: Caller): Reported {
  const { text, role, external_id } =
    typeof given === "string" ? { text: given, role: "user" as const, external_id: undefined } : given;
  if (role === "assistant" && actor === undefined)
    throw new HubError(
      "forbidden",
      "message.role: a token tells what its customer said; assistant needs an API key",
    );
  const isOwn = token_hash !== undefined && role === "user";
  return {
    text,
    role,
    ...(external_id !== undefined && { external_id }),
    ...(!isOwn && actor !== undefined && { author: `key:${actor}` }),
  };
}
