import postgres from "postgres";
import { HubError } from "../core/errors.ts";
import { withTimeout } from "../core/timeout.ts";
import type { Row } from "./rows.ts";
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

/** Calls over a direct connection to Postgres: a pool under Node, the `HYPERDRIVE` binding's string on Workers. */
export function postgresCalls(
  connectionString: string,
  { max, timeoutMs = 4_500 }: PostgresOptions,
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
  return {
    async call(name, argument) {
      const sql = pool;
      try {
        const query = sql.unsafe<[{ answer: Row }]>(
          `select public.${name}($1::text::jsonb) as answer`,
          [JSON.stringify(argument)],
          { prepare: true },
        );
        const [row] = await withTimeout(timeoutMs, "store_timeout", () => query);
        return row!.answer;
      } catch (error) {
        if (isTimeout(error) && sql === pool) {
          // The driver would hand the silent connection the next calls. Those under way keep their own limit.
          pool = connect();
          void sql.end({ timeout: Math.ceil(timeoutMs / 1000) });
        }
        throw fail(error);
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
