import { type Identities, identitiesOf, isPersonal, maskedIdentity } from "../../core/identity/identity.ts";
import { LINK_MS, type Proofs } from "../../core/identity/proofs.ts";
import { activeOf } from "./customers.ts";
import { areApart, holdsMessenger, isSomebody, knownOf, verifiedHolder, verifiedOf } from "./identities.ts";
import { findOwner, follow, settleIdentities } from "./people.ts";
import { later, type SessionRow, type Tables } from "./tables.ts";
import { exchangeToken, giveToken, tokenOf } from "./tokens.ts";

/** Live link tokens per device. A further one replaces the oldest. */
const MOST_LINKS = 5;

/** Adds a link token for the person at a device. */
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

/**
 * The result of a link: `joined` is the session of the two customers, who are now one. `asked` is the session at the
 * device: the sender must first agree that both are the same person.
 */
export type Redeemed = { readonly joined: SessionRow } | { readonly asked: SessionRow };

/**
 * Joins the sender of a link token with the person at the device that showed it. The device's old session token ends,
 * because other people may have seen it. The device goes on with the new token, which only the page that asked for the
 * link knows. If both are known customers, the sender is asked first, and agrees by sending the link token again.
 *
 * Returns undefined and changes nothing when the token is unknown, used or expired, when its device's session has
 * ended, or when the two are, or may be, different people.
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
  // At a kiosk an earlier person may still be signed in. No other person may be joined with that one.
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

/** The notice's text, with the other customer's identity masked and the channels of their session. */
export function mergeQuestion(text: string, { session, customer }: SessionRow): string {
  const held = identitiesOf(verifiedOf(customer));
  const [, value = ""] = held.find(([kind]) => kind === "phone") ?? held[0] ?? [];
  return text
    .replaceAll("{identity}", () => maskedIdentity(value))
    .replaceAll("{channels}", () => session.channels.join(", "));
}
