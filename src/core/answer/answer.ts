import { deliver, type SentAt, type Tally } from "../deliver/deliver.ts";
import { failureOf, HubError, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import type { Completed } from "../receive/conversations.ts";
import { withTimeout } from "../timeout.ts";
import { backoffMs } from "./backoff.ts";
import { persist } from "./persist.ts";
import type { Failure, OutboundReply, Reply, Turn } from "./turn.ts";

/** Longer than a platform shows typing would be wasted; the bot is not kept waiting for it. */
const TYPING_MS = 5_000;

/** A turn that we were handed longer ago is left to its lease: the bot's time and ours would not fit in what is left. */
const STALE_MS = 20_000;

/**
 * Answers a turn and those of its session that wait behind it: asks the bot, saves its replies, delivers them. What
 * is cut off here, or left after a slow platform, is found by the sweep.
 */
export async function answer(hub: Hub, first: Turn): Promise<void> {
  const typing: Promise<void>[] = [];
  const sentAt: SentAt = new Map();
  try {
    let turn: Turn | undefined = first;
    while (turn) {
      typing.push(showTyping(hub, turn));
      turn = await answerOne(hub, turn, sentAt);
    }
  } finally {
    // Whoever waits for us keeps them from being cut off; they hold nobody up before.
    await Promise.all(typing);
  }
}

/** Shows that we are at work, beside the work: neither waits for the other, and its failure is only logged. */
async function showTyping(hub: Hub, { session, message, channel: name, address }: Turn): Promise<void> {
  hub.live.publish(session.session_id, { type: "typing", channel: name, seq: message.seq });
  const channel = hub.channels[name];
  const external_id = message.external_id;
  if (!channel || external_id === undefined) return;
  try {
    await withTimeout(TYPING_MS, "typing_timeout", (signal) =>
      channel.showTyping(address, external_id, signal),
    );
  } catch (thrown) {
    const { code, reason } = toHubError(thrown);
    hub.log("warn", "showTyping.failed", { channel: name, session_id: session.session_id, code, reason });
  }
}

/** How a turn ended here; `unsaved` when the store did not take it, and its lease brings it back. */
type Ending = "done" | "failed" | "dead" | "stale" | "unsaved";

/** One turn, from the bot to the last part that is ours to send; returns the session's next one. Leaves one log line. */
async function answerOne(hub: Hub, turn: Turn, sentAt: SentAt): Promise<Turn | undefined> {
  const tally: Tally = { parts_sent: 0, parts_failed: 0, parts_dead: 0 };
  const times: Record<string, number> = {};
  let outcome: Ending = "unsaved";
  let replies = 0;
  let failure: Failure | undefined;
  let detail: string | undefined;
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = hub.now().getTime();
    return work().finally(() => {
      times[name] = hub.now().getTime() - began;
    });
  };
  try {
    const asked = await timed("bot_ms", () => ask(hub, turn));
    if ("failure" in asked) ({ failure, detail } = asked);
    else replies = asked.replies.length;
    const completed = await timed("save_ms", () => save(hub, turn, asked));
    outcome = completed.stale ? "stale" : "replies" in asked ? "done" : asked.retryAt ? "failed" : "dead";
    if ("failure" in asked && !completed.stale) tellOfFailure(hub, turn, asked);
    if (completed.messages.length > 0)
      hub.live.publish(completed.messages[0]!.session_id, { type: "messages" });
    await timed("send_ms", () => deliver(hub, completed.deliveries, tally, sentAt));
    return (times.send_ms ?? 0) > STALE_MS ? undefined : completed.next;
  } catch (thrown) {
    failure = failureOf(toHubError(thrown));
    throw thrown;
  } finally {
    hub.log(outcome === "dead" ? "error" : outcome === "done" && !failure ? "info" : "warn", "turn", {
      turn_id: turn.turn_id,
      session_id: turn.session.session_id,
      message_id: turn.message.message_id,
      channel: turn.channel,
      attempt: turn.attempt,
      outcome,
      ...failure,
      ...(detail !== undefined && { detail }),
      messages: turn.messages.length,
      replies,
      ...tally,
      ...times,
    });
  }
}

/** What came of asking the bot. */
type Asked = { readonly replies: readonly OutboundReply[] } | Refused;

interface Refused {
  readonly failure: Failure;
  /** What the bot's author has to mend, in words without content. */
  readonly detail?: string;
  /** When to ask again; without it the turn is a dead letter. */
  readonly retryAt?: Date;
}

async function ask(hub: Hub, turn: Turn): Promise<Asked> {
  try {
    if (turn.attempt > hub.policy.turnAttempts)
      throw new HubError("rejected", "given up", { reason: "abandoned" });
    const replies = await withTimeout(hub.policy.botMs, "bot_timeout", (signal) =>
      hub.bot.reply(turn, signal),
    );
    return { replies: outbound(hub, turn, replies) };
  } catch (thrown) {
    const error = toHubError(thrown);
    const failure = failureOf(error);
    const refused = { failure, ...(error.code !== "internal" && { detail: error.message }) };
    if (error.code === "rejected" || turn.attempt >= hub.policy.turnAttempts) return refused;
    const wait = Math.max(backoffMs(turn.attempt), error.retryAfterMs ?? 0);
    return { ...refused, retryAt: new Date(hub.now().getTime() + wait) };
  }
}

/** A device that waits for the reply must be able to tell a failure from a bot that stays silent. */
function tellOfFailure({ live }: Hub, { attempt, message }: Turn, { failure, retryAt }: Refused): void {
  const { session_id, message_id } = message;
  const state = retryAt ? "retrying" : "dead";
  live.publish(session_id, { type: "turn", message_id, turn: { state, attempt, ...failure } });
}

function save(hub: Hub, turn: Turn, asked: Asked): Promise<Completed> {
  const { conversations } = hub.store;
  return persist(hub, () =>
    "failure" in asked
      ? conversations.fail(turn, asked.failure, asked.retryAt, hub.now())
      : conversations.complete(turn, asked.replies, hub.now()),
  );
}

function outbound(hub: Hub, turn: Turn, replies: readonly Reply[]): OutboundReply[] {
  const channel = hub.channels[turn.channel];
  return replies.map((content) => ({ content, parts: channel ? channel.split(content) : [content] }));
}
