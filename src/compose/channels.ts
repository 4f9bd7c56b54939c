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
