import type { Delivery } from "../../core/answer/turn.ts";
import type { Effects } from "../../core/receive/conversations.ts";
import type { Dispatch, NewDispatch } from "./dispatch.ts";

/** Who sends, and what makes a second call the same one. */
export interface Sending {
  readonly actor: string;
  readonly now: Date;
  readonly idempotency_key: string;
  /** A hash of what was asked. */
  readonly body_hash: string;
}

/** Messages that the shop sends first. One method is one round trip and one transaction. */
export interface Dispatches {
  /**
   * Takes a message, and puts it into the outbox of the best channel if it is due. A second call with the key of an actor gets the first
   * one's (`replayed`). The caller sends the deliveries. Throws `not_found`, and `idempotency_conflict` for a key that came with another
   * body.
   */
  send(
    dispatch: NewDispatch,
    sending: Sending,
  ): Promise<{ dispatch: Dispatch; replayed: boolean; effects: Effects }>;
  /** Throws `not_found`. */
  get(dispatch_id: string): Promise<Dispatch>;
  /**
   * Cancels a message of which nothing is on its way yet; it is sent or cancelled, never both. A second call changes nothing. Throws
   * `not_found`, and `illegal_transition` when it is too late.
   */
  cancel(dispatch_id: string, by: { readonly actor: string; readonly now: Date }): Promise<Dispatch>;
  /** Puts messages that are due into the outbox, at most `limit`, and claims their deliveries. `failed` have no channel left. */
  place(limit: number, now: Date): Promise<{ placed: number; failed: number; deliveries: Delivery[] }>;
}
