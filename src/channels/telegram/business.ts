import { z } from "zod";

/** A business account's connection with our bot. Its owner is configured, and it is switched on. */
export interface Connection {
  /** The user id of the account's owner. */
  readonly owner: number;
  readonly mayReply: boolean;
}

/** Which business connections are the shop's own. */
export interface Connections {
  /**
   * The connection, or undefined when it is not the shop's, is switched off, or is unknown to Telegram. Throws
   * `unavailable` or `throttled` when Telegram does not say.
   */
  find(id: string): Promise<Connection | undefined>;
  /** Lets the next `find` ask Telegram again, for the connection has changed. */
  forget(id: string): void;
  /** Whether the setting names this user. */
  isOwner(user_id: number): boolean;
}

/**
 * How long an answer of Telegram's is believed. A `business_connection` update reaches one isolate only; the others learn
 * of a connection that was taken back within this time.
 */
const FRESH_MS = 60_000;
/** Anybody may connect the bot to their account; the answers for so many connections are kept, the newest. */
const KEPT = 1_000;

const connectionSchema = z.object({
  user: z.object({ id: z.int() }),
  is_enabled: z.boolean(),
  rights: z
    .object({ can_reply: z.boolean().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/**
 * The connections of these owners. Anybody on Telegram may connect our bot to their account and so let us read along, and
 * answer, in their chats: only an owner whom the setting names is believed, and `lookUp` (Telegram's answer, undefined
 * when it knows no such connection) is asked, not the update. Only values are kept, never a pending call: on Workers a
 * request may not wait for another request's.
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
        if (known.size <= KEPT) break;
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
