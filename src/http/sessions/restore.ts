import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { type OpenedSession, opened } from "../../core/receive/effects.ts";
import { dataLayerOf } from "../../core/sessions/data-layer.ts";
import { callerOf, mintToken } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName, type HttpContext } from "../request.ts";
import { instant, sessionSchema } from "../shapes.ts";
import {
  customerId,
  identitiesIn,
  identityBody,
  identityFields,
  isKiosk,
  onlyClaims,
  phoneInQuery,
} from "./identities.ts";
import { languageFields, languagesOf } from "./languages.ts";
import { counted } from "./lookups.ts";
import { conflicts, present } from "./present.ts";

const DESCRIPTION =
  "By the device's token; or, with an API key, by `phone`, `telegram_chat_id`, `whatsapp_user_id` or the shop's own " +
  "`customer_id`, which gives the device a new token. Slides the expiry and appends `channel` to the session's channels. " +
  "Unless KIOSK_PHONE_POLICY is `trust`, a kiosk's key finds only by `phone`, and only sessions without a verified " +
  "identity; for others the answer is `verification_required`. `GET /api/sessions` finds sessions without changing them.";

const found = z.object({
  session_token: z.string().optional(),
  session: sessionSchema,
  conflicts,
  ...languageFields,
});

const text = z.string().nullable();
const dataLayer = z
  .object({
    session_token: z.string().optional(),
    id: z.uuid(),
    createdAt: instant,
    lastActivity: instant,
    metadata: z.object({
      language: text,
      clientId: text.openapi({ description: "`metadata.clientId`, else the browser's `visitor_id`." }),
      conversationId: z
        .string()
        .openapi({ description: "`metadata.conversationId`, else the session's id." }),
      email: text.openapi({ description: "Verified, else as a frontend wrote it into `metadata`." }),
      phone: text.openapi({ description: "The same." }),
      preferredLanguage: text,
      plan: z.enum(["basic", "premium"]),
    }),
  })
  .openapi("DataLayer");

/** Registers `/session/restore`: finds a session again, by its token or by its customer's identity. */
export function addRestore(app: App, options: AppOptions): void {
  const shared = {
    path: "/session/restore",
    tags: ["Sessions"],
    security: [...security.token, { apiKey: [] }],
  };
  const refusals = problems(
    "malformed",
    "phone_ambiguous",
    "unauthorized",
    "verification_required",
    "session_not_found",
    "session_expired",
    "payload_too_large",
    "unsupported_media_type",
  );
  const byBody = createRoute({
    ...shared,
    method: "post",
    summary: "Find a session again",
    description: `${DESCRIPTION} With a token the body may be empty: \`{}\`.`,
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.strictObject({
              channel: channelName(options).optional(),
              ...identityBody,
              customer_id: customerId.nullish(),
            }),
          },
        },
      },
    },
    responses: {
      200: json("The session, and a new token if it was found without one.", found),
      ...refusals,
    },
  });
  app.openapi(byBody, async (c) => {
    const { session_token, token_hash, session } = await restored(c, options, c.req.valid("json"));
    return c.json(
      { session_token, ...present(c, token_hash, session), ...languagesOf(session, options) },
      200,
    );
  });

  const byQuery = createRoute({
    ...shared,
    method: "get",
    summary: "Find a session again, by a query",
    description:
      `${DESCRIPTION} Prefer the POST: the proxies between the caller and the hub write URLs into their logs.\n\n` +
      "With `view=metadata` the answer has the form of the frontends' data layer, as the session's copy in Redis has it.",
    request: {
      query: z.object({
        channel: channelName(options).optional(),
        view: z.enum(["session", "metadata"]).optional(),
        phone: identityFields.phone.optional(),
        telegram_chat_id: identityFields.telegram_chat_id.optional(),
        whatsapp_user_id: identityFields.whatsapp_user_id.optional(),
        customer_id: z.string().min(1).max(128).optional(),
      }),
    },
    responses: {
      200: json(
        "The session in the form that was asked for, and a new token if it was found without one.",
        z.union([found, dataLayer]),
      ),
      ...refusals,
    },
  });
  app.openapi(byQuery, async (c) => {
    const { view, ...query } = c.req.valid("query");
    const { session_token, token_hash, session } = await restored(c, options, phoneInQuery(query));
    const answer = present(c, token_hash, session);
    if (view === "metadata") return c.json({ session_token, ...dataLayerOf(session) }, 200);
    return c.json({ session_token, ...answer, ...languagesOf(session, options) }, 200);
  });
}

type Given = Parameters<typeof identitiesIn>[0] & {
  readonly channel?: string | undefined;
  readonly customer_id?: string | number | null | undefined;
};

/** The session that a call restores, the hash of the device's token, and the token if it is new. */
async function restored(
  c: HttpContext,
  options: AppOptions,
  given: Given,
): Promise<{ session_token?: string; token_hash: string; session: OpenedSession }> {
  const caller = await callerOf(c.req.raw.headers, options.keys);
  if (given.channel) c.var.exchange.facts.channel = given.channel;
  const hub = c.var.exchange.hub();
  if (caller.token_hash) {
    const { token_hash } = caller;
    const session = await hub.store.sessions.restore({ token_hash }, given.channel, hub.now());
    return { token_hash, session: opened(hub, session) };
  }
  if (!caller.scopes) throw new HubError("unauthorized", "a session token or an API key is needed");
  const { session_token, token_hash } = await mintToken();
  const channel = given.channel ?? (isKiosk(caller) ? "kiosk" : undefined);
  const session = await counted(c, caller, async () => {
    const claimed = onlyClaims(caller, given, options);
    const who = whoIn(given, options);
    const asked = { token_hash, ...who, ...(claimed && { claimed }) };
    return opened(hub, await hub.store.sessions.restore(asked, channel, hub.now()));
  });
  return { session_token, session, token_hash };
}

/** The identities or the `customer_id`. Throws `malformed` for both, because only one of them can decide. */
function whoIn(given: Given, options: AppOptions) {
  const identities = identitiesIn(given, options.country);
  const hasIdentities = Object.keys(identities).length > 0;
  if (hasIdentities === (given.customer_id != null))
    throw new HubError(
      "malformed",
      "beside an API key either customer_id or at least one of phone, telegram_chat_id and whatsapp_user_id is needed",
    );
  return hasIdentities ? { identities } : { customer_id: String(given.customer_id) };
}
