import type { Reachability } from "../../core/messages/message.ts";
import { sessionsOf } from "./customers.ts";
import type { CustomerRow, Tables } from "./tables.ts";

/**
 * Applies a platform's event that a customer blocked or unblocked the shop. Returns whether it changed: see
 * `Reachability.at`.
 */
export function applyReachability(
  tables: Tables,
  customer: CustomerRow,
  { channel, reachable, at }: Reachability,
): boolean {
  if (at) {
    const known = customer.reachability_at.get(channel);
    if (known && (known > at || (!reachable && known.getTime() === at.getTime()))) return false;
    if (!reachable && hasWrittenSince(tables, customer, channel, at)) return false;
    customer.reachability_at.set(channel, at);
  }
  return setReachable(customer, channel, reachable);
}

function hasWrittenSince(tables: Tables, customer: CustomerRow, channel: string, at: Date): boolean {
  return sessionsOf(tables, customer).some(({ messages }) =>
    messages.some(
      ({ message }) =>
        message.direction === "inbound" && message.channel === channel && message.created_at >= at,
    ),
  );
}

/** Sets whether a customer can be written to on a channel. Returns whether that changed. */
export function setReachable(customer: CustomerRow, channel: string, reachable: boolean): boolean {
  if (customer.unreachable.includes(channel) !== reachable) return false;
  customer.unreachable = reachable
    ? customer.unreachable.filter((name) => name !== channel)
    : [...customer.unreachable, channel].sort();
  return true;
}
