import type { Outcome } from "../../core/answer/turn.ts";
import { HOLD_MS, isOpen, type OpenWindow } from "../../core/deliver/window.ts";
import type { Address, InboundMessage } from "../../core/messages/message.ts";
import { refreshStatus } from "./messages.ts";
import {
  atOnce,
  type CustomerRow,
  count,
  type DeliveryRow,
  later,
  type SessionRow,
  type Tables,
} from "./tables.ts";
import { claimDelivery } from "./work.ts";

const DAY_MS = 86_400_000;
const EXACT_MS = 60_000;

/** A row of `reply_windows`. */
export interface WindowRow {
  readonly channel: string;
  readonly account: string;
  customer: CustomerRow;
  /** Absent while nothing is known but that a delivery waits. */
  closes_at?: Date | undefined;
  /** When retention looks at it. */
  check_at: Date;
}

/** Until when free replies reach an address. */
export function windowAt(tables: Tables, place: Place): Date | undefined {
  return tables.windows.get(keyOf(place))?.closes_at;
}

/** The open windows of a customer, the last to close first. */
export function openWindows(tables: Tables, customer: CustomerRow, now: Date): OpenWindow[] {
  return [...tables.windows.values()]
    .flatMap(({ channel, account, customer: of, closes_at }) =>
      of === customer && closes_at && closes_at > now
        ? [{ channel, account, window_closes_at: closes_at }]
        : [],
    )
    .sort(
      (a, b) =>
        b.window_closes_at.getTime() - a.window_closes_at.getTime() ||
        byText(a.channel, b.channel) ||
        byText(a.account, b.account),
    );
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Opens the window of a message's address, and makes what waits for it due. Claims the first delivery of the session's lane. */
export function openWindow(tables: Tables, row: SessionRow, inbound: InboundMessage, now: Date): void {
  const { channel, account = "", window_closes_at: closes_at } = inbound;
  if (!closes_at || closes_at <= now) return;
  const key = keyOf(inbound);
  const known = tables.windows.get(key);
  if (known?.closes_at && known.closes_at >= later(closes_at, -EXACT_MS) && isOpen(known.closes_at, now))
    return;
  if (!known)
    tables.windows.set(key, {
      channel,
      account,
      customer: row.customer,
      closes_at,
      check_at: later(closes_at, DAY_MS),
    });
  else {
    if (!known.closes_at || known.closes_at < closes_at) known.closes_at = closes_at;
    known.customer = row.customer;
  }
  const waiting = [...tables.deliveries.values()].filter(
    ({ state, delivery }) => state === "held" && keyOf(delivery) === key,
  );
  for (const one of waiting) release(tables, one, now);
  const claimed = waiting.length > 0 && claimDelivery(tables, row, channel, now);
  if (claimed) tables.effects.deliveries.push(claimed);
}

function release(tables: Tables, held: DeliveryRow, now: Date): void {
  Object.assign(held, { state: "pending", due_at: atOnce(now), failure: undefined });
  const row = tables.sessions.get(held.delivery.session_id)!;
  row.deliveries = [...row.deliveries, held].sort((a, b) => a.seq - b.seq);
}

/**
 * Holds a delivery, and the later parts of its message with it, until the customer writes at its address or until
 * `outcome.until`. If the window was opened meanwhile, makes it due at once and returns false.
 */
export function holdDelivery(
  tables: Tables,
  held: DeliveryRow,
  { until, seen, refused }: Extract<Outcome, { state: "held" }>,
  now: Date,
): boolean {
  const { channel, account = "", session_id, message_id } = held.delivery;
  const row = tables.sessions.get(session_id)!;
  const key = keyOf(held.delivery);
  const window = tables.windows.get(key) ?? {
    channel,
    account,
    customer: row.customer,
    check_at: later(now, DAY_MS),
  };
  tables.windows.set(key, window);
  const open = isOpen(window.closes_at, now);
  const isRefused = open && refused === true && window.closes_at?.getTime() === seen?.getTime();
  if (isRefused) Object.assign(window, { closes_at: undefined, check_at: later(now, DAY_MS) });
  if (open && !isRefused) {
    Object.assign(held, { state: "pending", due_at: atOnce(now), failure: undefined });
    return false;
  }
  const rest = row.deliveries.filter(
    (one) =>
      one.seq > held.seq &&
      one.state === "pending" &&
      one.delivery.message_id === message_id &&
      one.delivery.content.outside === "hold",
  );
  for (const one of [held, ...rest])
    Object.assign(one, {
      state: "held",
      due_at: until,
      failure: { code: "rejected", reason: "window_closed" },
    });
  row.deliveries = row.deliveries.filter(({ state }) => state !== "held");
  return true;
}

/**
 * Does what the sender of a delivery wants that its platform refused after it was sent: it waits for the customer, or goes out again
 * as the call in its place. A window that the customer has opened since makes it due at once.
 */
export function refuseLate(tables: Tables, sent: DeliveryRow, windowMs: number, now: Date): void {
  const { channel, account = "", session_id, content } = sent.delivery;
  const row = tables.sessions.get(session_id)!;
  const key = keyOf(sent.delivery);
  const known = tables.windows.get(key);
  const window = known ?? { channel, account, customer: row.customer, check_at: later(now, DAY_MS) };
  tables.windows.set(key, window);
  if (window.closes_at && window.closes_at <= later(sent.sent_at ?? now, windowMs))
    window.closes_at = undefined;
  if (window.check_at < later(now, DAY_MS)) window.check_at = later(now, DAY_MS);
  const { outside, billed: __, ...part } = content;
  const isHeld = outside === "hold" && !isOpen(window.closes_at, now);
  if (outside !== "hold") {
    const { template: _, ...call } = outside!;
    sent.delivery.content = { ...part, ...call };
  }
  Object.assign(sent, { status: "pending", external_id: undefined, sent_at: undefined });
  count(tables, `deliveries|${channel}|${isHeld ? "held" : "failed"}`);
  if (isHeld)
    Object.assign(sent, {
      state: "held",
      due_at: later(now, HOLD_MS),
      failure: { code: "rejected", reason: "window_closed" },
    });
  else release(tables, sent, now);
}

/** Ends deliveries for which the customer has not written in time, and forgets windows that are over for a day. */
export function expireWindows(tables: Tables, now: Date, limit: number): void {
  const late = [...tables.deliveries.values()]
    .filter(({ state, due_at }) => state === "held" && due_at <= now)
    .sort((a, b) => a.due_at.getTime() - b.due_at.getTime() || a.seq - b.seq)
    .slice(0, limit);
  for (const one of late) {
    one.state = "dead";
    one.status = "failed";
    refreshStatus(tables, one.delivery.message_id);
    count(tables, `deliveries|${one.delivery.channel}|dead`);
  }
  const over = [...tables.windows]
    .filter(([, { check_at }]) => check_at <= now)
    .sort(([, a], [, b]) => a.check_at.getTime() - b.check_at.getTime())
    .slice(0, limit);
  for (const [key, window] of over) {
    const { closes_at } = window;
    if (closes_at && later(closes_at, DAY_MS) > now) window.check_at = later(closes_at, DAY_MS);
    else tables.windows.delete(key);
  }
}

/** The windows of a customer that has gone go with them, or to the customer who stays. */
export function moveWindows(tables: Tables, from: CustomerRow, into?: CustomerRow): void {
  for (const [key, window] of tables.windows) {
    if (window.customer !== from) continue;
    if (into) window.customer = into;
    else tables.windows.delete(key);
  }
}

interface Place {
  readonly channel: string;
  readonly account?: string | undefined;
  readonly address: Address;
}

function keyOf({ channel, account = "", address }: Place): string {
  return JSON.stringify([channel, account, Object.entries(address).sort()]);
}
