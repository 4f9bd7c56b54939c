import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { begin, post, testHub } from "../support/http.ts";
import {
  call,
  keys,
  onTelegram,
  onWhatsApp,
  type StrictHub,
  sharesPhone,
  strictHub,
} from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

let direct: PostgresCalls;
beforeAll(async () => {
  direct = postgresCalls((await createDatabase()).url, { max: 4, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

let people = 0;
/** Tests share a database: each has a number and names of its own. */
const somebody = () => {
  const n = String(++people).padStart(4, "0");
  return { phone: `+491511777${n}`, email: `p${n}@example.com`, id: `shop-${n}`, chat: 900_000 + people };
};
const shop = (parts: Parameters<typeof strictHub>[1] = {}) =>
  strictHub({}, { store: sqlStore(direct.call, { ...settings, history: 0 }), ...parts });
const send = (
  hub: StrictHub,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
) => call(hub, path, { ...post(body, { ...keys.admin, ...headers }), method });
const read = (hub: StrictHub, path: string) => call(hub, path, { headers: keys.admin });

const ROUTES: [method: string, path: string, body?: object][] = [
  ["GET", "/api/customers"],
  ["GET", "/api/customers?q=an"],
  ["GET", "/api/customers/duplicates"],
  ["GET", "/api/customers/103"],
  ["PUT", "/api/customers/103", { name: "Mallory" }],
  ["PATCH", "/api/customers/103", { name: "Mallory" }],
  ["POST", "/api/customers", { email: "m@example.com" }],
  ["POST", "/api/customers/103/merge", { into: "104" }],
];

describe("the customers of a back office", () => {
  test("are put, read, changed and replaced, each at its version", async () => {
    const hub = shop();
    const { phone, email, id } = somebody();
    const path = `/api/customers/${id}`;
    const made = await send(hub, "PUT", path, {
      name: " Anna ",
      email: email.toUpperCase(),
      phone: phone.replace("+49", "0"),
      preferred_language: "HI-in",
    });
    expect([made.status, made.headers.get("etag")]).toEqual([201, '"1"']);
    expect(made.body).toMatchObject({
      customer_id: id,
      name: "Anna",
      email,
      phone,
      preferred_language: "hi-IN",
      plan: "basic",
      tags: [],
      attributes: {},
      profile: {},
    });
    expect((await read(hub, path)).body).toEqual(made.body);
    const stale = await send(hub, "PATCH", path, { plan: "premium" }, { "if-match": '"9"' });
    expect([stale.status, stale.code]).toEqual([409, "version_conflict"]);
    const patched = await send(
      hub,
      "PATCH",
      path,
      { plan: "premium", attributes: { seats: 4 } },
      { "if-match": '"1"' },
    );
    expect([patched.status, patched.headers.get("etag"), patched.body.plan]).toEqual([200, '"2"', "premium"]);
    expect((await send(hub, "PUT", path, {})).body).toMatchObject({
      name: null,
      plan: "basic",
      attributes: {},
      email,
      phone,
      version: 3,
    });
    expect((await send(hub, "POST", "/api/customers", { email, name: "A" })).status).toBe(200);
    const byPhone = await read(hub, `/api/customers?phone=${encodeURIComponent(phone)}`);
    expect(byPhone.body).toMatchObject({ customers: [{ customer_id: id, name: "A" }], cursor: null });
    expect((await read(hub, `/api/customers?email=${email}`)).body.customers).toHaveLength(1);
  });

  test("the examples of the API description work as they stand", async () => {
    const hub = shop();
    const { paths } = (await read(hub, "/openapi.json")).body;
    for (const [verb, path] of [
      ["put", "/api/customers/{id}"],
      ["patch", "/api/customers/{id}"],
      ["post", "/api/customers"],
      ["post", "/api/customers/{id}/merge"],
    ] as const) {
      const { example } = paths[path][verb].requestBody.content["application/json"].schema;
      expect(example, `${verb} ${path}`).toBeDefined();
      const named = path.replace("{id}", path.endsWith("merge") ? "104" : "103");
      if (path.endsWith("merge")) await send(hub, "PUT", "/api/customers/104", { phone: somebody().phone });
      const { status, body } = await send(hub, verb.toUpperCase(), named, example);
      expect([verb, path, status < 300, body.error?.message]).toEqual([verb, path, true, undefined]);
    }
  });

  test.for([
    [{ email: "no" }, "body.email"],
    [{ phone: "12" }, "phone"],
    [{ preferred_language: "not a tag" }, "body.preferred_language"],
    [{ plan: "gold" }, "body.plan"],
    [{ tags: ["x".repeat(65)] }, "body.tags.0"],
    [{ tags: Array(101).fill("x") }, "body.tags"],
    [{ attributes: [1] }, "body.attributes"],
    [{ name: " " }, "body.name"],
    [{ nmae: "x" }, "unknown field nmae"],
    [{ customer_key: "x" }, "unknown field customer_key"],
  ] as const)("%j is refused, and the field named", async ([body, place]) => {
    const hub = shop();
    const refused = await send(hub, "PUT", "/api/customers/x", body);
    expect([refused.status, refused.code]).toEqual([400, "malformed"]);
    expect(refused.body.error.message).toContain(place);
  });

  test("a page of too much, two queries at once and an upsert without a contact are refused", async () => {
    const hub = shop();
    for (const query of ["limit=201", "email=a@b.de&q=a", "after=x", "sort=name"])
      expect((await read(hub, `/api/customers?${query}`)).status).toBe(400);
    expect((await read(hub, "/api/customers/duplicates?after=1.2")).status).toBe(400);
    expect((await send(hub, "POST", "/api/customers", { name: "A" })).status).toBe(400);
    expect((await send(hub, "POST", "/api/customers", { name: "A", email: null })).status).toBe(400);
    const big = { attributes: { a: "x".repeat(70_000) } };
    expect((await send(hub, "PUT", "/api/customers/x", big)).status).toBe(413);
    expect((await read(hub, "/api/customers/nobody")).code).toBe("not_found");
  });

  test.for(ROUTES)("%s %s opens to no token and to no key but an admin's", async ([method, path, body]) => {
    const hub = shop();
    const { phone, id } = somebody();
    const own = await begin(hub, { channel: "web", phone, customer_id: id }, keys.web);
    const init = (headers: Record<string, string>) =>
      body ? { ...post(body, headers), method } : { method, headers };
    for (const [headers, status] of [
      [{}, 401],
      [own.bearer, 401],
      [{ "x-session-token": own.token }, 401],
      [{ "x-api-key": "guess" }, 401],
      [{ ...keys.web, ...own.bearer }, 403],
      [keys.kiosk, 403],
    ] as const)
      expect([path, (await call(hub, path, init(headers))).status]).toEqual([path, status]);
    const mine = path.replace("103", id);
    expect((await call(hub, mine, init(own.bearer))).status).toBe(401);
    expect((await read(hub, `/api/customers/${id}`)).body.name).toBeNull();
  });

  test.for(ROUTES)("%s %s needs a database", async ([method, path, body]) => {
    const hub = testHub();
    const init = body ? { ...post(body, keys.admin), method } : { method, headers: keys.admin };
    const { status, code } = await call(hub, path, init);
    expect([status, code]).toEqual([501, "needs_database"]);
  });

  test("a merge closes both customers' devices, is told which values are lost, and leaves a line", async () => {
    const published: unknown[][] = [];
    const hub = shop({ live: { publish: (...what) => void published.push(what) } });
    const [a, b] = [somebody(), somebody()];
    const web = await begin(
      hub,
      { channel: "web", phone: a.phone, customer_id: a.id, data: { cart: ["tea"] } },
      keys.web,
    );
    const other = await begin(hub, { channel: "web", phone: b.phone, customer_id: b.id }, keys.web);
    const merge = (give_up?: string[]) =>
      send(hub, "POST", `/api/customers/${b.id}/merge`, { into: a.id, give_up });
    const refused = await merge();
    expect([refused.status, refused.code]).toEqual([409, "customer_conflict"]);
    expect(refused.body.error.details).toEqual({ differ: ["customer_id", "phone"] });
    const merged = await merge(["customer_id", "phone"]);
    expect([merged.status, merged.body.customer_id, merged.body.phone]).toEqual([200, a.id, a.phone]);
    for (const { bearer } of [web, other])
      expect((await call(hub, "/session/restore", { headers: bearer })).status).toBe(404);
    expect(published.filter(([, event]) => (event as any).type === "closed").length).toBeGreaterThanOrEqual(
      2,
    );
    const { lines } = (await read(hub, "/api/audit?limit=200")).body;
    expect(
      lines.filter(({ subject }: any) => subject === `customer:${merged.body.customer_key}`),
    ).toMatchObject([
      {
        action: "customer.merge",
        details: { gave_up: ["customer_id", "phone"] },
      },
    ]);
    const again = await merge(["customer_id", "phone"]);
    expect([again.status, again.code]).toEqual([404, "not_found"]);
  });

  test("neither names nor contacts stand in the log", async () => {
    const hub = shop();
    const { phone, email, id } = somebody();
    await send(hub, "PUT", `/api/customers/${id}`, {
      name: "CANARY",
      phone,
      email,
      attributes: { a: "CANARY" },
    });
    await read(hub, `/api/customers?q=CANARY`);
    await send(hub, "PUT", "/api/customers/CANARY-2", { phone, name: "CANARY" });
    expect(JSON.stringify(hub.lines)).not.toMatch(new RegExp(`CANARY|${phone.slice(1)}|${email}`));
    expect(hub.lines.some(({ fields }) => fields.lookup === "found")).toBe(true);
  });
});

describe("what a messenger calls its user", () => {
  test("greets them, from Telegram and from WhatsApp, and is found by the shop", async () => {
    const hub = shop();
    const [a, b] = [somebody(), somebody()];
    await onTelegram(hub, a.chat, "Hi");
    await onWhatsApp(hub, b.phone, "Hi");
    expect(hub.sent.map(({ text }) => text.split("!")[0])).toEqual(["Hello A", "Hello A"]);
    await onTelegram(hub, a.chat, "Again");
    expect(hub.sent.at(-1)!.text).toMatch(/^You said/);
    await sharesPhone(hub, a.chat, a.phone);
    const { body } = await read(hub, `/api/customers?phone=${encodeURIComponent(a.phone)}`);
    expect(body.customers).toMatchObject([{ name: "A", profile: { name: "A", channel: "telegram" } }]);
  });
});

describe("an export", () => {
  test("begins with the customer, and an erasure by the hub's name takes them away", async () => {
    const hub = shop();
    const { phone, email } = somebody();
    await onWhatsApp(hub, phone, "Hi");
    const { body } = await send(hub, "POST", "/api/customers", { phone, email, name: "Anna", tags: ["vip"] });
    const path = `/api/customers/${body.customer_key}`;
    const exported = (await read(hub, `${path}/export`)).body;
    expect(exported.customer).toMatchObject({
      customer_key: body.customer_key,
      name: "Anna",
      email,
      tags: ["vip"],
    });
    expect(exported.sessions).toHaveLength(1);
    expect((await call(hub, path, { method: "DELETE", headers: keys.admin })).status).toBe(200);
    expect((await read(hub, path)).status).toBe(404);
    expect((await read(hub, `${path}/export`)).body).toEqual({
      handoffs: [],
      notes: [],
      sessions: [],
      messages: [],
      threads: [],
      reservations: [],
      orders: [],
    });
  });

  test("holds the threads of a customer without a session, by either name", async () => {
    const hub = shop();
    const customer_id = `c-${somebody().chat}`;
    const { body } = await send(hub, "PUT", `/api/customers/${customer_id}`, { name: "Anna" });
    await send(hub, "PUT", `/api/threads/t-${customer_id}`, { user_id: customer_id, data: { step: 1 } });
    for (const name of [customer_id, body.customer_key]) {
      const exported = (await read(hub, `/api/customers/${name}/export`)).body;
      expect(exported.threads).toMatchObject([{ user_id: customer_id, data: { step: 1 } }]);
    }
  });
});
