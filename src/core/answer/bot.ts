import type { Reply, Turn } from "./turn.ts";

/** Whatever answers. An empty list means it stays silent. */
export interface Bot {
  /** How many earlier messages it wants to see. */
  readonly history: number;
  /** Whether messages that came while it was busy reach it in one turn. */
  readonly batch?: boolean;
  /** What it wants to be told beside messages. */
  readonly hears?: { readonly edits?: boolean; readonly reactions?: boolean };
  /** Throws `HubError` or anything; the turn is tried again. */
  reply(turn: Turn, signal: AbortSignal): Promise<Reply[]>;
}
