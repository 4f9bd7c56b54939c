import { FRESH_MS } from "../../core/identity/proofs.ts";
import { later, type SessionRow, type Tables, type TokenRow } from "./tables.ts";

/** How exactly the last use of a token is recorded. A kiosk's is recorded more exactly, because it ends without use. */
const EXACT_MS = 15_000;
const KIOSK_EXACT_MS = 1_000;

/** The row of a live token: it was given, not deleted, and is not a kiosk's that was idle too long. */
export function tokenOf(tables: Tables, token_hash: string, now: Date): TokenRow | undefined {
  const token = tables.tokens.get(token_hash);
  return token && !isIdle(tables, token, now) ? token : undefined;
}

/** Whether the token is a kiosk's and was not used for the kiosk's idle time. */
export function isIdle({ settings }: Tables, { channel, last_used_at }: TokenRow, now: Date): boolean {
  const { kioskIdleMs } = settings;
  return channel === "kiosk" && kioskIdleMs !== undefined && later(last_used_at, kioskIdleMs) <= now;
}

/** Records that a device was used. */
export function useToken(token: TokenRow, now: Date): void {
  if (later(token.last_used_at, token.channel === "kiosk" ? KIOSK_EXACT_MS : EXACT_MS) <= now)
    token.last_used_at = now;
}

/**
 * Gives a device a token for this session; a known token moves to this session. If the session's customer has verified
 * identities, call it only after a proof, or for a trusted caller.
 */
export function giveToken(
  tables: Tables,
  token_hash: string,
  { session }: SessionRow,
  channel: string | undefined,
  now: Date,
): void {
  const { device_id = crypto.randomUUID(), created_at = now } = tables.tokens.get(token_hash) ?? {};
  tables.tokens.set(token_hash, {
    session_id: session.session_id,
    device_id,
    channel: channel ?? session.channel,
    created_at,
    last_used_at: now,
    confirmed_at: now,
  });
}

/** Whether the last proof on the device is recent. Only then may the device make changes that outlast its token. */
export function isFresh({ confirmed_at }: TokenRow, now: Date): boolean {
  return later(confirmed_at, FRESH_MS) > now;
}

/** Replaces a device's token by a new one. Link tokens that were made with the old one are deleted. */
export function exchangeToken(tables: Tables, token_hash: string, new_token_hash: string): void {
  const token = tables.tokens.get(token_hash);
  if (!token) return;
  tables.tokens.delete(token_hash);
  tables.tokens.set(new_token_hash, token);
  for (const [hash, link] of tables.links) if (link.token_hash === token_hash) tables.links.delete(hash);
  tables.effects.closed.push(token_hash);
}

/** Deletes the sessions' tokens, except the one to keep. */
export function closeTokens(tables: Tables, rows: readonly SessionRow[], keep?: string): void {
  const ids = rows.map(({ session }) => session.session_id);
  const dead = [...tables.tokens].filter(
    ([hash, { session_id }]) => ids.includes(session_id) && hash !== keep,
  );
  for (const [hash] of dead) tables.tokens.delete(hash);
  tables.effects.closed.push(...dead.map(([hash]) => hash).sort());
}
