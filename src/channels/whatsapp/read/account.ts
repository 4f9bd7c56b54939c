import type { Contact } from "./person.ts";

export const CHANNEL = "whatsapp";

/** The phone number that received a webhook's change, and the contacts in that change. */
export interface Receiver {
  /** The id of the phone number. */
  readonly account: string;
  /** Whether the settings name the number as the shop's own. */
  readonly isOurs: boolean;
  /** Whether the change is a sample from Meta's dashboard: its business account has the id 0. */
  readonly isSample: boolean;
  readonly contacts: readonly Contact[];
}
