import { HubError, toHubError } from "../core/errors.ts";
import { isOneOf, sha256Hex } from "../core/signature.ts";

/** Who an API key may be. An empty list closes its scope. */
type Scope = "kiosk" | "web" | "admin";
/** The keys of each scope. A bot's keys are none of them: they open threads, and to every other route they are no key. */
export type Keys = Readonly<Record<Scope, readonly string[]>> & { readonly bot?: readonly string[] };

/** Who calls: a device by its session token, a trusted system by its API key, both, or anybody. */
export interface Caller {
  readonly token_hash?: string;
  /** What the API key opens; an admin key opens everything. `undefined` without a key. */
  readonly scopes?: ReadonlySet<Scope>;
  /** The API key's name in the audit: its scope and the beginning of its SHA-256. */
  readonly actor?: string;
}

const TOKEN_PREFIX = "hst_";
const SCOPES: readonly Scope[] = ["kiosk", "web", "admin"];
const LONGEST = 512;

/** Reads `Authorization: Bearer`, `X-Session-Token` and `X-API-Key`. Throws `unauthorized` for a key that is none. */
export async function callerOf(headers: Headers, keys: Keys): Promise<Caller> {
  const { token, key } = credentialsIn(headers);
  return {
    ...(token && { token_hash: await sha256Hex(token) }),
    ...(key && (await holderOf(key, keys))),
  };
}

function credentialsIn(headers: Headers): { token: string | undefined; key: string | undefined } {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  const isToken = bearer?.startsWith(TOKEN_PREFIX);
  const token = headers.get("x-session-token") || (isToken ? bearer : undefined);
  const key = headers.get("x-api-key") || (isToken ? undefined : bearer);
  if ((token?.length ?? 0) > LONGEST || (key?.length ?? 0) > LONGEST)
    throw new HubError("unauthorized", "the credentials are not of this hub");
  return { token, key };
}

async function holderOf(key: string, keys: Keys): Promise<Required<Pick<Caller, "scopes" | "actor">>> {
  const scopes = new Set<Scope>();
  for (const scope of SCOPES) if (await isOneOf(key, keys[scope])) scopes.add(scope);
  if (scopes.size === 0) throw new HubError("unauthorized", "the API key is not valid");
  const actor = await nameOf([...scopes].at(-1)!, key);
  return { scopes: scopes.has("admin") ? new Set(SCOPES) : scopes, actor };
}

/** The name of every key, as the audit and the metrics know it; of one that opens several scopes the widest. */
export async function namesOf(keys: Keys): Promise<string[]> {
  const byKey = new Map(SCOPES.flatMap((scope) => keys[scope].map((key) => [key, scope] as const)));
  return Promise.all([...byKey].map(([key, scope]) => nameOf(scope, key)));
}

async function nameOf(scope: Scope | "bot", key: string): Promise<string> {
  return `${scope}:${(await sha256Hex(key)).slice(0, 8)}`;
}

/** The admin key's name in the audit. Throws `unauthorized` without a key and `forbidden` for one of another scope. */
export async function adminOf(headers: Headers, keys: Keys): Promise<string> {
  const { scopes, actor } = await callerOf(headers, keys);
  if (!scopes || !actor) throw new HubError("unauthorized", "an admin key is needed");
  if (!scopes.has("admin")) throw new HubError("forbidden", "an admin key is needed");
  return actor;
}

/** The name of a bot's key; undefined for any other caller. */
export async function botOf(headers: Headers, { bot = [] }: Keys): Promise<string | undefined> {
  const { key } = credentialsIn(headers);
  return key && (await isOneOf(key, bot)) ? nameOf("bot", key) : undefined;
}

/**
 * The name of the key of a program that keeps its memory here: a bot's, a web or an admin key. Throws `unauthorized` without
 * one of them and `forbidden` for a kiosk's.
 */
export async function programOf(headers: Headers, keys: Keys): Promise<string> {
  const bot = await botOf(headers, keys);
  if (bot) return bot;
  const { scopes, actor } = await callerOf(headers, keys);
  if (!scopes || !actor) throw new HubError("unauthorized", "a bot's, a web or an admin key is needed");
  if (!scopes.has("web")) throw new HubError("forbidden", "a bot's, a web or an admin key is needed");
  return actor;
}

/** Whether the caller holds an admin key; wrong credentials are none. */
export async function isAdmin(headers: Headers, keys: Keys): Promise<boolean> {
  try {
    return (await callerOf(headers, keys)).scopes?.has("admin") ?? false;
  } catch (error) {
    if (toHubError(error).code === "unauthorized") return false;
    throw error;
  }
}

/** The SHA-256 of the caller's session token. Throws `unauthorized` without one. */
export async function tokenOf(headers: Headers, keys: Keys): Promise<string> {
  const { token_hash } = await callerOf(headers, keys);
  if (token_hash) return token_hash;
  throw new HubError("unauthorized", "a session token is needed: Authorization: Bearer or X-Session-Token");
}

/** A new session token and what the store keeps of it. */
export async function mintToken(): Promise<{ session_token: string; token_hash: string }> {
  const session_token = TOKEN_PREFIX + randomText(32);
  return { session_token, token_hash: await sha256Hex(session_token) };
}

/** That many random bytes as base64url. */
export function randomText(bytes: number): string {
  const text = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
