import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { opened } from "../../core/receive/effects.ts";
import { callerOf, mintToken } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName, type HttpContext } from "../request.ts";
import { sessionSchema } from "../shapes.ts";
import {
  customerId,
  identitiesIn,
  identityBody,
  identityFields,
  isKiosk,
  onlyClaims,
  phoneInQuery,
} from "./identities.ts";
import { counted } from "./lookups.ts";
import { conflicts, present } from "./present.ts";

const DESCRIPTION =
  "By the device's token; or, with an API key, by `phone`, `telegram_chat_id`, `whatsapp_user_id` or the shop's own " +
  "`customer_id`, which gives the device a new token. Slides the expiry and appends `channel` to the session's channels. " +
  "Unless KIOSK_PHONE_POLICY is `trust`, a kiosk's key finds only by `phone`, and only sessions without a verified " +
  "identity; for others the answer is `verification_required`. `GET /api/sessions` finds sessions without changing them.";

/** Registers `/session/restore`: finds a session again, by its token or by its customer's identity. */
export function addRestore(app: App, options: AppOptions): void {
  const shared = {
    path: "/session/restore",
    tags: ["Sessions"],
    security: [...security.token, { apiKey: [] }],
    responses: {
      200: json(
        "The session, and a new token if it was found without one.",
        z.object({ session_token: z.string().optional(), session: sessionSchema, conflicts }),
      ),
      ...problems(
        "malformed",
        "phone_ambiguous",
        "unauthorized",
        "verification_required",
        "session_not_found",
        "session_expired",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  };
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
  });
  app.openapi(byBody, async (c) => c.json(await restored(c, options, c.req.valid("json")), 200));

  const byQuery = createRoute({
    ...shared,
    method: "get",
    summary: "Find a session again, by a query",
    description: `${DESCRIPTION} Prefer the POST: the proxies between the caller and the hub write URLs into their logs.`,
    request: {
      query: z.object({
        channel: channelName(options).optional(),
        phone: identityFields.phone.optional(),
        telegram_chat_id: identityFields.telegram_chat_id.optional(),
        whatsapp_user_id: identityFields.whatsapp_user_id.optional(),
        customer_id: z.string().min(1).max(128).optional(),
      }),
    },
  });
  app.openapi(byQuery, async (c) =>
    c.json(await restored(c, options, phoneInQuery(c.req.valid("query"))), 200),
  );
}

type Given = Parameters<typeof identitiesIn>[0] & {
  readonly channel?: string | undefined;
  readonly customer_id?: string | number | null | undefined;
};

async function restored(c: HttpContext, options: AppOptions, given: Given) {
  const caller = await callerOf(c.req.raw.headers, options.keys);
  if (given.channel) c.var.exchange.facts.channel = given.channel;
  const hub = c.var.exchange.hub();
  if (caller.token_hash) {
    const { token_hash } = caller;
    const session = await hub.store.sessions.restore({ token_hash }, given.channel, hub.now());
    return present(c, token_hash, opened(hub, session));
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
  return { session_token, ...present(c, token_hash, session) };
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
