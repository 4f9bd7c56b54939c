import type { DeadLetter, Failure } from "../../core/answer/turn.ts";
import { HubError } from "../../core/errors.ts";
import type { Operations } from "../../core/operations.ts";
import type { Due } from "../../core/receive/conversations.ts";
import { addAudit } from "./audit.ts";
import { refreshStatus } from "./messages.ts";
import { follow } from "./people.ts";
import { atOnce, copy, count, type DeliveryRow, inOrder, type Tables, type TurnRow } from "./tables.ts";
import { claimDelivery, claimTurn } from "./work.ts";

/** The operators' calls in memory. */
export function memoryOperations(tables: Tables): Operations {
  return {
    async deadLetters(after, limit, session_id) {
      const of = session_id === undefined ? undefined : follow(tables, session_id)?.session.session_id;
      const turns = [...tables.turns.values()].filter((row) => row.state === "dead").map(ofTurn);
      const deliveries = [...tables.deliveries.values()]
        .filter((row) => row.state === "dead")
        .map(ofDelivery);
      return [...turns, ...deliveries]
        .filter((one) => after === undefined || one.id > after)
        .filter((one) => session_id === undefined || one.session_id === of)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit);
    },

    async retry(id, by, now) {
      const actor = "actor" in by ? by.actor : by.staff;
      const audit = (type: string) =>
        addAudit(tables, { actor, action: "dead_letter.retry", of: `${type}:${id}`, details: {} }, now);
      const turn = tables.turns.get(id);
      if (turn?.state === "dead") {
        audit("turn");
        return { found: true, ...retryTurn(tables, turn, now) };
      }
      const delivery = tables.deliveries.get(id);
      if (delivery?.state !== "dead") return { found: false };
      const { deleted_at, edited_at } = tables.messages.get(delivery.delivery.message_id)?.message ?? {};
      if (deleted_at || edited_at)
        throw new HubError("not_retryable", "this dead letter must not be sent any more", {
          details: { why: deleted_at ? "deleted" : "edited" },
        });
      audit("delivery");
      return { found: true, ...retryDelivery(tables, delivery, now) };
    },

    async count(key) {
      count(tables, key);
    },

    async metrics() {
      const rows = [...tables.sessions.values()];
      const turns = rows.flatMap((row) => row.turns);
      const deliveries = rows.flatMap((row) => row.deliveries);
      return copy({
        counters: Object.fromEntries(tables.counters),
        ...(tables.sweptAt && { swept_at: tables.sweptAt }),
        model: { turns: 0, input_tokens: 0, output_tokens: 0, cost: 0 },
        open_turns: turns.length,
        open_deliveries: deliveries.length,
        oldest_turn_at: oldest(turns)!,
        oldest_delivery_at: oldest(deliveries)!,
      });
    },
  };
}

function retryTurn(tables: Tables, turn: TurnRow, now: Date): Due {
  const row = tables.sessions.get(turn.session_id)!;
  Object.assign(turn, {
    state: "pending",
    attempt: 0,
    due_at: atOnce(now),
    leader: undefined,
    failure: undefined,
  });
  row.turns = [...row.turns, turn].sort(inOrder);
  const claimed = claimTurn(tables, row, now);
  return { turns: claimed ? [claimed] : [], deliveries: [] };
}

function retryDelivery(tables: Tables, retried: DeliveryRow, now: Date): Due {
  const { session_id, channel, message_id } = retried.delivery;
  const row = tables.sessions.get(session_id)!;
  for (const [key, other] of tables.deliveriesByExternalId)
    if (other === retried) tables.deliveriesByExternalId.delete(key);
  retried.delivery.attempt = 0;
  Object.assign(retried, {
    state: "pending",
    due_at: atOnce(now),
    status: "pending",
    external_id: undefined,
    failure: undefined,
  });
  row.deliveries = [...row.deliveries, retried].sort((a, b) => a.seq - b.seq);
  refreshStatus(tables, message_id);
  const claimed = claimDelivery(tables, row, channel, now);
  return { turns: [], deliveries: claimed ? [claimed] : [] };
}

function ofTurn({
  turn_id,
  session_id,
  message_id,
  channel,
  attempt,
  failure,
  created_at,
}: TurnRow): DeadLetter {
  return {
    id: turn_id,
    type: "turn",
    session_id,
    message_id,
    channel,
    attempt,
    ...(failure as Failure),
    created_at,
  };
}

function ofDelivery({ delivery, failure, created_at }: DeliveryRow): DeadLetter {
  const { delivery_id, session_id, message_id, channel, attempt } = delivery;
  return {
    id: delivery_id,
    type: "delivery",
    session_id,
    message_id,
    channel,
    attempt,
    ...(failure as Failure),
    created_at,
  };
}

function oldest(rows: readonly { created_at: Date }[]): Date | undefined {
  return rows.map((row) => row.created_at).sort((a, b) => a.getTime() - b.getTime())[0];
}
