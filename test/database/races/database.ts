import sqlDriver from "postgres";
import { afterAll, beforeAll, beforeEach } from "vitest";
import type { InboundEvent, Received } from "../../../src/core/receive/conversations.ts";
import type { Store, StoreSettings } from "../../../src/core/store.ts";
import { type PostgresCalls, postgresCalls } from "../../../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../../../src/stores/sql.ts";
import { said, settings } from "../../contracts/given.ts";
import { emptying } from "../../support/empty.ts";
import { createDatabase } from "../../support/stack.ts";

export const timeoutMs = 30_000;

/** A real database for a test file, empty before each test, with direct SQL access. */
export interface Races {
  readonly url: string;
  /** The same database, as the superuser. */
  readonly adminUrl: string;
  /** A store of many connections, which the test file shares. */
  store(over?: Partial<StoreSettings>): Store;
  readonly owner: sqlDriver.Sql;
  /** The active sessions, with their message_count and their number of stored messages. */
  active(): Promise<{ session_id: string; message_count: number; stored: number }[]>;
  /** How many calls were retried after a deadlock. */
  deadlocks(): Promise<number>;
  /** How many calls its stores have made so far, with retries. */
  calls(): number;
}

export function races(): Races {
  let url: string;
  let adminUrl: string;
  let owner: sqlDriver.Sql;
  let direct: PostgresCalls;
  let calls = 0;
  const counted: SqlCall = (...call) => {
    calls++;
    return direct.call(...call);
  };
  beforeAll(async () => {
    ({ url, adminUrl } = await createDatabase());
    owner = sqlDriver(url, { max: 1, onnotice: () => {} });
    direct = postgresCalls(url, { max: 50, timeoutMs });
  });
  beforeEach(async () => {
    await owner.unsafe(await emptying(owner, "truncate"));
  });
  afterAll(async () => {
    await direct.close();
    await owner.end();
  });
  return {
    get url() {
      return url;
    },
    get adminUrl() {
      return adminUrl;
    },
    get owner() {
      return owner;
    },
    store: (over = {}) => sqlStore(counted, { ...settings, ...over }),
    calls: () => calls,
    active: () => owner`
      select s.session_id, s.message_count, count(m.message_id)::int as stored
      from public.sessions s left join public.messages m using (session_id)
      where s.status = 'active' group by s.session_id`,
    async deadlocks() {
      await owner`select pg_stat_force_next_flush()`;
      const [row] = await owner`
        select deadlocks::int from pg_stat_database where datname = current_database()`;
      return row!.deadlocks;
    },
  };
}

export function message(from: Parameters<typeof said>[1], channel: string, id: string): InboundEvent {
  return { type: "message", message: said(channel, from, id) };
}

export const turnOf = (result: Received | undefined) =>
  result?.type === "message" ? result.turn : undefined;
