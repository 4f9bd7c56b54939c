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
  // First: a device whose token is dead has nowhere to move to.
  for (const id of rooms) for (const token_hash of closed) live.publish(id, { type: "closed", token_hash });
  // The survivor's devices, too, know only half of its history now.
  if (merged.length > 0) for (const id of rooms) live.publish(id, { type: "moved" });
  for (const id of notified) live.publish(id, { type: "messages" });
  const gone = { token_hashes: closed, session_ids: merged, changed: notified };
  if (closed.length + merged.length + notified.length > 0)
    runInBackground(hub, "cache.not_dropped", cache.drop(gone));
  if (deliveries.length > 0) runInBackground(hub, "notice.not_sent", deliver(hub, deliveries));
}

/** A session, and what a trusted caller told of its customer that contradicts what is known. */
export type Told = Session & Pick<Effects, "conflicts">;

/** The session itself, once everybody knows what else has changed. */
export function opened(hub: Hub, { merged, closed, notified, deliveries, ...session }: Opened): Told {
  applyEffects(hub, session.session_id, {
    ...(merged && { merged }),
    ...(closed && { closed }),
    ...(notified && { notified }),
    ...(session.conflicts && { conflicts: session.conflicts }),
    ...(deliveries && { deliveries }),
  });
  return session;
}

/** Lets work go on behind the answer; its failure is only logged. */
export function runInBackground(hub: Hub, event: string, work: Promise<unknown>): void {
  const watched = work.catch((thrown) => hub.log("error", event, failureOf(toHubError(thrown))));
  hub.later?.(watched);
}
