import { claimUploads } from "../../features/media/claim-uploads.ts";
import { withOptWord } from "../../features/opt-outs/opt-out.ts";
import { applyTemplateUpdates } from "../../features/templates/sync.ts";
import type { Bot } from "../answer/bot.ts";
import type { Turn } from "../answer/turn.ts";
import type { Channel, WebhookRequest } from "../channel.ts";
import { withWindow } from "../deliver/window.ts";
import { HubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { withoutLinkToken } from "../identity/link.ts";
import { withLanguage } from "../language/with-language.ts";
import type { Ignored, TemplateUpdate } from "../messages/message.ts";
import { withTimeout } from "../timeout.ts";
import type { InboundEvent, Received } from "./conversations.ts";
import { runInBackground } from "./effects.ts";
import { publish } from "./publish.ts";

export interface Accepted {
  readonly results: readonly Received[];
  readonly ignored: readonly Ignored[];
  /** The turns that the caller has claimed and must answer now, after the request. */
  readonly turns: readonly Turn[];
}

/**
 * Verifies a webhook, reads it, and saves all its events by one call to the store, or to the journal while the store is
 * down. When this resolves, the events are durable and the webhook may be acknowledged. Throws `not_found`,
 * `unauthorized`, `malformed`, `unavailable`, or the errors of `receive`.
 */
export async function accept(hub: Hub, name: string, request: WebhookRequest): Promise<Accepted> {
  const channel = hub.channels[name];
  if (!channel) throw new HubError("not_found", `channel ${name} is not configured`);
  await channel.verify(request);
  const inbound = await channel.parse(request);
  const events: InboundEvent[] = [];
  const ignored: Ignored[] = [];
  const updates: TemplateUpdate[] = [];
  for (const item of inbound) {
    if (item.type === "ignored") ignored.push(item);
    else if (item.type === "template") updates.push(item.update);
    else {
      const event = withWindow(channel.window, withWakes(hub.bot, await withoutLinkToken(item)), hub.now());
      const isMessenger = channel.postedWith === undefined && hub.store.features !== undefined;
      events.push(await withLanguage(hub.languages, withOptWord(event, isMessenger)));
    }
  }
  if (channel.postedWith) await claimUploads(hub, events);
  acknowledge(hub, channel, ignored);
  if (updates.length > 0) runInBackground(hub, "templates.not_updated", applyTemplateUpdates(hub, updates));
  if (events.length === 0) return { results: [], ignored, turns: [] };
  const results = await hub.store.conversations.receive(events, hub.now());
  for (const result of results) publish(hub, result);
  return { results, ignored, turns: results.flatMap(({ turn }) => turn ?? []) };
}

/** Acknowledges ignored events to the platform, where it waits for that. */
function acknowledge(hub: Hub, channel: Channel, ignored: readonly Ignored[]): void {
  for (const { seen } of ignored) {
    if (!seen) continue;
    const shown = withTimeout(hub.policy.sendMs, "typing_timeout", (signal) =>
      channel.showTyping(seen.address, seen.external_id, signal),
    );
    runInBackground(hub, "ignored.not_acknowledged", shown);
  }
}

/** Edits and reactions wake only a bot that asks for them in `hears`. */
function withWakes({ hears = {} }: Bot, item: InboundEvent): InboundEvent {
  if (item.type === "edit") return { ...item, edit: { ...item.edit, wakes: hears.edits ?? false } };
  if (item.type !== "message" || item.message.content.kind !== "reaction") return item;
  return { ...item, message: { ...item.message, wakes: hears.reactions ?? false } };
}
