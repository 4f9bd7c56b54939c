import type { CustomerRef } from "../privacy/privacy.ts";
import type { OptOut, Purpose } from "./opt-out.ts";

/** What customers do not want the shop to send first. Answers to their own messages are not meant. */
export interface OptOuts {
  /** Throws `not_found`. */
  list(of: CustomerRef): Promise<OptOut[]>;
  /** Sets or removes one, with a line in the audit, and ends what it forbids. Returns all. Throws `not_found`. */
  set(
    of: CustomerRef,
    which: { readonly channel?: string; readonly purpose?: Purpose; readonly opted_out: boolean },
    by: { readonly actor: string; readonly now: Date },
  ): Promise<OptOut[]>;
}
