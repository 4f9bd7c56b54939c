import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";

interface Budget {
  /** The most changed sessions and customers counted at a time. */
  readonly batch: number;
  /** How long a run may begin another batch. */
  readonly ms: number;
}

/**
 * Brings the statistics up to date in batches, within the budget. Returns how many changes it counted. It logs failures
 * instead of throwing: the next run continues.
 */
export async function countStatistics(hub: Hub, { batch, ms }: Budget): Promise<number> {
  const { features } = hub.store;
  if (!features) return 0;
  const ends = hub.now().getTime() + ms;
  let counted = 0;
  try {
    for (let more = true; more && hub.now().getTime() < ends; ) {
      const done = await features.statistics.count(batch);
      counted += done.counted;
      more = done.more;
    }
  } catch (error) {
    hub.log("warn", "statistics.not_counted", failureOf(toHubError(error)));
  }
  return counted;
}
