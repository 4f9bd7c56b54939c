import type { JournaledEvent } from "../../core/receive/journal.ts";
import type { TracedDelivery, TracedMessage, TracedSession, TraceFacts } from "./trace.ts";
import { iso, reasonOf, sendingOf, waitOf } from "./words.ts";

/** What a step of a timeline may be. */
export const STEPS = [
  "session_opened",
  "session_closed",
  "message_received",
  "message_sent",
  "message_edited",
  "message_deleted",
  "event",
  "bot_failed",
  "answer_waits",
  "dead_letter",
  "reply_saved",
  "reply_waits",
  "reply_failed",
  "reply_sent",
  "reply_delivered",
  "reply_read",
  "customer_blocked",
  "journaled",
  "quarantined",
  "receipt_early",
  "erased",
  "audit",
] as const;

/** One thing that happened, with its reason in words. */
export interface Step {
  readonly at: Date;
  readonly what: (typeof STEPS)[number];
  readonly words: string;
  readonly session_id?: string;
  readonly message_id?: string;
  readonly channel?: string;
  readonly code?: string;
  readonly reason?: string;
}

/** Everything that happened, oldest first. */
export function timelineOf(facts: TraceFacts, journaled: readonly JournaledEvent[], now: Date): Step[] {
  const { customer, sessions, messages, audit, missing } = facts;
  const steps: Step[] = [
    ...sessions.flatMap(sessionSteps),
    ...messages.flatMap((message) => messageSteps(message, now)),
    ...(customer?.unreachable ?? []).flatMap(({ channel, at }): Step[] =>
      at
        ? [{ at, what: "customer_blocked", channel, words: `the customer blocked the bot on ${channel}` }]
        : [],
    ),
    ...audit.map(({ at, actor, action }): Step => ({ at, what: "audit", words: `${actor}: ${action}` })),
    ...(missing?.early ?? []).map(
      ({ at, type, channel, status }): Step => ({
        at,
        what: "receipt_early",
        channel,
        words: `${channel} sent ${status ? `the receipt ${status}` : `an ${type}`} for it, and the message itself never arrived`,
      }),
    ),
    ...(missing?.erased_at
      ? [{ at: missing.erased_at, what: "erased" as const, words: "its content was erased" }]
      : []),
    ...journaled.map(journalStep),
  ];
  return steps.sort((a, b) => a.at.getTime() - b.at.getTime());
}

function sessionSteps(session: TracedSession): Step[] {
  const { session_id, channel, status, created_at, ended_at, merged_into } = session;
  const closed = merged_into ? `merged into ${merged_into}` : status === "expired" ? "expired" : "ended";
  return [
    { at: created_at, what: "session_opened", session_id, channel, words: `session opened on ${channel}` },
    ...(ended_at
      ? [{ at: ended_at, what: "session_closed" as const, session_id, words: `session ${closed}` }]
      : []),
  ];
}

function messageSteps(message: TracedMessage, now: Date): Step[] {
  const { message_id, session_id, channel, created_at, edited_at, deleted_at, turn } = message;
  const about = { session_id, message_id, channel };
  const steps: Step[] = [{ ...about, at: created_at, ...firstStep(message) }];
  if (edited_at)
    steps.push({ ...about, at: edited_at, what: "message_edited", words: "edited by its sender" });
  if (deleted_at)
    steps.push({ ...about, at: deleted_at, what: "message_deleted", words: "deleted by its sender" });
  if (turn) {
    const { state, code, reason, failed_at, attempt } = turn;
    const why = { ...(code && { code }), ...(reason && { reason }) };
    if (failed_at && state !== "dead")
      steps.push({
        ...about,
        ...why,
        at: failed_at,
        what: "bot_failed",
        words: `attempt ${attempt} at the bot failed with ${reasonOf(turn)}`,
      });
    const at = state === "dead" ? (failed_at ?? turn.due_at) : now;
    steps.push({
      ...about,
      ...why,
      at,
      what: state === "dead" ? "dead_letter" : "answer_waits",
      words: waitOf(turn, now),
    });
  }
  return [...steps, ...message.deliveries.flatMap((part) => deliverySteps(message, part, now))];
}

function firstStep(message: TracedMessage): Pick<Step, "what" | "words"> {
  const { kind, channel, direction, role, event, sent_at, created_at, reply_to } = message;
  if (kind === "system") return { what: "event", words: `the hub noted: ${event ?? "an event"}` };
  if (role === "assistant")
    return {
      what: "reply_saved",
      words: `the bot answered${reply_to ? ` message ${reply_to}` : ""} with ${kind}`,
    };
  if (direction === "outbound") return { what: "message_sent", words: `${role} wrote ${kind}` };
  const late = sent_at ? Math.round((created_at.getTime() - sent_at.getTime()) / 1_000) : 0;
  const words = `${kind} arrived on ${channel}`;
  return {
    what: "message_received",
    words: sent_at && late >= 5 ? `${words}, ${late} s after it was sent at ${iso(sent_at)}` : words,
  };
}

function deliverySteps(message: TracedMessage, part: TracedDelivery, now: Date): Step[] {
  const { message_id, session_id, channel } = message;
  const about = { session_id, message_id, channel };
  const { state, code, reason, sent_at, delivered_at, read_at, failed_at, created_at } = part;
  const why = { ...(code && { code }), ...(reason && { reason }) };
  const steps: Step[] = [];
  if (sent_at) steps.push({ ...about, at: sent_at, what: "reply_sent", words: `${channel} took it` });
  if (delivered_at)
    steps.push({ ...about, at: delivered_at, what: "reply_delivered", words: "delivered to the customer" });
  if (read_at)
    steps.push({ ...about, at: read_at, what: "reply_read", words: `${part.status} by the customer` });
  const words = sendingOf(message, part, now);
  if (state === "dead")
    steps.push({ ...about, ...why, at: failed_at ?? created_at, what: "reply_failed", words });
  else if (state !== "sent") steps.push({ ...about, ...why, at: now, what: "reply_waits", words });
  return steps;
}

function journalStep({ state, at, since, reason, type, channel, external_id }: JournaledEvent): Step {
  const name = `${type}${external_id ? ` ${external_id}` : ""}`;
  const words =
    state === "waiting"
      ? `${name} arrived while the database was down, and waits in the journal`
      : `${name} was quarantined at ${iso(since)} because the database refused it${reason ? `: ${reason}` : ""}`;
  return {
    at: state === "waiting" ? at : since,
    what: state === "waiting" ? "journaled" : "quarantined",
    words,
    ...(channel && { channel }),
    ...(reason && { reason }),
  };
}
