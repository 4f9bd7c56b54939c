import postgres from "postgres";
import { HubError } from "../core/errors.ts";
import { withTimeout } from "../core/timeout.ts";
import type { Row } from "./rows.ts";
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
  const sql = postgres(connectionString, {
    max,
    fetch_types: false,
    connect_timeout: Math.ceil(timeoutMs / 1000),
    idle_timeout: 60,
    onnotice: () => {},
    connection: { application_name: "session-hub", statement_timeout: timeoutMs },
  });
  return {
    async call(name, argument) {
      try {
        const query = sql.unsafe<[{ answer: Row }]>(
          `select public.${name}($1::text::jsonb) as answer`,
          [JSON.stringify(argument)],
          {
            prepare: true,
          },
        );
        const [row] = await withTimeout(timeoutMs, "store_timeout", () => query);
        return row!.answer;
      } catch (error) {
        throw fail(error);
      }
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

function fail(error: unknown): HubError {
  if (error instanceof HubError) return error;
  const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return new HubError("unavailable", "the database did not answer", { reason, cause: error });
}
