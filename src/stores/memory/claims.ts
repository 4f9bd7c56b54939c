import { HubError } from "../../core/errors.ts";
import type { Identities } from "../../core/identity/identity.ts";
import type { Session } from "../../core/sessions/session.ts";
import { activeOf, newCustomer, seenActive } from "./customers.ts";
import { giveIdentity, identityRow } from "./identities.ts";
import { open } from "./people.ts";
import type { SessionRow, Tables } from "./tables.ts";

/**
 * The session for a phone that is only claimed: the session of an earlier claim that was used on no other channel, or a
 * new one of a new customer. Throws `verification_required` when a customer has verified the phone, or when the session
 * of the earlier claim was used on another channel.
 */
export function claim(tables: Tables, identities: Identities, channel: string, now: Date): SessionRow {
  refuseClaim(tables, identities, channel, now);
  const phone = identities.phone!;
  const held = identityRow(tables, "phone", phone);
  const row = held && activeOf(tables, held.customer, now);
  if (row) return row;
  const customer = newCustomer(tables, now);
  giveIdentity(tables, customer, "phone", phone, { verified: false, now });
  return open(tables, customer, channel, now);
}

/** Throws `verification_required` unless a session with these claimed identities may be found or opened. */
export function refuseClaim(
  tables: Tables,
  { phone, ...others }: Identities,
  channel: string | undefined,
  now: Date,
): void {
  const held = phone === undefined ? undefined : identityRow(tables, "phone", phone);
  const session = held && seenActive(tables, held.customer, now)?.session;
  const isFree = !held || (!held.verified_at && (!session || isWhereItBegan(session, channel)));
  if (phone === undefined || Object.keys(others).length > 0 || !isFree)
    throw new HubError("verification_required", "who this is has to be proven first");
}

/** Whether a session was used only on the channel where it began, and is used there now. */
function isWhereItBegan({ channel: began, channels }: Session, channel: string | undefined): boolean {
  return [...channels, channel ?? began].every((name) => name === began);
}
