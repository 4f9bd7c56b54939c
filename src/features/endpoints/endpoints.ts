import type { Endpoint } from "./endpoint.ts";
import type { ClaimedEvent, EventOutcome, EventType } from "./event.ts";

/** What an operator sets of an endpoint. */
export interface EndpointFields {
  readonly url: string;
  readonly types: readonly EventType[];
  readonly description?: string | null;
  readonly channels?: readonly string[] | null;
  readonly content?: boolean;
}

/** Who changes something, and when. */
export interface By {
  readonly actor: string;
  readonly now: Date;
}

/** An event that an endpoint did not take for three days. */
export interface DeadEvent {
  readonly event_id: string;
  readonly type: EventType;
  readonly at: Date;
  readonly attempt: number;
  readonly code: string;
  readonly reason: string;
}

/** Which events to post once more. */
export interface Replay {
  readonly from: Date;
  readonly to: Date;
  /** Only dead letters. */
  readonly dead: boolean;
  /** The event up to which an earlier call came. */
  readonly after?: string;
  readonly limit: number;
}

/** Where an endpoint's events are posted, and the secrets that sign them, the newest first. */
export interface Target {
  readonly url: string;
  readonly content: boolean;
  readonly secrets: readonly string[];
}

/** The next events of an endpoint. Without `target` there are none: it is deleted, disabled or resting. */
export interface NextEvents {
  readonly target?: Target;
  readonly events: readonly ClaimedEvent[];
  /** Why the endpoint has just been disabled. */
  readonly disabled?: "gone" | "failing";
}

/** What the outcomes of a batch say of the endpoint. */
export interface Settled {
  readonly outcomes: readonly EventOutcome[];
  /** The endpoint has said that it is no more. */
  readonly gone?: boolean;
}

/** The state of all endpoints. */
export interface EventsState {
  readonly enabled: number;
  readonly failing: number;
  /** By the hub, not by an operator. */
  readonly disabled: number;
  /** Events that are still to be posted to enabled endpoints; at most 100,000 are counted. */
  readonly waiting: number;
  readonly oldest_at?: Date;
  readonly dead: number;
}

/** The endpoints of the shop, and the events on their way to them. One method is one round trip. Throws `not_found`. */
export interface Endpoints {
  /** Throws `endpoint_limit` when there are `MOST_ENDPOINTS`. */
  create(fields: EndpointFields, secret: string, by: By): Promise<Endpoint>;
  /** All of them, the oldest first. */
  list(): Promise<Endpoint[]>;
  get(endpoint_id: string): Promise<Endpoint>;
  /**
   * Changes the given fields. `enabled` true forgets its failures and makes what waited due at once. Throws `version_conflict`
   * unless `if_version` is its version.
   */
  update(
    endpoint_id: string,
    changes: Partial<EndpointFields> & { readonly enabled?: boolean },
    by: By,
    if_version?: number,
  ): Promise<Endpoint>;
  /** Deletes an endpoint with everything that waits for it. Returns whether there was one. */
  delete(endpoint_id: string, by: By): Promise<boolean>;
  /** Gives it a new secret. The one before signs too until `former_until`. */
  rotate(endpoint_id: string, secret: string, former_until: Date, by: By): Promise<Endpoint>;
  /** Makes events due once more, in the order in which they happened. Returns how many, and `after` when there are more. */
  replay(endpoint_id: string, replay: Replay, by: By): Promise<{ events: number; after?: string }>;
  /** Dead letters, the oldest first, after the event `after`. */
  deadLetters(endpoint_id: string, after: string | undefined, limit: number): Promise<DeadEvent[]>;
  /** The endpoints with something to post, how many are enabled, and when the next event is due. */
  due(now: Date): Promise<{ endpoints: string[]; enabled: number; next_at?: Date }>;
  /**
   * Records outcomes and claims the next events, at most `limit`, in one transaction. A claim lasts `leaseMs`. An endpoint that
   * has failed for `failsMs` is disabled.
   */
  next(
    endpoint_id: string,
    settled: Settled,
    claim: { readonly limit: number; readonly leaseMs: number; readonly failsMs: number },
    now: Date,
  ): Promise<NextEvents>;
  state(): Promise<EventsState>;
}
