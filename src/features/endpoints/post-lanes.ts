import { failureOf } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { Settled, Target } from "./endpoints.ts";
import type { ClaimedEvent, EventOutcome } from "./event.ts";
import { post } from "./post.ts";
import { eventRetryMs } from "./retries.ts";

/** How long a batch begins posts: the rest of the lease is for the last one, and for saving the outcomes. */
const BEGIN_MS = 20_000;
/** After so many failures in a row an endpoint is left alone; the database lets it rest. */
export const RESTING_AFTER = 10;

/**
 * Posts a batch of claimed events of one endpoint: those of a lane one after another, some lanes at a time. After a failure the rest
 * of the lane waits with it; after a dead letter the lane goes on.
 */
export async function postLanes(
  hub: Hub,
  endpoint_id: string,
  target: Target,
  events: readonly ClaimedEvent[],
  atOnce: number,
): Promise<Settled> {
  const lanes = Object.values(Object.groupBy(events, ({ lane }) => lane)).flatMap((lane) =>
    lane ? [lane] : [],
  );
  const ends = hub.now().getTime() + BEGIN_MS;
  const outcomes: EventOutcome[] = [];
  const seen = { gone: false, failures: 0 };

  const settle = async (event: ClaimedEvent): Promise<EventOutcome> => {
    const { lane, seq, attempt, event_id } = event;
    const id = { lane, seq, attempt };
    if (seen.gone || seen.failures >= RESTING_AFTER || hub.now().getTime() >= ends)
      return { ...id, state: "unsent" };
    const open = hub.openTargets ?? false;
    const posted = await post(target, event, { now: hub.now(), open, timeoutMs: hub.policy.sendMs });
    if (posted.result === "taken") {
      seen.failures = 0;
      return { ...id, state: "sent" };
    }
    seen.failures += 1;
    seen.gone ||= posted.result === "gone";
    const failure = failureOf(posted.error);
    const wait = eventRetryMs(attempt);
    hub.log("warn", "event.failed", { endpoint_id, event_id, attempt, ...failure, dead: wait === undefined });
    if (wait === undefined) return { ...id, state: "dead", ...failure };
    const retry_at = new Date(hub.now().getTime() + Math.max(wait, posted.error.retryAfterMs ?? 0));
    return { ...id, state: "waiting", retry_at, ...failure };
  };
  const work = async () => {
    for (let lane = lanes.shift(); lane; lane = lanes.shift()) {
      let ahead: EventOutcome | undefined;
      for (const event of lane.sort((a, b) => a.seq - b.seq)) {
        const outcome: EventOutcome = ahead ? behind(event, ahead) : await settle(event);
        outcomes.push(outcome);
        if (outcome.state === "waiting" || outcome.state === "unsent") ahead ??= outcome;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { outcomes, ...(seen.gone && { gone: true }) };
}

/** The outcome of an event that waits behind an earlier one of its lane. */
function behind({ lane, seq, attempt }: ClaimedEvent, { retry_at }: EventOutcome): EventOutcome {
  return { lane, seq, attempt, state: "unsent", ...(retry_at && { retry_at }) };
}
