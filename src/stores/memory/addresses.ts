import { identitiesOf } from "../../core/identity/identity.ts";
import type { KnownAddress } from "../../core/identity/proofs.ts";
import type { InboundMessage } from "../../core/messages/message.ts";
import { isSessionRef } from "../../core/sessions/session.ts";
import { identityRow } from "./identities.ts";
import { type CustomerRow, copy, later, type SessionRow, type Tables } from "./tables.ts";

const EXACT_MS = 60_000;

/**
 * Stores the address of a customer's message with its identity, if the customer can be written to there. `used_at` is
 * written at most once a minute, or at once when the message before came on another channel. An older message never
 * replaces a newer address.
 */
export function keepAddress(tables: Tables, row: SessionRow, inbound: InboundMessage, now: Date): void {
  const { channel, account, address, address_of, from, claimed } = inbound;
  if (claimed || address_of === null || isSessionRef(from) || Object.keys(address).length === 0) return;
  const kind = address_of ?? identitiesOf(from)[0]?.[0];
  const identity = kind && from[kind] !== undefined && identityRow(tables, kind, from[kind]);
  if (!identity) return;
  const known = identity.address;
  if (known && known.used_at > now) return;
  const isSame = known && placeOf(known) === placeOf({ channel, account, address });
  if (isSame && later(known.used_at, EXACT_MS) > now && row.last_channel === channel) return;
  identity.address = copy({ channel, account: account!, address, used_at: now });
}

/** The addresses where a customer can be written to, last used first. */
export function knownAddresses(customer: CustomerRow): KnownAddress[] {
  return addressesOf(customer)
    .filter(({ channel }) => !customer.unreachable.includes(channel))
    .sort((a, b) => b.used_at.getTime() - a.used_at.getTime() || compare(a.channel, b.channel));
}

/** All addresses of a customer, by channel, last used first. */
export function addressesOf({ identities }: CustomerRow): KnownAddress[] {
  return [...identities.values()]
    .sort((a, b) => compare(a.kind, b.kind))
    .flatMap(({ address }) => address ?? [])
    .sort((a, b) => compare(a.channel, b.channel) || b.used_at.getTime() - a.used_at.getTime());
}

function placeOf({
  channel,
  account,
  address,
}: Pick<InboundMessage, "channel" | "address"> & { readonly account?: string | undefined }): string {
  return JSON.stringify([channel, account, Object.entries(address).sort()]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
