import { channels as makers } from "../channels/index.ts";
import type { Channel } from "../core/channel.ts";
import type { Env } from "../core/settings.ts";
import type { Problems } from "./problems.ts";

/** The channels that have their settings, by name. */
export function channelsOf(env: Env, { attempt }: Problems): Record<string, Channel> {
  const channels: Record<string, Channel> = {};
  for (const [name, make] of Object.entries(makers)) {
    const channel = attempt(() => make(env));
    if (channel) channels[name] = channel;
  }
  return channels;
}

/** How long tokens live without use; stores and cache know one such channel, the kiosk. */
export function tokenIdleOf({ kiosk }: Readonly<Record<string, Channel>>): { kioskIdleMs?: number } {
  return kiosk?.tokenIdleMs === undefined ? {} : { kioskIdleMs: kiosk.tokenIdleMs };
}

/** Which keys the channels take whose messages programs of ours post. */
export function postedWithOf(channels: Readonly<Record<string, Channel>>) {
  return Object.fromEntries(
    Object.entries(channels).flatMap(([name, { postedWith }]) => (postedWith ? [[name, postedWith]] : [])),
  );
}
