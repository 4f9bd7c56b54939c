import type { Action } from "../../features/actions/action.ts";
import type { Reply } from "../content/reply.ts";
import type { Hub } from "../hub.ts";
import type { Turn } from "./turn.ts";

/** A bot's wish that a person goes on: why, and if the bot knows it, to whom. */
export interface Handoff {
  readonly reason: string;
  readonly to?: string;
}

/** A bot's replies, and what the hub shall do with them: all of it is saved once, or nothing. */
export interface Answer {
  readonly replies: readonly Reply[];
  readonly actions: readonly Action[];
  /** Marks the session for a person: `metadata.handoff`. */
  readonly handoff?: Handoff;
}

/** What a bot may use of the hub. */
export type BotParts = Pick<Hub, "store" | "now" | "log" | "media">;

/** The program that answers customers. An empty list of replies means that it stays silent. */
export interface Bot {
  /** How many earlier messages each turn holds. */
  readonly history: number;
  /** Whether messages that arrive while the bot is busy are put into one turn. */
  readonly batch?: boolean;
  /** Which events wake the bot besides messages. */
  readonly hears?: { readonly edits?: boolean; readonly reactions?: boolean };
  /** Whether it works only with a store that has `features`. */
  readonly needsDatabase?: boolean;
  /** May throw a `HubError` or any other error; the turn is tried again. A `rejected` turn is a dead letter at once. */
  reply(turn: Turn, signal: AbortSignal, parts: BotParts): Promise<readonly Reply[] | Answer>;
  /** The answer to a turn that has no attempt left. Without this method the turn is a dead letter. */
  giveUp?(turn: Turn): Answer;
}
