import type { OutboundReply } from "../../core/answer/turn.ts";
import type {
  Completed,
  Conversations,
  Due,
  InboundEvent,
  Received,
  Settled,
} from "../../core/receive/conversations.ts";
import { isSessionRef } from "../../core/sessions/session.ts";
import { type Row, toColumns, toDelivery, toEffects, toMessage, toSession, toTurn } from "../rows.ts";
import type { SqlCall } from "../sql.ts";

/** Conversations, by functions of the database. `people` is what calls that may open or merge sessions need, too. */
export function sqlConversations(ask: SqlCall, lease: Row, people: Row): Conversations {
  return {
    async receive(kept, now) {
      const { results } = await ask("hub_receive", { now, ...people, items: kept.map(toItem) });
      return (results as Row[]).map(toReceived);
    },
    async complete({ turn_id, attempt }, replies, now) {
      return toCompleted(
        await ask("hub_complete", { now, ...lease, turn_id, attempt, replies: replies.map(toReply) }),
      );
    },
    async fail({ turn_id, attempt }, failure, retry_at, now) {
      return toCompleted(await ask("hub_fail", { now, ...lease, turn_id, attempt, ...failure, retry_at }));
    },
    async settle(outcomes, now) {
      const { deliveries, changed } = await ask("hub_settle", { now, ...lease, outcomes });
      return { deliveries: (deliveries as Row[]).map(toDelivery), changed: changed as Settled["changed"] };
    },
    async due(now, limit) {
      return toDue(await ask("hub_due", { now, ...lease, limit }));
    },
  };
}

/** Turns and deliveries that are ours now. */
export function toDue({ turns, deliveries }: Row): Due {
  return { turns: (turns as Row[]).map(toTurn), deliveries: (deliveries as Row[]).map(toDelivery) };
}

function toItem(kept: InboundEvent, place: number): Row {
  switch (kept.type) {
    case "message": {
      const { from, content, ...message } = kept.message;
      const sender = isSessionRef(from) ? from : { identities: from };
      return { type: kept.type, ...message, ...sender, ...toColumns(content), ...(place > 0 && { place }) };
    }
    case "echo": {
      const { to, content, ...echo } = kept.echo;
      return { type: kept.type, ...echo, identities: to, ...toColumns(content) };
    }
    case "receipt":
      return { type: kept.type, ...kept.receipt };
    case "edit": {
      const { content, ...edit } = kept.edit;
      return { type: kept.type, ...edit, ...(content && toColumns(content)) };
    }
    case "identity_change":
      return { type: kept.type, identities: kept.change.from, to: kept.change.to, at: kept.change.at };
    case "reachability": {
      const { who, ...rest } = kept.reachability;
      return { type: kept.type, ...rest, identities: who };
    }
  }
}

function toReply({ content, parts }: OutboundReply): Row {
  const whole = parts.length === 1 && JSON.stringify(parts[0]) === JSON.stringify(content);
  return { ...toColumns(content), parts: whole ? [null] : parts.map(({ kind, ...part }) => part) };
}

/** A turn of the message that was just received comes without what is beside it. */
function toReceived(row: Row): Received {
  const { session, message: said } = row;
  const message = said ? { message: toMessage(said as Row) } : {};
  const turn = row.turn ? { turn: toTurn({ session, message: said, ...(row.turn as Row) }) } : {};
  const effects = toEffects(row);
  if (row.type === "erased") return { type: "erased", ...effects };
  if (row.type !== "message")
    return { type: row.type, applied: row.applied, ...message, ...turn, ...effects } as Received;
  return {
    type: "message",
    session: toSession(row.session as Row),
    duplicate: row.duplicate as boolean,
    ...message,
    ...turn,
    ...effects,
  } as Received;
}

function toCompleted(row: Row): Completed {
  return {
    stale: row.stale as boolean,
    messages: (row.messages as Row[]).map(toMessage),
    deliveries: (row.deliveries as Row[]).map(toDelivery),
    ...(row.next != null && { next: toTurn(row.next as Row) }),
  };
}
