import { type Identities, identitiesOf, isPersonal, maskedIdentity } from "../../core/identity/identity.ts";
import { LINK_MS, type Proofs } from "../../core/identity/proofs.ts";
import { activeOf } from "./customers.ts";
import { areApart, holdsMessenger, isSomebody, knownOf, verifiedHolder, verifiedOf } from "./identities.ts";
import { findOwner, follow, settleIdentities } from "./people.ts";
import { later, type SessionRow, type Tables } from "./tables.ts";
import { exchangeToken, giveToken, tokenOf } from "./tokens.ts";

/** Live ones per device; the oldest makes room. */
const MOST_LINKS = 5;

/** Lets a link token wait for the person at a device. */
export function addLink(
  tables: Tables,
  { link_hash, ...link }: Parameters<Proofs["createLink"]>[0],
  now: Date,
): { expires_at: Date } {
  const live = [...tables.links]
    .filter(([, other]) => other.token_hash === link.token_hash && other.expires_at > now)
    .sort(([, a], [, b]) => a.created_at.getTime() - b.created_at.getTime());
  for (const [hash] of live.slice(0, Math.max(0, live.length - MOST_LINKS + 1))) tables.links.delete(hash);
  const expires_at = later(now, LINK_MS);
  tables.links.set(link_hash, { ...link, created_at: now, expires_at });
  return { expires_at };
}

/** What came of a link: the session of the two who are one now, or the other's whom its sender has to agree to become. */
export type Redeemed = { readonly joined: SessionRow } | { readonly asked: SessionRow };

/**
 * Makes the sender of a link token and the person at the device that showed it one. The device's token dies, for anybody
 * may have seen it; the one that only the page knows which asked for the link lives. Where each of the two is a known
 * customer, the sender is asked first, and agrees by sending the token again. Undefined, and nothing changed, when the
 * token is unknown, used, old or its device is gone, or when the two are known to be different people, or may be.
 */
export function redeemLink(
  tables: Tables,
  link_hash: string,
  identities: Identities,
  now: Date,
): Redeemed | undefined {
  const link = tables.links.get(link_hash);
  if (!link || link.expires_at <= now) return undefined;
  const device = tokenOf(tables, link.token_hash, now);
  const waiting = follow(tables, device?.session_id);
  if (!device || waiting?.session.status !== "active" || waiting.session.expires_at <= now) return undefined;
  const sender = findOwner(tables, identities, now);
  const theirs = sender && knownOf(sender);
  const here = knownOf(waiting.customer);
  if (areApart(here, { ...theirs, identities: { ...theirs?.identities, ...identities } })) return undefined;
  // At a kiosk somebody who came before may still be signed in: nobody else becomes one with them there.
  if (device.channel === "kiosk" && holdsMessenger(here.identities) && sender !== waiting.customer)
    return undefined;
  const known = identitiesOf(identities)
    .filter(([kind]) => isPersonal(kind))
    .flatMap(([kind, value]) => verifiedHolder(tables, kind, value) ?? []);
  if (known.some((other) => other !== waiting.customer) && isSomebody(here.identities)) {
    const [asker] = identitiesOf(identities);
    if (link.asked?.join() !== asker!.join()) {
      tables.links.set(link_hash, { ...link, asked: asker!, expires_at: later(now, LINK_MS) });
      return { asked: waiting };
    }
  }
  const customer = settleIdentities(tables, waiting.customer, identities, now, link.token_hash)!;
  const row = activeOf(tables, customer, now)!;
  const { token_hash, new_token_hash } = link;
  exchangeToken(tables, token_hash, new_token_hash);
  giveToken(tables, new_token_hash, row, device.channel, now);
  return { joined: row };
}

/** The notice's words, with the other person as far as a stranger may see them. */
export function mergeQuestion(text: string, { session, customer }: SessionRow): string {
  const held = identitiesOf(verifiedOf(customer));
  const [, value = ""] = held.find(([kind]) => kind === "phone") ?? held[0] ?? [];
  return text
    .replaceAll("{identity}", () => maskedIdentity(value))
    .replaceAll("{channels}", () => session.channels.join(", "));
}
