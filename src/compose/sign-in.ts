import { z } from "zod";
import { HubError } from "../core/errors.ts";
import { type Env, isDevelopment } from "../core/settings.ts";
import { localSignIn } from "../features/staff/local-sign-in.ts";
import type { SignInWays } from "../features/staff/sign-in-ways.ts";
import { supabaseSignIn } from "../features/staff/supabase-sign-in.ts";

const schema = z.object({
  SUPABASE_AUTH_URL: z.url({ protocol: /^https?$/, error: "must be a URL" }).optional(),
  SUPABASE_URL: z.url({ protocol: /^https?$/, error: "must be a URL" }).optional(),
  SUPABASE_ANON_KEY: z.string().min(1).optional(),
  SUPABASE_JWT_SECRET: z.string().min(16, "must have at least 16 characters").optional(),
  DESK_PASSWORD: z.string().min(8, "must have at least 8 characters").optional(),
});

/** How the people of the shop sign in; undefined if nothing of it is set. Throws `misconfigured`. */
export function signInOf(env: Env): SignInWays | undefined {
  const given = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, env[name] || undefined]));
  const read = schema.safeParse(given);
  if (!read.success)
    throw new HubError(
      "misconfigured",
      `sign-in has a wrong setting: ${read.error.issues.map(({ path, message }) => `${String(path[0])} ${message}`).join("; ")}`,
    );
  const { SUPABASE_ANON_KEY: key, SUPABASE_JWT_SECRET: jwtSecret, DESK_PASSWORD: password } = read.data;
  const url = read.data.SUPABASE_AUTH_URL ?? read.data.SUPABASE_URL;
  if (password !== undefined && !isDevelopment(env))
    throw new HubError(
      "misconfigured",
      "DESK_PASSWORD signs every user in, which is refused unless ENVIRONMENT is development",
    );
  if (key !== undefined) {
    if (url === undefined)
      throw new HubError("misconfigured", "SUPABASE_ANON_KEY is set, but SUPABASE_URL is missing");
    return supabaseSignIn({ url, key, ...(jwtSecret !== undefined && { jwtSecret }) });
  }
  return password === undefined ? undefined : localSignIn(password);
}
