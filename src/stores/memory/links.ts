import type { Identities } from "../../core/identity.ts";
import { areApart, provenOf } from "./identities.ts";
import { findOwner, follow, settleIdentities } from "./people.ts";
import { later, type SessionRow, type Tables } from "./tables.ts";
import { tokenOf } from "./tokens.ts";

const LINK_MS = 10 * 60_000;
/** Live ones per device; the oldest makes room. */
const MOST_LINKS = 5;

/** Lets a link token wait for the person at a device. */
export function addLink(
  tables: Tables,
  link_hash: string,
  token_hash: string,
  now: Date,
): { expires_at: Date } {
  const live = [...tables.links]
    .filter(([, link]) => link.token_hash === token_hash && !link.used_at && link.expires_at > now)
    .sort(([, a], [, b]) => a.created_at.getTime() - b.created_at.getTime());
  for (const [hash] of live.slice(0, Math.max(0, live.length - MOST_LINKS + 1))) tables.links.delete(hash);
  const expires_at = later(now, LINK_MS);
  tables.links.set(link_hash, { token_hash, created_at: now, expires_at });
  return { expires_at };
}

/**
 * Makes the sender of a link token and the person at the device that showed it one, and returns their session.
 * Undefined, and nothing changed, when the token is unknown, used, old or its device is gone, or when the two are
 * known to be different people.
 */
export function redeemLink(
  tables: Tables,
  link_hash: string,
  identities: Identities,
  now: Date,
): SessionRow | undefined {
  const link = tables.links.get(link_hash);
  if (!link || link.used_at || link.expires_at <= now) return undefined;
  const waiting = follow(tables, tokenOf(tables, link.token_hash, now)?.session_id);
  if (waiting?.session.status !== "active" || waiting.session.expires_at <= now) return undefined;
  const sender = findOwner(tables, identities, now);
  const theirs = { ...(sender && provenOf(sender.session)), ...identities };
  if (areApart(provenOf(waiting.session), theirs)) return undefined;
  link.used_at = now;
  return settleIdentities(tables, waiting, identities, now, link.token_hash);
}
