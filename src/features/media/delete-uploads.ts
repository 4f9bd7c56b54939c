import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { mediaOf } from "./options.ts";

const BATCH = 100;
const MOST_BATCHES = 10;

/**
 * Deletes uploads that are over: the files first, then their rows, so that whatever is cut off in between is done again. It logs failures
 * instead of throwing: the next sweep continues.
 */
export async function deleteUploads(hub: Hub): Promise<void> {
  const { features } = hub.store;
  if (!features) return;
  let deleted = 0;
  try {
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const ids = await features.media.over(hub.now(), BATCH);
      if (ids.length === 0) break;
      await mediaOf(hub).storage?.delete(ids);
      await features.media.drop(ids, hub.now());
      deleted += ids.length;
      if (ids.length < BATCH) break;
    }
  } catch (thrown) {
    hub.log("warn", "uploads.not_deleted", failureOf(toHubError(thrown)));
  }
  if (deleted > 0) hub.log("info", "uploads.deleted", { uploads: deleted });
}
