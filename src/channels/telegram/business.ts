import { z } from "zod";

/** A connection of a Telegram Business account with our bot. A setting names its owner, and it is switched on. */
export interface Connection {
  /** The user id of the account's owner. */
  readonly owner: number;
  readonly mayReply: boolean;
}

/** The shop's own business connections. */
export interface Connections {
  /**
   * The connection; undefined if it is not the shop's, is switched off, or is unknown to Telegram. Throws `unavailable`
   * or `throttled` if Telegram does not answer.
   */
  find(id: string): Promise<Connection | undefined>;
  /** Makes the next `find` ask Telegram again, because the connection has changed. */
  forget(id: string): void;
  /** Whether the setting names this user. */
  isOwner(user_id: number): boolean;
}

/**
 * How long an answer of Telegram is used again. A `business_connection` update reaches only one isolate; the others
 * notice a withdrawn connection within this time.
 */
const FRESH_MS = 60_000;
/** The most answers to keep; the oldest is dropped. Any Telegram user may connect the bot to their account. */
const MOST_KNOWN = 1_000;

const connectionSchema = z.object({
  user: z.object({ id: z.int() }),
  is_enabled: z.boolean(),
  rights: z
    .object({ can_reply: z.boolean().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/**
 * The connections of these owners. Any Telegram user may connect our bot to their account, and the bot then gets their
 * chats. So only connections of the owners in the setting count, and the owner is taken from `lookUp`, not from the
 * update. `lookUp` returns Telegram's answer, or undefined for an unknown connection. Only finished answers are cached:
 * on Workers one request may not wait for a call of another.
 */
export function businessConnections(
  owners: ReadonlySet<number>,
  lookUp: (id: string) => Promise<unknown>,
  now: () => number = Date.now,
): Connections {
  const known = new Map<string, { readonly connection: Connection | undefined; readonly until: number }>();
  return {
    async find(id) {
      if (owners.size === 0) return undefined;
      const before = known.get(id);
      if (before && before.until > now()) return before.connection;
      const connection = ours(await lookUp(id), owners);
      known.delete(id);
      known.set(id, { connection, until: now() + FRESH_MS });
      for (const oldest of known.keys()) {
        if (known.size <= MOST_KNOWN) break;
        known.delete(oldest);
      }
      return connection;
    },
    forget: (id) => void known.delete(id),
    isOwner: (user_id) => owners.has(user_id),
  };
}

function ours(answer: unknown, owners: ReadonlySet<number>): Connection | undefined {
  const said = connectionSchema.safeParse(answer).data;
  if (!said?.is_enabled || !owners.has(said.user.id)) return undefined;
  return { owner: said.user.id, mayReply: said.rights?.can_reply === true };
}
