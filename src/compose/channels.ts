import { channels as makers } from "../channels/index.ts";
import type { Channel } from "../core/channel.ts";
import type { Env } from "../core/settings.ts";
import type { Problems } from "./problems.ts";

/** The channels whose settings are there, by name. */
export function channelsOf(env: Env, { attempt }: Problems): Record<string, Channel> {
  const channels: Record<string, Channel> = {};
  for (const [name, make] of Object.entries(makers)) {
    const channel = attempt(() => make(env));
    if (channel) channels[name] = channel;
  }
  return channels;
}

/** How long a kiosk's token lives without use. Stores and cache support this limit for the channel `kiosk` only. */
export function tokenIdleOf({ kiosk }: Readonly<Record<string, Channel>>): { kioskIdleMs?: number } {
  return kiosk?.tokenIdleMs === undefined ? {} : { kioskIdleMs: kiosk.tokenIdleMs };
}

/** The scopes of the API keys for channels on which the shop's own programs post, by channel. */
export function postedWithOf(channels: Readonly<Record<string, Channel>>) {
  return Object.fromEntries(
    Object.entries(channels).flatMap(([name, { postedWith }]) => (postedWith ? [[name, postedWith]] : [])),
  );
}
