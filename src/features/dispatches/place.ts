import { deliver } from "../../core/deliver/deliver.ts";
import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";

/** The most that one call places. They are sent side by side. */
const BATCH = 25;
const BATCHES = 40;

/**
 * Puts messages that the shop sends first and that are due into the outbox, and sends them. Returns how many. It logs failures instead of
 * throwing: the next sweep goes on.
 */
export async function placeDispatches(hub: Hub): Promise<number> {
  const dispatches = hub.store.features?.dispatches;
  let all = 0;
  try {
    for (let batch = 0; dispatches && batch < BATCHES; batch++) {
      const { placed, failed, deliveries } = await dispatches.place(BATCH, hub.now());
      if (failed > 0) hub.log("warn", "dispatches.failed", { failed });
      await Promise.all(deliveries.map((delivery) => deliver(hub, [delivery])));
      all += placed;
      if (placed + failed < BATCH) break;
    }
  } catch (thrown) {
    hub.log("warn", "dispatches.not_placed", failureOf(toHubError(thrown)));
  }
  return all;
}
