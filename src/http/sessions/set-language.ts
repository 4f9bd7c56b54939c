import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { filesOf } from "../../features/media/of-message.ts";
import { callerOf } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf } from "../request.ts";
import { messageSchema, sessionSchema, viewMessage } from "../shapes.ts";
import { customerId, identityBody } from "./identities.ts";
import { languageFields, languagesOf, languageTag } from "./languages.ts";
import { present } from "./present.ts";
import { targetOf } from "./update.ts";

/** Registers `POST /api/chat/language`: switches a session to the language that its customer chose. */
export function addSetLanguage(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/api/chat/language",
    tags: ["Sessions"],
    summary: "Switch the language",
    description:
      "The session goes on in this language, which becomes the customer's `preferred_language`. The history gets a message " +
      "of the role `system` in the new language: `message`, or `null` if this language was chosen before. A language " +
      "that is not permitted is `language_not_allowed`; `details.languages` has those that are. LANGUAGE_MODE and the " +
      "customer's plan decide: `basic` has one language.\n\n" +
      "With a token its own session is switched. With an API key and no token the session is named by exactly one of " +
      "`session_id`, `phone`, `telegram_chat_id`, `whatsapp_user_id` and `customer_id`, as in `/session/update`.",
    security: [...security.token, ...security.key],
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                language: languageTag,
                session_id: z.uuid().optional(),
                customer_id: customerId.optional(),
                ...identityBody,
              })
              .openapi({ example: { language: "hi" } }),
          },
        },
      },
    },
    responses: {
      200: json(
        "The session in its language.",
        z.object({ session: sessionSchema, message: messageSchema.nullable(), ...languageFields }),
      ),
      ...problems(
        "malformed",
        "phone_ambiguous",
        "unauthorized",
        "forbidden",
        "language_not_allowed",
        "verification_required",
        "session_not_found",
        "session_expired",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });

  app.openapi(route, async (c) => {
    const caller = await callerOf(c.req.raw.headers, options.keys);
    const { language, ...body } = c.req.valid("json");
    const { of, customer_id } = await targetOf(c, caller, body, options);
    if (customer_id !== undefined)
      throw new HubError("malformed", "customer_id: it only names a session here, and stands alone");
    const hub = c.var.exchange.hub();
    const { session, message } = await hub.store.sessions.setLanguage(of, language, hub.now());
    if (message) hub.live.publish(session.session_id, { type: "messages" });
    const answer = present(c, caller.token_hash, session);
    const viewed = message ? viewMessage(message, filesOf(c)) : null;
    return c.json({ ...answer, message: viewed, ...languagesOf(session, options) }, 200);
  });
}
