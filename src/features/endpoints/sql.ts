import { HubError } from "../../core/errors.ts";
import { type Row, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Endpoint } from "./endpoint.ts";
import type { DeadEvent, Endpoints, NextEvents, Target } from "./endpoints.ts";
import type { ClaimedEvent } from "./event.ts";

/** `Endpoints` over functions of the database. */
export function sqlEndpoints(ask: SqlCall): Endpoints {
  return {
    async create(fields, secret, by) {
      return toEndpoint((await ask("hub_create_endpoint", { ...by, ...fields, secret })).endpoint);
    },
    async list() {
      return ((await ask("hub_endpoints", {})).endpoints as Row[]).map(toEndpoint);
    },
    async get(endpoint_id) {
      const [row] = (await ask("hub_endpoints", { endpoint_id })).endpoints as Row[];
      if (!row) throw new HubError("not_found", "there is no such endpoint");
      return toEndpoint(row);
    },
    async update(endpoint_id, changes, by, if_version) {
      const given = { ...by, endpoint_id, changes, ...(if_version !== undefined && { if_version }) };
      return toEndpoint((await ask("hub_update_endpoint", given)).endpoint);
    },
    async delete(endpoint_id, by) {
      return (await ask("hub_delete_endpoint", { ...by, endpoint_id })).deleted as boolean;
    },
    async rotate(endpoint_id, secret, former_until, by) {
      const given = { ...by, endpoint_id, secret, former_until };
      return toEndpoint((await ask("hub_rotate_secret", given)).endpoint);
    },
    async replay(endpoint_id, replay, by) {
      const { events, after } = await ask("hub_replay_events", { ...by, endpoint_id, ...replay });
      return { events: events as number, ...(after != null && { after: after as string }) };
    },
    async deadLetters(endpoint_id, after, limit) {
      const found = await ask("hub_dead_events", { endpoint_id, limit, ...(after && { after }) });
      return (found.dead_letters as Row[]).map(toRecord<DeadEvent>);
    },
    async due(now) {
      const { endpoints, enabled, next_at } = await ask("hub_due_endpoints", { now });
      return { endpoints: endpoints as string[], enabled: enabled as number, ...instants({ next_at }) };
    },
    async next(endpoint_id, { outcomes, gone }, { limit, leaseMs, failsMs }, now) {
      const found = await ask("hub_next_events", {
        now,
        endpoint_id,
        limit,
        lease_ms: leaseMs,
        fails_ms: failsMs,
        outcomes,
        ...(gone && { gone }),
      });
      const disabled = found.disabled as NextEvents["disabled"] | null;
      return {
        ...(found.target != null && { target: found.target as Target }),
        events: (found.events as Row[]).map(toEvent),
        ...(disabled && { disabled }),
      };
    },
    async state() {
      const { oldest_at, ...counts } = await ask("hub_events_state", {});
      return {
        ...(counts as { [K in "enabled" | "failing" | "disabled" | "waiting" | "dead"]: number }),
        ...instants({ oldest_at }),
      };
    },
  };
}

function toEndpoint(row: unknown): Endpoint {
  const { last_failure, disabled_at, failing_since, last_success_at, former_secret_until, ...rest } =
    row as Row;
  return {
    ...toRecord<Endpoint>(rest),
    ...instants({ disabled_at, failing_since, last_success_at, former_secret_until }),
    ...(last_failure != null && {
      last_failure: toRecord<NonNullable<Endpoint["last_failure"]>>(last_failure),
    }),
  };
}

/** The events are given in no order. */
function toEvent({ at, message, ...row }: Row): ClaimedEvent {
  return {
    ...(row as Omit<ClaimedEvent, "at">),
    at: new Date(at as string),
    message: (message as ClaimedEvent["message"]) ?? null,
  };
}

/** Those of the values that are instants, as such. */
function instants<K extends string>(row: { readonly [P in K]: unknown }): { [P in K]?: Date } {
  const given = Object.entries(row).filter(([, at]) => at != null);
  return Object.fromEntries(given.map(([name, at]) => [name, new Date(at as string)])) as { [P in K]?: Date };
}
