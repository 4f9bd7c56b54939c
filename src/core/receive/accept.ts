import type { Bot } from "../answer/bot.ts";
import type { Turn } from "../answer/turn.ts";
import type { Channel, WebhookRequest } from "../channel.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { withoutLinkToken } from "../identity/link.ts";
import type { Ignored } from "../messages/message.ts";
import { withTimeout } from "../timeout.ts";
import type { InboundEvent, Received } from "./conversations.ts";
import { runInBackground } from "./effects.ts";
import { publish } from "./publish.ts";

export interface Accepted {
  readonly results: readonly Received[];
  readonly ignored: readonly Ignored[];
  /** Ours to answer now, outside the request. */
  readonly turns: readonly Turn[];
}

/**
 * Takes one webhook in: believed, read, and everything in it saved by one call to the store, or to the journal while the
 * store is down. When this resolves it is durable and may be acknowledged. Throws `unauthorized`, `malformed`,
 * `unavailable`, or what `receive` throws.
 */
export async function accept(hub: Hub, name: string, request: WebhookRequest): Promise<Accepted> {
  const channel = hub.channels[name];
  if (!channel) throw new HubError("not_found", `channel ${name} is not configured`);
  await channel.verify(request);
  const inbound = await channel.parse(request);
  const events: InboundEvent[] = [];
  const ignored: Ignored[] = [];
  for (const item of inbound) {
    if (item.type === "ignored") ignored.push(item);
    else events.push(heard(hub.bot, await withoutLinkToken(item)));
  }
  acknowledge(hub, channel, ignored);
  if (events.length === 0) return { results: [], ignored, turns: [] };
  const results = await hub.store.conversations.receive(events, hub.now());
  for (const result of results) publish(hub, result);
  return { results, ignored, turns: results.flatMap(({ turn }) => turn ?? []) };
}

/** Shows the platform that we saw what we do not keep, where it waits for that. */
function acknowledge(hub: Hub, channel: Channel, ignored: readonly Ignored[]): void {
  for (const { seen } of ignored) {
    if (!seen) continue;
    const shown = withTimeout(hub.policy.sendMs, "typing_timeout", (signal) =>
      channel.showTyping(seen.address, seen.external_id, signal),
    );
    runInBackground(hub, "ignored.not_acknowledged", shown);
  }
}

/** Edits and reactions wake only a bot that wants to hear of them. */
function heard({ hears = {} }: Bot, item: InboundEvent): InboundEvent {
  if (item.type === "edit") return { ...item, edit: { ...item.edit, wakes: hears.edits ?? false } };
  if (item.type !== "message" || item.message.content.kind !== "reaction") return item;
  return { ...item, message: { ...item.message, wakes: hears.reactions ?? false } };
}
