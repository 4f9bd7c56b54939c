import { backoffMs } from "./backoff.ts";
import { HubError, toHubError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import { withTimeout } from "./timeout.ts";
import type { Delivery, Outcome } from "./turn.ts";

/**
 * Sends claimed deliveries and settles each as soon as the platform has answered, which hands over the one behind it:
 * of one session and channel only the first unsettled delivery is ever claimed, so nothing overtakes it.
 */
export async function deliver(hub: Hub, claimed: readonly Delivery[]): Promise<void> {
  let waiting = claimed;
  while (waiting.length > 0) {
    const outcomes = await Promise.all(waiting.map((delivery) => attempt(hub, delivery)));
    waiting = await hub.store.conversations.settle(outcomes, hub.now());
  }
}

async function attempt(hub: Hub, delivery: Delivery): Promise<Outcome> {
  const { delivery_id, attempt } = delivery;
  try {
    const external_id = await send(hub, delivery);
    return { delivery_id, attempt, state: "sent", external_id };
  } catch (thrown) {
    const error = toHubError(thrown);
    const reason = error.reason ?? error.code;
    const dead = error.code === "rejected" || attempt >= hub.limits.deliveryAttempts;
    hub.log(dead ? "error" : "warn", "delivery.failed", {
      delivery_id,
      session_id: delivery.session_id,
      channel: delivery.channel,
      attempt,
      code: error.code,
      reason,
      dead,
    });
    if (dead) return { delivery_id, attempt, state: "dead", reason };
    const wait = Math.max(backoffMs(attempt), error.retryAfterMs ?? 0);
    return { delivery_id, attempt, state: "pending", retry_at: new Date(hub.now().getTime() + wait), reason };
  }
}

function send(hub: Hub, delivery: Delivery): Promise<string> {
  const { content, address } = delivery;
  const channel = hub.channels[delivery.channel];
  if (!channel)
    throw new HubError("unavailable", `channel ${delivery.channel} is not configured`, {
      reason: "channel_off",
    });
  if (content.kind !== "text")
    throw new HubError("rejected", `cannot send ${content.kind}`, { reason: "unsupported_content" });
  return withTimeout(hub.limits.sendMs, "send_timeout", (signal) => channel.send(address, content, signal));
}
