import type { Contact } from "./person.ts";

export const CHANNEL = "whatsapp";

/** One of our numbers, and the people a webhook names on it. */
export interface Line {
  /** Its phone number id. */
  readonly account: string;
  readonly contacts: readonly Contact[];
}
