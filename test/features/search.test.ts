import sqlDriver from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Identities } from "../../src/core/identity/identity.ts";
import type { SessionRef } from "../../src/core/sessions/session.ts";
import type { FoundPage, Search, SearchQuery } from "../../src/features/search/search.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import {
  anna,
  ben,
  type Desk,
  day,
  desk,
  hash,
  minute,
  reply,
  said,
  settings,
  text,
} from "../contracts/given.ts";
import { begin } from "../contracts/proving.ts";
import { emptying } from "../support/empty.ts";
import { createDatabase, supabase } from "../support/stack.ts";

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
beforeEach(async () => {
  await owner.unsafe(truncation);
});

const transports: [string, () => SqlCall][] = [
  ["Postgres, directly", () => direct.call],
  ["Postgres, through Supabase's REST API", () => rest],
];

describe.each(transports)("search, in %s", (_name, call) => {
  let store: Desk;
  let search: Search;
  let saidSoFar = 0;

  beforeEach(async () => {
    store = await desk(async () => sqlStore(call(), settings));
    search = store.features!.search;
  });

  /** Receives a message, by default on Telegram and a minute after the one before. */
  async function says(
    words: string,
    from: Identities | SessionRef = anna,
    channel = "telegram",
    at = saidSoFar,
  ) {
    const { telegram_chat_id, phone } = from as Identities;
    const who = "token_hash" in from ? from : channel === "telegram" ? { telegram_chat_id } : { phone };
    const message = said(channel, who as Identities, `m${++saidSoFar}`, {
      content: text(words),
      wakes: false,
    });
    return (await store.hear(message, minute(at))).message;
  }

  async function index(): Promise<number> {
    let all = 0;
    for (;;) {
      const { indexed, more } = await search.index(3);
      all += indexed;
      if (!more) return all;
    }
  }

  const find = (
    q: string,
    query: Omit<SearchQuery, "q"> = {},
    after?: string,
    limit = 20,
  ): Promise<FoundPage> => search.messages({ q, ...query }, after, limit, minute(500));
  const texts = async (q: string, query: Omit<SearchQuery, "q"> = {}) =>
    (await find(q, query)).results.map((found) => found.text);

  test("finds words in any case and without accents, and returns what to highlight", async () => {
    const message = await says("Zwei Karten für das Café Müller, bitte");
    await says("something else");
    expect(await index()).toBe(2);
    for (const q of ["KARTEN", "cafe", "café müller", "muller zwei", "Caf", "FÜR"])
      expect(await texts(q), q).toEqual([message.text]);
    for (const q of ["arten", "kart en", "cafe tee"]) expect(await texts(q), q).toEqual([]);
    const { results, terms, after } = await find("cafe mül");
    expect(results).toEqual([
      {
        message_id: message.message_id,
        session_id: message.session_id,
        channel: "telegram",
        role: "user",
        direction: "inbound",
        kind: "text",
        created_at: message.created_at,
        text: message.text,
      },
    ]);
    expect(terms).toEqual([
      { text: "cafe", prefix: false },
      { text: "mul", prefix: true },
    ]);
    expect(after).toBeUndefined();
  });

  test("reads phrases, excluded words and alternatives", async () => {
    for (const words of [
      "one two three",
      "two one",
      "one four",
      "mail anna@example.com",
      "anna and example.com",
    ])
      await says(words);
    await index();
    expect(await texts('"one two"')).toEqual(["one two three"]);
    expect(await texts("one -two")).toEqual(["one four"]);
    expect((await texts("three or four")).sort()).toEqual(["one four", "one two three"]);
    expect((await texts("one two OR four")).sort()).toEqual(["one four", "one two three", "two one"]);
    expect(await texts("anna@example.com")).toEqual(["mail anna@example.com"]);
    expect(await texts('two -"one two"')).toEqual(["two one"]);
    for (const q of ["!!! ()", "-", '""', "&|:*"]) expect(await texts(q), q).toEqual([]);
  });

  test("the last word also matches longer words, unless a space or a quote follows it", async () => {
    for (const words of ["tables", "table", "tab"]) await says(words);
    await index();
    expect(await texts("tab")).toEqual(["tab", "table", "tables"]);
    expect(await texts("tab ")).toEqual(["tab"]);
    expect(await texts('"tab"')).toEqual(["tab"]);
    expect(await texts("t")).toEqual([]);
  });

  test.for([
    ["Hindi", "कृपया शाम को एक मेज़ बुक करें।", ["मेज", "शाम", "बुक कर"], ["मज"]],
    ["Arabic", "أُرِيدُ طَاوِلَةً لِشَخْصَيْن، غدًا", ["اريد", "طاولة", "طاول", "غدا"], ["ريد"]],
    ["Chinese", "我想预订明天晚上的餐桌", ["餐桌", "明天晚上", "预", "订"], ["天明", "桌餐"]],
    ["Japanese", "東京タワーに行きたいです", ["タワー", "東京", "京", "行きたい"], ["都"]],
    ["Thai", "ฉันต้องการจองโต๊ะสำหรับสองคน", ["จอง", "โต๊ะ", "สองคน"], ["จาน"]],
    ["Korean", "내일 저녁에 예약하고 싶어요", ["예약", "저녁", "싶"], ["아침"]],
    ["Russian", "Забронируйте столик на вечер", ["СТОЛИК", "забр"], ["толик"]],
    ["Greek", "Θέλω ένα τραπέζι για δύο φίλους", ["τραπεζι", "ΦΊΛΟΥΣ"], ["ραπεζι"]],
    ["Turkish", "İki kişilik ışıklı masa", ["iki", "isikli", "IŞIKLI"], ["kilik"]],
    ["mixed scripts", "iPhone15を予約したい", ["iphone15", "予約"], ["phone"]],
    ["full width", "ＡＢＣ ﬁne ½", ["abc", "fine"], ["bc"]],
  ] as const)("finds %s", async ([, words, found, missing]) => {
    await says(words);
    await says("noise in between");
    await index();
    for (const q of found) expect(await texts(q), q).toEqual([words]);
    for (const q of missing) expect(await texts(q), q).toEqual([]);
  });

  test("can be limited to a customer, a session, a channel, a role and a time", async () => {
    await begin(store, 1, { phone: anna.phone }, minute(0), { customer_id: "103" });
    await says("apple of anna", anna, "whatsapp", 1);
    const turn = await store.ask(
      said("telegram", { telegram_chat_id: ben.telegram_chat_id }, "b"),
      minute(2),
    );
    await store.conversations.complete(turn, [reply("apple from the bot")], minute(2));
    await says("apple of ben", ben, "telegram", 5);
    await index();
    const [bens] = (await find("ben")).results;
    const cases: [Omit<SearchQuery, "q">, string[]][] = [
      [{}, ["apple from the bot", "apple of anna", "apple of ben"]],
      [{ of: { customer_id: "103" } }, ["apple of anna"]],
      [{ of: { customer_id: "nobody" } }, []],
      [{ session: bens!.session_id }, ["apple from the bot", "apple of ben"]],
      [{ of: { customer_id: "103" }, session: bens!.session_id }, []],
      [{ session: crypto.randomUUID() }, []],
      [{ channel: "whatsapp" }, ["apple of anna"]],
      [{ role: "assistant" }, ["apple from the bot"]],
      [{ from: minute(2) }, ["apple from the bot", "apple of ben"]],
      [{ to: minute(2) }, ["apple of anna"]],
      [{ from: minute(2), to: minute(3) }, ["apple from the bot"]],
      [{ from: day(-3000), to: minute(2) }, ["apple of anna"]],
      [{ from: minute(9), to: minute(2) }, []],
    ];
    for (const [query, expected] of cases)
      expect((await texts("apple", query)).sort(), JSON.stringify(query)).toEqual(expected);
  });

  test("a customer can be given by customer_key too", async () => {
    await says("apple");
    await index();
    const [row] = await owner`select customer_key from public.customers`;
    expect(await texts("apple", { of: { customer_id: row!.customer_key } })).toEqual(["apple"]);
  });

  test("better matches come first, and of equal ones the newer", async () => {
    for (const words of ["late lunch", "lunch lunch lunch", "lunchbox", "lunch"]) await says(words);
    await index();
    const found = await texts("lunch");
    expect(found[0]).toBe("lunch lunch lunch");
    expect(found.slice(1)).toEqual(["lunch", "late lunch", "lunchbox"]);
  });

  test("pages are stable while messages come in, are indexed and change", async () => {
    for (let i = 0; i < 9; i++) await says(`pear ${i}`);
    await index();
    const first = await find("pear", {}, undefined, 4);
    await says("pear pear pear, which ranks first");
    await index();
    const second = await find("pear", {}, first.after, 4);
    await says("pear of no page");
    const third = await find("pear", {}, second.after, 4);
    const all = [first, second, third].map(({ results }) => results.map((found) => found.text.slice(5)));
    expect(all).toEqual([["8", "7", "6", "5"], ["4", "3", "2", "1"], ["0"]]);
    expect(third.after).toBeUndefined();
  });

  test("a cursor of another search, or a made-up one, is malformed", async () => {
    for (let i = 0; i < 3; i++) await says(`plum fig ${i}`);
    await index();
    const { after } = await find("plum", {}, undefined, 1);
    expect(after).toMatch(/^[\w-]+$/);
    expect((await find("plum", {}, after, 2)).results).toHaveLength(2);
    for (const [q, query] of [
      ["fig", {}],
      ["plum", { channel: "telegram" }],
      ["plum", { from: minute(0) }],
    ] as const)
      await expect(find(q, query, after, 1)).rejects.toMatchObject({ code: "malformed" });
    for (const wrong of [
      "AAAAAAAAAAAAAAAA",
      `${after!.slice(0, 16)}eyJuIjp9`,
      "____________",
      `${after}AAAA`,
    ])
      await expect(find("plum", {}, wrong), wrong).rejects.toMatchObject({ code: "malformed" });
  });

  test("each change is indexed once, and the lag shows how many are left", async () => {
    expect(await search.lag()).toEqual({ waiting: 0, lag_ms: 0 });
    await says("one");
    await says("two");
    const behind = await search.lag();
    expect(behind.waiting).toBe(2);
    expect(behind.lag_ms).toBeGreaterThanOrEqual(0);
    expect(behind.lag_ms).toBeLessThan(20_000);
    expect(await search.index(1)).toEqual({ indexed: 1, more: true });
    expect(await search.index(10)).toEqual({ indexed: 1, more: false });
    expect(await search.index(10)).toEqual({ indexed: 0, more: false });
    expect(await search.lag()).toEqual({ waiting: 0, lag_ms: 0 });
  });

  test("a token finds messages in all sessions of its customer, indexed or not, and no other ones", async () => {
    await begin(store, 1, { phone: anna.phone }, minute(0));
    await says("quince of an old session", { token_hash: hash(1) }, "web", 1);
    await store.sessions.end(hash(1), minute(2));
    await begin(store, 2, { phone: anna.phone }, minute(3));
    await says("quince of this session", { token_hash: hash(2) }, "web", 4);
    await says("quince of ben", ben, "telegram", 5);
    const own = { of: { token_hash: hash(2) } };
    const mine = ["quince of this session", "quince of an old session"];
    expect(await texts("quince", own)).toEqual(mine);
    expect(await texts("quince")).toEqual([]);
    await index();
    expect((await texts("quince", own)).sort()).toEqual([...mine].sort());
    expect(await texts("quince")).toHaveLength(3);
    const [bens] = (await find("ben")).results;
    for (const session of [bens!.session_id, crypto.randomUUID()])
      await expect(find("quince", { ...own, session })).rejects.toMatchObject({ code: "forbidden" });
    const [old] = (await find("old", own)).results;
    expect(await texts("quince", { ...own, session: old!.session_id })).toEqual(["quince of an old session"]);
    for (const seed of [1, 99])
      await expect(find("quince", { of: { token_hash: hash(seed) } })).rejects.toMatchObject({
        code: "session_not_found",
      });
    await expect(search.messages({ q: "quince", ...own }, undefined, 20, day(30))).rejects.toMatchObject({
      code: "session_expired",
    });
  });

  test("a browser where nobody has signed in finds only its own session", async () => {
    const { visitor_id } = anna;
    await begin(store, 1, { visitor_id }, minute(0));
    await says("secret of whoever was here before", { token_hash: hash(1) }, "web", 1);
    await store.sessions.end(hash(1), minute(2));
    await begin(store, 2, { visitor_id }, minute(3));
    await says("no secret", { token_hash: hash(2) }, "web", 4);
    await index();
    expect(await texts("secret", { of: { token_hash: hash(2) } })).toEqual(["no secret"]);
  });

  test("pages of a customer have messages that are not indexed yet, then indexed ones, each once", async () => {
    await begin(store, 1, { phone: anna.phone }, minute(0));
    const mine = { token_hash: hash(1) };
    for (let i = 0; i < 4; i++) await says(`date ${i}`, mine, "web", i + 1);
    await index();
    for (let i = 4; i < 9; i++) await says(`date ${i}`, mine, "web", i + 1);
    const seen: string[] = [];
    let after: string | undefined;
    for (let page = 0; page < 9; page++) {
      const found = await find("date", { of: mine }, after, 2);
      seen.push(...found.results.map((one) => one.text.slice(5)));
      after = found.after;
      if (page === 0) await index();
      if (page === 1) await says("date 99", mine, "web", 60);
      if (after === undefined) break;
    }
    expect(seen).toEqual(["8", "7", "6", "5", "4", "3", "2", "1", "0"]);
  });

  test("an edited message is found by its new text, at once by its own customer", async () => {
    const message = await says("cherry");
    await begin(store, 1, { telegram_chat_id: anna.telegram_chat_id }, minute(1));
    await index();
    const at = minute(2);
    const edit = {
      channel: "telegram",
      account: "bot-1",
      external_id: message.external_id!,
      content: text("melon"),
      at,
    };
    expect(await store.tell({ type: "edit", edit }, at)).toBe(true);
    const own = { of: { token_hash: hash(1) } };
    expect([await texts("cherry"), await texts("cherry", own)]).toEqual([[], []]);
    expect([await texts("melon"), await texts("melon", own)]).toEqual([[], ["melon"]]);
    await index();
    expect([await texts("cherry"), await texts("melon"), await texts("melon", own)]).toEqual([
      [],
      ["melon"],
      ["melon"],
    ]);
    const deletion = { ...edit, content: null, at: minute(3) };
    expect(await store.tell({ type: "edit", edit: deletion }, minute(3))).toBe(true);
    expect(await texts("melon", own)).toEqual([]);
    await index();
    expect([await texts("melon"), await words()]).toEqual([[], ""]);
  });

  /** All words in the index, without the marks. */
  async function words(): Promise<string> {
    const rows =
      await owner`select strip(doc)::text as doc from public.message_search where doc is not null order by n`;
    return rows
      .map(({ doc }) => doc.replace(/'[a-z]\d?:[^']*' ?/g, ""))
      .join(" ")
      .trim();
  }

  test("erased text is not found, and the erasure removes its words from the index", async () => {
    const { session_id } = await says("peach of anna");
    await says("peach of ben", ben);
    await index();
    await says("peach not indexed");
    await store.privacy.erase({ session_id }, "test", minute(9));
    expect(await words()).toBe("'ben' 'of' 'peach'");
    expect(await texts("peach")).toEqual(["peach of ben"]);
    await index();
    expect([await texts("peach"), await texts("anna"), await texts("erased")]).toEqual([
      ["peach of ben"],
      [],
      [],
    ]);
    const [left] = await owner`select count(*)::int as rows from public.message_search`;
    expect(left!.rows).toBe(1);
  });

  test("retention deletes a message's words with the message", async () => {
    await says("grape, old", anna, "telegram", 0);
    await says("grape, new", anna, "telegram", 100);
    await index();
    await says("grape, old and not indexed", anna, "telegram", 101);
    await store.housekeeping.purge(day(-9), 100, { now: minute(200), messages_before: minute(50) });
    expect(await texts("grape")).toEqual(["grape, new"]);
    expect(await words()).toBe("'grape' 'new'");
    await store.housekeeping.expire(day(20), 100);
    await store.housekeeping.purge(day(40), 100, { now: day(40) });
    expect(await words()).toBe("");
    await index();
    const [left] = await owner`
      select (select count(*)::int from public.message_search) as rows, (select count(*)::int from public.unindexed_messages) as waiting`;
    expect(left).toEqual({ rows: 0, waiting: 0 });
  });

  test("a customer merged from two finds the messages of both", async () => {
    await says("lemon on telegram", anna, "telegram");
    await says("lemon on whatsapp", anna, "whatsapp");
    await index();
    const both = { telegram_chat_id: anna.telegram_chat_id, phone: anna.phone };
    await begin(store, 1, both, minute(9));
    const own = { of: { token_hash: hash(1) } };
    const mine = ["lemon on telegram", "lemon on whatsapp"];
    expect((await texts("lemon", own)).sort()).toEqual(mine);
    await index();
    expect((await texts("lemon", own)).sort()).toEqual(mine);
    expect((await texts("lemon")).sort()).toEqual(mine);
    const sessions = new Set((await find("lemon", own)).results.map(({ session_id }) => session_id));
    expect(sessions.size).toBe(1);
  });

  test("system messages are not found", async () => {
    const content = { kind: "system", event: "joined", note: "mango" } as const;
    await store.hear(
      said("telegram", { telegram_chat_id: "7001" }, "s", { content, wakes: false }),
      minute(0),
    );
    await index();
    expect(await texts("mango")).toEqual([]);
    expect(await search.lag()).toEqual({ waiting: 0, lag_ms: 0 });
  });

  test("a very long text is found by its beginning", async () => {
    for (const [i, unit] of ["apricot ", "東京", "a", "x'\\\":*&", "\u0301e", "ﷺ"].entries())
      await says(`start${i} ${unit.repeat(Math.ceil(300_000 / unit.length))}`);
    expect(await index()).toBe(6);
    const page = await find("start0 or start1 or start2 or start3 or start4 or start5");
    expect(page.results).toHaveLength(6);
    for (const found of page.results) expect(found.text.length).toBeLessThanOrEqual(10_000);
  });
});
