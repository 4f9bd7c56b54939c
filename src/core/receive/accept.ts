import type { Bot } from "../answer/bot.ts";
import type { Turn } from "../answer/turn.ts";
import type { WebhookRequest } from "../channel.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { withoutLinkToken } from "../identity/link.ts";
import type { Inbound } from "../messages/message.ts";
import type { InboundEvent, Received } from "./conversations.ts";
import { publish } from "./publish.ts";

export interface Accepted {
  readonly results: readonly Received[];
  readonly ignored: readonly Extract<Inbound, { type: "ignored" }>[];
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
  const ignored: Extract<Inbound, { type: "ignored" }>[] = [];
  for (const item of inbound) {
    if (item.type === "ignored") ignored.push(item);
    else events.push(heard(hub.bot, await withoutLinkToken(item)));
  }
  if (events.length === 0) return { results: [], ignored, turns: [] };
  const results = await hub.store.conversations.receive(events, hub.now());
  for (const result of results) publish(hub, result);
  return { results, ignored, turns: results.flatMap(({ turn }) => turn ?? []) };
}

/** Edits and reactions wake only a bot that wants to hear of them. */
function heard({ hears = {} }: Bot, item: InboundEvent): InboundEvent {
  if (item.type === "edit") return { ...item, edit: { ...item.edit, wakes: hears.edits ?? false } };
  if (item.type !== "message" || item.message.content.kind !== "reaction") return item;
  return { ...item, message: { ...item.message, wakes: hears.reactions ?? false } };
}
