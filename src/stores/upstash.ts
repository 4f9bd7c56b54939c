import { Redis } from "@upstash/redis";
import type { Identities } from "../core/identity.ts";
import type { Log, SessionCache } from "../core/ports.ts";
import type { Session } from "../core/session.ts";
import { sha256Hex } from "../core/signature.ts";
import { type Row, toSession } from "./rows.ts";

interface UpstashOptions {
  readonly url: string;
  readonly token: string;
  /** How long an entry lives after its last use, in seconds. */
  readonly ttlSeconds: number;
  /** How long a token lives without use, where it may be a kiosk's. */
  readonly kioskIdleMs?: number;
  readonly log: Log;
  /** How long a call may take. */
  readonly timeoutMs?: number;
}

/** What callers vouch for; nobody asks for a browser's visits. */
const FINDABLE = ["telegram_chat_id", "whatsapp_user_id", "phone"] as const;

/**
 * Sessions in Upstash Redis: each once, under its id, to which tokens and identities lead. A dead cache is a miss: it is
 * logged and fails nothing.
 */
export function upstashCache({
  url,
  token,
  ttlSeconds,
  kioskIdleMs = ttlSeconds * 1_000,
  log,
  timeoutMs = 1_000,
}: UpstashOptions): SessionCache {
  const redis = new Redis({
    url,
    token,
    retry: false,
    enableTelemetry: false,
    signal: () => AbortSignal.timeout(timeoutMs),
  });
  const guarded = async <T>(operation: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      log("warn", "cache.failed", { operation, error: error instanceof Error ? error.name : typeof error });
      return undefined;
    }
  };
  const find = async (names: readonly string[]): Promise<string | undefined> => {
    for (const name of names) {
      const session_id = await redis.get<string>(name);
      if (session_id) return session_id;
    }
    return undefined;
  };
  // Whose token it is nobody says here; in a session that has been at a kiosk it may be the kiosk's.
  const tokenMs = ({ channels }: Session): number =>
    Math.min(ttlSeconds * 1_000, channels.includes("kiosk") ? kioskIdleMs : Number.POSITIVE_INFINITY);
  return {
    get: (who) =>
      guarded("get", async () => {
        const session_id = "session_id" in who ? who.session_id : await find(await namesOf(who));
        const row = session_id && (await redis.get<Row>(sessionName(session_id)));
        const session = row ? toSession(row) : undefined;
        return session && "identities" in who && !holds(session, who.identities) ? undefined : session;
      }),
    async put(token_hash, session, { used = true } = {}) {
      const { session_id } = session;
      await guarded("put", async () => {
        const names = await namesOf({ identities: session });
        const pipeline = redis.pipeline();
        pipeline.set(sessionName(session_id), JSON.stringify(session), { ex: ttlSeconds });
        for (const name of names) pipeline.set(name, session_id, { ex: ttlSeconds });
        if (token_hash !== undefined)
          pipeline.set(
            tokenName(token_hash),
            session_id,
            used ? { px: tokenMs(session) } : { xx: true, keepTtl: true },
          );
        await pipeline.exec();
      });
    },
    async drop(token_hashes, { sessions = false } = {}) {
      if (token_hashes.length === 0) return;
      const names = token_hashes.map(tokenName);
      await guarded("drop", async () => {
        const found = sessions ? await redis.mget<(string | null)[]>(...names) : [];
        const rows = [...new Set(found.filter((id) => id !== null))].map(sessionName);
        const held = rows.length > 0 ? await redis.mget<(Row | null)[]>(...rows) : [];
        const identities = held.flatMap((row) => (row ? [namesOf({ identities: row })] : []));
        await redis.del(...names, ...rows, ...(await Promise.all(identities)).flat());
      });
    },
  };
}

/** The cache of a hub without one. */
export const noCache: SessionCache = {
  get: async () => undefined,
  put: async () => {},
  drop: async () => {},
};

/** Whom a session belongs to. */
type Held = Identities & Pick<Session, "phone_proven">;

/** Whether a session holds one of the identities; a name may lead to one that has lost it since. */
function holds(session: Session, identities: Identities): boolean {
  return FINDABLE.some((kind) => identities[kind] !== undefined && session[kind] === identities[kind]);
}

/** Under which names a session's id is kept. Identities are hashed: a key may be seen where its value is not. */
async function namesOf(
  who: { readonly token_hash: string } | { readonly identities: Held },
): Promise<string[]> {
  if ("token_hash" in who) return [tokenName(who.token_hash)];
  const { phone_proven, ...held } = who.identities;
  // A phone that somebody only claims finds nothing.
  const kinds = FINDABLE.filter(
    (kind) => held[kind] !== undefined && (kind !== "phone" || phone_proven !== false),
  );
  return Promise.all(kinds.map(async (kind) => `identity:${await sha256Hex(`${kind}:${held[kind]}`)}`));
}

function tokenName(token_hash: string): string {
  return `token:${token_hash}`;
}

function sessionName(session_id: string): string {
  return `session:${session_id}`;
}
