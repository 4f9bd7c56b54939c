import { HubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { CustomerRef, Erased } from "./privacy.ts";

/**
 * Erases a customer in the store, in the journal's quarantine and in the cache, and closes their devices' connections.
 * Throws `unavailable` if one of them does not answer at the start; nothing is erased then. If one stops answering
 * later, it throws `unavailable` with the reason `journal_…` or `cache_not_erased`: the store's part is done then, and
 * a log line names the sessions.
 */
export async function erase(hub: Hub, whom: CustomerRef, actor: string): Promise<Erased> {
  await hub.cache.ping();
  const erased = await hub.store.privacy.erase(whom, actor, hub.now());
  const { session_ids, token_hashes } = erased;
  for (const session_id of session_ids) hub.live.publish(session_id, { type: "closed" });
  if (await hub.cache.drop({ token_hashes, session_ids })) return erased;
  hub.log("error", "cache.not_erased", { session_ids });
  throw new HubError(
    "unavailable",
    "erased in the database, but its copy in the cache could not be reached",
    {
      reason: "cache_not_erased",
    },
  );
}
