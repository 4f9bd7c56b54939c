import { readFileSync } from "node:fs";
import sqlDriver from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mediaLinks } from "../../src/features/media/links.ts";
import type { RateLimiter, RateLimiters } from "../../src/http/rate-limits.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { emptying } from "../support/empty.ts";
import { memoryFiles } from "../support/folder.ts";
import { begin, post } from "../support/http.ts";
import { askCode, call, keys, onWhatsApp, otherThan, type StrictHub, strictHub } from "../support/people.ts";
import { rowsIn, tablesOf } from "../support/rows.ts";
import { createDatabase } from "../support/stack.ts";

const SETTINGS = { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 };
const KNOWN = "+4915112340001";
const password = "correct horse battery";
const REFUSALS = 500;

let owner: sqlDriver.Sql;
let truncation: string;
let direct: PostgresCalls;

beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  truncation = await emptying(owner, "truncate");
  direct = postgresCalls(url, { max: 6, timeoutMs: 30_000 });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});
beforeEach(async () => {
  await owner.unsafe(truncation);
  // As in a database that has run for a while: the search's indexer does not read all messages from the first on.
  await owner`
    insert into public.search_progress (settled, read_at, read_before)
    values (hub.uuid_from(now()), now(), pg_snapshot_xmax(pg_current_snapshot()))`;
});

const media = { links: mediaLinks([], undefined), maxBytes: 1_000_000, storage: memoryFiles() };
const hubWith = (limiters: RateLimiters = {}): StrictHub =>
  strictHub({ limiters, bounds: { requestMs: 60_000 } }, { store: sqlStore(direct.call, SETTINGS), media });
const from = (network: string) => ({ "cf-connecting-ip": network });
const phone = (i: number) => `+49151${20_000_000 + i}`;
const madeUp = (i: number) => ({ authorization: `Bearer hst_${"x".repeat(20)}${i}` });

/** Makes many calls, a limited number at a time, and returns the count of each status. */
async function many(count: number, one: (i: number) => Promise<{ status: number }>) {
  const statuses: Record<number, number> = {};
  for (let i = 0; i < count; i += 20) {
    const some = Array.from({ length: Math.min(20, count - i) }, (_, j) => one(i + j));
    for (const { status } of await Promise.all(some)) statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return statuses;
}

/** A hub with one customer, who has a messenger and a password. */
async function shop(limiters?: RateLimiters): Promise<StrictHub> {
  const hub = hubWith(limiters);
  await onWhatsApp(hub, KNOWN, "Hello");
  const { bearer } = await begin(hub, { phone: KNOWN, channel: "web" }, keys.web);
  await call(hub, "/auth/signup", post({ password }, bearer));
  return hub;
}

describe("five hundred refusals write nothing", () => {
  async function expectNothingWritten(refuse: () => Promise<Record<number, number>>, status: number) {
    const before = await tablesOf(owner);
    expect(await refuse()).toEqual({ [status]: REFUSALS });
    expect(await tablesOf(owner)).toEqual(before);
  }

  test("codes that a network requests too often", async () => {
    const hub = await shop();
    const ask = (i: number) =>
      call(hub, "/session/verify", post({ phone: phone(i) }, { ...from("203.0.113.7"), ...madeUp(i) }));
    expect(await many(10, ask)).toEqual({ 202: 10 });
    await expectNothingWritten(() => many(REFUSALS, (i) => ask(100 + i)), 429);
  });

  test("codes that many networks request for one phone too often", async () => {
    const hub = await shop();
    const ask = (i: number) =>
      call(
        hub,
        "/session/verify",
        post({ phone: KNOWN }, { ...from(`10.${i % 250}.${i >> 8}.1`), ...madeUp(i) }),
      );
    for (let i = 0; i < 3; i++) expect((await ask(i)).status).toBe(202);
    await expectNothingWritten(() => many(REFUSALS, (i) => ask(100 + i)), 429);
  });

  test("codes that were never requested, and one that was tried too often", async () => {
    const hub = await shop();
    const code = otherThan((await askCode(hub, KNOWN))!);
    const guess = (of: string) => call(hub, "/session/verify", post({ phone: of, code }));
    for (let i = 0; i < 5; i++) expect((await guess(KNOWN)).code).toBe("code_invalid");
    await expectNothingWritten(() => many(REFUSALS, (i) => guess(i % 2 ? KNOWN : phone(i))), 403);
  });

  test("logins of a network that tries too often", async () => {
    const hub = await shop();
    const login = (i: number) =>
      call(
        hub,
        "/auth/login",
        post(
          { phone: phone(i), password: "guessed", channel: "web" },
          { ...from("203.0.113.7"), ...madeUp(i) },
        ),
      );
    expect(await many(30, login)).toEqual({ 401: 30 });
    await expectNothingWritten(() => many(REFUSALS, (i) => login(100 + i)), 429);
  });

  test("logins of a locked phone from many networks", async () => {
    const hub = await shop();
    const login = (i: number) =>
      call(
        hub,
        "/auth/login",
        post(
          { phone: KNOWN, password: "guessed", channel: "web" },
          { ...from(`10.${i % 250}.${i >> 8}.1`), ...madeUp(i) },
        ),
      );
    for (let i = 0; i < 5; i++) expect((await login(i)).status).toBe(401);
    await expectNothingWritten(() => many(REFUSALS, (i) => login(100 + i)), 429);
  });

  test("starts without a key", async () => {
    const hub = await shop();
    const start = (body: object) => call(hub, "/session/start", post(body));
    await expectNothingWritten(() => many(REFUSALS, (i) => start({ channel: "web", phone: phone(i) })), 401);
  });

  test.for([
    ["/session/link", undefined],
    ["/session/update", { message: "Hello" }],
    ["/api/chat/language", { language: "hi" }],
    ["/webhooks/web", { external_id: "1", text: "Hello" }],
    ["/auth/signup", { password }],
    ["/session/signout", undefined],
  ] as const)("%s with tokens that open nothing", async ([path, body]) => {
    const hub = await shop();
    const ask = (i: number) =>
      call(hub, path, body ? post(body, madeUp(i)) : { method: "POST", headers: madeUp(i) });
    const refused = (await ask(-1)).status;
    expect([404, 200]).toContain(refused);
    await expectNothingWritten(() => many(REFUSALS, ask), refused);
  });

  test("changes that come too late or are too large", async () => {
    const hub = await shop();
    const { bearer } = await begin(hub);
    const late = { ...bearer, "if-match": '"99"' };
    await expectNothingWritten(
      () => many(REFUSALS, () => call(hub, "/session/update", post({ message: "Hello" }, late))),
      409,
    );
  });
});

test("a made-up token costs the database no password hash", async () => {
  const { url } = await createDatabase();
  const sql = sqlDriver(url, { max: 1, onnotice: () => {} });
  await sql.unsafe(`
    create or replace function hub.hash_password(p_password text) returns text language plpgsql volatile as
    $$ begin raise exception 'hashed'; end $$`);
  const calls = postgresCalls(url, { max: 1, timeoutMs: 30_000 });
  const hub = strictHub({}, { store: sqlStore(calls.call, SETTINGS) });
  const { status } = await call(hub, "/auth/signup", post({ password }, madeUp(1)));
  expect(status).toBe(404);
  await calls.close();
  await sql.end();
});

/** The limits of wrangler.toml, counted as there, with a stopped clock. */
function deployedLimiters(): RateLimiters {
  const toml = readFileSync("wrangler.toml", "utf8");
  const limiter = (name: string): RateLimiter => {
    const limit = new RegExp(`name = "${name}"[^[]*?limit = (\\d+), period = (\\d+)`).exec(toml)!;
    const most = (Number(limit[1]) * 60) / Number(limit[2]);
    const counts = new Map<string, number>();
    return {
      limit: async ({ key }) => {
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        return { success: count <= most };
      },
    };
  };
  return {
    entry: limiter("ENTRY_LIMITER"),
    device: limiter("DEVICE_LIMITER"),
    caller: limiter("CALLER_LIMITER"),
  };
}

/** The bounds that docs/security.md promises, by route. */
const promised: Readonly<Record<string, number>> = Object.fromEntries(
  [...readFileSync("docs/security.md", "utf8").matchAll(/^\| `(\/[a-z/]+)` +\| (\d+) +\|/gm)].map(
    ([, path, most]) => [path, Number(most)],
  ),
);

/** The worst request of each route: what an attacker on one network sends to leave the most rows. */
const ATTACKS: [string, (tokens: { authorization: string }[], i: number) => RequestInit][] = [
  ["/session/start", (_, i) => post({ channel: "web", data: { i } }, madeUp(i))],
  ["/session/verify", (_, i) => post({ phone: phone(i) }, madeUp(i))],
  ["/auth/login", (_, i) => post({ phone: phone(i), password: "guessed", channel: "web" }, madeUp(i))],
  ["/session/link", (tokens) => ({ method: "POST", headers: tokens[0]! })],
  ["/session/update", (tokens, i) => post({ message: "x", data: { i } }, tokens[0])],
  ["/api/chat/language", (tokens, i) => post({ language: Math.floor(i / 30) % 2 ? "hi" : "es" }, tokens[0])],
  ["/auth/signup", (_, i) => post({ phone: phone(i), password })],
  ["/webhooks/web", (tokens, i) => post({ external_id: `${i}`, text: "x" }, tokens[0])],
  ["/api/media", (tokens) => ({ method: "POST", body: "a text", headers: tokens[0]! })],
];

/** Does what the next sweep would: indexes the messages and counts the sessions that have changed. */
async function workOff({ store: { features } }: StrictHub["hub"]): Promise<void> {
  const day = { from: "2026-11-02", to: "2026-11-03", by: "day", tz: "UTC" } as const;
  while ((await features!.statistics.figures(day)).age_ms > 0) {
    await features!.search.index(1_000);
    await features!.statistics.count(1_000);
  }
}

describe("an attacker's network leaves, in a minute", () => {
  test.for(ATTACKS)("at %s as many rows as the documentation says, and no more", async ([path, attack]) => {
    const hub = hubWith(deployedLimiters());
    const tokens: { authorization: string }[] = [];
    for (let i = 0; i < 30; i++)
      tokens.push((await begin(hub, { channel: "web" }, from("198.51.100.1"))).bearer);
    await workOff(hub.hub);
    const before = await tablesOf(owner);
    await many(400, (i) => {
      const own = tokens.slice(i % 30);
      const { headers, ...init } = attack([...own, ...tokens], i);
      return call(hub, path, { ...init, headers: { ...(headers as object), ...from("203.0.113.7") } });
    });
    await workOff(hub.hub);
    const after = await tablesOf(owner);
    const grown = Object.entries(after)
      .map(([name, { rows }]) => [name.replace("public.", ""), rows - before[name]!.rows] as const)
      .filter(([, rows]) => rows !== 0);
    expect({ [path]: rowsIn(after) - rowsIn(before) }, JSON.stringify(grown)).toEqual({
      [path]: promised[path],
    });
  });
});
