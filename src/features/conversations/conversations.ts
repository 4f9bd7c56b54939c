import type { DeadLetter } from "../../core/answer/turn.ts";
import type { OpenWindow } from "../../core/deliver/window.ts";
import type { KnownAddress } from "../../core/identity/proofs.ts";
import type { Message } from "../../core/messages/message.ts";
import type { Customer } from "../customers/customer.ts";
import type { User } from "../staff/user.ts";
import type {
  CannedReply,
  Conversation,
  Counts,
  Handoff,
  Held,
  Holding,
  Note,
  OperatorReply,
  Presence,
  ReplyTarget,
  Sent,
  View,
} from "./conversation.ts";

/** Who calls: the hash of their token, and when. Every call throws `unauthorized` if nobody is signed in with it. */
export interface AtDesk {
  readonly staff: string;
  readonly now: Date;
}

export interface ListQuery {
  readonly view: View;
  /** Words, an e-mail or a phone: customers of all views. */
  readonly q?: string;
  readonly channel?: string;
  readonly unread?: boolean;
  readonly after?: string;
  readonly limit: number;
}

/** What stands beside a conversation. */
export interface Beside {
  readonly conversation: Conversation;
  readonly customer: Customer;
  readonly identities: readonly {
    readonly kind: string;
    readonly value: string;
    readonly verified: boolean;
    readonly last_seen_at: Date;
  }[];
  readonly addresses: readonly KnownAddress[];
  /** The windows that are open, the last to close first. */
  readonly windows: readonly OpenWindow[];
  readonly unreachable: readonly string[];
  readonly sessions: readonly Readonly<Record<string, unknown>>[];
  readonly orders: readonly Readonly<Record<string, unknown>>[];
  readonly reservations: readonly Readonly<Record<string, unknown>>[];
  readonly notes: readonly Note[];
  readonly handoffs: readonly Handoff[];
  readonly presence: readonly Presence[];
}

/** Whose conversation it is, as a line of what was found. */
export type Named = Pick<Conversation, "customer_key" | "name" | "contact">;

/** How many handoffs there were, and how long they took. Times are absent where there were none. */
export interface HandoffFigures {
  readonly requested: number;
  readonly by: { readonly bot: number; readonly customer: number; readonly operator: number };
  readonly accepted: number;
  readonly overdue: number;
  readonly given_back: number;
  readonly closed: number;
  readonly wait: { readonly median_ms: number | null; readonly p95_ms: number | null };
  readonly talk: { readonly median_ms: number | null; readonly p95_ms: number | null };
}

export interface DeskChanges {
  readonly cursor: string;
  /** Something is newer than the cursor of the call. */
  readonly fresh: boolean;
  /** The keys of customers whose conversation has changed; some may be named twice in a row of calls. */
  readonly conversations: readonly string[];
  readonly presence: readonly (Presence & { readonly customer_key: string })[];
  readonly counts?: Counts;
}

/**
 * Customers' conversations at the desk. `id` is a customer_key, a customer_id or a session_id; the key of a customer who has become
 * another one leads there. All calls with `id` throw `not_found`.
 */
export interface Conversations {
  list(
    at: AtDesk,
    query: ListQuery,
  ): Promise<{ conversations: Conversation[]; counts: Counts; user: User; after?: string }>;
  get(at: AtDesk, id: string): Promise<Beside>;
  /** Whose conversations sessions are, by the ids of the sessions. One that is gone is left out. */
  ofSessions(at: AtDesk, session_ids: readonly string[]): Promise<Readonly<Record<string, Named>>>;
  /** The newest messages before a seq, or the oldest after one, in order, over all sessions. */
  messages(
    at: AtDesk,
    id: string,
    page: { readonly before?: number; readonly after?: number; readonly limit: number },
  ): Promise<{ messages: Message[]; more: boolean; epoch: string; customer_key: string }>;
  /** Throws `conversation_taken`, `version_conflict`, `illegal_transition`. */
  hold(at: AtDesk, id: string, holding: Holding): Promise<Held>;
  target(at: AtDesk, id: string, channel?: string): Promise<ReplyTarget>;
  /** Throws `conversation_taken`, `answered_since`, `idempotency_conflict`. */
  reply(at: AtDesk, id: string, reply: OperatorReply): Promise<Sent>;
  addNote(
    at: AtDesk,
    id: string,
    note: { readonly text: string; readonly mentions: readonly string[] },
  ): Promise<Note>;
  deleteNote(at: AtDesk, id: string, note_id: string): Promise<void>;
  /** Says where the caller looks, and whether they type. Without `id` they look at none. */
  present(at: AtDesk, id: string | undefined, typing: boolean): Promise<Presence[]>;
  changes(at: AtDesk, after?: string): Promise<DeskChanges>;
  cannedReplies(at: AtDesk): Promise<CannedReply[]>;
  /** Throws `version_conflict` and `payload_too_large`. */
  saveCannedReply(
    at: AtDesk,
    reply: Pick<CannedReply, "shortcut" | "title" | "replies" | "language">,
    if_version?: number,
  ): Promise<CannedReply>;
  deleteCannedReply(at: AtDesk, shortcut: string): Promise<void>;
  deadLetters(at: AtDesk, id: string): Promise<DeadLetter[]>;
  /** For one of the staff, or for an admin key by its name. */
  figures(
    by: { readonly staff: string } | { readonly actor: string },
    from: Date,
    to: Date,
    now: Date,
  ): Promise<HandoffFigures>;
  /** Everything that staff keep of a customer. */
  exported(
    of: { readonly customer_id: string } | { readonly session_id: string },
  ): Promise<{ notes: Note[]; handoffs: Handoff[] }>;
  /** Marks conversations whose customers have waited since `before`. Returns how many. */
  markOverdue(before: Date, limit: number, now: Date): Promise<number>;
  state(): Promise<DeskState>;
}

/** How many conversations persons have, how many customers wait for one, and how many of those longer than the limit. */
export interface DeskState {
  readonly held: number;
  readonly waiting: number;
  readonly overdue: number;
  readonly oldest_waiting_at?: Date;
}
