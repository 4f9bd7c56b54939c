import { HubError } from "../../core/errors.ts";
import { RATING_CHANGES_MS, type Rated, type Rating } from "../../core/sessions/rating.ts";
import { follow } from "./people.ts";
import { later, type SessionRow, type Tables } from "./tables.ts";
import { tokenOf } from "./tokens.ts";

/**
 * Ends all tokens of a session. Returns their hashes, in order. For a day they may still rate the session, and they read it until
 * `readable_until`.
 */
export function endTokens(tables: Tables, session_id: string, now: Date, readable_until?: Date): string[] {
  const hashes = [...tables.tokens].flatMap(([hash, token]) =>
    token.session_id === session_id ? [hash] : [],
  );
  for (const hash of hashes) {
    tables.tokens.delete(hash);
    tables.endedTokens.set(hash, { session_id, ended_at: now, ...(readable_until && { readable_until }) });
  }
  return hashes.sort();
}

/** Rates a session; a token rates its own only. */
export function rate(
  tables: Tables,
  session_id: string,
  token_hash: string | undefined,
  given: Rating,
  now: Date,
): Rated {
  const row = follow(tables, session_id);
  const own = token_hash === undefined ? undefined : ratable(tables, token_hash, now);
  if (own && own !== row) throw new HubError("forbidden", "this token belongs to another session");
  if (!row || (token_hash !== undefined && !own))
    throw new HubError("session_not_found", "there is no such session");
  const { session } = row;
  const { rating, feedback = session.feedback } = given;
  const isOver = later(overSince(row), RATING_CHANGES_MS) <= now;
  if (isOver && own) throw new HubError("session_expired", "the session ended more than a day ago");
  const isOther = session.rating !== rating || session.feedback !== (feedback ?? undefined);
  if (isOver && session.rating !== undefined && isOther)
    throw new HubError("rating_closed", "the rating can be changed for a day after the session has ended");
  session.rating = rating;
  if (feedback == null) delete session.feedback;
  else session.feedback = feedback;
  if (session.updated_at < now) session.updated_at = now;
  return { session_id: session.session_id, rating, ...(feedback != null && { feedback }) };
}

/** Deletes ended tokens that may not rate any more. */
export function forgetEndedTokens({ endedTokens }: Tables, now: Date): void {
  for (const [hash, { ended_at }] of endedTokens)
    if (later(ended_at, RATING_CHANGES_MS) <= now) endedTokens.delete(hash);
}

/** The session that a token may rate: its own, also for a day after it has ended. */
function ratable(tables: Tables, token_hash: string, now: Date): SessionRow | undefined {
  const ended = tables.endedTokens.get(token_hash);
  const recent = ended && later(ended.ended_at, RATING_CHANGES_MS) > now ? ended : undefined;
  return follow(tables, (tokenOf(tables, token_hash, now) ?? recent)?.session_id);
}

/** When a session ended: its expiry if it expired or is still active, else `ended_at`. */
function overSince({ session }: SessionRow): Date {
  const mayExpire = session.status === "active" || session.status === "expired";
  return mayExpire ? session.expires_at : session.ended_at!;
}
