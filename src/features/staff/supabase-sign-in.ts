import { decode, verify, verifyWithJwks } from "hono/jwt";
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import type { SignInWays, Verified } from "./sign-in-ways.ts";

/** The time limit of one call to Supabase Auth. */
const CALL_MS = 4_000;
/** How long its public keys are kept. */
const KEYS_MS = 10 * 60_000;
const ASYMMETRIC = ["ES256", "RS256", "EdDSA"] as const;
/** Access tokens are a kilobyte or two. */
const LONGEST = 8_192;

const keysSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) });
const tokenSchema = z.object({ access_token: z.string() });
const claimsSchema = z.object({
  sub: z.string().min(1),
  role: z.literal("authenticated"),
  is_anonymous: z.literal(false).optional(),
});
const userSchema = z.object({
  id: z.string(),
  email: z.email(),
  email_confirmed_at: z.string().min(1),
});

interface SupabaseAuth {
  readonly url: string;
  /** The public key, which names the project. */
  readonly key: string;
  /** The secret of projects that sign their tokens with HS256. */
  readonly jwtSecret?: string;
}

/**
 * Signs in with Supabase Auth. An access token counts if its signature is the project's (its public keys, or HS256 with the project's
 * secret), issuer, audience and times are right, and the project then says who that is, with a confirmed e-mail.
 * https://supabase.com/docs/guides/auth/jwts
 */
export function supabaseSignIn({ url, key, jwtSecret }: SupabaseAuth): SignInWays {
  const base = `${url.replace(/\/+$/, "")}/auth/v1`;
  let keys: { readonly list: z.infer<typeof keysSchema>["keys"]; readonly until: number } | undefined;

  async function call(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
    try {
      const answer = await fetch(base + path, {
        ...init,
        headers: { apikey: key, "content-type": "application/json", ...init.headers },
        redirect: "manual",
        signal: AbortSignal.timeout(CALL_MS),
      });
      return { status: answer.status, body: await answer.json().catch(() => undefined) };
    } catch (cause) {
      throw new HubError("unavailable", "Supabase Auth does not answer", {
        reason: "auth_unreachable",
        cause,
      });
    }
  }

  async function publicKeys() {
    if (!keys || keys.until < Date.now()) {
      const { status, body } = await call("/.well-known/jwks.json");
      const read = keysSchema.safeParse(body);
      if (status !== 200 || !read.success) throw unreadable(status);
      keys = { list: read.data.keys, until: Date.now() + KEYS_MS };
    }
    return keys.list;
  }

  async function claimsOf(token: string) {
    const rules = { iss: base, aud: "authenticated" };
    let alg: string;
    try {
      alg = decode(token).header.alg;
    } catch {
      throw refused();
    }
    const isSymmetric = alg === "HS256" && jwtSecret !== undefined;
    const list = isSymmetric ? [] : await publicKeys();
    try {
      const claims = isSymmetric
        ? await verify(token, jwtSecret, { alg: "HS256", ...rules })
        : await verifyWithJwks(token, {
            keys: list as never,
            allowedAlgorithms: ASYMMETRIC,
            verification: rules,
          });
      if (typeof claims.exp !== "number") throw refused();
      return claimsSchema.parse(claims);
    } catch {
      throw refused();
    }
  }

  async function byAccessToken(token: string): Promise<Verified> {
    if (token.length > LONGEST) throw refused();
    const { sub } = await claimsOf(token);
    const { status, body } = await call("/user", { headers: { authorization: `Bearer ${token}` } });
    if (status >= 500) throw unreadable(status);
    const user = userSchema.safeParse(body);
    if (status !== 200 || !user.success || user.data.id !== sub) throw refused();
    return { email: user.data.email.toLowerCase(), auth_id: sub };
  }

  return {
    kind: "supabase",
    byAccessToken,
    async byPassword(email, password) {
      const { status, body } = await call("/token?grant_type=password", {
        method: "POST",
        body: JSON.stringify({ email, password }),
      });
      if (status === 429) throw new HubError("too_many_requests", "wait a while", { retryAfterMs: 60_000 });
      if (status >= 500) throw unreadable(status);
      const read = tokenSchema.safeParse(body);
      if (status !== 200 || !read.success) throw refused();
      return byAccessToken(read.data.access_token);
    },
    async sendLink(email, page) {
      const { status } = await call(`/otp?redirect_to=${encodeURIComponent(page)}`, {
        method: "POST",
        body: JSON.stringify({ email, create_user: false }),
      });
      if (status === 429) throw new HubError("too_many_requests", "wait a while", { retryAfterMs: 60_000 });
      if (status >= 500) throw unreadable(status);
    },
  };
}

function refused(): HubError {
  return new HubError("unauthorized", "e-mail and password, or this link, do not sign anybody in");
}

function unreadable(status: number): HubError {
  return new HubError("unavailable", "Supabase Auth does not answer as it should", {
    reason: `auth_http_${status}`,
  });
}
