import { HubError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { Inbound } from "./message.ts";
import type { Kept, Received, WebhookRequest } from "./ports.ts";
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
    else kept.push(item);
  }
  const results = kept.length > 0 ? await hub.store.conversations.receive(kept, hub.now()) : [];
  const turns = results.flatMap((result) => (result.type === "message" && result.turn ? [result.turn] : []));
  return { results, ignored, turns };
}
