import { IDENTITY_KINDS } from "../../core/identity/identity.ts";
import type { KnownAddress } from "../../core/identity/proofs.ts";
import type { InboundMessage } from "../../core/messages/message.ts";
import { copy, type SessionRow } from "./tables.ts";

/** Keeps where a customer was heard of, if they can be written to there. */
export function keepAddress(row: SessionRow, inbound: InboundMessage, now: Date): void {
  const { channel, account, address, address_of, from } = inbound;
  if (address_of === null) return;
  if ("token_hash" in from || "session_id" in from || Object.keys(address).length === 0) return;
  const known = row.addresses.get(channel);
  if (known && known.used_at > now) return;
  const { telegram_chat_id } = from;
  // A chat is reached by its id alone, whatever else was said there.
  const via = telegram_chat_id === undefined ? from : { telegram_chat_id };
  row.addresses.set(channel, copy({ channel, account: account!, address, used_at: now, via }));
}

/** Forgets the addresses that came with an identity which is no longer the session's: they may reach somebody else. */
export function dropLostAddresses(row: SessionRow): void {
  for (const [channel, { via }] of row.addresses)
    if (IDENTITY_KINDS.some((kind) => via[kind] !== undefined && via[kind] !== row.session[kind]))
      row.addresses.delete(channel);
}

/** The younger session's addresses, where they were used later. */
export function uniteAddresses(survivor: SessionRow, younger: SessionRow): void {
  for (const [channel, other] of younger.addresses) {
    const ours = survivor.addresses.get(channel);
    if (!ours || ours.used_at < other.used_at) survivor.addresses.set(channel, other);
  }
  younger.addresses.clear();
}

/** Where a customer can be written to, the last used first. */
export function knownAddresses({ addresses, unreachable }: SessionRow): KnownAddress[] {
  return [...addresses.values()]
    .filter(({ channel }) => !unreachable.includes(channel))
    .sort((a, b) => b.used_at.getTime() - a.used_at.getTime() || (a.channel < b.channel ? -1 : 1))
    .map(({ via: _, ...address }) => address);
}
