import type { Hub } from "../hub.ts";
import type { Done } from "../receive/conversations.ts";
import { runInBackground } from "../receive/effects.ts";

/** Tells connected devices and the cache what the actions of a bot's answer have changed. */
export function publishDone(hub: Hub, { session, closed }: Done): void {
  const { session_id, status } = session;
  const { live, cache } = hub;
  if (status === "active") {
    live.publish(session_id, { type: "session", session });
    runInBackground(hub, "cache.not_dropped", cache.drop({ changed: [session_id] }));
    return;
  }
  live.publish(session_id, { type: "closed" });
  const gone = { token_hashes: closed, session_ids: [session_id] };
  runInBackground(hub, "cache.not_dropped", cache.drop(gone));
}
