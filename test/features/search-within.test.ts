import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "../../migrations/migrate.ts";
import { snippetOf } from "../../src/features/search/highlight.ts";
import type { SearchQuery } from "../../src/features/search/search.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { type Desk, desk, minute, said, settings, text } from "../contracts/given.ts";
import { createDatabase } from "../support/stack.ts";

/**
 * Parts of words, with an extension that stands in for PGroonga: it has the same access method, default operator class and operator, but
 * not the same index. The tests' Postgres has no PGroonga, and its option `tokenizer` is the one thing of the file that does not run here.
 */
const CONTROL = "default_version = '1.0'\nrelocatable = true\ntrusted = true\n";
const STAND_IN = `
  create function pgroonga_match_text(text, text) returns boolean language sql immutable as
    'select position(lower($2) in lower($1)) > 0';
  create operator &@ (leftarg = text, rightarg = text, function = pgroonga_match_text);
  create access method pgroonga type index handler bthandler;
  create operator class pgroonga_text_full_text_search_ops_v2 default for type text using pgroonga as
    operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 bttextcmp(text, text);`;
const OPTION = " with (tokenizer = 'TokenBigramSplitSymbolAlphaDigit')";

let dir: string;
let owner: sqlDriver.Sql;
let calls: PostgresCalls;
let store: Desk;
const ids: Record<string, string> = {};
let seed = 0;

async function says(words: string, phone = "+4915112345601") {
  const message = said("whatsapp", { phone }, `m${++seed}`, { content: text(words), wakes: false });
  const { session, message: stored } = await store.hear(message, minute(seed));
  ids[words] = stored.message_id;
  return { session_id: session.session_id, message_id: stored.message_id };
}
async function index() {
  for (let more = true; more; ) ({ more } = await store.features!.search.index(100));
}
async function found(q: string, over: Partial<SearchQuery> = {}, limit = 10, after?: string) {
  const page = await store.features!.search.messages({ q, ...over }, after, limit, minute(60));
  return { ...page, texts: page.results.map((one) => one.text) };
}

beforeAll(async () => {
  const { url, adminUrl } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  calls = postgresCalls(url, { max: 2 });
  store = await desk(async () => sqlStore(calls.call, settings));
  await says("Your Donaudampfschiff leaves at nine");
  await index();
  expect((await found("dampf")).texts).toEqual([]);

  dir = await mkdtemp(join(tmpdir(), "session-hub-pgroonga-"));
  await chmod(dir, 0o755); // Postgres may run as another user
  await mkdir(join(dir, "extension"));
  await writeFile(join(dir, "extension/pgroonga.control"), CONTROL);
  await writeFile(join(dir, "extension/pgroonga--1.0.sql"), STAND_IN);
  const admin = sqlDriver(adminUrl, { max: 1 });
  const name = new URL(url).pathname.slice(1);
  await admin.unsafe(`alter database ${name} set extension_control_path = '$system:${dir}'`);
  await admin.end();
  await cp(join(import.meta.dirname, "../../migrations"), join(dir, "migrations"), { recursive: true });
  const optional = join(dir, "migrations/optional/pgroonga.sql");
  const source = await readFile(optional, "utf8");
  expect(source).toContain(OPTION);
  await writeFile(optional, source.replace(OPTION, ""));
  const { applied } = await migrate(url, { dir: join(dir, "migrations") });
  expect(applied).toEqual(["", "_2", "_3"].map((part) => `optional/pgroonga${part}.sql`));
});
afterAll(async () => {
  await calls.close();
  await owner.end();
  await rm(dir, { recursive: true });
});

test("a part of a word is found, also in what was indexed before, and marked", async () => {
  await says("The Flußdampfer is late");
  await index();
  const { texts, terms } = await found("DAMPF");
  expect(texts).toEqual(["The Flußdampfer is late", "Your Donaudampfschiff leaves at nine"]);
  expect(terms).toEqual([{ text: "dampf", prefix: false, within: true }]);
  expect(snippetOf(texts[0]!, terms)).toBe("The Fluß<mark>dampf</mark>er is late");
  expect((await found("ussdam")).texts).toEqual(["The Flußdampfer is late"]);
  expect((await found("xyz")).texts).toEqual([]);
  // One letter is in almost every text, and is looked for as a word only.
  expect((await found("z")).texts).toEqual([]);
  expect((await found("m")).texts).toEqual([]);
});

test("words come before parts of words", async () => {
  await says("dampf");
  await index();
  const { texts, terms } = await found("dampf");
  expect(texts).toEqual(["dampf"]);
  expect(terms).toEqual([{ text: "dampf", prefix: true }]);
  await owner`delete from public.messages where message_id = ${ids.dampf!}`;
});

test("pages are stable, and a customer finds only what is theirs", async () => {
  for (let i = 0; i < 5; i++) await says(`Überraschung ${i}`);
  const { session_id } = await says("eine Überraschung", "+4915112345602");
  await index();
  const first = await found("rrasch", {}, 4);
  expect(first.texts).toHaveLength(4);
  const second = await found("rrasch", {}, 4, first.after);
  expect(second.after).toBeUndefined();
  expect([...first.texts, ...second.texts]).toEqual([
    "eine Überraschung",
    ...[4, 3, 2, 1, 0].map((i) => `Überraschung ${i}`),
  ]);
  expect((await found("rrasch", { session: session_id })).texts).toEqual(["eine Überraschung"]);
  expect((await found("rrasch", { channel: "telegram" })).texts).toEqual([]);
  expect((await found("rrasch", { to: minute(3) })).texts).toEqual([]);
  await expect(found("other", {}, 4, first.after)).rejects.toMatchObject({ code: "malformed" });
  // Whoever has a cursor can change it.
  const hash = Buffer.from(first.after!, "base64url").toString().slice(0, 12);
  for (const wrong of [{ high: 1, within: "x" }, { high: "x" }, { within: first.results[0]!.message_id }, 7])
    await expect(
      found("rrasch", {}, 4, Buffer.from(hash + JSON.stringify(wrong)).toString("base64url")),
    ).rejects.toMatchObject({ code: "malformed" });
});

test("an edited text is found by what it says now, an erased one is gone from the table at once", async () => {
  const { message_id } = await says("Kindergarten");
  const { message_id: erased } = await says("Großkindergarten");
  await index();
  expect((await found("dergar")).texts).toHaveLength(2);
  await owner`update public.messages set text = 'Wintergarten' where message_id = ${message_id}`;
  await owner`delete from public.messages where message_id = ${erased}`;
  expect((await found("dergar")).texts).toEqual([]);
  expect(
    await owner`select from hub.message_texts where message_id in (${message_id}, ${erased})`,
  ).toHaveLength(0);
  await index();
  expect((await found("tergar")).texts).toEqual(["Wintergarten"]);
});

test("texts that a restore leaves out are made again", async () => {
  const count = async () => (await owner`select count(*)::int from hub.message_texts`)[0]!.count as number;
  const before = await count();
  await owner`delete from hub.message_texts`;
  await owner`select hub.fill_texts()`;

  expect(before).toBeGreaterThan(5);
  expect(await count()).toBe(before);
});
