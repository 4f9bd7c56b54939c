import type { Action } from "../../features/actions/action.ts";
import type { Embeddings } from "../../features/knowledge/embeddings.ts";
import type { Reply } from "../content/reply.ts";
import type { Hub } from "../hub.ts";
import type { Draft } from "./draft.ts";
import type { Turn } from "./turn.ts";

/** The wish that a person goes on: why, and if the bot knows it, to whom. */
export interface Handoff {
  readonly reason: string;
  readonly to?: string;
  /** Who asks for the person. Absent: the bot. */
  readonly by?: "customer";
}

/** A bot's replies, and what the hub shall do with them: all of it is saved once, or nothing. */
export interface Answer {
  readonly replies: readonly Reply[];
  readonly actions: readonly Action[];
  /** A person goes on: the bot is not asked until one gives the conversation back. On the memory store it is only marked. */
  readonly handoff?: Handoff;
}

/** What a bot may use of the hub. */
export type BotParts = Pick<Hub, "store" | "now" | "log" | "media"> & {
  /** Where the bot shows its answer so far. Absent: nobody sees it grow. */
  readonly draft?: Draft;
};

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
  /** The model by which it finds documents: the sweep has the vectors of their parts made. Absent: by their words alone. */
  readonly embeddings?: Embeddings;
  /** May throw a `HubError` or any other error; the turn is tried again. A `rejected` turn is a dead letter at once. */
  reply(turn: Turn, signal: AbortSignal, parts: BotParts): Promise<readonly Reply[] | Answer>;
  /** The answer to a turn that has no attempt left. Without this method the turn is a dead letter. */
  giveUp?(turn: Turn): Answer;
}
