import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sweep } from "../../src/core/sweep/sweep.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { begin, testHub } from "../support/http.ts";
import { call, keys, onTelegram, type StrictHub, strictHub } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

let owner: sqlDriver.Sql;
let direct: PostgresCalls;
beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  direct = postgresCalls(url, { max: 4, timeoutMs: 30_000 });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});

function shop(): StrictHub {
  const bot = { history: 0, reply: async () => [] };
  return strictHub({}, { store: sqlStore(direct.call, settings), bot });
}
const ask = (hub: StrictHub, query = "", headers: Record<string, string> = keys.admin) =>
  call(hub, `/api/stats?${query}`, { headers });
const DAY = "from=2026-11-02&to=2026-11-03";
const BUDGET = { batch: 10, batches: 1, sessions: 10, retentionMs: 86_400_000_000 };

test("statistics follow the sweep, and say how old they are", async () => {
  const hub = shop();
  const before = (await ask(hub, DAY)).body.total.messages_in;
  await onTelegram(hub, 8_000_001, "hello");
  await onTelegram(hub, 8_000_001, "hello?");
  const waiting = (await ask(hub, DAY)).body;
  expect([waiting.total.messages_in, waiting.age_s > 0, Date.parse(waiting.as_of) < Date.now()]).toEqual([
    before,
    true,
    true,
  ]);
  expect((await sweep(hub.hub, BUDGET)).counted).toBeGreaterThan(0);
  const swept = (await ask(hub, DAY)).body;
  expect([swept.total.messages_in, swept.age_s]).toEqual([before + 2, 0]);
  expect(swept).toMatchObject({
    by: "day",
    tz: "UTC",
    from: "2026-11-02T00:00:00.000Z",
    to: "2026-11-03T00:00:00.000Z",
    rows: [{ key: "2026-11-02", messages_in: before + 2, first_reply: { median_ms: null } }],
  });
});

test("an answer of a hub whose sweep stands still is never older than a few minutes", async () => {
  const hub = shop();
  const before = (await ask(hub, DAY)).body.total.messages_in;
  await onTelegram(hub, 8_000_002, "hello");
  for (const table of ["unindexed_messages", "stats_queue"])
    await owner.unsafe(`update public.${table} set queued_at = queued_at - interval '3 minutes'`);
  const { total, age_s } = (await ask(hub, DAY)).body;
  expect([total.messages_in, age_s]).toEqual([before + 1, 0]);
});

test("without from and to the last thirty days are answered for, by the hour the last one", async () => {
  const hub = shop();
  const days = (await ask(hub)).body;
  expect([days.rows.length, days.rows.at(-1).key, days.from]).toEqual([
    31,
    "2026-11-02",
    "2026-10-03T10:00:00.000Z",
  ]);
  expect((await ask(hub, "by=hour")).body.rows).toHaveLength(25);
});

test("the example of the API description runs", async () => {
  const hub = shop();
  const document = (await (await hub.request("/openapi.json")).json()) as any;
  for (const path of ["/api/stats", "/api/segments", "/api/export"]) {
    const { parameters } = document.paths[path].get;
    const examples = parameters.flatMap(({ name, schema, example = schema.example }: any) =>
      example === undefined ? [] : [[name, example]],
    );
    expect(examples.length).toBeGreaterThan(2);
    const { status } = await hub.request(`${path}?${new URLSearchParams(examples)}`, { headers: keys.admin });
    expect([path, status]).toEqual([path, 200]);
  }
});

test("statistics are for admins, with a database, and of a time that makes sense", async () => {
  const hub = shop();
  const own = await begin(hub, { phone: "+4915112200003", channel: "web" }, keys.web);
  for (const [headers, status, code] of [
    [{}, 401, "unauthorized"],
    [keys.web, 403, "forbidden"],
    [keys.kiosk, 403, "forbidden"],
    [own.bearer, 401, "unauthorized"],
  ] as const) {
    const answer = await ask(hub, DAY, headers);
    expect([answer.status, answer.code]).toEqual([status, code]);
  }
  const memory = await testHub().request("/api/stats", { headers: keys.admin });
  expect([memory.status, ((await memory.json()) as any).error.code]).toEqual([501, "needs_database"]);
  for (const query of [
    "by=week",
    "tz=%2B05:30",
    "tz=Mars/Olympus",
    "tz=Europe/Berlin'",
    "from=yesterday",
    "from=2026-11-03&to=2026-11-02",
    "from=2020-01-01&to=2026-11-02",
    "from=2026-02-30&to=2026-03-02",
    "by=hour&from=2026-09-01&to=2026-11-02",
    "channel=web",
  ]) {
    const { status, code } = await ask(hub, query);
    expect([query, status, code]).toEqual([query, 400, "malformed"]);
  }
  for (const tz of [
    "Asia/Kathmandu",
    "Etc/GMT+5",
    "America/Port-au-Prince",
    "America/Argentina/Buenos_Aires",
    "Asia/Calcutta",
    "US/Pacific",
    "UTC",
  ])
    expect([tz, (await ask(hub, `${DAY}&tz=${encodeURIComponent(tz)}`)).status]).toEqual([tz, 200]);
});
