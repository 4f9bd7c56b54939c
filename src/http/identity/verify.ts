import { createRoute, z } from "@hono/zod-openapi";
import { phoneOf } from "../../core/identity/phone.ts";
import { confirmCode, requestCode } from "../../core/identity/verify.ts";
import { type Caller, callerOf } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName, type HttpContext } from "../request.ts";
import { identityFields, isKiosk } from "../sessions/identities.ts";
import { conflicts } from "../sessions/present.ts";
import { sessionSchema } from "../shapes.ts";
import { channelOf } from "./device-channel.ts";
import { verified } from "./prove.ts";
import { limitKeys } from "./rate-limit-keys.ts";
import { steady } from "./steady.ts";

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
      "an anonymous session whose token the device holds becomes one with it, and so does one of the customer who has " +
      "this phone already. A session that is another customer's is left at a kiosk, and where the device got its token by a " +
      "proof more than 15 minutes ago. Elsewhere the answer is `merge_required`, and the code stays good: show the customer " +
      "both sessions of `details`, then send the same with `merge`: `true` makes them one, `false` leaves the one at hand. " +
      "A code is good for five minutes, five attempts and one use, and a new one replaces it.",
    security: [...security.nobody, ...security.token],
    middleware: jsonBody(boundsOf(options).bodyBytes),
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.strictObject({
              phone: identityFields.phone,
              code: z
                .string()
                .regex(/^\d{6}$/, "must be six digits")
                .optional(),
              channel: channelName(options).optional().openapi({
                description: "Of this device; else `kiosk` with a kiosk's key or a kiosk's token, and `web`.",
              }),
              merge: z
                .boolean()
                .optional()
                .openapi({
                  description:
                    "What the customer answered to `merge_required`. Whoever shows the page may have signed in here " +
                    "before: never send `true` unasked.",
                }),
            }),
          },
        },
      },
    },
    responses: {
      200: json(
        "With `code`: the session, and the device's new token; the one it held is dead.",
        z.object({ session_token: z.string(), session: sessionSchema, conflicts }),
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
        "merge_required",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(route, async (c) => {
    const { code, merge, ...body } = c.req.valid("json");
    const caller = await callerOf(c.req.raw.headers, options.keys);
    const { token_hash } = caller;
    const phone = phoneOf(body.phone, options.country);
    if (code === undefined) {
      const rate_limit_keys = await limitKeys(c.req.raw.headers, token_hash);
      const hub = c.var.exchange.hub();
      await steady(hub, () => requestCode(hub, { phone, rate_limit_keys }));
      return c.json({ sent: "if_known" as const, expires_in: 300 }, 202);
    }
    const channel = body.channel ?? ((await isAtKiosk(c, caller)) ? "kiosk" : "web");
    c.var.exchange.facts.channel = channel;
    const answer = await steady(c.var.exchange.hub(), () =>
      verified(c, token_hash, (hub, new_token_hash) =>
        confirmCode(hub, {
          phone,
          code,
          channel,
          new_token_hash,
          ...(token_hash && { token_hash }),
          ...(merge !== undefined && { merge }),
        }),
      ),
    );
    return c.json(answer, 200);
  });
}

/** Whether a kiosk asks: it shows a kiosk's key, or a token that was given to one. */
async function isAtKiosk(c: HttpContext, caller: Caller): Promise<boolean> {
  if (isKiosk(caller)) return true;
  if (!caller.token_hash) return false;
  return (await channelOf(c, caller.token_hash)) === "kiosk";
}
