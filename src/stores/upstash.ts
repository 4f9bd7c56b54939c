import { Redis } from "@upstash/redis";
import type { Identities } from "../core/identity/identity.ts";
import type { Log } from "../core/log.ts";
import type { SessionCache } from "../core/sessions/cache.ts";
import type { Session } from "../core/sessions/session.ts";
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

/** How late what was known before a token died may still be put here. */
const LATEST_S = 60;

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
  const find = async (who: Parameters<SessionCache["get"]>[0]): Promise<string | undefined> => {
    if ("session_id" in who) return who.session_id;
    if ("token_hash" in who) {
      const names = [tokenName(who.token_hash), deadName(who.token_hash)];
      const [session_id, isDead] = await redis.mget<(string | null)[]>(...names);
      return (!isDead && session_id) || undefined;
    }
    for (const name of await namesOf(who.identities)) {
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
        const session_id = await find(who);
        const row = session_id && (await redis.get<Row>(sessionName(session_id)));
        const session = row ? toSession(row) : undefined;
        return session && "identities" in who && !holds(session, who.identities) ? undefined : session;
      }),
    async put(token_hash, session, { used = true } = {}) {
      const { session_id } = session;
      await guarded("put", async () => {
        const names = await namesOf(session);
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
        const identities = held.flatMap((row) => (row ? [namesOf(row as Held)] : []));
        const pipeline = redis.pipeline();
        pipeline.del(...names, ...rows, ...(await Promise.all(identities)).flat());
        // An answer from before it died may still be on its way here.
        for (const token_hash of token_hashes)
          pipeline.set(deadName(token_hash), "dead", { ex: ttlSeconds + LATEST_S });
        await pipeline.exec();
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
type Held = Identities & Pick<Session, "phone_verified">;

/** Whether a session holds one of the identities; a name may lead to one that has lost it since. */
function holds(session: Session, identities: Identities): boolean {
  return FINDABLE.some((kind) => identities[kind] !== undefined && session[kind] === identities[kind]);
}

/** Under which names a session's id is kept. Identities are hashed: a key may be seen where its value is not. */
async function namesOf({ phone_verified, ...held }: Held): Promise<string[]> {
  // A phone that somebody only claims finds nothing.
  const kinds = FINDABLE.filter(
    (kind) => held[kind] !== undefined && (kind !== "phone" || phone_verified !== false),
  );
  return Promise.all(kinds.map(async (kind) => `identity:${await sha256Hex(`${kind}:${held[kind]}`)}`));
}

function tokenName(token_hash: string): string {
  return `token:${token_hash}`;
}

/** What says that a token died, for longer than an entry of it can live. */
function deadName(token_hash: string): string {
  return `dead:${token_hash}`;
}

function sessionName(session_id: string): string {
  return `session:${session_id}`;
}
