import type { OpenWindow } from "../../core/deliver/window.ts";
import type { IdentityKind } from "../../core/identity/identity.ts";
import type { Device, KnownAddress } from "../../core/identity/proofs.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Message } from "../../core/messages/message.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { Customer } from "../customers/customer.ts";
import type { Dispatch } from "../dispatches/dispatch.ts";
import type { OptOut } from "../opt-outs/opt-out.ts";

/** Export and erasure of a customer's data. Each of these calls writes a line into the audit, without content. */
export interface Privacy {
  /** One page of all stored data of a customer (by `customer_id`), or of one session: first sessions, then messages. */
  export(
    of: CustomerRef,
    after: string | undefined,
    limit: number,
    actor: string,
    now: Date,
  ): Promise<ExportPage>;
  /**
   * Erases all sessions of the customer, or one session: content, identities, addresses, ratings. The counts stay. If a
   * platform delivers an erased message again within 30 days, it opens no session. Returns the emptied sessions, the
   * erased identities, and the hashes of the tokens that died.
   */
  erase(of: CustomerRef, actor: string, now: Date): Promise<Erased>;
  /** The audit's lines in order, after the one with the id `after`. */
  audit(after: string | undefined, limit: number): Promise<AuditLine[]>;
}

export type CustomerRef = { readonly customer_id: string } | { readonly session_id: string };

/** A session with all data that is stored outside its row. */
export interface ExportedSession extends Session {
  readonly addresses: readonly KnownAddress[];
  readonly devices: readonly Omit<Device, "current">[];
  /** Until when their messengers take or took free replies, the last to close first. */
  readonly windows: readonly OpenWindow[];
  /** Channels on which the customer has blocked the shop. */
  readonly unreachable: readonly string[];
  /** Whether its phone has a password. */
  readonly has_password: boolean;
}

/** A message with its content before each edit or deletion. */
export interface ExportedMessage extends Message {
  readonly revisions: readonly {
    readonly text: string;
    readonly content: Message["content"];
    readonly at: Date;
  }[];
}

/** What the language model has used for a customer on a day, as `YYYY-MM-DD`. */
export interface UsageOfDay {
  readonly day: string;
  readonly turns: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
}

export interface ExportPage {
  /** On the first page, where the customer is still known. */
  readonly customer?: Customer;
  /** What they do not want to be sent first; on the first page. */
  readonly opt_outs?: readonly OptOut[];
  /** What the shop sends them first, with its text by channel while it waits; on the first page. */
  readonly dispatches?: readonly (Dispatch & { readonly texts?: Readonly<Record<string, string>> })[];
  /** What the language model has used for them, by day (UTC); on the first page. */
  readonly model_usage?: readonly UsageOfDay[];
  readonly sessions: readonly ExportedSession[];
  readonly messages: readonly ExportedMessage[];
  /** Absent on the last page. */
  readonly after?: string;
}

export interface Erased {
  readonly sessions: number;
  readonly messages: number;
  readonly session_ids: readonly string[];
  readonly token_hashes: readonly string[];
  /** The customer's identities, so that caches and the journal can erase them too. */
  readonly identities: readonly { readonly kind: IdentityKind; readonly value: string }[];
}

export interface AuditLine {
  readonly audit_id: string;
  readonly at: Date;
  /** The name of the key that did it, never the key itself. */
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: JsonObject;
}
