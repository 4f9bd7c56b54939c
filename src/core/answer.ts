import { backoffMs } from "./backoff.ts";
import { deliver } from "./deliver.ts";
import { HubError, toHubError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { Completed } from "./ports.ts";
import { withTimeout } from "./timeout.ts";
import type { OutboundReply, Reply, Turn } from "./turn.ts";

/** Longer than a platform shows typing would be wasted; the bot is not kept waiting for it. */
const ATTEND_MS = 5_000;

/**
 * Answers a turn and those of its session that wait behind it: asks the bot, saves its replies, delivers them. What
 * is cut off here is found by the sweep.
 */
export async function answer(hub: Hub, first: Turn): Promise<void> {
  let turn: Turn | undefined = first;
  while (turn) {
    const began = hub.now();
    attend(hub, turn);
    const completed: Completed = await answerOne(hub, turn, began);
    if (completed.messages.length > 0)
      hub.live.publish(completed.messages[0]!.session_id, { type: "messages" });
    await deliver(hub, completed.deliveries);
    turn = completed.next;
  }
}

/** Shows that we are at work, beside the work: neither waits for the other, and its failure is only logged. */
function attend(hub: Hub, { session, message, channel: name, address }: Turn): void {
  hub.live.publish(session.session_id, { type: "typing", channel: name });
  const channel = hub.channels[name];
  const external_id = message.external_id;
  if (!channel || external_id === undefined) return;
  withTimeout(ATTEND_MS, "attend_timeout", (signal) => channel.attend(address, external_id, signal)).catch(
    (thrown) => {
      const { code, reason } = toHubError(thrown);
      hub.log("warn", "attend.failed", { channel: name, session_id: session.session_id, code, reason });
    },
  );
}

async function answerOne(hub: Hub, turn: Turn, began: Date): Promise<Completed> {
  const { conversations } = hub.store;
  const ids = {
    turn_id: turn.turn_id,
    session_id: turn.session.session_id,
    channel: turn.channel,
    attempt: turn.attempt,
  };
  let replies: Reply[];
  try {
    if (turn.attempt > hub.limits.turnAttempts)
      throw new HubError("rejected", "given up", { reason: "abandoned" });
    replies = await withTimeout(hub.limits.botMs, "bot_timeout", (signal) => hub.bot.reply(turn, signal));
  } catch (thrown) {
    const error = toHubError(thrown);
    const failure = { code: error.code, reason: error.reason ?? error.code };
    const dead = error.code === "rejected" || turn.attempt >= hub.limits.turnAttempts;
    const now = hub.now();
    const wait = Math.max(backoffMs(turn.attempt), error.retryAfterMs ?? 0);
    hub.log(dead ? "error" : "warn", "turn.failed", {
      ...ids,
      ...failure,
      dead,
      bot_ms: now.getTime() - began.getTime(),
    });
    return conversations.fail(turn, failure, dead ? undefined : new Date(now.getTime() + wait), now);
  }
  const answered = hub.now();
  const completed = await conversations.complete(turn, outbound(hub, turn, replies), answered);
  hub.log("info", "turn.completed", {
    ...ids,
    messages: turn.messages.length,
    replies: replies.length,
    stale: completed.stale,
    bot_ms: answered.getTime() - began.getTime(),
    save_ms: hub.now().getTime() - answered.getTime(),
  });
  return completed;
}

function outbound(hub: Hub, turn: Turn, replies: readonly Reply[]): OutboundReply[] {
  const channel = hub.channels[turn.channel];
  return replies.map((content) => ({ content, parts: channel ? channel.split(content) : [content] }));
}
