import { filesToSend } from "../../features/media/files-to-send.ts";
import { checkApproved } from "../../features/templates/check.ts";
import { backoffMs } from "../answer/backoff.ts";
import { persist } from "../answer/persist.ts";
import type { Delivery, Outcome, Part } from "../answer/turn.ts";
import type { Channel } from "../channel.ts";
import { failureOf, HubError, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { withTimeout } from "../timeout.ts";
import { HOLD_MS, isOpen } from "./window.ts";

/** How many attempts ended in each way. `deliver` adds to it; the caller writes it into a log line. */
export interface Tally {
  parts_sent: number;
  parts_failed: number;
  parts_dead: number;
  /** Absent: none waits for the customer. */
  parts_held?: number;
}

/** When the last part was sent on each lane (one session, one channel), in ms since 1970. */
export type SentAt = Map<string, number>;

/**
 * Sends claimed deliveries, and settles each as soon as the platform has answered. `settle` hands over the next
 * delivery of the lane. Only the first unsettled delivery of a lane is ever claimed, so no delivery overtakes another.
 * A caller that calls several times in a row passes the same `sentAt`: the channel's `spacingMs` is kept between calls
 * too.
 */
export async function deliver(
  hub: Hub,
  claimed: readonly Delivery[],
  tally?: Tally,
  sentAt: SentAt = new Map(),
): Promise<void> {
  let waiting = claimed;
  while (waiting.length > 0) {
    const outcomes = await Promise.all(waiting.map((delivery) => attempt(hub, delivery, sentAt)));
    if (tally) for (const { state } of outcomes) tally[COUNTED[state]] = (tally[COUNTED[state]] ?? 0) + 1;
    const settled = await persist(hub, () => hub.store.conversations.settle(outcomes, hub.now()));
    for (const { session_id, message_id, status } of settled.changed)
      hub.live.publish(session_id, { type: "status", message_id, status });
    waiting = settled.deliveries;
  }
}

const COUNTED = {
  sent: "parts_sent",
  pending: "parts_failed",
  dead: "parts_dead",
  held: "parts_held",
} as const;

async function attempt(hub: Hub, delivery: Delivery, sentAt: SentAt): Promise<Outcome> {
  const { delivery_id, attempt } = delivery;
  const id = { delivery_id, attempt };
  try {
    if (attempt > hub.policy.deliveryAttempts)
      throw new HubError("rejected", "given up", { reason: "abandoned" });
    const channel = hub.channels[delivery.channel];
    if (!channel)
      throw new HubError("unavailable", `channel ${delivery.channel} is not configured`, {
        reason: "channel_off",
      });
    await waitForPace(hub, channel, delivery, sentAt);
    return { ...id, ...(await sendInWindow(hub, channel, delivery)) };
  } catch (thrown) {
    const error = toHubError(thrown);
    const failure = failureOf(error);
    const dead = error.code === "rejected" || attempt >= hub.policy.deliveryAttempts;
    const { session_id, message_id, channel } = delivery;
    hub.log(dead ? "error" : "warn", "delivery.failed", {
      ...id,
      session_id,
      message_id,
      channel,
      ...failure,
      dead,
    });
    if (dead) return { ...id, state: "dead", ...failure };
    const wait = Math.max(backoffMs(attempt), error.retryAfterMs ?? 0);
    return { ...id, state: "pending", retry_at: new Date(hub.now().getTime() + wait), ...failure };
  }
}

type Ending = DistributiveOmit<Extract<Outcome, { state: "sent" | "held" }>, "delivery_id" | "attempt">;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * Sends a part, or does what its sender wants if the platform takes free replies no longer. A platform that calls a window closed
 * which the hub holds for open is right. Throws `rejected` with the reason `window_closed`.
 */
async function sendInWindow(hub: Hub, channel: Channel, delivery: Delivery): Promise<Ending> {
  const { window } = channel;
  const { content, window_closes_at: seen } = delivery;
  if (!window?.needs(content)) return sendPart(hub, channel, delivery, content);
  let refused = false;
  if (isOpen(seen, hub.now())) {
    try {
      return await sendPart(hub, channel, delivery, content);
    } catch (thrown) {
      if (toHubError(thrown).reason !== window.refusal) throw thrown;
      refused = true;
    }
  }
  const { outside, ...part } = content;
  if (outside === undefined)
    throw new HubError("rejected", "the platform takes no free replies now", { reason: "window_closed" });
  const { delivery_id, session_id, message_id } = delivery;
  hub.log("info", "delivery.outside_window", {
    delivery_id,
    session_id,
    message_id,
    channel: delivery.channel,
    as: outside === "hold" ? "held" : "call",
    refused,
  });
  if (outside !== "hold") {
    const { template, ...call } = outside;
    if (template) await checkApproved(hub, delivery.channel, channel, template);
    return sendPart(hub, channel, delivery, { ...part, ...call });
  }
  const until = new Date(hub.now().getTime() + HOLD_MS);
  return { state: "held", until, ...(seen && { seen }), refused };
}

async function sendPart(hub: Hub, channel: Channel, delivery: Delivery, part: Part): Promise<Ending> {
  const billed = channel.billedAs?.(part);
  return {
    state: "sent",
    external_id: await send(hub, channel, delivery, part),
    ...(billed && { billed }),
  };
}

/** Waits until the delivery's `send_at`, and until its channel's `spacingMs` has passed since the lane's last part. */
async function waitForPace(
  hub: Hub,
  { spacingMs = 0 }: Channel,
  delivery: Delivery,
  sentAt: SentAt,
): Promise<void> {
  const lane = `${delivery.session_id} ${delivery.channel}`;
  const earliest = Math.max(
    delivery.send_at?.getTime() ?? 0,
    (sentAt.get(lane) ?? Number.NEGATIVE_INFINITY) + spacingMs,
  );
  const wait = earliest - hub.now().getTime();
  if (wait > 0) await hub.sleep(wait);
  sentAt.set(lane, hub.now().getTime());
}

function send(hub: Hub, channel: Channel, delivery: Delivery, content: Part): Promise<string> {
  // An erasure empties what was not sent.
  if (!content.text && !content.call)
    throw new HubError("rejected", "the part is empty", { reason: "unsupported_content" });
  if (content.target !== undefined && !content.targets?.length)
    throw new HubError("rejected", "the earlier message was not sent", { reason: "message_not_found" });
  return withTimeout(hub.policy.sendMs, "send_timeout", (signal) =>
    channel.send(delivery.address, content, signal, filesToSend(hub, delivery)),
  );
}
