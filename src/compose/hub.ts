import type { Bot } from "../core/answer/bot.ts";
import type { Channel } from "../core/channel.ts";
import { DEFAULT_POLICY, type Hub } from "../core/hub.ts";
import type { Log } from "../core/log.ts";
import { handleReplayed } from "../core/receive/replayed.ts";
import type { SessionCache } from "../core/sessions/cache.ts";
import type { MediaOptions } from "../features/media/options.ts";
import { liveRooms, noLive } from "../http/live/publisher.ts";
import { watchJournal } from "../outage/watch.ts";
import { withJournal } from "../outage/with-journal.ts";
import { upstashJournal } from "../stores/journal.ts";
import { noCache, upstashCache } from "../stores/upstash.ts";
import { tokenIdleOf } from "./channels.ts";
import type { Config } from "./config.ts";
import { storesOf } from "./store.ts";

/**
 * Opens a hub for one event. `later` keeps the Worker alive for background work; `close` closes the event's
 * connections.
 */
export type OpenHub = (
  log: Log,
  later: (work: Promise<unknown>) => void,
) => { hub: Hub; close: () => Promise<void> };

/** The hubs of one program. */
export interface Hubs {
  readonly open: OpenHub;
  /** Closes the connections that all events share. */
  readonly end: () => Promise<void>;
}

/** The parts of a hub that are made once per isolate. */
interface Parts {
  readonly config: Config;
  readonly channels: Readonly<Record<string, Channel>>;
  readonly bot: Bot;
  readonly rooms: DurableObjectNamespace | undefined;
  readonly media: MediaOptions;
  readonly log: Log;
}

/** Opens a hub for each event. With Upstash and a database, the store has a journal before it. */
export function hubsOf({ config, channels, bot, rooms, media, log }: Parts): Hubs {
  const stores = storesOf(config, bot, channels, log);
  const cache = cacheOf(config, channels, log);
  const now = () => new Date();
  const journal =
    config.upstash && config.backend.name !== "memory" ? upstashJournal(config.upstash) : undefined;
  const watch = journal && watchJournal(journal, now);
  const open: OpenHub = (log, later) => {
    const { store, close } = stores.open(log);
    const replayed: Parameters<typeof withJournal>[1]["replayed"] = (results) => handleReplayed(hub, results);
    const hub: Hub = {
      channels,
      store:
        journal && watch ? withJournal(store, { journal, watch, cache, log, now, later, replayed }) : store,
      cache,
      bot,
      ...(config.languages && { languages: config.languages }),
      live: rooms ? liveRooms(rooms, later, log, media.links) : noLive,
      media,
      log,
      now,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      later,
      policy: DEFAULT_POLICY,
      openTargets: config.openTargets,
    };
    return { hub, close };
  };
  return { open, end: stores.end };
}

function cacheOf(
  { upstash, cacheTtlSeconds }: Config,
  channels: Readonly<Record<string, Channel>>,
  log: Log,
): SessionCache {
  return upstash
    ? upstashCache({ ...upstash, ttlSeconds: cacheTtlSeconds, ...tokenIdleOf(channels), log })
    : noCache;
}
