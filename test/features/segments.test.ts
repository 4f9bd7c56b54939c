import sqlDriver from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { emptying } from "../support/empty.ts";
import { begin, post, testHub } from "../support/http.ts";
import { call, keys, onTelegram, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

let owner: sqlDriver.Sql;
let truncation: string;
let direct: PostgresCalls;

beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  truncation = await emptying(owner, "truncate");
  direct = postgresCalls(url, { max: 4, timeoutMs: 30_000 });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});
beforeEach(async () => {
  await owner.unsafe(truncation);
});

function shop(): StrictHub {
  const bot = { history: 0, reply: async () => [] };
  return strictHub({}, { store: sqlStore(direct.call, settings), bot });
}

async function count({ hub }: StrictHub): Promise<void> {
  while ((await hub.store.features!.search.index(100)).more);
  while ((await hub.store.features!.statistics.count(3)).more);
}

const put = (hub: StrictHub, id: string, fields: object) =>
  call(hub, `/api/customers/${id}`, {
    method: "PUT",
    body: JSON.stringify(fields),
    headers: { ...keys.admin, "content-type": "application/json" },
  });
const ask = (hub: StrictHub, query: string, headers: Record<string, string> = keys.admin) =>
  call(hub, `/api/segments?${query}`, { headers });
async function found(hub: StrictHub, query: string): Promise<string[]> {
  const { body } = await ask(hub, query);
  expect(body.count).toBe(body.customers.length);
  return body.customers.map(({ customer }: any) => customer.customer_id ?? customer.phone).toSorted();
}

describe("GET /api/segments", () => {
  test("finds customers by plan, tag, language, channel and when they were last seen, all at once", async () => {
    const hub = shop();
    await put(hub, "a", {
      plan: "premium",
      tags: ["vip", "new"],
      preferred_language: "hi-IN",
      phone: "+4915112000001",
    });
    await put(hub, "b", { plan: "premium", tags: ["new"], preferred_language: "hi" });
    await put(hub, "c", { tags: ["vip"], preferred_language: "hit" });
    await onWhatsApp(hub, "+4915112000001", "hello");
    hub.clock.now = new Date(hub.clock.now.getTime() + 3_600_000);
    await onTelegram(hub, 6_000_001, "hello");
    await count(hub);
    const everybody = (await ask(hub, "")).body;
    expect([everybody.count, everybody.customers.length, everybody.cursor]).toEqual([4, 4, null]);
    for (const [query, ids] of [
      ["plan=premium", ["a", "b"]],
      ["tag=vip", ["a", "c"]],
      ["language=hi", ["a", "b"]],
      ["language=HI-in", ["a"]],
      ["channel=whatsapp", ["a"]],
      ["channel=whatsapp&channel=telegram", undefined],
      ["tag=new&plan=premium&language=hi&channel=whatsapp", ["a"]],
      ["tag=vip&channel=telegram", []],
      ["channel=whatsapp&last_seen_before=2026-11-02T10:30:00Z", ["a"]],
      ["channel=whatsapp&last_seen_before=2026-11-02T10:00:00Z", []],
      ["tag=%25", []],
      ["tag=new%22%7D", []],
    ] as const)
      if (ids) expect([query, await found(hub, query)]).toEqual([query, ids]);
      else expect((await ask(hub, query)).status).toBe(400);
    const [member] = (await ask(hub, "channel=whatsapp")).body.customers;
    expect(member).toMatchObject({
      customer: { customer_id: "a", plan: "premium" },
      channels: ["whatsapp"],
      language: "hi-IN",
      last_seen_at: "2026-11-02T10:00:00.000Z",
    });
  });

  test("finds the language of the last session where none is preferred, and plan and tags at once", async () => {
    const hub = shop();
    const own = await begin(hub, { phone: "+4915112000002", channel: "web" }, keys.web);
    await hub.request("/session/update", post({ language: "pt-BR" }, own.bearer));
    await count(hub);
    expect(await found(hub, "language=pt")).toEqual(["+4915112000002"]);
    await put(hub, "d", { plan: "premium" });
    expect(await found(hub, "plan=premium")).toEqual(["d"]);
  });

  test("finds customers by their orders that are not cancelled", async () => {
    const hub = shop();
    for (const [id, orders] of [
      ["k", ["paid", "pending"]],
      ["l", ["paid", "cancelled"]],
      ["m", []],
    ] as const) {
      await put(hub, id, { tags: ["buyers"] });
      for (const status of orders)
        await owner`
          insert into public.orders (order_key, order_id, customer_key, amount, currency, status, created_at, updated_at)
          select hub.uuid(now()), ${crypto.randomUUID()}, customer_key, 1, 'EUR', ${status}, now(), now()
          from public.customers where customer_id = ${id}`;
    }
    expect(await found(hub, "orders_min=1")).toEqual(["k", "l"]);
    expect(await found(hub, "orders_min=2&tag=buyers")).toEqual(["k"]);
    expect(await found(hub, "orders_min=3")).toEqual([]);
  });

  test("has pages, with the count on the first one", async () => {
    const hub = shop();
    for (const id of ["e", "f", "g"]) await put(hub, id, { tags: ["pages"] });
    const first = (await ask(hub, "tag=pages&limit=2")).body;
    expect([first.count, first.customers.length]).toEqual([3, 2]);
    const second = (await ask(hub, `tag=pages&limit=2&after=${first.cursor}`)).body;
    expect([second.count, second.customers.length, second.cursor]).toEqual([null, 1, null]);
    const ids = [...first.customers, ...second.customers].map(({ customer }: any) => customer.customer_id);
    expect(ids.toSorted()).toEqual(["e", "f", "g"]);
  });

  test("finds no erased customer, and of two merged ones the one that stays", async () => {
    const hub = shop();
    await put(hub, "h", { tags: ["gone"] });
    await put(hub, "i", { tags: ["gone"] });
    await put(hub, "j", { tags: ["gone"] });
    await count(hub);
    await call(hub, "/api/customers/h", { method: "DELETE", headers: keys.admin });
    await call(hub, "/api/customers/i/merge", {
      method: "POST",
      body: JSON.stringify({ into: "j", give_up: ["customer_id"] }),
      headers: { ...keys.admin, "content-type": "application/json" },
    });
    expect(await found(hub, "tag=gone")).toEqual(["j"]);
    await count(hub);
    expect(await found(hub, "tag=gone")).toEqual(["j"]);
    expect(await owner`select from public.customer_activity`).toHaveLength(1);
  });

  test("is for admins, with a database", async () => {
    const hub = shop();
    const own = await begin(hub, { phone: "+4915112000003", channel: "web" }, keys.web);
    for (const [headers, status, code] of [
      [{}, 401, "unauthorized"],
      [keys.web, 403, "forbidden"],
      [keys.kiosk, 403, "forbidden"],
      [own.bearer, 401, "unauthorized"],
    ] as const) {
      const answer = await ask(hub, "", headers);
      expect([answer.status, answer.code]).toEqual([status, code]);
    }
    const memory = await testHub().request("/api/segments", { headers: keys.admin });
    expect([memory.status, ((await memory.json()) as any).error.code]).toEqual([501, "needs_database"]);
    for (const query of [
      "plan=gold",
      "language=%25",
      "last_seen_before=soon",
      "limit=0",
      "after=1",
      "minimum=1",
      "orders_min=0",
      "orders_min=many",
    ])
      expect([query, (await ask(hub, query)).status]).toEqual([query, 400]);
  });
});
