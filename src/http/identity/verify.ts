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

/** Registers `POST /session/verify`: requests a one-time code, and confirms it. */
export function addVerify(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/session/verify",
    tags: ["Identity"],
    summary: "Prove a phone by a one-time code",
    description:
      "With `phone` alone: the hub sends six digits to a messenger in which this customer has written before. The answer " +
      "is the same if there is none. A code is valid for five minutes, five tries and one use; a new code replaces it.\n\n" +
      "With `code` too: the phone is verified, and its session is restored or opened. If the device holds the token of an " +
      "anonymous session, or of a session whose customer already has this phone, the two sessions merge. If the device's " +
      "session belongs to another customer, the device leaves it at a kiosk, and where its last proof is more than 15 " +
      "minutes old. In all other cases the answer is `merge_required`, and the code stays valid: show the customer both " +
      "sessions in `details`, then send the same request with `merge`: `true` merges them, `false` leaves the device's " +
      "own session.",
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
                description:
                  "The channel of this device. Default: `kiosk` with a kiosk's key or token, else `web`.",
              }),
              merge: z
                .boolean()
                .optional()
                .openapi({
                  description:
                    "The customer's answer to `merge_required`. Another person may have signed in on this device before, " +
                    "so never send `true` without asking.",
                }),
            }),
          },
        },
      },
    },
    responses: {
      200: json(
        "With `code`: the session, and the device's new token; its old token is dead.",
        z.object({ session_token: z.string(), session: sessionSchema, conflicts }),
      ),
      202: json(
        "Without `code`: a code was sent if the phone has an address.",
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

/** Whether the caller is a kiosk: it shows a kiosk's key, or a token that was made for a kiosk. */
async function isAtKiosk(c: HttpContext, caller: Caller): Promise<boolean> {
  if (isKiosk(caller)) return true;
  if (!caller.token_hash) return false;
  return (await channelOf(c, caller.token_hash)) === "kiosk";
}
