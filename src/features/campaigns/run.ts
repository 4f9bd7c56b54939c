import { deliver } from "../../core/deliver/deliver.ts";
import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";

/** One step. It is short, so that its messages come spread over the time and a reply finds the hub and the database free. */
const STEP = { limit: 25, horizonMs: 100, batch: 5_000 };
/** The most messages on their way at a time, so that a slow platform holds up the campaign and nothing else. */
const MOST_AT_ONCE = 32;

/**
 * Prepares campaigns and sends to their recipients, each at its rate, until none is due for a minute or `ms` have passed. Returns how many
 * messages it has put into the outbox. It logs failures instead of throwing: the next sweep goes on.
 */
export async function runCampaigns(hub: Hub, ms: number): Promise<number> {
  const campaigns = hub.store.features?.campaigns;
  const end = hub.now().getTime() + ms;
  const sending = new Set<Promise<void>>();
  let all = 0;
  try {
    while (campaigns && hub.now().getTime() < end) {
      while (sending.size >= MOST_AT_ONCE) await Promise.race(sending);
      const began = hub.now().getTime();
      const { prepared, placed, failed, deliveries, open } = await campaigns.run(STEP, hub.now());
      all += placed;
      if (failed > 0) hub.log("info", "campaign.skipped", { failed });
      for (const delivery of deliveries) {
        const sent: Promise<void> = deliver(hub, [delivery])
          .catch((thrown) => hub.log("warn", "campaign.not_sent", failureOf(toHubError(thrown))))
          .finally(() => sending.delete(sent));
        sending.add(sent);
      }
      if (!open) break;
      const left = began + STEP.horizonMs - hub.now().getTime();
      if (prepared === 0 && placed < STEP.limit && left > 0) await hub.sleep(left);
    }
  } catch (thrown) {
    hub.log("warn", "campaigns.not_run", failureOf(toHubError(thrown)));
  }
  await Promise.all(sending);
  return all;
}
