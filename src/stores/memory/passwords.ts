import type { Identities } from "../../core/identity/identity.ts";
import { areApart, verifiedOf } from "./identities.ts";
import type { SessionRow, Tables } from "./tables.ts";

/**
 * Lets passwords follow their owners: one of a phone that the session held before goes along to the phone it holds now,
 * and one that somebody else set for this number before it came here is none any more.
 */
export function followPhone(tables: Tables, row: SessionRow, before: readonly string[], now: Date): void {
  const { passwords } = tables;
  const { phone } = verifiedOf(row.session);
  const found = phone === undefined ? undefined : passwords.get(phone);
  if (found && !before.includes(phone!) && areApart(found.owner, ownerOf(row))) passwords.delete(phone!);
  for (const old of before) {
    const ours = passwords.get(old);
    if (old === phone || !ours) continue;
    passwords.delete(old);
    if (phone !== undefined && !passwords.has(phone)) passwords.set(phone, { ...ours, updated_at: now });
  }
  const kept = phone === undefined ? undefined : passwords.get(phone);
  if (kept) kept.owner = ownerOf(row);
}

/** Who a session's person is beside their phone and their browser. */
export function ownerOf({ session }: SessionRow): Identities {
  const { phone: _phone, visitor_id: _visitor, ...owner } = verifiedOf(session);
  return owner;
}
