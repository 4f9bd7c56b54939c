import { persist } from "../../core/answer/persist.ts";
import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { HttpContext } from "../../http/request.ts";
import type { Settled } from "./endpoints.ts";
import { postLanes } from "./post-lanes.ts";
import { FAILS_MS } from "./retries.ts";

/** Workers open six connections at a time for one event. */
const POSTS_AT_ONCE = 6;
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
  let enabled = 0;
  try {
    while (features && left.events > 0 && hub.now().getTime() < ends) {
      const due = await features.endpoints.due(hub.now());
      enabled = due.enabled;
      if (enabled === 0) break;
      const before = left.events;
      await drainEach(hub, due.endpoints, left, ends);
      if (left.events < before) continue;
      const again = due.endpoints.length > 0 ? HELD_MS : waitOf(hub, due.next_at, budget.everyMs);
      if (!(await slept(hub, again, ends))) break;
    }
  } catch (error) {
    hub.log("warn", "events.not_drained", failureOf(toHubError(error)));
  }
  return { posts: budget.events - left.events, enabled };
}

/** How long to wait until the next event is due, or until the next look. Undefined: nothing waits. */
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

/** Drains several endpoints side by side, so that a slow one delays only its own events. They share the connections. */
async function drainEach(
  hub: Hub,
  endpoints: readonly string[],
  left: { events: number },
  ends: number,
): Promise<void> {
  const waiting = [...endpoints];
  const sides = Math.min(POSTS_AT_ONCE, waiting.length);
  const share = Math.floor(POSTS_AT_ONCE / Math.max(1, sides));
  const work = async () => {
    for (let id = waiting.shift(); id; id = waiting.shift()) await drainOne(hub, id, share, left, ends);
  };
  await Promise.all(Array.from({ length: sides }, work));
}

async function drainOne(
  hub: Hub,
  endpoint_id: string,
  atOnce: number,
  left: { events: number },
  ends: number,
): Promise<void> {
  const { endpoints } = hub.store.features!;
  let settled: Settled = { outcomes: [] };
  do {
    const limit = hub.now().getTime() < ends ? Math.min(BATCH, left.events) : 0;
    if (limit === 0 && settled.outcomes.length === 0) return;
    left.events -= limit;
    const claim = { limit, leaseMs: LEASE_MS, failsMs: FAILS_MS };
    const { target, events, disabled } = await persist(hub, () =>
      endpoints.next(endpoint_id, settled, claim, hub.now()),
    );
    left.events += limit - events.length;
    if (disabled)
      hub.log("error", "endpoint.disabled", {
        endpoint_id,
        reason: disabled,
        advice: "its events wait; see GET /api/endpoints and docs/events.md",
      });
    settled = target ? await postLanes(hub, endpoint_id, target, events, atOnce) : { outcomes: [] };
  } while (settled.outcomes.length > 0);
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
