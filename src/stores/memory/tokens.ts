import { FRESH_MS } from "../../core/identity/proofs.ts";
import { later, type SessionRow, type Tables, type TokenRow } from "./tables.ts";

/** How exactly the last use of a token is kept; a kiosk's, which dies without use, more exactly than others. */
const EXACT_MS = 15_000;
const KIOSK_EXACT_MS = 1_000;

/** A token that is alive: given, not taken back, and not left lying at a kiosk. */
export function tokenOf(tables: Tables, token_hash: string, now: Date): TokenRow | undefined {
  const token = tables.tokens.get(token_hash);
  return token && !isIdle(tables, token, now) ? token : undefined;
}

/** Whether a kiosk's token was left lying. */
export function isIdle({ settings }: Tables, { channel, last_used_at }: TokenRow, now: Date): boolean {
  const { kioskIdleMs } = settings;
  return channel === "kiosk" && kioskIdleMs !== undefined && later(last_used_at, kioskIdleMs) <= now;
}

/** Remembers that a device was used. */
export function useToken(token: TokenRow, now: Date): void {
  if (later(token.last_used_at, token.channel === "kiosk" ? KIOSK_EXACT_MS : EXACT_MS) <= now)
    token.last_used_at = now;
}

/**
 * Gives a device its token; one that is known comes to be this session's. For a session that is somebody's it takes a
 * proof, or a trusted caller's word.
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

/** Whether the device has proven lately who it is: only then it may do what outlasts its token. */
export function isFresh({ confirmed_at }: TokenRow, now: Date): boolean {
  return later(confirmed_at, FRESH_MS) > now;
}

/** Gives the device that holds one token another in its place. What was shown with the old one dies with it. */
export function exchangeToken(tables: Tables, token_hash: string, new_token_hash: string): void {
  const token = tables.tokens.get(token_hash);
  if (!token) return;
  tables.tokens.delete(token_hash);
  tables.tokens.set(new_token_hash, token);
  for (const [hash, link] of tables.links) if (link.token_hash === token_hash) tables.links.delete(hash);
  tables.effects.closed.push(token_hash);
}

/** Lets the sessions' tokens die, but for the one to keep. */
export function closeTokens(tables: Tables, rows: readonly SessionRow[], keep?: string): void {
  const ids = rows.map(({ session }) => session.session_id);
  const dead = [...tables.tokens].filter(
    ([hash, { session_id }]) => ids.includes(session_id) && hash !== keep,
  );
  for (const [hash] of dead) tables.tokens.delete(hash);
  tables.effects.closed.push(...dead.map(([hash]) => hash).sort());
}
