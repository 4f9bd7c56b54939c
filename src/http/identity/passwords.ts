import { createRoute, z } from "@hono/zod-openapi";
import { phoneOf } from "../../core/identity/phone.ts";
import { CODE_MS } from "../../core/identity/proofs.ts";
import { logIn, requestCode } from "../../core/identity/verify.ts";
import { callerOf, tokenOf } from "../auth.ts";
import { jsonBody } from "../body.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import { type App, type AppOptions, boundsOf, channelName, type HttpContext } from "../request.ts";
import { identityFields } from "../sessions/identities.ts";
import { conflicts } from "../sessions/present.ts";
import { sessionSchema } from "../shapes.ts";
import { verified } from "./prove.ts";
import { limitKeys } from "./rate-limit-keys.ts";
import { steady } from "./steady.ts";

const LONGEST = 1_024;
const SHORTEST = 10;

/** In NFC, because keyboards encode a character differently: https://www.rfc-editor.org/rfc/rfc8265#section-4.2 */
const given = z
  .string()
  .min(1)
  .max(LONGEST)
  .transform((text) => text.normalize("NFC"));
const chosen = given
  .refine((text) => [...text].length >= SHORTEST, `must be at least ${SHORTEST} characters`)
  .openapi({ description: "At least 10 characters of any kind; long ones are welcome.", format: "password" });
const known = given.openapi({ format: "password" });

/** Registers the password routes: sign up, change, log in. A customer has one password on all channels. */
export function addPasswords(app: App, options: AppOptions): void {
  const middleware = jsonBody(boundsOf(options).bodyBytes);
  const body = <S extends z.ZodType>(schema: S) => ({
    body: { required: true, content: { "application/json": { schema } } },
  });

  const signup = createRoute({
    method: "post",
    path: "/auth/signup",
    tags: ["Identity"],
    summary: "Set a password",
    description:
      "Sets the first password of the session's phone, or replaces a forgotten one. The device must have got its token by " +
      "code, scan, password or an API key within the last 15 minutes; otherwise the answer is `verification_required`. With " +
      "the old password, `/auth/password` changes it at any time.\n\n" +
      "Without a token `phone` is needed, and nothing is set yet: a code is requested for the phone as by `/session/verify`, and " +
      "the answer is 202. Confirm the code there, and call this route again with the token that it gives. A `phone` beside a " +
      "token is ignored: the session's own phone gets the password.",
    security: [...security.token, ...security.nobody],
    middleware,
    request: body(
      z
        .strictObject({ phone: identityFields.phone.optional(), password: chosen })
        .openapi({ example: { password: "correct horse battery" } }),
    ),
    responses: {
      200: json("The password is set.", z.object({ password: z.literal("set") })),
      202: json(
        "Without a token: a code was sent if the phone has an address. The password is not set yet.",
        z.object({
          password: z.literal("unset"),
          next: z.literal("/session/verify"),
          sent: z.literal("if_known"),
          expires_in: z.int().openapi({ description: "Seconds." }),
        }),
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
  });
  app.openapi(signup, async (c) => {
    const { token_hash: held } = await callerOf(c.req.raw.headers, options.keys);
    const { phone, password } = c.req.valid("json");
    if (held === undefined && phone !== undefined) return c.json(await beginProof(c, phone, options), 202);
    const token_hash = held ?? (await tokenOf(c.req.raw.headers, options.keys));
    const hub = c.var.exchange.hub();
    await hub.store.proofs.signUp({ token_hash, password }, hub.now());
    return c.json({ password: "set" as const }, 200);
  });

  const change = createRoute({
    method: "post",
    path: "/auth/password",
    tags: ["Identity"],
    summary: "Change the password",
    security: security.token,
    middleware,
    request: body(z.strictObject({ password: known, new_password: chosen })),
    responses: {
      200: json("The new password holds.", z.object({ password: z.literal("changed") })),
      ...problems(
        "malformed",
        "unauthorized",
        "password_invalid",
        "verification_required",
        "session_not_found",
        "session_expired",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(change, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const hub = c.var.exchange.hub();
    const given = c.req.valid("json");
    await hub.store.proofs.changePassword({ token_hash, ...given }, hub.now());
    return c.json({ password: "changed" as const }, 200);
  });

  const login = createRoute({
    method: "post",
    path: "/auth/login",
    tags: ["Identity"],
    summary: "Log in",
    description:
      "Restores or opens the session of the phone and appends `channel`. With the token of an anonymous session, that " +
      "session is merged into it, for example its cart. The answer does not show which phones are known. After five wrong " +
      "passwords the caller must wait longer each time.",
    security: [...security.nobody, ...security.token],
    middleware,
    request: body(
      z.strictObject({ phone: identityFields.phone, password: known, channel: channelName(options) }),
    ),
    responses: {
      200: json(
        "The session, and the device's new token; its old token is dead.",
        z.object({ session_token: z.string(), session: sessionSchema, conflicts }),
      ),
      ...problems(
        "malformed",
        "phone_ambiguous",
        "unauthorized",
        "password_invalid",
        "payload_too_large",
        "unsupported_media_type",
      ),
    },
  });
  app.openapi(login, async (c) => {
    const { channel, password, ...body } = c.req.valid("json");
    const { token_hash } = await callerOf(c.req.raw.headers, options.keys);
    const phone = phoneOf(body.phone, options.country);
    c.var.exchange.facts.channel = channel;
    const rate_limit_keys = await limitKeys(c.req.raw.headers, token_hash);
    const answer = await steady(c.var.exchange.hub(), () =>
      verified(c, token_hash, (hub, new_token_hash) =>
        logIn(hub, {
          phone,
          password,
          channel,
          new_token_hash,
          rate_limit_keys,
          ...(token_hash && { token_hash }),
        }),
      ),
    );
    return c.json(answer, 200);
  });
}

/** Requests a code for the phone of a person without a session, who must confirm it before a password is set. */
async function beginProof(c: HttpContext, phone: string, { country }: AppOptions) {
  const hub = c.var.exchange.hub();
  const rate_limit_keys = await limitKeys(c.req.raw.headers, undefined);
  await steady(hub, () => requestCode(hub, { phone: phoneOf(phone, country), rate_limit_keys }));
  return {
    password: "unset" as const,
    next: "/session/verify" as const,
    sent: "if_known" as const,
    expires_in: CODE_MS / 1_000,
  };
}
