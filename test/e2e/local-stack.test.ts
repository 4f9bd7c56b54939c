import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@supabase/supabase-js";
import { Redis as Upstash } from "@upstash/redis";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { assertPortFree, freePort } from "../../dev/services/ports.ts";
import { type Postgres, startPostgres } from "../../dev/services/postgres.ts";
import { type Redis, startRedis } from "../../dev/services/redis.ts";
import { type Supabase, startSupabase } from "../../dev/services/supabase.ts";
import { startWorker } from "../../dev/worker.ts";
import { migrate } from "../../migrations/migrate.ts";
import { createEmptyDatabase, redis, supabase } from "../support/stack.ts";

/** Runs one query on its own connection. */
async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  return sql.unsafe(text).finally(() => sql.end());
}

/** Holds a port, like another program. */
async function occupy(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

describe("Postgres", () => {
  let dir: string;
  let port: number;
  let server: Postgres | undefined;
  const start = async () => {
    server = await startPostgres({ dir, port });
    return server.url;
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "postgres-"));
    port = await freePort();
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    await rm(dir, { recursive: true });
  });

  test("keeps its data when it is stopped, and when it is killed", async () => {
    const url = await start();
    await query(url, "create table kept (id int)");
    await query(url, "insert into kept values (1)");
    await server!.stop();
    await start();
    await query(url, "insert into kept values (2)");
    const busy = query(url, "select count(*) from generate_series(1, 5000000)").catch(() => {});
    const running = () => query(url, "select from pg_stat_activity where query like '%(1, 5000000)%'");
    await expect.poll(async () => (await running()).length).toBe(2); // that one, and this one that looks for it
    await server!.kill();
    await start();
    expect(await query(url, "select id from kept order by id")).toEqual([{ id: 1 }, { id: 2 }]);
    await busy;
  });

  test("starts when the process id of its killed predecessor belongs to another program", async () => {
    await start();
    await server!.kill();
    const lock = join(dir, "postmaster.pid");
    await writeFile(lock, (await readFile(lock, "utf8")).replace(/^\d+/, String(process.pid)));
    await start();
  });

  test("names the variable for another port when its port is taken", async () => {
    const other = await occupy(port);
    await expect(start()).rejects.toThrow(`port ${port} is taken; set POSTGRES_PORT`);
    other.close();
  });

  test("refuses a directory that another Postgres uses", async () => {
    await start();
    await expect(startPostgres({ dir, port: await freePort() })).rejects.toThrow(
      "is in use by another Postgres",
    );
  });

  test("accepts settings, and folds the case of every alphabet", async () => {
    server = await startPostgres({ dir, port, settings: { synchronous_commit: "off" } });
    const [row] = await query(server.url, "select current_setting('synchronous_commit') s, lower('ÄЖ') l");
    expect(row).toEqual({ s: "off", l: "äж" });
  });

  test("is not used as a superuser", async () => {
    expect(await query(await start(), "select rolsuper from pg_roles where rolname = current_user")).toEqual([
      { rolsuper: false },
    ]);
  });

  test("the hub's migrations do without the Supabase roles", async () => {
    await start();
    await query(
      server!.adminUrl,
      `drop owned by anon, authenticated, service_role, authenticator;
       drop role anon, authenticated, service_role, authenticator`,
    );
    const first = await migrate(server!.adminUrl);
    expect(await migrate(server!.adminUrl)).toEqual({ applied: [], already: first.applied });
  });
});

describe("Supabase", () => {
  let database: string;
  let api: Supabase;
  const client = (key: string) => createClient(api.url, key, { auth: { persistSession: false } });

  beforeAll(async () => {
    database = (await createEmptyDatabase()).url;
    await query(
      database,
      `create function echo(p jsonb) returns jsonb language sql
         as $$ select jsonb_build_object('p', p, 'type', jsonb_typeof(p), 'role', current_user) $$;
       create function fail(p jsonb) returns jsonb language plpgsql
         as $$ begin raise exception 'no luck' using errcode = p->>'code', detail = 'd', hint = 'h'; end $$;
       create function closed(p jsonb) returns jsonb language sql as $$ select p $$;
       revoke execute on function closed from public, anon, authenticated;
       create function meet(p jsonb) returns jsonb language sql
         as $$ select to_jsonb(pg_backend_pid()) from pg_sleep(0.2) $$;
       create table hidden (id int);
       insert into hidden values (1);
       alter table hidden enable row level security`,
    );
    api = await supabase(database);
  });
  afterAll(() => api?.stop());

  test("calls a function with its jsonb argument as the service role", async () => {
    const p = { text: "Grüße", list: [1, { two: null }], like: "{}" };
    const { data, error } = await client(api.serviceRoleKey).rpc("echo", { p });
    expect(error).toBeNull();
    expect(data).toEqual({ p, type: "object", role: "service_role" });
  });

  test.each([
    ["HB001", 400],
    ["P0001", 400],
    ["23505", 409],
    ["40001", 500],
    ["PT404", 404],
  ])("hands out an error raised in SQL with its SQLSTATE: %s", async (code, status) => {
    const answer = await client(api.serviceRoleKey).rpc("fail", { p: { code } });
    expect(answer).toMatchObject({ status, error: { code, message: "no luck", details: "d" } });
  });

  test("keeps the anon key out of revoked functions and closed tables", async () => {
    const anon = client(api.anonKey);
    expect((await anon.rpc("echo", { p: {} })).data.role).toBe("anon");
    expect((await anon.rpc("closed", { p: {} })).error?.code).toBe("42501");
    expect((await anon.from("hidden").select()).data).toEqual([]);
    expect((await anon.from("hidden").insert({ id: 2 })).error?.code).toBe("42501");
    expect((await client(api.serviceRoleKey).from("hidden").select()).data).toEqual([{ id: 1 }]);
  });

  test("refuses a key it does not know", async () => {
    expect((await client("sb_secret_guessed").rpc("echo", { p: {} })).status).toBe(401);
    expect((await fetch(`${api.url}/rest/v1/hidden`)).status).toBe(401);
  });

  test("runs simultaneous calls on separate connections", async () => {
    const calls = Array.from({ length: 64 }, () => client(api.serviceRoleKey).rpc("meet", { p: {} }));
    const answers = await Promise.all(calls);
    expect(answers.filter(({ error }) => error)).toEqual([]);
    expect(new Set(answers.map(({ data }) => data)).size).toBeGreaterThan(20); // of a pool of 30
  });

  test("notices a function made after it started", async () => {
    expect((await client(api.serviceRoleKey).rpc("late", { p: {} })).error?.code).toBe("PGRST202");
    await query(database, "create function late(p jsonb) returns jsonb language sql as $$ select p $$");
    await expect
      .poll(async () => (await client(api.serviceRoleKey).rpc("late", { p: { a: 1 } })).data)
      .toEqual({ a: 1 });
  });

  test("answers 503 while its database is down", async () => {
    const dir = await mkdtemp(join(tmpdir(), "postgres-"));
    const options = { dir, port: await freePort() };
    const server = await startPostgres(options);
    const port = await freePort();
    const other = await startSupabase({ port, databaseUrl: server.url });
    const call = () => createClient(other.url, other.serviceRoleKey).rpc("nothing", { p: {} });
    await query(server.url, "create function nothing(p jsonb) returns jsonb language sql as 'select p'");
    await expect.poll(async () => (await call()).status).toBe(200);
    await server.kill();
    expect(await call()).toMatchObject({ status: 503, error: { code: "PGRST000" } });
    const again = await startPostgres(options);
    await expect.poll(async () => (await call()).status).toBe(200);
    await other.stop();
    await again.stop();
    await rm(dir, { recursive: true });
  });

  test("names the variable for another port when its port is taken", async () => {
    const port = Number(new URL(api.url).port);
    const second = startSupabase({ port, databaseUrl: database });
    await expect(second).rejects.toThrow(`port ${port} is taken; set SUPABASE_PORT`);
  });
});

describe("Upstash", () => {
  let server: Redis;
  let client: Upstash;
  const connect = ({ url, token }: Redis) => new Upstash({ url, token, enableTelemetry: false });

  beforeAll(async () => {
    server = await redis();
    client = connect(server);
  });
  afterAll(() => server?.stop());

  test("stores values of every kind unchanged", async () => {
    for (const value of ["plain", "deadbeef", "OK", "Grüße", { a: [1, null] }, 12]) {
      await client.set("value", value);
      expect(await client.get("value")).toEqual(value);
    }
    await client.hset("hash", { a: 1, b: "two" });
    expect(await client.hgetall("hash")).toEqual({ a: 1, b: "two" });
  });

  test("expires keys, and slides the expiry by reading", async () => {
    await client.set("brief", 1, { px: 100 });
    await client.set("sliding", 1, { ex: 5 });
    expect(await client.getex("sliding", { ex: 500 })).toBe(1);
    expect(await client.ttl("sliding")).toBeGreaterThan(400);
    await expect.poll(() => client.get("brief")).toBeNull();
  });

  test("answers a pipeline in order", async () => {
    expect(await client.pipeline().set("n", 1).incr("n").get("n").exec()).toEqual(["OK", 2, 2]);
  });

  test("keeps a stream", async () => {
    const first = await client.xadd("stream", "*", { id: "m1", body: { text: "hi" } });
    const second = await client.xadd("stream", "*", { id: "m2" });
    expect(await client.xrange("stream", "-", "+")).toEqual({
      [first]: { id: "m1", body: { text: "hi" } },
      [second]: { id: "m2" },
    });
    expect(await client.xdel("stream", first)).toBe(1);
    expect(await client.xlen("stream")).toBe(1);
  });

  test("runs Lua", async () => {
    const script = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])";
    expect(await client.eval(script, ["lua"], ["said"])).toBe("said");
    expect(await client.createScript(script).exec(["lua"], ["again"])).toBe("again");
  });

  test("answers at once, without a timer", async () => {
    const start = performance.now();
    for (let i = 0; i < 50; i++) await client.get("value");
    expect((performance.now() - start) / 50).toBeLessThan(20);
  });

  test.each(["", "pipeline"])("asks for its token: /%s", async (path) => {
    const response = await fetch(`${server.url}/${path}`, { method: "POST", body: '[["GET","value"]]' });
    expect(response.status).toBe(401);
  });

  test("finds its data again after a stop", async () => {
    const dir = await mkdtemp(join(tmpdir(), "redis-"));
    const options = { redisPort: await freePort(), upstashPort: await freePort(), token: "t", dir };
    const first = await startRedis(options);
    const id = await connect(first).xadd("journal", "*", { n: 1 });
    await connect(first).set("cached", "v", { ex: 100 });
    await first.stop();
    const second = await startRedis(options);
    expect(await connect(second).xrange("journal", "-", "+")).toEqual({ [id]: { n: 1 } });
    expect(await connect(second).ttl("cached")).toBeGreaterThan(90);
    await second.stop();
    await rm(dir, { recursive: true });
  });

  test.each([
    ["REDIS_PORT", (url: Redis) => Number(new URL(url.redisUrl).port), 0],
    ["UPSTASH_PORT", (url: Redis) => Number(new URL(url.url).port), 1],
  ])("says which variable moves it when its port is taken: %s", async (variable, taken, place) => {
    const ports = [await freePort(), await freePort()].with(place, taken(server)) as [number, number];
    const second = startRedis({ redisPort: ports[0], upstashPort: ports[1], token: "t" });
    await expect(second).rejects.toThrow(`port ${ports[place]} is taken; set ${variable}`);
  });
});

describe("the local stack", () => {
  test("prints the Worker's own error when it does not start", async () => {
    const dir = await mkdtemp(join(tmpdir(), "worker-"));
    const start = startWorker({ port: await freePort(), dir, vars: {}, databaseUrl: "nonsense" });
    await expect(start).rejects.toThrow(/^the Worker ended before it was ready \(1\)\n[\s\S]*Invalid URL/);
    await rm(dir, { recursive: true });
  });

  test("ends with its parent, even one that is killed", async () => {
    const dir = await mkdtemp(join(tmpdir(), "stack-"));
    const [port, supabasePort, redisPort, upstashPort] = await Promise.all([1, 2, 3, 4].map(freePort));
    const script = `
      import { startPostgres } from "./dev/services/postgres.ts";
      import { startRedis } from "./dev/services/redis.ts";
      import { startSupabase } from "./dev/services/supabase.ts";
      const { url } = await startPostgres({ dir: "${dir}", port: ${port} });
      await startSupabase({ port: ${supabasePort}, databaseUrl: url });
      await startRedis({ redisPort: ${redisPort}, upstashPort: ${upstashPort}, token: "t" });
      console.log("ready");`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(parent.stdout, "data");
    parent.kill("SIGKILL");
    for (const one of [port, supabasePort, redisPort, upstashPort]) {
      await expect.poll(() => assertPortFree(one!, ""), { timeout: 10_000 }).toBeUndefined();
    }
    await rm(dir, { recursive: true });
  });
});
