import { toHubError } from "../errors.ts";
import type { Hub } from "../hub.ts";

/** Together well within a lease, and longer than a database takes to start again. */
const PAUSES_MS = [200, 400, 800, 1_600, 3_000, 3_000, 3_000, 3_000];

/**
 * Records what has already happened outside: a bot's answer, a platform's. While the store is away it is tried again,
 * because what is not recorded has to happen a second time.
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
