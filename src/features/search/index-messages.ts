import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { HttpContext } from "../../http/request.ts";

/** How long after a message its indexing begins. By then most replies are stored too, and indexed with it. */
const SOON_MS = 2_000;
/** The shortest time between two runs of one isolate. */
const EVERY_MS = 5_000;
const SOON = { batch: 500, ms: 3_000 };

interface Budget {
  /** The most messages indexed at a time. */
  readonly batch: number;
  /** How long a run may begin another batch. */
  readonly ms: number;
}

/**
 * Indexes messages for the search in batches, within the budget. Returns the number of indexed messages. It logs failures
 * instead of throwing: the next run continues.
 */
export async function indexMessages(hub: Hub, { batch, ms }: Budget): Promise<number> {
  const { features } = hub.store;
  if (!features) return 0;
  const ends = hub.now().getTime() + ms;
  let indexed = 0;
  try {
    for (let more = true; more && hub.now().getTime() < ends; ) {
      const done = await features.search.index(batch);
      indexed += done.indexed;
      more = done.more;
    }
  } catch (error) {
    hub.log("warn", "search.not_indexed", failureOf(toHubError(error)));
  }
  return indexed;
}

/** Indexes the messages that a request has stored, two seconds after its answer. */
export function indexSoon() {
  let began = 0;
  return async (c: HttpContext, next: () => Promise<void>) => {
    await next();
    if (c.req.method !== "POST" || !c.res.ok) return;
    const { exchange } = c.var;
    const hub = exchange.hub();
    const now = hub.now().getTime();
    if (!hub.store.features || Math.abs(now - began) < EVERY_MS) return;
    began = now;
    void exchange.later(hub.sleep(SOON_MS).then(() => indexMessages(hub, SOON)));
  };
}
