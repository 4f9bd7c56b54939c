import sqlDriver from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Figures, Grouping, Statistics } from "../../src/features/statistics/statistics.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import {
  anna,
  ben,
  DAY,
  type Desk,
  day,
  desk,
  failure,
  minute,
  reply,
  said,
  settings,
} from "../contracts/given.ts";
import { everyCall } from "../database/races/every-call.ts";
import { shuffled } from "../database/races/many.ts";
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
  direct = postgresCalls(url, { max: 6, timeoutMs });
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

/** Counts what the sweep would, three changes at a time. */
async function count({ features }: Pick<Desk, "features">, limit = 3): Promise<void> {
  while ((await features!.search.index(100)).more);
  while ((await features!.statistics.count(limit)).more);
}

const transports: [string, () => SqlCall][] = [
  ["Postgres, directly", () => direct.call],
  ["Postgres, through Supabase's REST API", () => rest],
];

describe.each(transports)("statistics, in %s", (_name, call) => {
  let store: Desk;
  let statistics: Statistics;
  let said_ = 0;

  beforeEach(async () => {
    store = await desk(async () => sqlStore(call(), settings));
    statistics = store.features!.statistics;
  });

  const of = (channel: string, from: Parameters<typeof said>[1]) => said(channel, from, `m${++said_}`);
  const telegram = ({ telegram_chat_id }: { telegram_chat_id: string }) => ({ telegram_chat_id });
  async function ask(by: Grouping = "day", from = day(0), to = day(1), tz = "UTC") {
    await count(store);
    return statistics.figures({ from: from.toISOString(), to: to.toISOString(), by, tz });
  }
  const total = async () => (await ask()).total;
  const byKey = async (by: Grouping, figure: keyof Figures) =>
    Object.fromEntries((await ask(by)).rows.map((row) => [row.key, row[figure]]).filter(([, n]) => n !== 0));

  test("counts sessions, new customers and messages, by hour, day, channel and language", async () => {
    await store.answered(of("telegram", telegram(anna)), [reply("one"), reply("two")], minute(1));
    await store.hear(of("whatsapp", { phone: ben.phone }), minute(70));
    const { rows, total } = await ask("hour", minute(-120), minute(120));
    expect(
      rows.map(({ key, sessions, messages_in, messages_out }) => [key, sessions, messages_in, messages_out]),
    ).toEqual([
      ["2026-11-02T06:00:00Z", 0, 0, 0],
      ["2026-11-02T07:00:00Z", 0, 0, 0],
      ["2026-11-02T08:00:00Z", 1, 1, 2],
      ["2026-11-02T09:00:00Z", 1, 1, 0],
    ]);
    expect(total).toMatchObject({
      sessions: 2,
      new_customers: 2,
      messages_in: 2,
      messages_out: 2,
      unanswered: 1,
    });
    expect(await byKey("channel", "new_customers")).toEqual({ telegram: 1, whatsapp: 1 });
    expect(await byKey("language", "sessions")).toEqual({ en: 2 });
    expect(await byKey("day", "sessions")).toEqual({ "2026-11-02": 2 });
  });

  test("puts days and hours where a zone of :30 and :45 has them, and where summer time ends", async () => {
    // 18:10 UTC is 23:40 in Kolkata and 23:55 in Kathmandu; 18:20 is past midnight in Kathmandu only.
    const evening = (minutes: number) => new Date(Date.UTC(2026, 10, 2, 18, minutes));
    await store.hear(of("telegram", telegram(anna)), evening(10));
    await store.hear(of("telegram", telegram(anna)), evening(20));
    const days = async (tz: string) =>
      (await ask("day", day(0), day(1), tz)).rows
        .filter(({ messages_in }) => messages_in)
        .map(({ key, messages_in }) => [key, messages_in]);
    expect(await days("Asia/Kolkata")).toEqual([["2026-11-02", 2]]);
    expect(await days("Asia/Kathmandu")).toEqual([
      ["2026-11-02", 1],
      ["2026-11-03", 1],
    ]);
    const hours = (await ask("hour", evening(0), evening(60), "Asia/Kathmandu")).rows;
    expect(hours.map(({ key, messages_in }) => [key, messages_in])).toEqual([
      ["2026-11-02T17:15:00Z", 1],
      ["2026-11-02T18:15:00Z", 1],
    ]);
    // The hour from 2 to 3 comes twice on that day, and the day has 25 hours.
    const query = { from: "2026-10-25", to: "2026-10-26", tz: "Europe/Berlin" };
    expect((await statistics.figures({ ...query, by: "hour" })).rows).toHaveLength(25);
    expect((await statistics.figures({ ...query, by: "day" })).rows.map(({ key }) => key)).toEqual([
      "2026-10-25",
    ]);
  });

  test("corrects the past when a reply comes later", async () => {
    const turn = await store.ask(of("telegram", telegram(anna)), minute(1));
    expect(await total()).toMatchObject({
      unanswered: 1,
      first_reply: { count: 0, median_ms: null, p95_ms: null },
    });
    await store.conversations.complete(turn, [reply("late")], minute(181));
    const { first_reply, unanswered } = await total();
    expect([first_reply.count, unanswered]).toEqual([1, 0]);
    // Within 1 % of three hours.
    expect(Math.abs(first_reply.median_ms! / (180 * 60_000) - 1)).toBeLessThan(0.01);
    const { rows } = await ask("hour", minute(0), minute(240));
    expect(rows.map((row) => [row.first_reply.count, row.messages_out])).toEqual([
      [1, 0],
      [0, 0],
      [0, 0],
      [0, 1],
    ]);
  });

  test("knows the median and the 95th percentile within 1 %", async () => {
    const waits = Array.from({ length: 40 }, (_, i) => Math.round(150 * 1.31 ** (i % 23) + i));
    for (const [i, wait] of waits.entries()) {
      const turn = await store.ask(of("telegram", { telegram_chat_id: `${9_000 + i}` }), minute(i));
      await store.conversations.complete(turn, [reply("x")], new Date(minute(i).getTime() + wait));
    }
    const sorted = waits.toSorted((a, b) => a - b);
    const { median_ms, p95_ms, count } = (await total()).first_reply;
    expect(count).toBe(40);
    expect(Math.abs(median_ms! / sorted[19]! - 1)).toBeLessThanOrEqual(0.0101);
    expect(Math.abs(p95_ms! / sorted[37]! - 1)).toBeLessThanOrEqual(0.0101);
  });

  test("takes back the session and the customer of two that turn out to be one", async () => {
    await store.hear(of("telegram", telegram(anna)), minute(1));
    await store.hear(of("whatsapp", { phone: anna.phone }), minute(2));
    expect(await total()).toMatchObject({
      sessions: 2,
      new_customers: 2,
      multichannel_sessions: 0,
      unanswered: 2,
    });
    await store.hear(of("telegram", { ...telegram(anna), phone: anna.phone }), minute(3));
    expect(await total()).toMatchObject({
      sessions: 1,
      new_customers: 1,
      multichannel_sessions: 1,
      messages_in: 3,
      unanswered: 1,
    });
    expect(await byKey("channel", "messages_in")).toEqual({ telegram: 2, whatsapp: 1 });
  });

  test("keeps the counts of an erased customer, without their rating and language", async () => {
    const { session } = await store.hear({ ...of("telegram", telegram(anna)), wakes: false }, minute(0));
    await store.answered(of("telegram", telegram(anna)), [reply("yes")], minute(1));
    await store.sessions.rate(session.session_id, undefined, { rating: 4 }, minute(2));
    expect((await total()).ratings).toEqual({ count: 1, average: 4, stars: [0, 0, 0, 1, 0] });
    await store.privacy.erase({ session_id: session.session_id }, "admin:test", minute(3));
    expect(await total()).toMatchObject({
      sessions: 1,
      new_customers: 1,
      messages_in: 2,
      messages_out: 1,
      first_reply: { count: 1 },
      ratings: { count: 0, average: null, stars: [0, 0, 0, 0, 0] },
    });
    expect(await byKey("language", "sessions")).toEqual({ null: 1 });
    expect(await owner`select from public.customer_activity`).toHaveLength(0);
  });

  test("keeps the counts of what retention deletes", async () => {
    const { session } = await store.hear(of("telegram", telegram(anna)), minute(1));
    const before = await total();
    expect(before).toMatchObject({ sessions: 1, messages_in: 1, unanswered: 1 });
    await store.housekeeping.expire(day(30), 10);
    await owner`delete from public.turns`;
    await store.housekeeping.purge(day(60), 10, { now: day(60), identities_before: day(60) });
    expect(await store.sessions.find({ session_id: session.session_id }, day(60))).toEqual([]);
    expect(await total()).toEqual(before);
    for (const table of ["stats_sessions", "stats_parts", "customer_activity", "stats_queue"])
      expect([table, (await owner.unsafe(`select from public.${table}`)).length]).toEqual([table, 0]);
  });

  test("counts a dead letter until it is retried, and no erased one", async () => {
    const turn = await store.ask(of("telegram", telegram(anna)), minute(1));
    await store.conversations.fail(turn, failure("gone"), undefined, minute(2));
    expect((await total()).dead_letters).toBe(1);
    await store.operations.retry(turn.turn_id, { actor: "admin:test" }, minute(3));
    expect((await total()).dead_letters).toBe(0);
    const delivery = await store.answered(of("whatsapp", { phone: ben.phone }), [reply("one")], minute(4));
    await store.settleAs(delivery, { state: "dead", ...failure("gone") } as never, minute(5));
    expect(await byKey("channel", "dead_letters")).toEqual({ whatsapp: 1 });
  });

  test("counts a session again that changes its language, or its channels, without a message", async () => {
    const { session } = await store.hear(of("telegram", telegram(anna)), minute(0));
    expect(await total()).toMatchObject({ sessions: 1, multichannel_sessions: 0 });
    await store.sessions.update({ session_id: session.session_id }, { language: "pt-BR" }, minute(1));
    expect(await byKey("language", "sessions")).toEqual({ "pt-BR": 1 });
    expect(await byKey("language", "messages_in")).toEqual({ "pt-BR": 1 });
    await store.sessions.update({ session_id: session.session_id }, { channel: "kiosk" }, minute(2));
    expect(await total()).toMatchObject({ sessions: 1, multichannel_sessions: 1 });
  });

  test("changes a rating's figures when it changes", async () => {
    const { session } = await store.hear(of("telegram", telegram(anna)), minute(0));
    for (const rating of [1, 5] as const) {
      await store.sessions.rate(session.session_id, undefined, { rating }, minute(1));
      expect((await total()).ratings).toMatchObject({ count: 1, average: rating });
    }
  });

  test("sums orders by currency, hour, day, channel and language, without the cancelled ones", async () => {
    const { session } = await store.hear(of("telegram", telegram(anna)), minute(1));
    const order = (at: Date, amount: string, currency: string, status: string, session_id: string | null) =>
      owner`
        insert into public.orders (order_key, order_id, session_id, amount, currency, status, created_at, updated_at)
        values (hub.uuid(${at}), ${crypto.randomUUID()}, ${session_id}, ${amount}, ${currency}, ${status}, ${at}, ${at})`;
    await order(minute(2), "10.10", "EUR", "paid", session.session_id);
    await order(minute(70), "0.20", "EUR", "pending", null);
    await order(minute(71), "900", "JPY", "paid", null);
    await order(minute(72), "99", "EUR", "cancelled", null);
    await order(day(2), "5.00", "EUR", "paid", null);
    const euros = { currency: "EUR", count: 2, sum: "10.30", paid_count: 1, paid_sum: "10.10" };
    const yen = { currency: "JPY", count: 1, sum: "900", paid_count: 1, paid_sum: "900" };
    expect((await total()).orders).toEqual([euros, yen]);
    const hours = (await ask("hour", minute(0), minute(120))).rows.map(({ orders }) =>
      orders.map(({ sum }) => sum),
    );
    expect(hours).toEqual([["10.10"], ["0.20", "900"]]);
    expect((await ask("day")).rows.map(({ key, orders }) => [key, orders])).toEqual([
      ["2026-11-02", [euros, yen]],
      ["2026-11-03", []],
    ]);
    for (const [by, name] of [
      ["channel", "telegram"],
      ["language", "en"],
    ] as const)
      expect((await ask(by)).rows.map(({ key, orders }) => [key, orders.map(({ sum }) => sum)])).toEqual([
        [null, ["0.20", "900"]],
        [name, ["10.10"]],
      ]);
  });

  test("refuses a time zone that the database does not know", async () => {
    const query = { from: "2026-10-25", to: "2026-10-26", by: "day" } as const;
    const refused = { code: "malformed", message: expect.stringContaining("tz: ") };
    for (const tz of ["Mars/Olympus", "Europe/Berlin'", ""])
      await expect(statistics.figures({ ...query, tz })).rejects.toMatchObject(refused);
  });

  test("says since when changes may be missing", async () => {
    await count(store);
    const none = await statistics.figures({ from: "2026-11-02", to: "2026-11-03", by: "day", tz: "UTC" });
    expect(none.age_ms).toBe(0);
    const before = Date.now();
    await store.hear(of("telegram", telegram(anna)), minute(1));
    for (const step of ["the message is new", "the message is indexed"]) {
      const { as_of, age_ms } = await statistics.figures({
        from: "2026-11-02",
        to: "2026-11-03",
        by: "day",
        tz: "UTC",
      });
      expect([step, Math.abs(as_of.getTime() - before) < 5_000, age_ms > 0]).toEqual([step, true, true]);
      await store.features!.search.index(100);
    }
    await count(store);
    expect((await ask()).age_ms).toBe(0);
  });

  test("refuses a time that is empty or too long", async () => {
    const figures = (by: Grouping, from: Date, to: Date) =>
      statistics.figures({ from: from.toISOString(), to: to.toISOString(), by, tz: "UTC" });
    for (const [by, from, to] of [
      ["day", day(1), day(0)],
      ["day", day(0), day(0)],
      ["day", day(0), day(401)],
      ["hour", day(0), day(33)],
    ] as const)
      await expect(figures(by, from, to)).rejects.toMatchObject({ code: "malformed", details: undefined });
    expect((await figures("hour", day(0), day(32))).rows).toHaveLength(32 * 24);
  });
});

describe("after any calls at once", () => {
  /** The figures as the tables have them, computed in another way than the hub does. */
  async function counted() {
    const [row] = await owner`
      with user_messages as (
        select distinct on (session_id) session_id, seq, created_at from public.messages
        where direction = 'inbound' and role = 'user' order by session_id, seq
      ), replies as (
        select u.session_id, (
          select min(m.seq) from public.messages m
          where m.session_id = u.session_id and m.direction = 'outbound' and m.role in ('assistant', 'operator') and m.seq > u.seq) as seq
        from user_messages u
      )
      select
        (select count(*)::int from public.sessions where status <> 'merged') as sessions,
        (select count(*)::int from public.sessions where status <> 'merged' and array_length(channels, 1) >= 2) as multichannel_sessions,
        (select count(*)::int from public.messages where direction = 'inbound' and role = 'user') as messages_in,
        (select count(*)::int from public.messages where direction = 'outbound' and role in ('assistant', 'operator')) as messages_out,
        (select count(*)::int from replies where seq is null) as unanswered,
        (select count(*)::int from replies where seq is not null) as replied,
        (select count(*)::int from public.turns where state = 'dead')
          + (select count(*)::int from public.deliveries where state = 'dead' and reason is distinct from 'erased') as dead_letters,
        (select count(*)::int from public.sessions where status <> 'merged' and rating is not null) as ratings,
        (select coalesce(sum(rating), 0)::int from public.sessions where status <> 'merged') as stars,
        (select count(*)::int from public.customers) as customers`;
    return row!;
  }

  test("the figures are those of the tables, and those that are counted from nothing", {
    timeout: 120_000,
  }, async () => {
    const store = sqlStore(direct.call, { ...settings, batch: true });
    const calls = everyCall(store, 4, Math.random);
    // What retention deletes stays counted, as an erased customer does.
    delete calls.purge;
    const erase = calls.erase!;
    delete calls.erase;
    const names = Object.keys(calls);
    const worker = async () => {
      for (let round = 0; round < 6; round++)
        for (const name of shuffled([...names, "count statistics", "index messages"]))
          await calls[name]!().catch(() => {});
    };
    const today = {
      from: new Date(Date.now() - 2 * DAY).toISOString(),
      to: new Date(Date.now() + 2 * DAY).toISOString(),
    };
    const answer = async () => {
      await count(store as Desk, 40);
      const { total, rows } = await store.features!.statistics.figures({
        ...today,
        by: "channel",
        tz: "UTC",
      });
      return { total, rows };
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    const compare = async ({ customers }: { customers?: boolean }) => {
      const { total } = await answer();
      const expected = await counted();
      expect({
        ...total,
        replied: total.first_reply.count,
        ratings: total.ratings.count,
        stars: Math.round((total.ratings.average ?? 0) * total.ratings.count),
        customers: customers ? total.new_customers : expected.customers,
      }).toMatchObject(expected);
      expect(expected.messages_in).toBeGreaterThan(30);
      return total;
    };
    await compare({ customers: true });
    for (let i = 0; i < 3; i++) await erase().catch(() => {});
    await compare({ customers: false });

    const before = await answer();
    await owner`delete from public.stats_queue`;
    for (const table of ["stats", "stats_replies", "stats_sessions", "stats_parts", "customer_activity"])
      await owner.unsafe(`delete from public.${table}`);
    await owner`insert into public.stats_queue (customer_key, queued_at) select customer_key, now() from public.customers`;
    await owner`insert into public.stats_queue (session_id, since, queued_at) select session_id, '-infinity', now() from public.sessions`;
    const after = await answer();
    const without = ({ new_customers: _, ...rest }: Figures) => rest;
    expect(without(after.total)).toEqual(without(before.total));
    expect(after.rows.filter(({ key }) => key !== null).map(without)).toEqual(
      before.rows.filter(({ key }) => key !== null).map(without),
    );
  });
});
