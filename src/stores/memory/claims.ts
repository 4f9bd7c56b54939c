import { HubError } from "../../core/errors.ts";
import type { Identities } from "../../core/identity/identity.ts";
import type { Session } from "../../core/sessions/session.ts";
import { findActive, open } from "./people.ts";
import type { SessionRow, Tables } from "./tables.ts";

/**
 * The session of somebody who only claims a phone: one that has been claimed the same way and used nowhere else, or a
 * new one. Throws `verification_required` when the phone is somebody's.
 */
export function claim(
  tables: Tables,
  identities: Identities,
  channel: string,
  now: Date,
  promised?: string,
): SessionRow {
  refuseClaim(tables, identities, channel, now);
  const row = findActive(tables, "phone", identities.phone!, now);
  return row ?? open(tables, { ...identities, phone_verified: false }, channel, now, promised);
}

/** Throws `verification_required` unless a session with these claimed identities may be found or opened. */
export function refuseClaim(
  tables: Tables,
  identities: Identities,
  channel: string | undefined,
  now: Date,
): void {
  const { phone, ...others } = identities;
  const isFree = [...tables.sessions.values()].every(
    ({ session }) =>
      session.status !== "active" ||
      session.phone !== phone ||
      session.expires_at <= now ||
      isClaimable(session, channel),
  );
  if (phone === undefined || Object.keys(others).length > 0 || !isFree)
    throw new HubError("verification_required", "who this is has to be proven first");
}

/** Whether who claims a session's phone may have it: it is nobody's, and used only where it was claimed. */
function isClaimable(
  { phone_verified, channels, ...session }: Session,
  channel: string | undefined,
): boolean {
  return (
    [...channels, channel ?? session.channel].every((name) => name === session.channel) &&
    phone_verified === false
  );
}
