import { deliver } from "../deliver/deliver.ts";
import { failureOf, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import type { Session } from "../sessions/session.ts";
import type { Effects, Opened } from "./conversations.ts";

/**
 * Lets everybody know what a proof has changed: dead tokens open nothing any more, open devices look again, notices are
 * sent. `session_id` is the session that it was about, where that is known.
 */
export function applyEffects(hub: Hub, session_id: string | undefined, effects: Effects): void {
  const { merged = [], closed = [], notified = [], deliveries = [] } = effects;
  const { live, cache } = hub;
  for (const id of merged) live.publish(id, { type: "moved" });
  for (const id of notified) live.publish(id, { type: "messages" });
  if (session_id !== undefined) {
    for (const token_hash of closed) live.publish(session_id, { type: "closed", token_hash });
    // The survivor's devices, too, know only half of its history now.
    if (merged.length > 0) live.publish(session_id, { type: "moved" });
  }
  const gone = { token_hashes: closed, session_ids: merged, changed: notified };
  if (closed.length + merged.length + notified.length > 0)
    runInBackground(hub, "cache.not_dropped", cache.drop(gone));
  if (deliveries.length > 0) runInBackground(hub, "notice.not_sent", deliver(hub, deliveries));
}

/** The session itself, once everybody knows what else has changed. */
export function opened(
  hub: Hub,
  { merged, closed, notified, conflicts: _, deliveries, ...session }: Opened,
): Session {
  applyEffects(hub, session.session_id, {
    ...(merged && { merged }),
    ...(closed && { closed }),
    ...(notified && { notified }),
    ...(deliveries && { deliveries }),
  });
  return session;
}

/** Lets work go on behind the answer; its failure is only logged. */
export function runInBackground(hub: Hub, event: string, work: Promise<unknown>): void {
  const watched = work.catch((thrown) => hub.log("error", event, failureOf(toHubError(thrown))));
  hub.later?.(watched);
}
