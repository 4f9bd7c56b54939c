import { createRoute, z } from "@hono/zod-openapi";
import { phoneOf } from "../../core/identity/phone.ts";
import { confirmCode, requestCode } from "../../core/identity/verify.ts";
import { callerOf } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName } from "../request.ts";
import { identityFields, isKiosk } from "../sessions/identities.ts";
import { sessionSchema } from "../shapes.ts";
import { verified } from "./prove.ts";
import { limitKeys } from "./rate-limit-keys.ts";

/** Registers `POST /session/verify`: a one-time code, asked for and given. */
export function addVerify(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/session/verify",
    tags: ["Identity"],
    summary: "Prove a phone by a one-time code",
    description:
      "With `phone` alone, six digits go to a messenger in which this customer has written to us before; the answer is " +
      "the same when there is none. With `code` too, they prove the phone: its session is restored or opened, and " +
      "an anonymous session whose token the device holds becomes one with it. So does one that is somebody's, within 15 " +
      "minutes after the device got its token by a proof; later that is left, as at a kiosk. A code is good for five minutes, five attempts " +
      "and one use, and a new one replaces it.",
    security: [...security.nobody, ...security.token],
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.object({
              phone: identityFields.phone,
              code: z
                .string()
                .regex(/^\d{6}$/, "must be six digits")
                .optional(),
              channel: channelName(options)
                .optional()
                .openapi({ description: "Of this device; else `kiosk` with a kiosk's key, and `web`." }),
            }),
          },
        },
      },
    },
    responses: {
      200: json(
        "With `code`: the session, and the device's new token; the one it held is dead.",
        z.object({ session_token: z.string(), session: sessionSchema }),
      ),
      202: json(
        "Without `code`: sent, if we know where to.",
        z.object({ sent: z.literal("if_known"), expires_in: z.int().openapi({ description: "Seconds." }) }),
      ),
      ...problems(
        "malformed",
        "phone_ambiguous",
        "unauthorized",
        "code_invalid",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(route, async (c) => {
    const { code, ...body } = c.req.valid("json");
    const caller = await callerOf(c.req.raw.headers, options.keys);
    const { token_hash } = caller;
    const channel = body.channel ?? (isKiosk(caller) ? "kiosk" : "web");
    const phone = phoneOf(body.phone, options.country);
    c.var.exchange.facts.channel = channel;
    if (code === undefined) {
      const rate_limit_keys = await limitKeys(c.req.raw.headers, token_hash);
      await requestCode(c.var.exchange.hub(), { phone, rate_limit_keys });
      return c.json({ sent: "if_known" as const, expires_in: 300 }, 202);
    }
    const answer = await verified(c, token_hash, (hub, new_token_hash) =>
      confirmCode(hub, { phone, code, channel, new_token_hash, ...(token_hash && { token_hash }) }),
    );
    return c.json(answer, 200);
  });
}
