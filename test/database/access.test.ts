import { createClient } from "@supabase/supabase-js";
import sqlDriver from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Supabase } from "../../dev/services/supabase.ts";
import { printed } from "../../migrations/migrate.ts";
import { postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { said, settings } from "../contracts/given.ts";
import { createDatabase, createEmptyDatabase, supabase } from "../support/stack.ts";

const OUTSIDERS = ["anon", "authenticated"];
const DENIED = "42501";

let url: string;
let owner: sqlDriver.Sql;
let api: Supabase;
let tables: string[];
let functions: string[];

beforeAll(async () => {
  ({ url } = await createDatabase());
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  api = await supabase(url, 4);
  tables = await namesOf(
    "select relname from pg_class where relkind in ('r', 'p', 'v', 'm', 'f')",
    "relnamespace",
  );
  functions = await namesOf("select proname from pg_proc where prokind = 'f'", "pronamespace");
  const store = sqlStore(
    async (name, argument) =>
      (await owner.unsafe(`select public.${name}($1::text::jsonb)`, [JSON.stringify(argument)]))[0]![name],
    settings,
  );
  const message = said("web", { phone: "+4915112345601" }, "1");
  await store.conversations.receive([{ type: "message", message }], new Date());
});
afterAll(async () => {
  await owner.end();
});

async function namesOf(query: string, namespace: string): Promise<string[]> {
  const rows = await owner.unsafe(`${query} and ${namespace} = 'public'::regnamespace order by 1`).values();
  return [...new Set(rows.map(([name]) => name as string))];
}

/** Asks the REST API with a key, or with none. */
async function ask(
  path: string,
  key: string | undefined,
  body?: object,
): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(`${api.url}/rest/v1/${path}`, {
    method: body ? "POST" : "GET",
    headers: {
      "content-type": "application/json",
      ...(key !== undefined && { apikey: key, authorization: `Bearer ${key}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, answer: await response.json() };
}

/** The error of a statement run as a role. */
async function refusal(role: string, statement: string): Promise<string | undefined> {
  const sql = sqlDriver(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`set role ${role}`);
    await sql.unsafe(statement);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await sql.end();
  }
}

describe("through Supabase's REST API", () => {
  test("anon reads and writes no table", async () => {
    expect(tables).toContain("messages");
    for (const key of [api.anonKey, undefined]) {
      for (const table of tables) {
        for (const body of [undefined, { [await firstColumn(table)]: null }]) {
          const { status, answer } = await ask(`${table}?select=*`, key, body);
          expect([status, Array.isArray(answer)], `${table} ${JSON.stringify(answer)}`).toEqual([401, false]);
        }
      }
    }
  });

  test("anon calls no function", async () => {
    expect(functions).toContain("hub_receive");
    for (const key of [api.anonKey, undefined]) {
      for (const name of functions) {
        const { status, answer } = await ask(`rpc/${name}`, key, { p: {} });
        expect([401, 403, 404], `${name}: ${status} ${JSON.stringify(answer)}`).toContain(status);
      }
    }
    const { error } = await createClient(api.url, api.anonKey).rpc("hub_sign_out", { p: { token_hash: "" } });
    expect(error).toMatchObject({ code: DENIED });
  });

  test("the service role has access", async () => {
    const rpc = await ask("rpc/hub_sign_out", api.serviceRoleKey, { p: { token_hash: "" } });
    expect(rpc).toEqual({ status: 200, answer: { signed_out: false } });
    const read = await ask("messages?select=text", api.serviceRoleKey);
    expect(read).toEqual({ status: 200, answer: [{ text: "text of 1" }] });
  });
});

describe.each(OUTSIDERS)("as %s in the database", (role) => {
  test("no table can be read or written", async () => {
    for (const table of tables) {
      const column = await firstColumn(table);
      const statements = [
        `select * from public.${table}`,
        `insert into public.${table} default values`,
        `update public.${table} set ${column} = default`,
        `delete from public.${table}`,
        `truncate public.${table}`,
      ];
      for (const statement of statements) expect(await refusal(role, statement), statement).toBe(DENIED);
    }
  });

  test("no function can be called, and no sequence drawn from", async () => {
    expect(await refusal(role, `select public.hub_sign_out('{"token_hash": ""}')`)).toBe(DENIED);
    const rights = await owner`
      select proname as name from pg_proc
        where pronamespace = 'public'::regnamespace and has_function_privilege(${role}, oid, 'execute')
      union all
      select relname from pg_class
        where relnamespace = 'public'::regnamespace
          and case when relkind = 'S' then has_sequence_privilege(${role}, oid, 'usage, select, update') end
      union all
      select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
          and has_table_privilege(${role}, oid, 'select, insert, update, delete, truncate, references, trigger')`;
    expect(rights.map(({ name }) => name)).toEqual([]);
  });
});

async function firstColumn(table: string): Promise<string> {
  const [row] = await owner`
    select quote_ident(attname) as name from pg_attribute
    where attrelid = ${`public.${table}`}::regclass and attnum = 1`;
  return row!.name;
}

test("every table has row level security on, and no policy", async () => {
  const open = await owner`
    select relname from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity`;
  expect(open.map(({ relname }) => relname)).toEqual([]);
  expect(await owner`select policyname from pg_policies where schemaname = 'public'`).toHaveLength(0);
});

test("no role may call a function of the hub, and none uses a caller's search_path", async () => {
  const rows = await owner`
    select n.nspname as schema, proname, proconfig, prosecdef or prorettype = 'trigger'::regtype as is_entrance,
      exists (select 1 from aclexplode(coalesce(proacl, acldefault('f', proowner))) a where a.grantee = 0) as is_public,
      array(select r from unnest(array['anon', 'authenticated', 'service_role']) r
        where has_function_privilege(r, p.oid, 'execute')) as callers
    from pg_proc p join pg_namespace n on n.oid = pronamespace where n.nspname in ('public', 'hub')`;
  expect(rows.filter(({ schema }) => schema === "public").length).toBeGreaterThan(20);
  expect(rows.filter(({ schema }) => schema === "hub").length).toBeGreaterThan(20);
  for (const { schema, proname, proconfig, is_public, is_entrance, callers } of rows) {
    if (schema === "public") expect(proname).toMatch(/^hub_/);
    expect([proname, is_public, callers]).toEqual([
      proname,
      false,
      schema === "public" ? ["service_role"] : [],
    ]);
    // What they call runs within their path.
    const path = proconfig?.find((one: string) => one.startsWith("search_path="));
    expect([proname, path]).toEqual([proname, is_entrance ? 'search_path=""' : undefined]);
    if (schema === "public") expect([proname, is_entrance]).toEqual([proname, true]);
  }
});

test("only the owner has access to the helpers' schema", async () => {
  const rights = await owner`
    select r as role from unnest(array['anon', 'authenticated', 'service_role']) r
    where has_schema_privilege(r, 'hub', 'usage') or has_schema_privilege(r, 'hub', 'create')`;
  expect(rights).toEqual([]);
  expect(await refusal("service_role", "select hub.uuid(now())")).toBe(DENIED);
});

test("objects of a later migration are closed from the start", async () => {
  const made = ["public.later", "hub.later"];
  await owner.begin(async (tx) => {
    for (const name of made) {
      await tx.unsafe(`create table ${name} (id bigint generated always as identity primary key)`);
      await tx.unsafe(`create function ${name}() returns int language sql as 'select 1'`);
    }
  });
  try {
    for (const role of OUTSIDERS) {
      for (const name of made) {
        expect(await refusal(role, `select * from ${name}`)).toBe(DENIED);
        expect(await refusal(role, `insert into ${name} default values`)).toBe(DENIED);
        expect(await refusal(role, `select ${name}()`)).toBe(DENIED);
        expect(await refusal(role, `select nextval('${name}_id_seq')`)).toBe(DENIED);
      }
    }
    const open = await owner`
      select c.relname from pg_class c, unnest(array['anon', 'authenticated']) r
      where c.relname like 'later%' and c.relkind = 'r' and has_table_privilege(r, c.oid, 'select, insert, update, delete')
      union all
      select p.proname from pg_proc p, unnest(array['anon', 'authenticated']) r
      where p.proname = 'later' and has_function_privilege(r, p.oid, 'execute')`;
    expect(open).toEqual([]);
  } finally {
    for (const name of made) await owner.unsafe(`drop function ${name}(); drop table ${name}`);
  }
});

test("the printed script runs as one pasted query, with the same result and the same access", async () => {
  const { url: fresh } = await createEmptyDatabase();
  const editor = sqlDriver(fresh, { max: 1, onnotice: () => {} });
  await editor.unsafe(await printed()).simple();
  const { call, close } = postgresCalls(fresh, { max: 1 });
  await sqlStore(call, settings).ping();
  await close();
  const shape = (sql: sqlDriver.Sql) => sql`
    select c.oid::regclass::text as name, c.relkind::text as kind, c.relacl::text[] as rights from pg_class c
      where relnamespace in ('public'::regnamespace, 'hub'::regnamespace)
    union all
    select p.oid::regprocedure::text, md5(prosrc), proacl::text[] from pg_proc p
      where pronamespace in ('public'::regnamespace, 'hub'::regnamespace)
    union all
    select 'schema ' || nspname, '', nspacl::text[] from pg_namespace where nspname in ('public', 'hub')
    order by 1`;
  expect(await shape(editor)).toEqual(await shape(owner));
  await editor.end();
});
