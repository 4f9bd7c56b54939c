/** The types of events. */
export const EVENT_TYPES = [
  "session.opened",
  "session.merged",
  "session.ended",
  "session.expired",
  "message.received",
  "message.sent",
  "message.delivered",
  "message.read",
  "message.failed",
  "customer.created",
  "customer.updated",
  "customer.erased",
  "order.created",
  "order.updated",
  "order.paid",
  "order.cancelled",
  "reservation.created",
  "reservation.updated",
  "reservation.seated",
  "reservation.cancelled",
  "rating.given",
  "delivery.dead",
  "handoff.requested",
  "handoff.accepted",
  "handoff.overdue",
  "handoff.ended",
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** An event that is claimed to be posted. `lane` and `seq` say in what order; they stay inside. */
export interface ClaimedEvent {
  readonly event_id: string;
  readonly lane: string;
  readonly seq: number;
  /** From 1. */
  readonly attempt: number;
  readonly type: EventType;
  /** When the change was stored. */
  readonly at: Date;
  /** Ids, codes and figures. */
  readonly data: Readonly<Record<string, unknown>>;
  /** The message as it is now, for endpoints with `content`; null once it is deleted. */
  readonly message?: Readonly<Record<string, unknown>> | null;
}

/** How the post of one event ended. `unsent`: it was claimed, and not posted. */
export interface EventOutcome {
  readonly lane: string;
  readonly seq: number;
  readonly attempt: number;
  readonly state: "sent" | "waiting" | "dead" | "unsent";
  /** When it is due again; absent: at once. */
  readonly retry_at?: Date;
  readonly code?: string;
  readonly reason?: string;
}
