import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrate, printed } from "../../migrations/migrate.ts";
import { createEmptyDatabase, type Database } from "../support/stack.ts";

const things = "0001_create_things.sql";

let database: Database;
let sql: postgres.Sql;
let dir: string;

beforeEach(async () => {
  database = await createEmptyDatabase();
  sql = postgres(database.url, { max: 2, onnotice: () => {} });
  dir = await mkdtemp(join(tmpdir(), "migrations-"));
  await mkdir(join(dir, "functions"));
  await write(things, "create table public.things (id bigint primary key);");
  await write("functions/add.sql", add("hub.double(p_id)"));
  await write("functions/helpers.sql", double("bigint"));
});

afterEach(async () => {
  await sql.end();
  await rm(dir, { recursive: true });
});

const write = (name: string, text: string) => writeFile(join(dir, name), text);
const run = () => migrate(database.url, { dir });
const call = async (id: number) => (await sql`select public.hub_add(${id}) as id`)[0]!.id as unknown;
const functions = async () =>
  (
    await sql`
      select p.oid::regprocedure::text as name from pg_proc p
      where pronamespace = 'hub'::regnamespace or (pronamespace = 'public'::regnamespace and proname like 'hub\\_%')
      order by 1`
  ).map(({ name }) => name as string);

function add(expression: string): string {
  return `
create or replace function public.hub_add(p_id bigint) returns text
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into public.things (id) values (p_id);
  return ${expression};
end
$$;`;
}

function double(type: string): string {
  return `
create or replace function hub.double(p_id bigint) returns ${type}
language sql immutable as 'select (2 * p_id)::${type}';`;
}

describe("the functions", () => {
  test("are applied after the migrations, whatever the order of their files, and again when one changes", async () => {
    expect(await run()).toEqual({ applied: [things, "functions"], already: [] });
    expect(await call(1)).toBe("2");
    expect(await run()).toEqual({ applied: [], already: [things, "functions"] });
    await write("functions/add.sql", add("'added'"));
    expect(await run()).toEqual({ applied: ["functions"], already: [things] });
    expect(await call(2)).toBe("added");
  });

  test("are applied again after a new migration, which may have changed their return types", async () => {
    await run();
    await write("0002_widen_things.sql", "alter table public.things add name text;");
    expect((await run()).applied).toEqual(["0002_widen_things.sql", "functions"]);
  });

  test("are dropped by signature when no file defines them any more, with their triggers", async () => {
    await write(
      "functions/triggers.sql",
      `create or replace function hub.stop() returns trigger language plpgsql as $$ begin return null; end $$;
       create or replace trigger things_stop before insert on public.things for each row execute function hub.stop();
       create or replace function hub.double(p_id text) returns text language sql as 'select p_id || p_id';`,
    );
    await sql`create schema hub`;
    await sql`create function hub.by_hand() returns int language sql as 'select 1'`;
    await sql`create function public.others() returns int language sql as 'select 1'`;
    await run();
    expect(await functions()).toEqual([
      "hub.double(bigint)",
      "hub.double(text)",
      "hub.stop()",
      "hub_add(bigint)",
    ]);
    await rm(join(dir, "functions/triggers.sql"));
    await run();
    expect(await functions()).toEqual(["hub.double(bigint)", "hub_add(bigint)"]);
    await call(1);
    expect(await sql`select count(*)::int as n from public.things`).toEqual([{ n: 1 }]);
    expect(await sql`select public.others() as n`).toEqual([{ n: 1 }]);
  });

  test("may change their return type, the names of their parameters, and both at once", async () => {
    await run();
    await write("functions/helpers.sql", double("numeric").replaceAll("p_id", "p_number"));
    await run();
    expect(await call(1)).toBe("2");
    await write(
      "functions/helpers.sql",
      `${double("text")}\n${double("text").replaceAll("double", "twice")}`,
    );
    await run();
    expect(await functions()).toEqual(["hub.double(bigint)", "hub.twice(bigint)", "hub_add(bigint)"]);
  });

  test("with an error are refused with file and line, and the old ones stay", async () => {
    await run();
    await write("functions/add.sql", `${add("'new'")}\n\ncreate or replace functoin hub.oops() returns int;`);
    await expect(run()).rejects.toThrow(
      'functions/add.sql: syntax error at or near "functoin" (42601) at line 10',
    );
    await write("functions/add.sql", add("hub.triple(p_id"));
    await expect(run()).rejects.toThrow("functions: hub_add(bigint): ");
    await write("functions/add.sql", add("'new'"));
    await write("functions/helpers.sql", double("bigint").replace("(2 * p_id)", "(2 * nonsense)"));
    await expect(run()).rejects.toThrow('functions: hub.double(bigint): column "nonsense" does not exist');
    expect(await call(1)).toBe("2");
  });

  test("on which a column depends are not dropped", async () => {
    await run();
    await sql`alter table public.things add twice bigint default hub.double(2)`;
    await rm(join(dir, "functions/helpers.sql"));
    await write("functions/add.sql", add("'new'"));
    await expect(run()).rejects.toThrow(/cannot drop function hub\.double\(bigint\).*column twice of table/);
  });

  test.each([
    [
      "create function",
      "create function hub.f() returns int language sql as 'select 1';",
      "CREATE OR REPLACE FUNCTION",
    ],
    [
      "create trigger",
      "\n create trigger t before insert on things execute function f();",
      "CREATE OR REPLACE TRIGGER",
    ],
    ["a transaction of its own", "begin;\ncommit;", "leave out BEGIN"],
  ])("are refused with %s", async (_, text, message) => {
    await write("functions/add.sql", text);
    await expect(run()).rejects.toThrow(message);
  });

  test("are closed to all roles; only the service role may call the hub's calls", async () => {
    await run();
    const rights = async (role: string) =>
      (
        await sql`
          select p.oid::regprocedure::text as name from pg_proc p
          where (pronamespace = 'hub'::regnamespace or proname like 'hub\\_%')
            and has_function_privilege(${role}, p.oid, 'execute') order by 1`
      ).map(({ name }) => name);
    expect(await rights("anon")).toEqual([]);
    expect(await rights("authenticated")).toEqual([]);
    expect(await rights("service_role")).toEqual(["hub_add(bigint)"]);
  });
});

describe("the printed script", () => {
  const paste = async () => {
    const script = await printed(dir);
    const editor = postgres(database.url, { max: 1, onnotice: () => {} });
    await editor
      .unsafe(script)
      .simple()
      .finally(() => editor.end());
  };

  test("has the same result as a run, and a later run has nothing to do", async () => {
    await paste();
    expect(await call(1)).toBe("2");
    expect(await run()).toEqual({ applied: [], already: [things, "functions"] });
  });

  test("pasted again applies only new files", async () => {
    await paste();
    await write("0002_widen_things.sql", "alter table public.things add name text;");
    await write("functions/helpers.sql", double("text"));
    await paste();
    await paste();
    expect(await run()).toEqual({ applied: [], already: [things, "0002_widen_things.sql", "functions"] });
  });

  test("changes nothing when a part of it fails", async () => {
    await write("functions/add.sql", add("hub.triple(p_id"));
    await expect(paste()).rejects.toThrow("hub_add(bigint)");
    expect(await sql`select to_regclass('public.things') as there`).toEqual([{ there: null }]);
  });

  test("refuses when an applied file has changed", async () => {
    await paste();
    await write(things, "create table public.things (id int primary key);");
    await expect(paste()).rejects.toThrow(`${things} has changed since it was applied`);
  });
});

test("replacing the functions under four writers loses no message and fails no call", async () => {
  await run();
  const written = new Set<number>();
  let next = 0;
  let running = true;
  const writers = Array.from({ length: 4 }, async () => {
    const writer = postgres(database.url, { max: 1 });
    while (running) {
      const id = ++next;
      const [row] = await writer`select public.hub_add(${id}) as id`;
      expect(["first", "second", String(2 * id)]).toContain(row!.id);
      written.add(id);
    }
    await writer.end();
  });
  for (let n = 0; n < 12; n += 1) {
    const texts = [add("'first'"), add("hub.double(p_id)"), add("'second'")];
    await write("functions/add.sql", `-- ${n}\n${texts[n % 3]}`);
    expect((await run()).applied).toEqual(["functions"]);
  }
  running = false;
  await Promise.all(writers);
  const rows = await sql`select id::int from public.things`;
  expect(written.size).toBeGreaterThan(100);
  expect(new Set(rows.map(({ id }) => id))).toEqual(written);
});
