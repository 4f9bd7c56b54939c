import { createRoute, z } from "@hono/zod-openapi";
import { HubError, toHubError } from "../../core/errors.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions } from "../../http/request.ts";
import { instant } from "../../http/shapes.ts";
import { featuresOf } from "../features.ts";
import { staffSecurity, userSchema, viewUser } from "./shape.ts";
import type { SignInWays, Verified } from "./sign-in-ways.ts";
import { mintStaffToken, staffTokenOf } from "./staff-token.ts";

const BODY_BYTES = 16_384;

const email = z.email().max(254).openapi({ example: "ana@shop.example" });
const signInSchema = z
  .strictObject({
    email: email.optional(),
    password: z.string().min(1).max(512).optional(),
    access_token: z.string().min(1).max(8_192).optional().openapi({
      description: "Instead of both: an access token of Supabase Auth, which a link in an e-mail leads to.",
    }),
  })
  .openapi({ example: { email: "ana@shop.example", password: "a password of hers" } });

/** Registers the sign-in of staff. An API key is none. */
export function addSignIn(app: App, options: AppOptions): void {
  const tags = ["Desk"];
  const middleware = jsonBody(BODY_BYTES);

  const ways = createRoute({
    method: "get",
    path: "/api/staff/sign-in",
    tags,
    summary: "How staff sign in here",
    description:
      "`off`: sign-in is not configured. `local`: on a developer's machine, by one password for all.",
    security: security.nobody,
    responses: {
      200: json(
        "The ways.",
        z.object({ kind: z.enum(["supabase", "local", "off"]), password: z.boolean(), link: z.boolean() }),
      ),
      ...problems(),
    },
  });
  app.openapi(ways, (c) => {
    const { signIn } = options;
    const link = signIn?.sendLink !== undefined;
    return c.json({ kind: signIn?.kind ?? ("off" as const), password: signIn !== undefined, link }, 200);
  });

  const signIn = createRoute({
    method: "post",
    path: "/api/staff/sign-in",
    tags,
    summary: "Sign in at the desk",
    description:
      "With e-mail and password, or with an access token of Supabase Auth. Whoever it is must be an enabled user. The token is shown " +
      "once; it opens the desk's routes for 12 hours, and for an hour without a call.",
    security: security.nobody,
    middleware,
    request: { body: { required: true, content: { "application/json": { schema: signInSchema } } } },
    responses: {
      200: json("Signed in.", z.object({ staff_token: z.string(), expires_at: instant, user: userSchema })),
      ...problems("malformed", "unauthorized", "not_found", "needs_database", "unsupported_media_type"),
    },
  });
  app.openapi(signIn, async (c) => {
    const given = c.req.valid("json");
    const hub = c.var.exchange.hub();
    const { staff } = featuresOf(hub);
    try {
      const who = await verifiedBy(waysOf(options), given);
      const { staff_token, token_hash } = await mintStaffToken();
      const { user, expires_at } = await staff.signIn(who, token_hash, hub.now());
      c.var.exchange.facts.user_id = user.user_id;
      return c.json({ staff_token, expires_at: expires_at.toISOString(), user: viewUser(user) }, 200);
    } catch (thrown) {
      const error = toHubError(thrown);
      if (error.code !== "unauthorized") throw thrown;
      hub.log("warn", "staff.refused", { advice: "many of these are somebody who tries passwords" });
      // The same words whether there is such a user or not.
      throw new HubError("unauthorized", "this does not sign anybody in");
    }
  });

  const link = createRoute({
    method: "post",
    path: "/api/staff/sign-in/link",
    tags,
    summary: "Ask for a link by e-mail",
    description:
      "The answer is the same whether somebody has this e-mail or not. The link leads to `/desk` of this hub.",
    security: security.nobody,
    middleware,
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.strictObject({ email }).openapi({ example: { email: "ana@shop.example" } }),
          },
        },
      },
    },
    responses: {
      200: json("Sent, if somebody has it.", z.object({ sent: z.literal(true) })),
      ...problems("malformed", "not_found", "needs_database", "unsupported_media_type"),
    },
  });
  app.openapi(link, async (c) => {
    featuresOf(c.var.exchange.hub());
    const { sendLink } = waysOf(options);
    if (!sendLink) throw new HubError("not_found", "there are no links by e-mail here");
    await sendLink(c.req.valid("json").email.toLowerCase(), new URL("/desk", c.req.url).href);
    return c.json({ sent: true as const }, 200);
  });

  const me = createRoute({
    method: "get",
    path: "/api/staff/me",
    tags,
    summary: "Who is signed in",
    security: staffSecurity,
    responses: { 200: json("They.", userSchema), ...problems("unauthorized", "needs_database") },
  });
  app.openapi(me, async (c) => {
    const token = await staffTokenOf(c.req.raw.headers);
    const hub = c.var.exchange.hub();
    return c.json(viewUser(await featuresOf(hub).staff.who(token, hub.now())), 200);
  });

  const signOut = createRoute({
    method: "post",
    path: "/api/staff/sign-out",
    tags,
    summary: "Sign out",
    security: staffSecurity,
    responses: {
      200: json("The token opens nothing any more.", z.object({})),
      ...problems("unauthorized", "needs_database"),
    },
  });
  app.openapi(signOut, async (c) => {
    const token = await staffTokenOf(c.req.raw.headers);
    const hub = c.var.exchange.hub();
    await featuresOf(hub).staff.signOut(token, hub.now());
    return c.json({}, 200);
  });
}

function waysOf({ signIn }: AppOptions): SignInWays {
  if (signIn) return signIn;
  throw new HubError("not_found", "sign-in is not configured: see docs/desk.md");
}

async function verifiedBy(
  ways: SignInWays,
  { email, password, access_token }: z.infer<typeof signInSchema>,
): Promise<Verified> {
  const isPair = email !== undefined && password !== undefined;
  if (access_token !== undefined ? email !== undefined || password !== undefined : !isPair)
    throw new HubError("malformed", "body: email and password, or access_token alone");
  if (access_token === undefined) return ways.byPassword(email!.toLowerCase(), password!);
  if (!ways.byAccessToken) throw new HubError("unauthorized", "there are no access tokens here");
  return ways.byAccessToken(access_token);
}
