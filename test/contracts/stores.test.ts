import sqlDriver from "postgres";
import { afterAll, beforeAll } from "vitest";
import { memoryStore } from "../../src/stores/memory.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import { emptying } from "../support/empty.ts";
import { createDatabase, supabase } from "../support/stack.ts";
import { settings } from "./given.ts";
import { storeContract } from "./store.ts";

const timeoutMs = 30_000;
let owner: sqlDriver.Sql;
let truncation: string;
let direct: PostgresCalls;
let rest: SqlCall;

beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  truncation = await emptying(owner, "truncate");
  direct = postgresCalls(url, { max: 4, timeoutMs });
  const api = await supabase(url, 4);
  rest = supabaseCalls({ url: api.url, key: api.serviceRoleKey, timeoutMs });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});

const empty = async () => {
  await owner.unsafe(truncation);
};

storeContract("memory", async (over) => memoryStore({ ...settings, ...over }));
storeContract("Postgres, directly", async (over) => {
  await empty();
  return sqlStore(direct.call, { ...settings, ...over });
});
storeContract("Postgres, through Supabase's REST API", async (over) => {
  await empty();
  return sqlStore(rest, { ...settings, ...over });
});
