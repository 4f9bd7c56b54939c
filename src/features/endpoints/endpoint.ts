import type { EventType } from "./event.ts";

/** How many endpoints there may be. Each one costs every event a look. */
export const MOST_ENDPOINTS = 20;

/** A place of the shop's own where events are posted. */
export interface Endpoint {
  readonly endpoint_id: string;
  readonly url: string;
  readonly description?: string;
  readonly types: readonly EventType[];
  /** Only events of these channels, and those of no channel. Absent: of all. */
  readonly channels?: readonly string[];
  /** Whether events of messages carry the message. */
  readonly content: boolean;
  /** `failing`: the last post failed. `disabled`: nothing is written for it, nor posted to it. */
  readonly state: "enabled" | "failing" | "disabled";
  readonly disabled_reason?: "operator" | "gone" | "failing";
  readonly disabled_at?: Date;
  readonly failing_since?: Date;
  readonly last_failure?: { readonly code: string; readonly reason: string; readonly at: Date };
  /** Exact to a minute. */
  readonly last_success_at?: Date;
  /** Until when the former secret signs too. */
  readonly former_secret_until?: Date;
  /** Whether events wait for it, and whether it has dead letters. */
  readonly waiting: boolean;
  readonly dead: boolean;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}
