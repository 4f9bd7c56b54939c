import type { Turn } from "../../core/answer/turn.ts";
import { type Identities, identitiesOf } from "../../core/identity/identity.ts";
import type { Content } from "../../core/messages/content.ts";
import type {
  Address,
  EchoMessage,
  Edit,
  InboundMessage,
  Message,
  Receipt,
} from "../../core/messages/message.ts";
import type { InboundEvent, Received } from "../../core/receive/conversations.ts";
import { isSessionRef, type SessionRef } from "../../core/sessions/session.ts";
import { keepAddress } from "./addresses.ts";
import { chosen } from "./choices.ts";
import { claim } from "./claims.ts";
import { documentOf, learnProfile, seenActive } from "./customers.ts";
import { firstVerifiedHolder, verifiedHolder } from "./identities.ts";
import { decideLanguage, noticeIn, spokenTo } from "./languages.ts";
import { mergeQuestion, redeemLink } from "./links.ts";
import { addMessage, applyEdit, applyReceipt, replyTarget, wantsBack } from "./messages.ts";
import { tell } from "./notices.ts";
import { findLive, findLiveThen, findOwner, resolve, settleIdentities, touch } from "./people.ts";
import { applyReachability, setReachable } from "./reachability.ts";
import {
  atOnce,
  copy,
  count,
  externalKey,
  inOrder,
  type MessageRow,
  newId,
  type SessionRow,
  type Tables,
  type TurnRow,
} from "./tables.ts";
import { openWindow } from "./windows.ts";
import { claimDelivery, claimTurn } from "./work.ts";

/** Whether an event may be refused, and with it its whole webhook: a message by token, by session id, or of a claim. */
export function isRefusable(item: InboundEvent): boolean {
  return item.type === "message" && (isSessionRef(item.message.from) || item.message.claimed === true);
}

/** The session that a message names. A message from the journal is judged by the time when it arrived. */
function findNamed(
  tables: Tables,
  from: SessionRef,
  { came_at }: Pick<InboundMessage, "came_at">,
  now: Date,
): SessionRow {
  return came_at ? findLiveThen(tables, from, came_at) : findLive(tables, from, now);
}

/** Stores one event of a webhook. `place` is the number of events before it. */
export function receiveOne(tables: Tables, item: InboundEvent, place: number, now: Date): Received {
  switch (item.type) {
    case "message":
      return receiveMessage(tables, item.message, place, now);
    case "echo":
      return applied("echo", receiveEcho(tables, item.echo, now));
    case "receipt":
      return receiveReceipt(tables, item.receipt, now);
    case "edit":
      return receiveEdit(tables, item.edit, now);
    case "identity_change": {
      const owner = firstVerifiedHolder(tables, item.change.from, item.change.at);
      if (owner) settleIdentities(tables, owner, item.change.to, now);
      return { type: "identity_change", applied: owner !== undefined };
    }
    case "reachability": {
      const customer = firstVerifiedHolder(tables, item.reachability.who);
      const applied = customer !== undefined && applyReachability(tables, customer, item.reachability);
      return { type: "reachability", applied };
    }
  }
}

/** Applies a receipt. One that takes a delivery back claims the first delivery of the lane. */
function receiveReceipt(tables: Tables, receipt: Receipt, now: Date): Received {
  const takenBack = wantsBack(tables, receipt);
  const message = applyReceipt(tables, receipt, now);
  const row = message && takenBack && tables.sessions.get(message.session_id);
  const claimed = row && claimDelivery(tables, row, receipt.channel, now);
  if (claimed) tables.effects.deliveries.push(claimed);
  return applied("receipt", message);
}

function applied(
  type: "echo" | "receipt" | "edit",
  message: Message | undefined,
): Extract<Received, { applied: boolean }> {
  return message ? { type, applied: true, message: copy(message) } : { type, applied: false };
}

/** Applies an edit. If edits wake the bot, the message gets a new turn, unless a turn of it is unfinished. */
function receiveEdit(tables: Tables, edit: Edit, now: Date): Received {
  const message = applyEdit(tables, edit, now);
  const result = applied("edit", message);
  if (!message || !edit.wakes || !edit.address || message.direction === "outbound") return result;
  const row = tables.sessions.get(message.session_id)!;
  if (
    row.session.status !== "active" ||
    row.turns.some(({ message_id }) => message_id === message.message_id)
  )
    return result;
  const turn = addTurn(tables, row, message, edit.account, edit.address, now);
  return turn ? { ...result, turn } : result;
}

/** Adds a turn for the message, then claims the session's next turn: this one, unless another waits or runs. */
function addTurn(
  tables: Tables,
  row: SessionRow,
  message: Message,
  account: string | undefined,
  address: Address,
  now: Date,
): Turn | undefined {
  const { message_id, seq, channel } = message;
  const turn: TurnRow = {
    turn_id: newId(tables, now),
    session_id: row.session.session_id,
    seq,
    message_id,
    channel,
    account,
    address,
    state: "pending",
    attempt: 0,
    due_at: atOnce(now),
    created_at: now,
  };
  tables.turns.set(turn.turn_id, turn);
  row.turns = [...row.turns, turn].sort(inOrder);
  return claimTurn(tables, row, now);
}

function receiveMessage(tables: Tables, inbound: InboundMessage, place: number, now: Date): Received {
  const { channel, account, external_id, address, sent_at, came_at = now } = inbound;
  const key = account === undefined ? undefined : externalKey(channel, account, external_id);
  if (key !== undefined && tables.erased.has(key)) return { type: "erased" };
  const known = key === undefined ? undefined : tables.messagesByExternalId.get(key);
  if (known) return duplicate(tables, known, now);
  const { row, content, notice } = joined(tables, inbound, came_at);
  const { session_id } = row.session;
  const repeated = tables.messagesByExternalId.get(externalKey(channel, account ?? session_id, external_id));
  if (repeated) return duplicate(tables, repeated, now);
  touch(tables, row, channel, came_at);
  setReachable(row.customer, channel, true);
  learnProfile(row, inbound);
  if (notice === undefined) decideLanguage(tables, row, inbound.language);
  keepAddress(tables, row, inbound, came_at);
  row.last_channel = channel;
  const role = notice === undefined ? "user" : "system";
  const said =
    notice === undefined
      ? chosen(tables, row, inbound)
      : { content, reply_to: replyTarget(tables, inbound, session_id) };
  const { message } = addMessage(
    tables,
    row,
    { channel, account, external_id, ...said, direction: "inbound", role, sent_at },
    now,
    came_at,
    place,
  );
  openWindow(tables, row, inbound, now);
  if (notice !== undefined) {
    const reachable = Object.keys(address).length > 0;
    tell(tables, row, notice, reachable ? [copy({ channel, account: account!, address })] : [], now);
  }
  const turn = inbound.wakes ? addTurn(tables, row, message, account, address, now) : undefined;
  count(tables, `received|${channel}`);
  return {
    type: "message",
    message: copy(message),
    session: documentOf(row),
    duplicate: false,
    ...(turn && { turn }),
  };
}

/** The session that a message belongs to, after its proofs are applied, and the content to store. */
function joined(
  tables: Tables,
  inbound: InboundMessage,
  now: Date,
): { row: SessionRow; content: Content; notice?: string } {
  const { from, channel, claimed, content, link_hash } = inbound;
  const find = () =>
    isSessionRef(from)
      ? findNamed(tables, from, inbound, now)
      : (claimed ? claim : resolve)(tables, from, channel, now);
  if (link_hash === undefined) return { row: find(), content };
  const isVerified = !claimed && !isSessionRef(from);
  const redeemed = isVerified ? redeemLink(tables, link_hash, from, now) : undefined;
  const event = (name: string) => ({ kind: "system", event: name }) as const;
  const told = (row: SessionRow, name: "linked" | "link_failed") => ({
    row,
    content: event(name),
    notice: noticeIn(tables, name, row.session.language),
  });
  if (!redeemed) return told(find(), "link_failed");
  if ("joined" in redeemed) return told(redeemed.joined, "linked");
  const sender = isSessionRef(from) ? undefined : findOwner(tables, from, now);
  const question = noticeIn(tables, "merge_required", spokenTo(tables, sender));
  const notice = mergeQuestion(question, redeemed.asked);
  return { row: find(), content: event("merge_required"), notice };
}

function duplicate(tables: Tables, { message }: MessageRow, now: Date): Received {
  count(tables, `duplicates|${message.channel}`);
  const row = tables.sessions.get(message.session_id)!;
  const turn = claimTurn(tables, row, now);
  return {
    type: "message",
    message: copy(message),
    session: documentOf(row),
    duplicate: true,
    ...(turn && { turn }),
  };
}

function receiveEcho(tables: Tables, echo: EchoMessage, now: Date): Message | undefined {
  const { channel, account, external_id, to, content, sent_at } = echo;
  if (account === undefined) return undefined;
  const key = externalKey(channel, account, external_id);
  if (tables.messagesByExternalId.has(key) || tables.erased.has(key)) return undefined;
  const row = findTalking(tables, to, now);
  const said = {
    channel,
    account,
    external_id,
    content,
    sent_at,
    direction: "outbound",
    role: "operator",
    status: "sent",
  } as const;
  return row && addMessage(tables, row, said, now).message;
}

/**
 * The first active session that the verified identities find, strongest first. A claimed phone finds none: the
 * recipient has not written, so nothing shows that the claim is true.
 */
function findTalking(tables: Tables, identities: Identities, now: Date): SessionRow | undefined {
  for (const [kind, value] of identitiesOf(identities)) {
    const customer = verifiedHolder(tables, kind, value);
    const row = customer && seenActive(tables, customer, now);
    if (row) return row;
  }
  return undefined;
}
