import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { HttpContext } from "../../http/request.ts";

/** So long after a message the index takes in what has come by then: its replies mostly too. */
const SOON_MS = 2_000;
/** An isolate indexes at most once in this time. */
const EVERY_MS = 5_000;
const SOON = { batch: 500, ms: 3_000 };

/** Messages at a time, and how long a run may begin another batch. */
interface Budget {
  readonly batch: number;
  readonly ms: number;
}

/**
 * Brings the search's index up to date, in batches, as far as the budget goes. Returns how many messages it took in. It never
 * rejects: whoever comes next goes on.
 */
export async function indexMessages(hub: Hub, { batch, ms }: Budget): Promise<number> {
  const { features } = hub.store;
  if (!features) return 0;
  const ends = hub.now().getTime() + ms;
  let taken = 0;
  try {
    for (let more = true; more && hub.now().getTime() < ends; ) {
      const done = await features.search.index(batch);
      taken += done.indexed;
      more = done.more;
    }
  } catch (error) {
    hub.log("warn", "search.not_indexed", failureOf(toHubError(error)));
  }
  return taken;
}

/** Lets what a request has kept come into the search's index a little later, behind the answer. */
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
