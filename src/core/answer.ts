import { backoffMs } from "./backoff.ts";
import { deliver } from "./deliver.ts";
import { toHubError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { Completed } from "./ports.ts";
import { withTimeout } from "./timeout.ts";
import type { OutboundReply, Reply, Turn } from "./turn.ts";

/**
 * Answers a turn and those of its session that wait behind it: asks the bot, saves its replies, delivers them. What
 * is cut off here is found by the sweep.
 */
export async function answer(hub: Hub, first: Turn): Promise<void> {
  let turn: Turn | undefined = first;
  while (turn) {
    const completed: Completed = await answerOne(hub, turn);
    const delivered = deliver(hub, completed.deliveries);
    turn = completed.next;
    await delivered;
  }
}

async function answerOne(hub: Hub, turn: Turn): Promise<Completed> {
  const { conversations } = hub.store;
  let replies: Reply[];
  try {
    replies = await withTimeout(hub.limits.botMs, "bot_timeout", (signal) => hub.bot.reply(turn, signal));
  } catch (thrown) {
    const error = toHubError(thrown);
    const now = hub.now();
    const last = turn.attempt >= hub.limits.turnAttempts;
    const wait = Math.max(backoffMs(turn.attempt), error.retryAfterMs ?? 0);
    const reason = error.reason ?? error.code;
    hub.log(last ? "error" : "warn", "turn.failed", {
      turn_id: turn.turn_id,
      session_id: turn.session.session_id,
      attempt: turn.attempt,
      reason,
      dead: last,
    });
    return conversations.fail(turn, reason, last ? undefined : new Date(now.getTime() + wait), now);
  }
  const completed = await conversations.complete(turn, outbound(hub, turn, replies), hub.now());
  hub.log("info", "turn.completed", {
    turn_id: turn.turn_id,
    session_id: turn.session.session_id,
    channel: turn.channel,
    attempt: turn.attempt,
    replies: replies.length,
    stale: completed.stale,
  });
  return completed;
}

function outbound(hub: Hub, turn: Turn, replies: readonly Reply[]): OutboundReply[] {
  const channel = hub.channels[turn.channel];
  return replies.map((content) => ({ content, parts: channel ? channel.split(content) : [content] }));
}
