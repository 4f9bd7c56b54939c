import type { OutboundReply, Turn } from "../../core/answer/turn.ts";
import { chosenIn } from "../../core/content/choices.ts";
import { identitiesOf } from "../../core/identity/identity.ts";
import type { InboundMessage, Message } from "../../core/messages/message.ts";
import type {
  Completed,
  Conversations,
  Done,
  Due,
  InboundEvent,
  Received,
  Settled,
} from "../../core/receive/conversations.ts";
import { isSessionRef, type Session } from "../../core/sessions/session.ts";
import {
  type Row,
  toColumns,
  toDelivery,
  toEffects,
  toMessage,
  toSession,
  toTurn,
  toTurnOf,
} from "../rows.ts";
import type { SqlCall } from "../sql.ts";

/**
 * Conversations in Postgres. Calls that may open or merge sessions need the settings in `people`, the others `lease`.
 */
export function sqlConversations(ask: SqlCall, lease: Row, people: Row): Conversations {
  return {
    async receive(events, now) {
      const { results } = await ask("hub_receive", { now, ...people, items: events.map(toItem) });
      return (results as Row[]).map(toReceived);
    },
    async complete({ turn_id, attempt }, replies, now, actions, handoff) {
      return toCompleted(
        await ask("hub_complete", {
          now,
          ...lease,
          turn_id,
          attempt,
          replies: replies.map(toReply),
          actions,
          handoff,
        }),
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

/** Reads the turns and deliveries that a call has claimed. */
export function toDue({ turns, deliveries }: Row): Due {
  return { turns: (turns as Row[]).map(toTurn), deliveries: (deliveries as Row[]).map(toDelivery) };
}

function toItem(event: InboundEvent, place: number): Row {
  switch (event.type) {
    case "message": {
      const { from, content, ...message } = event.message;
      const sender = isSessionRef(from) ? from : { identities: from };
      const choice = chosenIn(content);
      const found = { ...sender, ...anchorOf(event.message), ...(choice && { choice }) };
      return { type: event.type, ...message, ...found, ...toColumns(content), ...(place > 0 && { place }) };
    }
    case "echo": {
      const { to, content, ...echo } = event.echo;
      return { type: event.type, ...echo, identities: to, ...toColumns(content) };
    }
    case "receipt":
      return { type: event.type, ...event.receipt };
    case "edit": {
      const { content, ...edit } = event.edit;
      return { type: event.type, ...edit, ...(content && toColumns(content)) };
    }
    case "identity_change":
      return { type: event.type, identities: event.change.from, to: event.change.to, at: event.change.at };
    case "reachability": {
      const { who, ...rest } = event.reachability;
      return { type: event.type, ...rest, identities: who };
    }
  }
}

/** What finds the session of a customer who is known: the strongest identity, where that needs no further proof or word. */
function anchorOf({ from, claimed, link_hash }: InboundMessage): Row {
  if (isSessionRef(from) || claimed || link_hash !== undefined) return {};
  const [strongest] = identitiesOf(from);
  return strongest ? { anchor: { kind: strongest[0], value: strongest[1] } } : {};
}

/** The columns and parts of a reply. */
export function toReply({ content, parts }: OutboundReply): Row {
  const whole = parts.length === 1 && JSON.stringify(parts[0]) === JSON.stringify(content);
  return { ...toColumns(content), parts: whole ? [null] : parts.map(({ kind, ...part }) => part) };
}

function toReceived(row: Row): Received {
  const effects = toEffects(row);
  if (row.type === "erased") return { type: "erased", ...effects };
  const session = row.session ? { session: toSession({ ...row.session, ...(row.customer as Row) }) } : {};
  const message = row.message ? { message: toMessage(row.message as Row) } : {};
  const turn = row.turn ? { turn: toReceivedTurn(row.turn as Row, { ...session, ...message }) } : {};
  if (row.type !== "message")
    return { type: row.type, applied: row.applied, ...message, ...turn, ...effects } as Received;
  return {
    type: "message",
    duplicate: row.duplicate as boolean,
    ...session,
    ...message,
    ...turn,
    ...effects,
  } as Received;
}

/**
 * Reads the turn of a message that was just received. Session and message may stand beside it instead of in its row.
 */
function toReceivedTurn(row: Row, beside: { session?: Session; message?: Message }): Turn {
  const session = row.session ? toSession(row.session as Row) : beside.session!;
  const message = row.message ? toMessage(row.message as Row) : beside.message!;
  return toTurnOf(row, session, message);
}

function toCompleted(row: Row): Completed {
  return {
    stale: row.stale as boolean,
    messages: (row.messages as Row[]).map(toMessage),
    deliveries: (row.deliveries as Row[]).map(toDelivery),
    ...(row.next != null && { next: toTurn(row.next as Row) }),
    ...(row.done != null && { done: toDone(row.done as Row) }),
  };
}

function toDone({ messages, session, closed }: Row): Done {
  return {
    messages: (messages as Row[]).map(toMessage),
    session: toSession(session as Row),
    closed: (closed ?? []) as string[],
  };
}
