import type { Delivery, Part, Turn } from "../../core/answer/turn.ts";
import { documentOf, turnCustomerOf } from "./customers.ts";
import { copy, type DeliveryRow, type SessionRow, type Tables, type TurnRow } from "./tables.ts";
import { windowAt } from "./windows.ts";

/** Claims the session's next turn: the earliest unfinished one, if it is due and no other turn is running. */
export function claimTurn(tables: Tables, row: SessionRow, now: Date): Turn | undefined {
  const head = row.turns[0];
  if (!head || head.due_at > now) return undefined;
  if (row.turns.some((turn) => turn.state === "running" && turn.due_at > now)) return undefined;
  head.attempt += 1;
  head.leader = undefined;
  // The batch is formed again: a merge since the last attempt may have put other turns between its turns.
  for (const turn of row.turns)
    if (turn.leader === head) Object.assign(turn, { state: "pending", leader: undefined });
  const batch = tables.settings.batch ? followersOf(row, head) : [];
  for (const turn of [head, ...batch]) {
    turn.state = "running";
    turn.due_at = later(now, tables.settings.leaseMs);
    if (turn !== head) turn.leader = head;
  }
  return toTurn(tables, row, head, batch);
}

/**
 * Claims the next delivery of a lane: the earliest unsettled one of the session and channel, if it is due within
 * `patienceMs`.
 */
export function claimDelivery(
  tables: Tables,
  row: SessionRow,
  channel: string,
  now: Date,
): Delivery | undefined {
  const { leaseMs, patienceMs = 0 } = tables.settings;
  const patient = later(now, patienceMs);
  const head = row.deliveries.find(({ delivery }) => delivery.channel === channel);
  if (!head || !isDue(tables, head, now)) return undefined;
  const from = head.state === "pending" && head.due_at > now ? head.due_at : now;
  const send_at = takeSlot(tables, head, from, patient);
  if (send_at > patient) {
    head.state = "pending";
    head.due_at = send_at;
    return undefined;
  }
  head.state = "sending";
  head.delivery.attempt += 1;
  head.due_at = later(send_at, leaseMs);
  const window_closes_at = windowAt(tables, head.delivery);
  const content = withTargets(row, head.delivery);
  const claimed = { ...copy(head.delivery), content, ...(window_closes_at && { window_closes_at }) };
  return send_at > now ? { ...claimed, send_at } : claimed;
}

/** The part with the platform's ids of the message that its call is about; none if nothing of it was sent. */
function withTargets(row: SessionRow, { content, channel }: Delivery): Part {
  if (content.target === undefined) return copy(content);
  const about = row.messages.find(
    ({ message }) => message.message_id === content.target && message.channel === channel,
  );
  const sent = about?.parts.flatMap(({ external_id }) => external_id ?? []) ?? [];
  const own = about?.message.external_id;
  return { ...copy(content), targets: sent.length === 0 && own !== undefined ? [own] : sent };
}

/** Whether a delivery may be claimed: it is pending and due within `patienceMs`, or its lease has ended. */
export function isDue({ settings }: Tables, { state, due_at }: DeliveryRow, now: Date): boolean {
  return due_at <= (state === "pending" ? later(now, settings.patienceMs ?? 0) : now);
}

/**
 * The turns after the head that can be answered with it: all from the same address, up to the first from another one.
 */
function followersOf(row: SessionRow, head: TurnRow): TurnRow[] {
  const source = sourceOf(head);
  const behind = row.turns.slice(1);
  const other = behind.findIndex((turn) => sourceOf(turn) !== source);
  return other < 0 ? behind : behind.slice(0, other);
}

function sourceOf({ channel, account, address }: TurnRow): string {
  return JSON.stringify([channel, account, Object.entries(address).sort()]);
}

/** The next free slot in the pace of the delivery's account. It is taken only if it is not later than `patient`. */
function takeSlot(tables: Tables, { delivery }: DeliveryRow, from: Date, patient: Date): Date {
  const rate = tables.settings.pace?.[delivery.channel];
  if (rate === undefined) return from;
  const key = JSON.stringify([delivery.channel, delivery.account]);
  const free = tables.paces.get(key);
  const slot = free && free > from ? free : from;
  if (slot <= patient) tables.paces.set(key, later(slot, 1000 / rate));
  return slot;
}

/** The row of a claimed turn, unless the claim was replaced by a newer one or the turn has ended. */
export function heldTurn(tables: Tables, claim: Turn): TurnRow | undefined {
  const row = tables.turns.get(claim.turn_id);
  return row?.state === "running" && !row.leader && row.attempt === claim.attempt ? row : undefined;
}

/** Ends a turn and those answered with it, and removes them from the session's unfinished turns. */
export function finishTurn(tables: Tables, turn: TurnRow, state: "done" | "dead"): SessionRow {
  const row = tables.sessions.get(turn.session_id)!;
  const done = row.turns.filter((other) => other === turn || other.leader === turn);
  for (const one of done) {
    one.state = state;
    if (state === "dead") one.failure = turn.failure;
  }
  row.turns = row.turns.filter((other) => !done.includes(other));
  return row;
}

/** Ends a delivery and removes it from the session's unsettled deliveries. */
export function finishDelivery(tables: Tables, delivery: DeliveryRow, state: "sent" | "dead"): SessionRow {
  delivery.state = state;
  const row = tables.sessions.get(delivery.delivery.session_id)!;
  row.deliveries = row.deliveries.filter((other) => other !== delivery);
  return row;
}

function toTurn(tables: Tables, row: SessionRow, turn: TurnRow, followers: readonly TurnRow[]): Turn {
  const messages = [turn, ...followers].map(({ message_id }) =>
    copy(tables.messages.get(message_id)!.message),
  );
  const { history } = tables.settings;
  const window_closes_at = windowAt(tables, turn);
  const earlier =
    history > 0 ? row.messages.filter((other) => other.message.seq < turn.seq).slice(-history) : [];
  return {
    turn_id: turn.turn_id,
    attempt: turn.attempt,
    ...(turn.failure && { failure: turn.failure }),
    session: documentOf(row),
    customer: turnCustomerOf(row.customer),
    message: messages.at(-1)!,
    messages,
    channel: turn.channel,
    ...(turn.account !== undefined && { account: turn.account }),
    address: turn.address,
    ...(window_closes_at && { window_closes_at }),
    history: earlier.map((other) => copy(other.message)),
  };
}

function later(from: Date, ms: number): Date {
  return new Date(from.getTime() + ms);
}
