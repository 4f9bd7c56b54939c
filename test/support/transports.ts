import sqlDriver from "postgres";
import { afterAll, beforeAll } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import type { SqlCall } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import { emptying } from "./empty.ts";
import { createDatabase, supabase } from "./stack.ts";

const TIMEOUT_MS = 30_000;

/** A database of the test file's own, over both transports. Its parts are there once the file's `beforeAll` has run. */
export function bothTransports({ max }: { max: number }) {
  let owner: sqlDriver.Sql;
  let truncation: string;
  let direct: PostgresCalls;
  let rest: SqlCall;

  beforeAll(async () => {
    const { url } = await createDatabase();
    owner = sqlDriver(url, { max: 1, onnotice: () => {} });
    truncation = await emptying(owner, "truncate");
    direct = postgresCalls(url, { max, timeoutMs: TIMEOUT_MS });
    const api = await supabase(url, 4);
    rest = supabaseCalls({ url: api.url, key: api.serviceRoleKey, timeoutMs: TIMEOUT_MS });
  });
  afterAll(async () => {
    await direct.close();
    await owner.end();
  });

  const transports: [string, () => SqlCall][] = [
    ["Postgres, directly", () => direct.call],
    ["Postgres, through Supabase's REST API", () => rest],
  ];
  return {
    transports,
    /** The owner's connection, for rows that no call shows. */
    owner: () => owner,
    /** Deletes all rows. */
    empty: async () => {
      await owner.unsafe(truncation);
    },
  };
}
