import type { TracedDelivery, TracedMessage, TraceFacts } from "./trace.ts";

/** One sentence: what became of the newest message that asks for an answer, or why nothing is known of it. */
export function verdictOf(facts: TraceFacts, now: Date): string {
  if (facts.missing?.erased_at)
    return `erased at ${iso(facts.missing.erased_at)}: nothing else is known of it`;
  if (facts.missing)
    return "never arrived: no message with that id is stored; a webhook that was refused or ignored is only in the log";
  if (facts.found === null) return "never arrived: no customer or session with that name is stored";
  const asked = facts.messages.findLast(({ direction, role }) => direction === "inbound" && role === "user");
  if (asked) return answerOf(asked, facts, now);
  const sent = facts.messages.findLast(({ direction }) => direction === "outbound");
  return sent ? fateOf(sent, now) : "no message is stored";
}

/** What became of an inbound message. */
function answerOf(message: TracedMessage, { messages }: TraceFacts, now: Date): string {
  const { turn, answers, later_answer } = message;
  if (turn) return waitOf(turn, now);
  const replies = answers.flatMap(
    ({ message_id }) => messages.find((one) => one.message_id === message_id) ?? [],
  );
  if (replies.length > 0) return replies.map((reply) => fateOf(reply, now)).join("; ");
  if (answers[0]) return `answered at ${iso(answers[0].at)} with message ${answers[0].message_id}`;
  if (later_answer)
    return `no answer of its own: the bot stayed silent, or answered it together with a later message, at ${iso(later_answer.at)}`;
  return "no answer because the bot had nothing to say, or because this kind of message asks for none";
}

/** Why a turn is not answered. */
export function waitOf(turn: NonNullable<TracedMessage["turn"]>, now: Date): string {
  const { turn_id, state, attempt, due_at, failed_at, ahead, together } = turn;
  const failed = `the bot failed ${times(attempt)}, last with ${reasonOf(turn)}`;
  if (state === "dead")
    return `no answer because ${failed}; a dead letter${since(failed_at)}: POST /api/dead-letters/${turn_id}/retry tries it again`;
  if (together) return "being answered together with an earlier message";
  if (state === "running")
    return due_at > now
      ? `being answered: attempt ${attempt}`
      : `no answer yet because attempt ${attempt} was cut off at ${iso(due_at)}; the sweep tries it again`;
  if (ahead > 0)
    return `no answer yet because ${ahead} earlier ${ahead === 1 ? "message waits" : "messages wait"}`;
  if (turn.code) return `no answer yet because ${failed}; tried again at ${iso(due_at)}`;
  return "no answer yet: it waits for the next sweep";
}

/** What became of a reply. */
function fateOf(message: TracedMessage, now: Date): string {
  const { deliveries, created_at, platforms, status } = message;
  const [slowest] = deliveries.toSorted((a, b) => rank(a) - rank(b));
  if (slowest) return sendingOf(message, slowest, now);
  if (platforms && status) return `answered at ${iso(created_at)}; ${status}`;
  return `answered at ${iso(created_at)}; the frontend fetches it`;
}

/** How far a part of a reply is. */
export function sendingOf({ channel }: TracedMessage, part: TracedDelivery, now: Date): string {
  const { state, attempt, due_at, sent_at, delivered_at, read_at, failed_at, delivery_id } = part;
  switch (state) {
    case "dead":
      return part.reason === "blocked"
        ? `not sent because the customer blocked the bot on ${channel}${since(failed_at ?? part.created_at)}`
        : `not delivered because ${channel} failed with ${reasonOf(part)} at attempt ${attempt}${since(failed_at)}; a dead letter: POST /api/dead-letters/${delivery_id}/retry tries it again`;
    case "pending":
      if (!part.code)
        return "the answer waits to be sent, behind others of its session and channel or for its pace";
      return `the answer is not sent yet because ${channel} failed with ${reasonOf(part)} at attempt ${attempt}; tried again at ${iso(due_at)}`;
    case "sending":
      return due_at > now
        ? `the answer is being sent: attempt ${attempt}`
        : `the answer is not sent yet because attempt ${attempt} was cut off; the sweep tries it again`;
    case "sent":
      if (read_at || ["read", "played"].includes(part.status))
        return `delivered, ${part.status}${since(read_at)}`;
      if (part.status === "delivered") return `delivered${since(delivered_at)}, not read`;
      return `sent${since(sent_at)}; ${channel} has not said that it was delivered`;
  }
}

/** The parts that hold a reply up come first. */
function rank({ state, status }: TracedDelivery): number {
  if (state !== "sent") return ["dead", "sending", "pending"].indexOf(state);
  return 3 + ["pending", "sent", "delivered", "read", "played"].indexOf(status);
}

export function reasonOf({ code, reason }: { readonly code?: string; readonly reason?: string }): string {
  if (!code) return "no reason";
  return reason === undefined || reason === code ? code : `${reason} (${code})`;
}

export function iso(at: Date): string {
  return at.toISOString();
}

function since(at: Date | undefined): string {
  return at ? ` at ${iso(at)}` : "";
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
