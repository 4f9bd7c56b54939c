import type { Hub } from "../hub.ts";
import type { Done } from "../receive/conversations.ts";
import { runInBackground } from "../receive/effects.ts";

/** How long connected devices stay connected after a bot has ended their session. */
const LAST_REPLY_MS = 3_000;

/** Tells connected devices and the cache what the actions of a bot's answer have changed. */
export function publishDone(hub: Hub, { session, closed }: Done): void {
  const { session_id, status } = session;
  const { live, cache } = hub;
  if (status === "active") {
    live.publish(session_id, { type: "session", session });
    runInBackground(hub, "cache.not_dropped", cache.drop({ changed: [session_id] }));
    return;
  }
  // A connection that is closed at once would miss the last reply.
  const closing = hub.sleep(LAST_REPLY_MS).then(() => live.publish(session_id, { type: "closed" }));
  runInBackground(hub, "live.not_closed", closing);
  const gone = { token_hashes: closed, session_ids: [session_id] };
  runInBackground(hub, "cache.not_dropped", cache.drop(gone));
}
