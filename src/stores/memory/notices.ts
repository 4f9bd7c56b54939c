import type { KnownAddress } from "../../core/identity/proofs.ts";
import { addMessage } from "./messages.ts";
import { addDeliveries } from "./outbox.ts";
import type { SessionRow, Tables } from "./tables.ts";
import { claimDelivery } from "./work.ts";

/**
 * Sends a customer a notice of the hub: one message to each of these addresses. Without addresses the notice is only
 * saved in the history, where the customer's devices read it.
 */
export function tell(
  tables: Tables,
  row: SessionRow,
  text: string,
  addresses: readonly Place[],
  now: Date,
): void {
  const said = { content: { kind: "text", text }, direction: "outbound", role: "system" } as const;
  if (addresses.length === 0)
    addMessage(tables, row, { ...said, channel: row.session.channel, status: "sent" }, now);
  for (const { channel, account, address } of addresses.toSorted(byAccount)) {
    const message = addMessage(tables, row, { ...said, channel, account, status: "pending" }, now);
    addDeliveries(tables, row, message, { account, address, parts: [said.content] }, now);
    const delivery = claimDelivery(tables, row, channel, now);
    if (delivery) tables.effects.deliveries.push(delivery);
  }
}

/** Sorts by channel and account: the order in which SQL locks the accounts' paces. */
export function byAccount(a: Account, b: Account): number {
  const [one, other] = [a, b].map(({ channel, account = "" }) => `${channel}\n${account}`);
  return one! < other! ? -1 : one! > other! ? 1 : 0;
}

type Place = Omit<KnownAddress, "used_at">;

interface Account {
  readonly channel: string;
  readonly account?: string | undefined;
}
