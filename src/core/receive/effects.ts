import { deliver } from "../deliver/deliver.ts";
import { failureOf, toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import type { Session } from "../sessions/session.ts";
import type { Effects, Opened } from "./conversations.ts";

/**
 * Applies the effects of a proof: closes the connections of dead tokens, publishes the changes to connected devices,
 * drops stale copies from the cache, sends notices. `session_id` is the session of the proof, if it is known.
 */
export function applyEffects(hub: Hub, session_id: string | undefined, effects: Effects): void {
  const { merged = [], closed = [], notified = [], conflicts = [], deliveries = [] } = effects;
  const { live, cache } = hub;
  if (conflicts.length > 0)
    hub.log("warn", "customer.conflict", {
      session_id,
      conflicts,
      advice:
        "nothing was changed; the session's metadata.merge_conflicts holds what was told; see docs/identity.md",
    });
  const rooms = session_id === undefined ? merged : [...merged, session_id];
  // Close before `moved`: a device whose token is dead must not move to the merged session.
  for (const id of rooms) for (const token_hash of closed) live.publish(id, { type: "closed", token_hash });
  // Devices of the surviving session get `moved` too: its history has gained the messages of the others.
  if (merged.length > 0) for (const id of rooms) live.publish(id, { type: "moved" });
  for (const id of notified) live.publish(id, { type: "messages" });
  const gone = { token_hashes: closed, session_ids: merged, changed: notified };
  if (closed.length + merged.length + notified.length > 0)
    runInBackground(hub, "cache.not_dropped", cache.drop(gone));
  if (deliveries.length > 0) runInBackground(hub, "notice.not_sent", deliver(hub, deliveries));
}

/** A session, and the fields in which a trusted caller contradicts what is known of its customer. */
export type OpenedSession = Session & Pick<Effects, "conflicts">;

/** Applies the effects, and returns the session. */
export function opened(
  hub: Hub,
  { merged, closed, notified, deliveries, ...session }: Opened,
): OpenedSession {
  applyEffects(hub, session.session_id, {
    ...(merged && { merged }),
    ...(closed && { closed }),
    ...(notified && { notified }),
    ...(session.conflicts && { conflicts: session.conflicts }),
    ...(deliveries && { deliveries }),
  });
  return session;
}

/** Lets work go on after the answer. A failure is only logged, as `event`. */
export function runInBackground(hub: Hub, event: string, work: Promise<unknown>): void {
  const watched = work.catch((thrown) => hub.log("error", event, failureOf(toHubError(thrown))));
  hub.later?.(watched);
}
