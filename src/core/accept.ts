import { HubError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { Inbound } from "./message.ts";
import type { Bot, Kept, Received, WebhookRequest } from "./ports.ts";
import type { Turn } from "./turn.ts";

export interface Accepted {
  readonly results: readonly Received[];
  readonly ignored: readonly Extract<Inbound, { type: "ignored" }>[];
  /** Ours to answer now, outside the request. */
  readonly turns: readonly Turn[];
}

/**
 * Takes one webhook in: believed, read, and everything in it saved by one call to the store. When this resolves it is
 * durable and may be acknowledged. Throws `unauthorized`, `malformed`, `unavailable`, or what `receive` throws.
 */
export async function accept(hub: Hub, name: string, request: WebhookRequest): Promise<Accepted> {
  const channel = hub.channels[name];
  if (!channel) throw new HubError("not_found", `channel ${name} is not configured`);
  await channel.verify(request);
  const inbound = await channel.parse(request);
  const kept: Kept[] = [];
  const ignored: Extract<Inbound, { type: "ignored" }>[] = [];
  for (const item of inbound) {
    if (item.type === "ignored") ignored.push(item);
    else kept.push(heard(hub.bot, item));
  }
  const results = kept.length > 0 ? await hub.store.conversations.receive(kept, hub.now()) : [];
  const turns = results.flatMap(({ turn }) => turn ?? []);
  for (const result of results) announce(hub, result);
  return { results, ignored, turns };
}

/** Tells the session's open devices what has come. */
function announce({ live }: Hub, result: Received): void {
  const { message } = result;
  if (!message || (result.type === "message" && result.duplicate)) return;
  if (result.type === "edit" || result.type === "receipt")
    live.publish(message.session_id, { type: "message", message });
  else live.publish(message.session_id, { type: "messages" });
  if (result.type === "message")
    live.publish(message.session_id, { type: "session", session: result.session });
}

/** Edits and reactions wake only a bot that wants to hear of them. */
function heard({ hears = {} }: Bot, item: Kept): Kept {
  if (item.type === "edit") return { ...item, edit: { ...item.edit, wakes: hears.edits ?? false } };
  if (item.type !== "message" || item.message.content.kind !== "reaction") return item;
  return { ...item, message: { ...item.message, wakes: hears.reactions ?? false } };
}
