import type { ReplyKind } from "./reply.ts";

/** What a channel makes of one kind of reply. docs/content.md is generated from these. */
export interface Rule {
  /**
   * - `native`: the platform shows the kind itself.
   * - `degraded`: it is sent as something else, which `to` names.
   * - `text`: the hub sends its text, as it does for a kind that a table does not name.
   * - `refused`: the platform has no such thing, and no text says it. The reply is the bot's error.
   */
  readonly as: "native" | "degraded" | "text" | "refused";
  /** What it becomes, for `degraded`; for `native` what it becomes past the limits. */
  readonly to?: string;
  /** The platform's limits by name, checked before anything is sent. Texts in UTF-16 units, where nothing else is said. */
  readonly limits?: Readonly<Record<string, number | string>>;
}

/** What a channel makes of each kind of reply. */
export type ContentTable = Readonly<Record<ReplyKind, Rule>>;
