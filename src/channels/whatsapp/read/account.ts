import type { Contact } from "./person.ts";

export const CHANNEL = "whatsapp";

/** The number that news came to, and the people a webhook names on it. */
export interface Line {
  /** Its phone number id. */
  readonly account: string;
  /** Whether the settings name it as the shop's own. */
  readonly isOurs: boolean;
  /** Whether the news is a sample that Meta's dashboard sends: its business account has the id 0. */
  readonly isSample: boolean;
  readonly contacts: readonly Contact[];
}
