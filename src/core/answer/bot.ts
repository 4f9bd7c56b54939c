import type { Action } from "../../features/actions/action.ts";
import type { Reply } from "../content/reply.ts";
import type { Turn } from "./turn.ts";

/** A bot's replies, and what the hub shall do with them: all of it is saved once, or nothing. */
export interface Answer {
  readonly replies: readonly Reply[];
  readonly actions: readonly Action[];
}

/** The program that answers customers. An empty list of replies means that it stays silent. */
export interface Bot {
  /** How many earlier messages each turn holds. */
  readonly history: number;
  /** Whether messages that arrive while the bot is busy are put into one turn. */
  readonly batch?: boolean;
  /** Which events wake the bot besides messages. */
  readonly hears?: { readonly edits?: boolean; readonly reactions?: boolean };
  /** May throw a `HubError` or any other error; the turn is tried again. A `rejected` turn is a dead letter at once. */
  reply(turn: Turn, signal: AbortSignal): Promise<readonly Reply[] | Answer>;
}
