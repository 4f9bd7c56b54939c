import type { Turn } from "../../core/answer/turn.ts";
import type { Completed, Conversations, Settled } from "../../core/receive/conversations.ts";
import { applyActions, handOver } from "./actions.ts";
import { documentOf } from "./customers.ts";
import { byAccount } from "./notices.ts";
import { addReply, type Lane, settleOne } from "./outbox.ts";
import { isRefusable, receiveOne } from "./receive.ts";
import {
  atOnce,
  copy,
  count,
  type DeliveryRow,
  observe,
  type SessionRow,
  snapshot,
  type Tables,
  takeEffects,
} from "./tables.ts";
import { claimDelivery, claimTurn, finishTurn, heldTurn, isDue } from "./work.ts";

const STALE: Completed = { stale: true, messages: [], deliveries: [] };

/** Conversations in memory. */
export function memoryConversations(tables: Tables): Conversations {
  return {
    async receive(events, now) {
      takeEffects(tables);
      const restore = events.length > 1 && events.some(isRefusable) ? snapshot(tables) : undefined;
      try {
        return events.map((item, place) => {
          const result = receiveOne(tables, item, place, now);
          return { ...result, ...takeEffects(tables) };
        });
      } catch (error) {
        restore?.();
        throw error;
      }
    },

    async complete(claim, replies, now, actions, handoff) {
      const turn = heldTurn(tables, claim);
      if (!turn) return STALE;
      const held = tables.sessions.get(turn.session_id)!;
      const done = (actions ?? handoff) && applyActions(tables, held, actions ?? [], now);
      if (handoff) handOver(tables, held, turn.channel, handoff, now);
      const row = finishTurn(tables, turn, "done");
      // The turn's own address: an erasure since the claim has emptied it.
      const asked = { ...claim, address: turn.address };
      const added = replies.map((reply) => {
        const { message, changed } = addReply(tables, row, asked, reply, now);
        return { message: copy(message), ...(changed && { changed: copy(changed) }) };
      });
      const changed = added.flatMap((one) => one.changed ?? []);
      const delivery = claimDelivery(tables, row, turn.channel, now);
      count(tables, `turns|${turn.channel}|done`);
      observe(tables, "answer_ms", turn.channel, turn.created_at, now);
      return {
        stale: false,
        messages: added.map(({ message }) => message),
        ...(changed.length > 0 && { changed }),
        deliveries: delivery ? [delivery] : [],
        ...nextTurn(tables, row, now),
        ...(done && { done: { ...done, session: documentOf(row) } }),
      };
    },

    async fail(claim, failure, retryAt, now) {
      const turn = heldTurn(tables, claim);
      if (!turn) return STALE;
      const row = tables.sessions.get(turn.session_id)!;
      turn.failure = failure;
      count(tables, `turns|${turn.channel}|${retryAt ? "failed" : "dead"}`);
      if (!retryAt) finishTurn(tables, turn, "dead");
      else {
        for (const one of row.turns.filter((other) => other === turn || other.leader === turn)) {
          one.state = "pending";
          one.leader = undefined;
          one.due_at = one === turn ? retryAt : atOnce(now);
        }
      }
      return { stale: false, messages: [], deliveries: [], ...nextTurn(tables, row, now) };
    },

    async settle(outcomes, now) {
      const lanes = new Map<string, Lane>();
      const changed: Settled["changed"][number][] = [];
      for (const outcome of outcomes) {
        const lane = settleOne(tables, outcome, changed, now);
        if (lane) lanes.set(`${lane.row.session.session_id} ${lane.channel}`, lane);
      }
      const deliveries = [...lanes.values()]
        .sort(byAccount)
        .flatMap(({ row, channel }) => claimDelivery(tables, row, channel, now) ?? []);
      return { deliveries, changed };
    },

    async due(now, limit) {
      const rows = [...tables.sessions.values()];
      const heads = rows.flatMap((row) => row.turns.slice(0, 1));
      const firsts = rows.flatMap((row) =>
        row.deliveries.filter(
          (one, i, all) => all.findIndex((other) => other.delivery.channel === one.delivery.channel) === i,
        ),
      );
      const turns = firstOf(limit, oldestFirst(heads), (head) =>
        claimTurn(tables, tables.sessions.get(head.session_id)!, now),
      );
      // Deliveries of the sessions whose turns this sweep has claimed go first: in SQL this sweep has locked those
      // sessions, so other sweeps cannot claim from them.
      const held = new Set(turns.map(({ session }) => session.session_id));
      const isHeld = ({ delivery }: DeliveryRow) => Number(held.has(delivery.session_id));
      return {
        turns,
        deliveries: oldestFirst(firsts.filter((head) => isDue(tables, head, now)))
          .sort((a, b) => isHeld(b) - isHeld(a))
          .slice(0, limit)
          .sort((a, b) => byAccount(a.delivery, b.delivery))
          .flatMap(
            ({ delivery }) =>
              claimDelivery(tables, tables.sessions.get(delivery.session_id)!, delivery.channel, now) ?? [],
          ),
      };
    },
  };
}

function oldestFirst<T extends { due_at: Date; seq: number }>(rows: T[]): T[] {
  return rows.sort((a, b) => a.due_at.getTime() - b.due_at.getTime() || a.seq - b.seq);
}

/** The first `limit` claims that succeed. */
function firstOf<R, T>(limit: number, rows: R[], claim: (row: R) => T | undefined): T[] {
  const claimed: T[] = [];
  for (const row of rows) {
    const got = claimed.length < limit ? claim(row) : undefined;
    if (got) claimed.push(got);
  }
  return claimed;
}

function nextTurn(tables: Tables, row: SessionRow, now: Date): { next?: Turn } {
  const turn = claimTurn(tables, row, now);
  return turn ? { next: turn } : {};
}
