import { HubError, toHubError } from "../core/errors.ts";
import { isOneOf, sha256Hex } from "../core/signature.ts";

/** What an API key opens. */
type Scope = "kiosk" | "web" | "admin";
/**
 * The API keys of each scope. A scope with an empty list is closed. A key in `bot` has none of these scopes: it opens
 * threads and previews, and every other route answers 401 to it.
 */
export type Keys = Readonly<Record<Scope, readonly string[]>> & { readonly bot?: readonly string[] };

/** The caller: a device with a session token, a program of the shop with an API key, both, or neither. */
export interface Caller {
  readonly token_hash?: string;
  /** The scopes that the API key opens; an admin key opens all. `undefined` without a key. */
  readonly scopes?: ReadonlySet<Scope>;
  /** The API key's name in the audit: its scope and the beginning of its SHA-256. */
  readonly actor?: string;
}

const TOKEN_PREFIX = "hst_";
const SCOPES: readonly Scope[] = ["kiosk", "web", "admin"];
const LONGEST = 512;

/** Reads `Authorization: Bearer`, `X-Session-Token` and `X-API-Key`. Throws `unauthorized` for an unknown API key. */
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

/** The name of every key in the audit and the metrics. A key of several scopes is named by its widest one. */
export async function namesOf(keys: Keys): Promise<string[]> {
  const byKey = new Map(SCOPES.flatMap((scope) => keys[scope].map((key) => [key, scope] as const)));
  return Promise.all([...byKey].map(([key, scope]) => nameOf(scope, key)));
}

async function nameOf(scope: Scope | "bot", key: string): Promise<string> {
  return `${scope}:${(await sha256Hex(key)).slice(0, 8)}`;
}

/** The holder of an admin key. Throws `unauthorized` without a key and `forbidden` for one of another scope. */
export async function adminCallerOf(
  headers: Headers,
  keys: Keys,
): Promise<Caller & { readonly actor: string }> {
  const caller = await callerOf(headers, keys);
  const { scopes, actor } = caller;
  if (!scopes || !actor) throw new HubError("unauthorized", "an admin key is needed");
  if (!scopes.has("admin")) throw new HubError("forbidden", "an admin key is needed");
  return { ...caller, actor };
}

/** The admin key's name in the audit. Throws the errors of `adminCallerOf`. */
export async function adminOf(headers: Headers, keys: Keys): Promise<string> {
  return (await adminCallerOf(headers, keys)).actor;
}

/** The name of a bot's key; undefined for any other caller. */
export async function botOf(headers: Headers, { bot = [] }: Keys): Promise<string | undefined> {
  const { key } = credentialsIn(headers);
  return key && (await isOneOf(key, bot)) ? nameOf("bot", key) : undefined;
}

/**
 * The name of the key that opens threads and previews: a bot's, a web or an admin key. Throws `unauthorized` without one of them and
 * `forbidden` for a kiosk's.
 */
export async function programOf(headers: Headers, keys: Keys): Promise<string> {
  const bot = await botOf(headers, keys);
  if (bot) return bot;
  const { scopes, actor } = await callerOf(headers, keys);
  if (!scopes || !actor) throw new HubError("unauthorized", "a bot's, a web or an admin key is needed");
  if (!scopes.has("web")) throw new HubError("forbidden", "a bot's, a web or an admin key is needed");
  return actor;
}

/** Whether the caller holds an admin key. False for wrong credentials. */
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

/** A new session token, and its SHA-256 for the store. */
export async function mintToken(): Promise<{ session_token: string; token_hash: string }> {
  const session_token = TOKEN_PREFIX + randomText(32);
  return { session_token, token_hash: await sha256Hex(session_token) };
}

/** `bytes` random bytes as base64url. */
export function randomText(bytes: number): string {
  const text = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
