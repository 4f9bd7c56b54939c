import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrate, pendingMigrations, printed } from "../../migrations/migrate.ts";
import { createEmptyDatabase, type Database } from "../support/stack.ts";

const things = "0001_create_things.sql";
const others = "0002_create_others.sql";

let database: Database;
let sql: postgres.Sql;
let dir: string;

beforeEach(async () => {
  database = await createEmptyDatabase();
  sql = postgres(database.url, { max: 2, onnotice: () => {} });
  dir = await mkdtemp(join(tmpdir(), "migrations-"));
  await write(things, "create table things (id int primary key);");
});

afterEach(async () => {
  await sql.end();
  await rm(dir, { recursive: true });
});

const write = (name: string, text: string) => writeFile(join(dir, name), text);
const run = () => migrate(database.url, { dir });
const exists = async (table: string) =>
  (await sql`select to_regclass(${`public.${table}`}) is not null as yes`)[0]!.yes as boolean;

describe("migrate", () => {
  test("applies new files in order and none of them twice", async () => {
    await write(others, "create table others (thing int references things);");
    expect(await run()).toEqual({ applied: [things, others], already: [] });
    await write("0010_add_name.sql", "alter table things add name text;");
    expect(await run()).toEqual({ applied: ["0010_add_name.sql"], already: [things, others] });
    expect(await run()).toEqual({ applied: [], already: [things, others, "0010_add_name.sql"] });
  });

  test("two runs at once apply each file once", async () => {
    await write(others, "select pg_sleep(0.2); create table others (id int);");
    const runs = await Promise.all([run(), run(), run()]);
    expect(runs.flatMap(({ applied }) => applied).sort()).toEqual([things, others]);
  });

  test("a file that fails leaves nothing behind and says where and why", async () => {
    await write(others, "create table others (id int);\ninsert into others\nvalues (nonsense);");
    await expect(run()).rejects.toThrow(`${others}: column "nonsense" does not exist (42703) at line 3`);
    expect([await exists("things"), await exists("others")]).toEqual([true, false]);
    await write(others, "create table others (id int);");
    expect(await run()).toEqual({ applied: [others], already: [things] });
  });

  test("a setting made in one file does not affect the next", async () => {
    await write(
      things,
      "create schema quarantined; set search_path = quarantined; create table things (id int);",
    );
    await write(others, "create table others (id int);");
    await run();
    expect([await exists("things"), await exists("others")]).toEqual([false, true]);
  });

  test("refuses to run when an applied file has changed, but not when only its line ends have", async () => {
    await write(things, "create table things (\n  id int primary key\n);");
    await run();
    await write(things, "create table things (\r\n  id int primary key\r\n);");
    expect(await run()).toEqual({ applied: [], already: [things] });
    await write(things, "create table things (id bigint primary key);");
    await write(others, "create table others (id int);");
    await expect(run()).rejects.toThrow(`${things} has changed since it was applied`);
    expect(await exists("others")).toBe(false);
  });

  test("refuses to run when an applied file is missing", async () => {
    await run();
    await rm(join(dir, things));
    await expect(run()).rejects.toThrow(`${things} was applied but is missing`);
    await write(others, "create table others (id int);");
    await expect(run()).rejects.toThrow(`${things} was applied but is missing`);
    expect(await exists("others")).toBe(false);
  });

  test.each([
    ["the same number twice", "0001_create_others.sql", "have the same number"],
    ["a name without a number", "create_others.sql", "is not named NNNN_verb_noun.sql"],
    ["a transaction of its own", others, "leave out BEGIN", "begin;\ncreate table others (id int);\ncommit;"],
  ])("refuses %s", async (_, name, message, text = "create table others (id int);") => {
    await write(name, text);
    await expect(run()).rejects.toThrow(message);
    expect(await exists("things")).toBe(false);
  });

  test("refuses a new file that comes before an applied one", async () => {
    await run();
    await write("0000_create_others.sql", "create table others (id int);");
    await expect(run()).rejects.toThrow(`0000_create_others.sql is new but ${things} was applied before it`);
    expect(await exists("others")).toBe(false);
  });

  test("a plpgsql body may contain begin and end", async () => {
    await write(others, "do $$\nbegin\n  begin;\n  end;\nend\n$$;".replace("begin;", "begin null;"));
    expect((await run()).applied).toEqual([things, others]);
  });

  test("adopts up to a number that lacks its zeros", async () => {
    await sql`create table things (id int primary key)`;
    await write("0010_create_others.sql", "create table others (id int);");
    expect((await migrate(database.url, { dir, adopt: "1" })).applied).toEqual(["0010_create_others.sql"]);
  });

  test("adopts files that were pasted by hand", async () => {
    await sql`create table things (id int primary key)`;
    await write(others, "create table others (id int);");
    await expect(run()).rejects.toThrow("--adopt");
    expect(await migrate(database.url, { dir, adopt: "0001" })).toEqual({
      applied: [others],
      already: [things],
    });
    await expect(migrate(database.url, { dir, adopt: "0009" })).rejects.toThrow("no such migration");
  });

  test("its records are closed to the API roles", async () => {
    await run();
    for (const role of ["anon", "authenticated"]) {
      const peek = sql.begin(async (tx) => {
        await tx.unsafe(`set local role ${role}`);
        await tx`select from public.schema_migrations`;
      });
      await expect(peek).rejects.toThrow("permission denied");
    }
  });
});

describe("optional files", () => {
  const cube = "optional/cube.sql";
  const applied = async () =>
    (await sql`select name from public.schema_migrations order by name`).map(({ name }) => name);

  const paste = async () => {
    const editor = postgres(database.url, { max: 1, onnotice: () => {} });
    const script = await printed(dir);
    await editor
      .unsafe(script)
      .simple()
      .finally(() => editor.end());
  };

  beforeEach(async () => {
    await mkdir(join(dir, "optional"));
    await write(cube, "create extension cube; create table cubes (c cube);");
    await write("optional/no_such_thing.sql", "create extension no_such_thing;");
  });

  test("come last, where the database offers their extension, and once", async () => {
    const lines: string[] = [];
    const first = await migrate(database.url, { dir, log: (line) => lines.push(line) });
    expect(first).toEqual({ applied: [things, cube], already: [] });
    expect(lines).toContain(
      "skipped  optional/no_such_thing.sql: the database does not offer the extension no_such_thing",
    );
    expect(await run()).toEqual({ applied: [], already: [things, cube] });
    await write(others, "create table others (id int);");
    await write("optional/cube_2.sql", "alter table cubes add name text;");
    expect(await pendingMigrations(sql, dir)).toMatchObject({
      missing: [others],
      optional: ["optional/cube_2.sql"],
    });
    expect(await run()).toEqual({ applied: [others, "optional/cube_2.sql"], already: [things, cube] });
    await write(cube, "select 1;");
    await expect(run()).rejects.toThrow(`${cube} has changed since it was applied`);
  });

  test("of an extension that is asked for must be applied", async () => {
    await expect(migrate(database.url, { dir, insistOn: ["no_such_thing"] })).rejects.toThrow(
      /no_such_thing\.sql: extension "no_such_thing" is not available/,
    );
    await expect(migrate(database.url, { dir, insistOn: ["else"] })).rejects.toThrow(
      "there is no optional/else.sql",
    );
    expect(await applied()).toEqual([things, cube]);
  });

  test.each([
    ["this user may not create", "insufficient_privilege", "superusers only", "42501"],
    ["the provider does not permit", "feature_not_supported", "not on the list of extensions", "0A000"],
    ["has a broken package", "undefined_file", "could not access file", "58P01"],
  ])("of an extension that %s are left out", async (_, condition, message, code) => {
    await write(cube, `do $$ begin raise ${condition} using message = '${message}'; end $$;`);
    const lines: string[] = [];
    expect((await migrate(database.url, { dir, log: (line) => lines.push(line) })).applied).toEqual([things]);
    expect(lines).toContain(`skipped  ${cube}: ${message}`);
    await expect(migrate(database.url, { dir, insistOn: ["cube"] })).rejects.toThrow(`${message} (${code})`);
    await paste();
    expect(await applied()).toEqual([things, "functions"]);
  });

  test("are in the printed script", async () => {
    await paste();
    await paste();
    expect(await applied()).toEqual([things, "functions", cube]);
    expect(await exists("cubes")).toBe(true);
  });

  test("have the name of an extension", async () => {
    await write("optional/0001_cube.sql", "select 1;");
    await expect(run()).rejects.toThrow("is not named extension.sql");
  });
});

describe("npm run migrate", () => {
  const command = (DATABASE_URL: string) =>
    new Promise<{ code: number; out: string }>((resolve) => {
      const env = { ...process.env, DATABASE_URL };
      execFile(process.execPath, ["migrations/migrate.ts"], { env }, (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), out: stdout + stderr });
      });
    });

  test("says that it was given no database", async () => {
    expect(await command("")).toEqual({ code: 1, out: "DATABASE_URL is not set\n" });
  });

  test("prints a line per file and a summary", async () => {
    const { code, out } = await command(database.url);
    expect(out).toMatch(/\d+ applied, \d+ already there\n$/);
    expect(code).toBe(0);
  });

  test.each([
    ["a wrong password", (url: URL) => Object.assign(url, { password: "hush-hush" }).href],
    ["a closed port", (url: URL) => Object.assign(url, { password: "hush-hush", port: "1" }).href],
    ["no URL at all", () => "postgres//user:hush-hush@host"],
  ])("exits with 1 for %s and keeps the password to itself", async (_, change) => {
    const { code, out } = await command(change(new URL(database.url)));
    expect(code).toBe(1);
    expect(out.trim()).not.toBe("");
    expect(out).not.toContain("hush-hush");
  });
});
