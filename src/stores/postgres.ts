import postgres from "postgres";
import { HubError } from "../core/errors.ts";
import { withTimeout } from "../core/timeout.ts";
import type { Row } from "./rows.ts";
import { slots } from "./slots.ts";
import { raisedRefusal } from "./sql/refusals.ts";
import type { SqlCall } from "./sql.ts";

export interface PostgresCalls {
  readonly call: SqlCall;
  /** Lets calls under way finish, then hangs up. */
  close(): Promise<void>;
}

interface PostgresOptions {
  /** Connections at most. One is right behind Hyperdrive, where a connection belongs to its request. */
  readonly max: number;
  /** How long a call may take. */
  readonly timeoutMs?: number;
}

/** What stands in a statement as it is: only a name of a function of ours may. */
const FUNCTION = /^hub_[a-z_]+$/;

/**
 * Calls over a direct connection to Postgres: a pool under Node, the `HYPERDRIVE` binding's string on Workers. A
 * connection has one call at a time. A call that has waited for one half of its time is not sent any more: its caller is
 * told that it failed.
 */
export function postgresCalls(
  connectionString: string,
  { max, timeoutMs = 4_000 }: PostgresOptions,
): PostgresCalls {
  const connect = () =>
    postgres(connectionString, {
      max,
      fetch_types: false,
      connect_timeout: Math.ceil(timeoutMs / 1000),
      idle_timeout: 60,
      // Whoever calls decides when to try again; a driver that waits up to 20 s would make callers wait for a database
      // that is back.
      backoff: false,
      onnotice: () => {},
      connection: { application_name: "session-hub", statement_timeout: timeoutMs },
    });
  let pool = connect();
  // The driver would send further calls behind one that hangs, on the same connection, where nothing stops them.
  const connections = slots(max);

  async function ask(sql: postgres.Sql, name: string, argument: Row): Promise<Row> {
    const [row] = await sql.unsafe<[{ answer: Row }]>(
      `select public.${name}($1::text::jsonb) as answer`,
      [JSON.stringify(argument)],
      { prepare: true },
    );
    return row!.answer;
  }

  /** Puts new connections in the place of silent ones. Calls under way keep their own limit, and end before the next ones do. */
  function replace(silent: postgres.Sql): void {
    if (silent !== pool) return;
    pool = connect();
    void silent.end({ timeout: timeoutMs / 1000 });
    connections.renew();
  }

  return {
    async call(name, argument) {
      if (!FUNCTION.test(name)) throw new TypeError("not the name of a function of the hub");
      const began = Date.now();
      const giveBack = await withTimeout(timeoutMs / 2, "store_busy", (signal) => connections.take(signal));
      const sql = pool;
      try {
        const left = timeoutMs - (Date.now() - began);
        return await withTimeout(left, "store_timeout", () => ask(sql, name, argument));
      } catch (error) {
        if (isTimeout(error)) replace(sql);
        throw fail(error);
      } finally {
        giveBack();
      }
    },
    close: () => pool.end({ timeout: 5 }),
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof HubError && error.reason === "store_timeout";
}

function fail(error: unknown): HubError {
  if (error instanceof HubError) return error;
  if (error instanceof postgres.PostgresError) {
    const refused = raisedRefusal(error.code, error.message, error.detail);
    if (refused) return refused;
  }
  const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return new HubError("unavailable", "the database did not answer", { reason, cause: error });
}
