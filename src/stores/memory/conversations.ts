import { IDENTITY_KINDS, type Identities } from "../../core/identity.ts";
import type { EchoMessage, InboundMessage, Message } from "../../core/message.ts";
import type { Completed, Conversations, Kept, Received } from "../../core/ports.ts";
import type { OutboundReply, Outcome, Turn } from "../../core/turn.ts";
import { addMessage, applyEarly, applyEdit, applyReceipt, refreshStatus, replyTarget } from "./messages.ts";
import { findActive, findLive, resolve, settleIdentities, touch } from "./people.ts";
import { copy, externalKey, type MessageRow, type SessionRow, type Tables } from "./tables.ts";
import { claimDelivery, claimTurn, finishDelivery, finishTurn, heldTurn } from "./work.ts";

const STALE: Completed = { stale: true, messages: [], deliveries: [] };

/** What the hub promises of conversations, said in the plainest way. */
export function memoryConversations(tables: Tables): Conversations {
  return {
    async receive(kept, now) {
      return kept.map((item) => receiveOne(tables, item, now));
    },

    async complete(claim, replies, now) {
      const turn = heldTurn(tables, claim);
      if (!turn) return STALE;
      const row = finishTurn(tables, turn, "done");
      const messages = replies.map((reply) => copy(addReply(tables, row, claim, reply, now)));
      const delivery = claimDelivery(tables, row, turn.channel, now);
      return {
        stale: false,
        messages,
        deliveries: delivery ? [delivery] : [],
        ...nextTurn(tables, row, now),
      };
    },

    async fail(claim, reason, retryAt, now) {
      const turn = heldTurn(tables, claim);
      if (!turn) return STALE;
      turn.reason = reason;
      if (retryAt) {
        turn.state = "pending";
        turn.due_at = retryAt;
      } else finishTurn(tables, turn, "dead");
      return {
        stale: false,
        messages: [],
        deliveries: [],
        ...nextTurn(tables, tables.sessions.get(turn.session_id)!, now),
      };
    },

    async settle(outcomes, now) {
      const lines = new Map<string, { row: SessionRow; channel: string }>();
      for (const outcome of outcomes) {
        const line = settleOne(tables, outcome, now);
        if (line) lines.set(`${line.row.session.session_id} ${line.channel}`, line);
      }
      return [...lines.values()].flatMap(
        ({ row, channel }) => claimDelivery(tables, row, channel, now) ?? [],
      );
    },

    async due(now, limit) {
      const rows = [...tables.sessions.values()];
      const heads = rows.flatMap((row) => row.turns.slice(0, 1));
      const lines = rows.flatMap((row) =>
        row.deliveries.filter(
          (line, i, all) => all.findIndex((other) => other.delivery.channel === line.delivery.channel) === i,
        ),
      );
      return {
        turns: firstOf(limit, oldestFirst(heads), (head) =>
          claimTurn(tables, tables.sessions.get(head.session_id)!, now),
        ),
        deliveries: firstOf(limit, oldestFirst(lines), ({ delivery }) =>
          claimDelivery(tables, tables.sessions.get(delivery.session_id)!, delivery.channel, now),
        ),
      };
    },
  };
}

function receiveOne(tables: Tables, item: Kept, now: Date): Received {
  switch (item.type) {
    case "message":
      return receiveMessage(tables, item.message, now);
    case "echo":
      return { type: "echo", applied: receiveEcho(tables, item.echo, now) };
    case "receipt":
      return { type: "receipt", applied: applyReceipt(tables, item.receipt) };
    case "edit":
      return { type: "edit", applied: applyEdit(tables, item.edit, now) };
    case "identity_change": {
      const owner = findPerson(tables, item.change.from, now);
      if (owner) settleIdentities(tables, owner, item.change.to, now);
      return { type: "identity_change", applied: owner !== undefined };
    }
    case "reachability": {
      const { channel, who, reachable } = item.reachability;
      const row = findPerson(tables, who, now);
      return { type: "reachability", applied: row ? setReachable(row, channel, reachable) : false };
    }
  }
}

function receiveMessage(tables: Tables, inbound: InboundMessage, now: Date): Received {
  const { channel, account, external_id, from, content, sent_at } = inbound;
  const known =
    account === undefined
      ? undefined
      : tables.messagesByExternalId.get(externalKey(channel, account, external_id));
  if (known) return duplicate(tables, known, now);
  const row =
    "token_hash" in from || "session_id" in from
      ? findLive(tables, from, now)
      : resolve(tables, from, channel, now);
  const { session_id } = row.session;
  const repeated = tables.messagesByExternalId.get(externalKey(channel, account ?? session_id, external_id));
  if (repeated) return duplicate(tables, repeated, now);
  touch(tables, row, channel, now);
  setReachable(row, channel, true);
  const reply_to = replyTarget(tables, inbound, session_id);
  const { message } = addMessage(
    tables,
    row,
    { channel, account, external_id, content, direction: "inbound", role: "user", reply_to, sent_at },
    now,
  );
  let turn: Turn | undefined;
  if (inbound.wakes) {
    const { message_id, seq } = message;
    const waiting = {
      turn_id: crypto.randomUUID(),
      session_id,
      seq,
      message_id,
      channel,
      account,
      address: inbound.address,
      state: "pending" as const,
      attempt: 0,
      due_at: now,
    };
    tables.turns.set(waiting.turn_id, waiting);
    row.turns.push(waiting);
    turn = claimTurn(tables, row, now);
  }
  return {
    type: "message",
    message: copy(message),
    session: copy(row.session),
    duplicate: false,
    ...(turn && { turn }),
  };
}

function duplicate(tables: Tables, { message }: MessageRow, now: Date): Received {
  const row = tables.sessions.get(message.session_id)!;
  const turn = claimTurn(tables, row, now);
  return {
    type: "message",
    message: copy(message),
    session: copy(row.session),
    duplicate: true,
    ...(turn && { turn }),
  };
}

function receiveEcho(
  tables: Tables,
  { channel, account, external_id, to, content, sent_at }: EchoMessage,
  now: Date,
): boolean {
  if (account === undefined || tables.messagesByExternalId.has(externalKey(channel, account, external_id)))
    return false;
  const row = findPerson(tables, to, now);
  if (!row) return false;
  addMessage(
    tables,
    row,
    {
      channel,
      account,
      external_id,
      content,
      direction: "outbound",
      role: "operator",
      status: "sent",
      sent_at,
    },
    now,
  );
  return true;
}

function addReply(
  tables: Tables,
  row: SessionRow,
  claim: Turn,
  { content, parts }: OutboundReply,
  now: Date,
): Message {
  const { channel, account, address } = claim;
  const blocked = parts.length > 0 && row.unreachable.includes(channel);
  const status = parts.length === 0 ? "sent" : blocked ? "failed" : "pending";
  const reply_to = claim.message.message_id;
  const reply = addMessage(
    tables,
    row,
    { channel, account, content, direction: "outbound", role: "assistant", reply_to, status },
    now,
  );
  const { message } = reply;
  for (const part of parts) {
    const delivery = {
      delivery_id: crypto.randomUUID(),
      message_id: message.message_id,
      session_id: message.session_id,
      attempt: 0,
      channel,
      address,
      content: part,
    };
    const added = {
      delivery: account === undefined ? delivery : { ...delivery, account },
      seq: ++tables.seq,
      state: blocked ? ("dead" as const) : ("pending" as const),
      due_at: now,
      status: blocked ? ("failed" as const) : ("pending" as const),
      ...(blocked && { reason: "blocked" }),
    };
    tables.deliveries.set(delivery.delivery_id, added);
    reply.parts.push(added);
    if (!blocked) row.deliveries.push(added);
  }
  return message;
}

function settleOne(
  tables: Tables,
  outcome: Outcome,
  now: Date,
): { row: SessionRow; channel: string } | undefined {
  const settled = tables.deliveries.get(outcome.delivery_id);
  if (settled?.state !== "sending" || settled.delivery.attempt !== outcome.attempt) return undefined;
  const { channel, account, session_id, message_id } = settled.delivery;
  const row = tables.sessions.get(session_id)!;
  if (outcome.state === "pending") {
    settled.state = "pending";
    settled.due_at = outcome.retry_at;
    settled.reason = outcome.reason;
    return { row, channel };
  }
  finishDelivery(tables, settled, outcome.state);
  settled.status = outcome.state === "sent" ? "sent" : "failed";
  if (outcome.state === "dead") {
    settled.reason = outcome.reason;
    if (outcome.reason === "blocked") setReachable(row, channel, false);
  } else if (outcome.external_id !== undefined && account !== undefined) {
    settled.external_id = outcome.external_id;
    tables.deliveriesByExternalId.set(externalKey(channel, account, outcome.external_id), settled);
    applyEarly(tables, channel, account, outcome.external_id, now);
  }
  refreshStatus(tables, message_id);
  return { row, channel };
}

function findPerson(tables: Tables, identities: Identities, now: Date): SessionRow | undefined {
  for (const kind of IDENTITY_KINDS) {
    const value = identities[kind];
    const row = value === undefined ? undefined : findActive(tables, kind, value, now);
    if (row) return row;
  }
  return undefined;
}

function setReachable(row: SessionRow, channel: string, reachable: boolean): boolean {
  if (row.unreachable.includes(channel) !== reachable) return false;
  row.unreachable = reachable
    ? row.unreachable.filter((name) => name !== channel)
    : [...row.unreachable, channel].sort();
  return true;
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
