import type { IdentityKind } from "../../core/identity/identity.ts";
import type { Device, KnownAddress } from "../../core/identity/proofs.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Content } from "../../core/messages/content.ts";
import type { Message } from "../../core/messages/message.ts";
import type { Session } from "../../core/sessions/session.ts";
import type { Customer } from "../customers/customer.ts";

/** What a shop owes the people it keeps data of. Each call leaves a line in the audit, without content. */
export interface Privacy {
  /** One page of everything kept of a customer (by `customer_id`, or one session): sessions, then messages. */
  export(
    of: CustomerRef,
    after: string | undefined,
    limit: number,
    actor: string,
    now: Date,
  ): Promise<ExportPage>;
  /**
   * Erases all sessions of the customer: content, identities, addresses, what they rated; keeps counts. A message that its
   * platform delivers again within 30 days opens nothing. Returns what became empty, what they were known by, and the
   * hashes of tokens that died.
   */
  erase(of: CustomerRef, actor: string, now: Date): Promise<Erased>;
  /** Lines in order, after the one with id `after`. */
  audit(after: string | undefined, limit: number): Promise<AuditLine[]>;
}

export type CustomerRef = { readonly customer_id: string } | { readonly session_id: string };

/** A session with all that is kept beside its row. */
export interface ExportedSession extends Session {
  readonly addresses: readonly KnownAddress[];
  readonly devices: readonly Omit<Device, "current">[];
  /** Channels on which the customer has blocked us. */
  readonly unreachable: readonly string[];
  /** Whether its phone has a password. */
  readonly has_password: boolean;
}

/** A message with what it said before it was edited or deleted. */
export interface ExportedMessage extends Message {
  readonly revisions: readonly { readonly text: string; readonly content: Content; readonly at: Date }[];
}

export interface ExportPage {
  /** On the first page, where the customer is still known. */
  readonly customer?: Customer;
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
  /** What the customer was known by, so that caches can forget it too. */
  readonly identities: readonly { readonly kind: IdentityKind; readonly value: string }[];
}

export interface AuditLine {
  readonly audit_id: string;
  readonly at: Date;
  /** Who did it: a key's name, never the key. */
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: JsonObject;
}
