import postgres from "postgres";
import { HubError } from "../core/errors.ts";
import { withTimeout } from "../core/timeout.ts";
import type { Row } from "./rows.ts";
import { slots } from "./slots.ts";
import { raisedRefusal } from "./sql/refusals.ts";
import type { SqlCall } from "./sql.ts";

export interface PostgresCalls {
  readonly call: SqlCall;
  /** Waits at most 5 s for running calls, then closes all connections. */
  close(): Promise<void>;
}

interface PostgresOptions {
  /** The largest number of connections. Use 1 behind Hyperdrive, where each request has its own connection. */
  readonly max: number;
  /** Time limit of a call, in ms. */
  readonly timeoutMs?: number;
}

/** The allowed function names: the name is put into the statement without quoting. */
const FUNCTION = /^hub_[a-z_]+$/;

/**
 * Calls over a direct connection to Postgres: a pool under Node, the `HYPERDRIVE` binding's string on Workers. A
 * connection runs one call at a time. A call that has waited for a connection for half of its time limit is not sent:
 * it throws `unavailable` with reason `store_busy`. A call past its limit throws it with reason `store_timeout`.
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
      // The caller decides when to try again. With its own backoff the driver waits up to 20 s before it connects, also
      // to a database that is up again.
      backoff: false,
      onnotice: () => {},
      connection: { application_name: "session-hub", statement_timeout: timeoutMs },
    });
  let pool = connect();
  // Without slots the driver sends further calls on the connection of a call that hangs. Those cannot be cancelled.
  const connections = slots(max);

  async function ask(sql: postgres.Sql, name: string, argument: Row): Promise<Row> {
    const [row] = await sql.unsafe<[{ answer: Row }]>(
      `select public.${name}($1::text::jsonb) as answer`,
      [JSON.stringify(argument)],
      { prepare: true },
    );
    return row!.answer;
  }

  /**
   * Replaces a pool in which a call timed out. Its running calls keep their own time limits; the old connections are
   * closed once those are over.
   */
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
      const giveBack =
        connections.takeFree() ??
        (await withTimeout(timeoutMs / 2, "store_busy", (signal) => connections.take(signal)));
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
