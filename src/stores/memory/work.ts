import type { Delivery, Turn } from "../../core/turn.ts";
import { copy, type DeliveryRow, type SessionRow, type Tables, type TurnRow } from "./tables.ts";

/** Claims the session's next turn: the earliest unfinished one, if it is due and no other is running. */
export function claimTurn(tables: Tables, row: SessionRow, now: Date): Turn | undefined {
  const head = row.turns[0];
  if (!head || head.due_at > now) return undefined;
  if (row.turns.some((turn) => turn.state === "running" && turn.due_at > now)) return undefined;
  head.state = "running";
  head.attempt += 1;
  head.due_at = leaseEnd(tables, now);
  return toTurn(tables, row, head);
}

/** Claims the next delivery of a line: the earliest unsettled one of the session and channel, if it is due. */
export function claimDelivery(
  tables: Tables,
  row: SessionRow,
  channel: string,
  now: Date,
): Delivery | undefined {
  const head = row.deliveries.find(({ delivery }) => delivery.channel === channel);
  if (!head || head.due_at > now) return undefined;
  head.state = "sending";
  head.delivery.attempt += 1;
  head.due_at = leaseEnd(tables, now);
  return copy(head.delivery);
}

/** The turn that this claim still holds. */
export function heldTurn(tables: Tables, claim: Turn): TurnRow | undefined {
  const row = tables.turns.get(claim.turn_id);
  return row?.state === "running" && row.attempt === claim.attempt ? row : undefined;
}

/** Ends a turn; its session has it no longer before it. */
export function finishTurn(tables: Tables, turn: TurnRow, state: "done" | "dead"): SessionRow {
  turn.state = state;
  const row = tables.sessions.get(turn.session_id)!;
  row.turns = row.turns.filter((other) => other !== turn);
  return row;
}

/** Ends a delivery; its line has it no longer before it. */
export function finishDelivery(tables: Tables, delivery: DeliveryRow, state: "sent" | "dead"): SessionRow {
  delivery.state = state;
  const row = tables.sessions.get(delivery.delivery.session_id)!;
  row.deliveries = row.deliveries.filter((other) => other !== delivery);
  return row;
}

function toTurn(tables: Tables, row: SessionRow, turn: TurnRow): Turn {
  const { message } = tables.messages.get(turn.message_id)!;
  const { history } = tables.settings;
  const earlier =
    history > 0 ? row.messages.filter((other) => other.message.seq < message.seq).slice(-history) : [];
  return {
    turn_id: turn.turn_id,
    attempt: turn.attempt,
    session: copy(row.session),
    message: copy(message),
    channel: turn.channel,
    ...(turn.account !== undefined && { account: turn.account }),
    address: turn.address,
    history: earlier.map((other) => copy(other.message)),
  };
}

function leaseEnd(tables: Tables, now: Date): Date {
  return new Date(now.getTime() + tables.settings.leaseMs);
}
