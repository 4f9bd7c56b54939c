import { toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";

/** The pauses between tries: in all well within a lease, and longer than a database takes to restart. */
const PAUSES_MS = [200, 400, 800, 1_600, 3_000, 3_000, 3_000, 3_000];

/**
 * Records what has already happened outside the hub: a bot's answer, or a platform's. While the store is unavailable or
 * throttled it tries again, because the bot or the platform is called a second time for a result that is not recorded.
 */
export async function persist<T>(hub: Hub, record: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES_MS) {
    try {
      return await record();
    } catch (thrown) {
      if (!["unavailable", "throttled"].includes(toHubError(thrown).code)) throw thrown;
      await hub.sleep(pause);
    }
  }
  return record();
}
