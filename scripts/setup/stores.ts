import postgres from "postgres";
import { pendingMigrations } from "../../migrations/migrate.ts";
import { databaseUrlOf } from "../../src/compose/database-url.ts";
import { call } from "./call.ts";
import { fail, type Outcome, ok, warn } from "./outcome.ts";

const OLDEST_POSTGRES = 15;
const CLOCK_MS = 5_000;

/** Whether the database answers, its version, its clock and its migrations. Throws without the address in the text. */
export async function checkDatabase(databaseUrl: string, now: () => Date): Promise<Outcome[]> {
  const url = databaseUrlOf(databaseUrl);
  if (!url) throw new Error("DATABASE_URL is not a postgres:// address");
  const sql = postgres(url, { max: 1, prepare: false, connect_timeout: 10, onnotice: () => {} });
  try {
    const [row] = await sql<{ version: number; now: Date }[]>`
      select current_setting('server_version_num')::int / 10000 as version, clock_timestamp() as now`;
    const { missing, functions, optional } = await pendingMigrations(sql);
    const off = Math.round(Math.abs(row!.now.getTime() - now().getTime()));
    const mend = "npm run migrate";
    return [
      row!.version < OLDEST_POSTGRES
        ? fail("database", `Postgres ${row!.version} is too old`, `upgrade to ${OLDEST_POSTGRES} or newer`)
        : ok("database", `Postgres ${row!.version}`),
      off > CLOCK_MS
        ? warn("database clock", `it differs by ${off} ms from this machine's`, "set the clocks by NTP")
        : ok("database clock", `within ${CLOCK_MS / 1_000} s of this machine's`),
      missing.length > 0
        ? fail("migrations", `not applied: ${missing.join(", ")}`, mend)
        : functions
          ? ok("migrations", "all applied")
          : fail("migrations", "its functions are not those of this checkout", mend),
      ...optional.map((name) =>
        warn("optional migrations", `${name} is not applied, though the database offers its extension`, mend),
      ),
    ];
  } catch (error) {
    const { code = "" } = error as { code?: string };
    if (code === "28P01" || code === "28000")
      throw new Error("the database does not take the user or password");
    if (code === "3D000") throw new Error("there is no such database");
    throw new Error(`the database does not answer (${code || (error as Error).name})`);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Whether Supabase's REST API reaches the hub's functions with this key. */
export async function checkSupabase(url: string, key: string): Promise<Outcome> {
  const name = "supabase";
  const mend = "https://supabase.com/dashboard/project/_/settings/api-keys";
  const headers = { apikey: key, authorization: `Bearer ${key}`, "content-type": "application/json" };
  const { status, body } = await call<{ code?: string }>(`${url.replace(/\/+$/, "")}/rest/v1/rpc/hub_ping`, {
    method: "POST",
    headers,
    body: JSON.stringify({ p: {} }),
  });
  if (status === 200) return ok(name, "its REST API answers with the service role's key");
  if (body.code === "42501") return fail(name, "the key is not the service role's", mend);
  if (status === 401 || status === 403) return fail(name, "it does not take the key", mend);
  if (status === 404)
    return fail(name, "it has no hub_ping: another project than DATABASE_URL's?", "npm run migrate");
  return fail(name, `it answers ${status} ${body.code ?? ""}`.trim(), mend);
}

/** Whether Upstash takes the token. */
export async function checkUpstash(url: string, token: string): Promise<Outcome> {
  const mend = "https://console.upstash.com/redis";
  const { status, body } = await call<{ result?: string }>(url.replace(/\/+$/, ""), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(["PING"]),
  });
  if (status === 200 && body.result === "PONG") return ok("upstash", "it answers");
  if (status === 401 || status === 403) return fail("upstash", "it does not take the token", mend);
  return fail("upstash", `it answers ${status}`, mend);
}
