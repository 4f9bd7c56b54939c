import type { OutboundReply } from "../../core/answer/turn.ts";
import type { Identities } from "../../core/identity/identity.ts";
import type { Address, DeliveryStatus } from "../../core/messages/message.ts";
import type { Purpose } from "../opt-outs/opt-out.ts";

/** What one channel would send. */
export interface Rendering extends OutboundReply {
  /** What the platform does with it while its window is closed: takes it always, has it wait, or refuses it. */
  readonly outside: "always" | "hold" | "none";
  /** Where to send it if the customer has no address there yet. */
  readonly account?: string;
  readonly address?: Address;
}

/** To whom a message goes. Identities that nobody holds make a new customer. */
export type Recipient =
  | { readonly session_id: string }
  | { readonly customer_id: string }
  | { readonly identities: Identities };

/** A message that the shop sends first. */
export interface NewDispatch {
  readonly to: Recipient;
  readonly purpose: Purpose;
  /** The channels that may be used. Absent: any. */
  readonly channels?: readonly string[];
  /** By channel. */
  readonly renderings: Readonly<Record<string, Rendering>>;
  readonly not_before?: Date;
  readonly expires_at?: Date;
}

/** A message that the shop sent first, as its sender sees it. */
export interface Dispatch {
  readonly dispatch_id: string;
  /** `waiting`: for its time, or for the next channel. `placed`: in the outbox, or sent. `failed`: no channel is left. */
  readonly state: "waiting" | "placed" | "failed";
  readonly purpose: Purpose;
  /** When the hub looks for a channel, or looked last. */
  readonly due_at: Date;
  readonly expires_at?: Date;
  /** The channel, session and message of the newest try. */
  readonly channel?: string;
  readonly session_id?: string;
  readonly message_id?: string;
  /** The status of that message. */
  readonly status?: DeliveryStatus;
  /** Why that message failed. */
  readonly failure?: { readonly code: string; readonly reason: string };
  /** Why there is no channel left. */
  readonly code?: string;
  readonly reason?: string;
  /** The channels that have failed for good. */
  readonly tried: readonly { readonly channel: string; readonly code: string; readonly reason: string }[];
  readonly created_at: Date;
  readonly updated_at: Date;
}
