import type { ErrorCode } from "../../core/errors.ts";
import type { Identities } from "../../core/identity/identity.ts";

/** What to trace: all of a customer's messages, those of one session, or one message. */
export type TraceOf =
  | { readonly identities: Identities }
  | { readonly session_id: string }
  /** The id of a message, of its turn or delivery, or the platform's id. */
  | { readonly message: string };

/** What the database knows of a customer's messages. No content, identities or addresses. */
export interface TraceFacts {
  readonly found: "customer" | "session" | "message" | null;
  readonly customer?: {
    readonly customer_key: string;
    readonly created_at: Date;
    /** The channels on which they have blocked the shop. */
    readonly unreachable: readonly { readonly channel: string; readonly at?: Date }[];
  };
  readonly sessions: readonly TracedSession[];
  /** Oldest first. */
  readonly messages: readonly TracedMessage[];
  readonly audit: readonly { readonly at: Date; readonly actor: string; readonly action: string }[];
  /** Of a message that is not stored. */
  readonly missing?: {
    readonly erased_at?: Date;
    /** Receipts and edits that came for it. */
    readonly early: readonly {
      readonly type: string;
      readonly channel: string;
      readonly status?: string;
      readonly at: Date;
    }[];
  };
  /** The cursor of the page before; absent where nothing older is left. */
  readonly after?: string;
}

export interface TracedSession {
  readonly session_id: string;
  readonly status: string;
  readonly channel: string;
  readonly merged_into?: string;
  readonly created_at: Date;
  readonly last_activity: Date;
  readonly expires_at: Date;
  readonly ended_at?: Date;
}

export interface TracedMessage {
  readonly message_id: string;
  readonly session_id: string;
  readonly channel: string;
  readonly direction: "inbound" | "outbound";
  readonly role: string;
  readonly kind: string;
  /** What a system message reports. */
  readonly event?: string;
  readonly status?: string;
  readonly reply_to?: string;
  /** When the customer sent it, by the platform's clock. */
  readonly sent_at?: Date;
  readonly created_at: Date;
  readonly edited_at?: Date;
  readonly deleted_at?: Date;
  /** Whether a platform carries it. A frontend fetches the others. */
  readonly platforms: boolean;
  /** Absent once it is answered, and for a message that wants no answer. */
  readonly turn?: TracedTurn;
  readonly answers: readonly TracedAnswer[];
  /** The bot's first answer after it, if none is to it. */
  readonly later_answer?: TracedAnswer;
  readonly deliveries: readonly TracedDelivery[];
}

interface TracedAnswer {
  readonly message_id: string;
  readonly at: Date;
}

export interface TracedTurn {
  readonly turn_id: string;
  readonly state: "pending" | "running" | "dead";
  readonly attempt: number;
  /** When the next attempt may begin, or when the running one is given up. */
  readonly due_at: Date;
  readonly failed_at?: Date;
  readonly code?: ErrorCode;
  readonly reason?: string;
  /** Whether it is answered together with an earlier one. */
  readonly together: boolean;
  /** How many open turns of its session are before it. */
  readonly ahead: number;
}

export interface TracedDelivery {
  readonly delivery_id: string;
  readonly state: "pending" | "sending" | "sent" | "dead";
  readonly attempt: number;
  readonly due_at: Date;
  readonly status: string;
  readonly code?: ErrorCode;
  readonly reason?: string;
  readonly created_at: Date;
  readonly sent_at?: Date;
  readonly delivered_at?: Date;
  readonly read_at?: Date;
  readonly failed_at?: Date;
}

/** Finds out what happened to messages. One round trip; nothing is changed. */
export interface Traces {
  /** The newest `limit` messages before the cursor, with what happened to them. Of a message: it and its answers. */
  trace(of: TraceOf, after: string | undefined, limit: number): Promise<TraceFacts>;
}
