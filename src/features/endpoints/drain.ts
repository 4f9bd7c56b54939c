import { persist } from "../../core/answer/persist.ts";
import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { HttpContext } from "../../http/request.ts";
import type { Settled } from "./endpoints.ts";
import { postLanes } from "./post-lanes.ts";
import { FAILS_MS } from "./retries.ts";

/** Workers open six connections at a time for one event. */
const POSTS_AT_ONCE = 6;
/** So many of them for one endpoint: one that hangs leaves the others some. */
const POSTS_OF_ONE = 3;
/** The most events of an endpoint that are claimed at a time. */
const BATCH = 100;
/** Longer than a batch begins posts, plus one post. */
const LEASE_MS = 60_000;
/** How long to wait when another call holds what is due. */
const HELD_MS = 100;

/** How soon after a request the first look is taken, how often the next ones are, and how much is done. */
const SOON_MS = 300;
const AGAIN_MS = 1_000;
const SOON = { ms: 10_000, events: 500, everyMs: AGAIN_MS };
/** A look that began longer ago has been cut off. */
const LONGEST_MS = 45_000;
/** How long an isolate does not look after it has found no enabled endpoint. The sweep does. */
const QUIET_MS = 30_000;

interface Budget {
  /** How long a run may begin posts, in ms. */
  readonly ms: number;
  /** The most posts of a run: a Worker may make only so many requests for one event. */
  readonly events: number;
  /** When nothing is due: look again this much later, until the time is over. Absent: only when something is due by then. */
  readonly everyMs?: number;
}

interface Drained {
  readonly posts: number;
  /** How many endpoints are enabled. */
  readonly enabled: number;
}

/**
 * Posts the events that are due to their endpoints, within the budget. Several may run at once. It logs failures instead of
 * throwing: the next run goes on.
 */
export async function drainEvents(hub: Hub, budget: Budget): Promise<Drained> {
  const { features } = hub.store;
  const ends = hub.now().getTime() + budget.ms;
  const left = { events: budget.events };
  /** The endpoints that are being posted to: a slow one delays only its own events. */
  const busy = new Map<string, Promise<void>>();
  let enabled = 0;
  try {
    while (features && left.events > 0 && hub.now().getTime() < ends) {
      const due = await features.endpoints.due(hub.now());
      enabled = due.enabled;
      const free = due.endpoints.filter((id) => !busy.has(id)).slice(0, POSTS_AT_ONCE - busy.size);
      const sides = busy.size + free.length;
      for (const id of free)
        busy.set(
          id,
          drainOne(hub, id, sides, left, ends).finally(() => busy.delete(id)),
        );
      if (busy.size > 0) await Promise.race([...busy.values(), hub.sleep(AGAIN_MS)]);
      else if (enabled === 0 || !(await slept(hub, waitOf(hub, due.next_at, budget.everyMs), ends))) break;
    }
  } catch (error) {
    hub.log("warn", "events.not_drained", failureOf(toHubError(error)));
  }
  await Promise.allSettled(busy.values());
  return { posts: budget.events - left.events, enabled };
}

/** How long to wait until the next event is due, or until the next look. */
function waitOf(hub: Hub, next_at: Date | undefined, everyMs = Number.POSITIVE_INFINITY): number {
  const due = next_at ? next_at.getTime() - hub.now().getTime() : Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(due, everyMs));
}

/** Sleeps, unless that would last past the end. Returns whether it has slept. */
async function slept(hub: Hub, ms: number, ends: number): Promise<boolean> {
  const began = hub.now().getTime();
  if (began + ms >= ends) return false;
  await hub.sleep(ms);
  return hub.now().getTime() > began;
}

/** Posts the events of one endpoint that are due, with its share of the connections and of the budget. */
async function drainOne(
  hub: Hub,
  endpoint_id: string,
  sides: number,
  left: { events: number },
  ends: number,
): Promise<void> {
  const { endpoints } = hub.store.features!;
  let settled: Settled = { outcomes: [] };
  for (let first = true; first || settled.outcomes.length > 0; first = false) {
    const limit =
      hub.now().getTime() < ends ? Math.min(BATCH, Math.ceil(Math.max(0, left.events) / sides)) : 0;
    const claim = { limit, leaseMs: LEASE_MS, failsMs: FAILS_MS };
    const { target, events, disabled } = await persist(hub, () =>
      endpoints.next(endpoint_id, settled, claim, hub.now()),
    );
    left.events -= events.length;
    if (disabled)
      hub.log("error", "endpoint.disabled", {
        endpoint_id,
        reason: disabled,
        advice: "its events wait; see GET /api/endpoints and docs/events.md",
      });
    const atOnce = Math.min(POSTS_OF_ONE, Math.floor(POSTS_AT_ONCE / sides));
    settled = target ? await postLanes(hub, endpoint_id, target, events, atOnce) : { outcomes: [] };
    // Another call holds what is due.
    if (first && events.length === 0) await hub.sleep(HELD_MS);
  }
}

/** Drains events after each request that may have written some: one run of an isolate at a time. */
export function drainSoon() {
  let runningUntil = 0;
  let quietUntil = 0;
  return async (c: HttpContext, next: () => Promise<void>) => {
    await next();
    if (["GET", "HEAD", "OPTIONS"].includes(c.req.method) || !c.res.ok) return;
    const { exchange } = c.var;
    const hub = exchange.hub();
    const now = hub.now().getTime();
    if (c.req.path.startsWith("/api/endpoints")) quietUntil = 0;
    if (!hub.store.features || now < quietUntil || now < runningUntil) return;
    runningUntil = now + LONGEST_MS;
    void exchange.later(
      hub
        .sleep(SOON_MS)
        .then(() => drainEvents(hub, SOON))
        .then(({ enabled }) => {
          runningUntil = 0;
          if (enabled === 0) quietUntil = hub.now().getTime() + QUIET_MS;
        }),
    );
  };
}
