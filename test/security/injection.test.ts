import sqlDriver from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/core/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { begin, ENV, post } from "../support/http.ts";
import { addressOf, operationsOf, sample } from "../support/openapi.ts";
import { call, keys, type StrictHub, strictHub } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

const SETTINGS = { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 };

/** Texts that break out of quotes, patterns, paths and JSON where text is concatenated. */
const POISON = [
  "'; drop table public.sessions; --",
  "' or '1'='1",
  "\\'; select pg_sleep(9); --",
  '"; drop schema public cascade; --',
  "$$; drop table public.messages; $$",
  "$1",
  "%s%n%x",
  "%",
  "_%_",
  "1); truncate public.messages; --",
  "'||(select token_hash from public.session_tokens limit 1)||'",
  '{"$ne":null}',
  '","role":"admin","x":"',
  "}]},{",
  "\\u0000",
  "\u0000",
  "\ud800",
  "\u202eevil",
  "../../../etc/passwd",
  "..%2f..%2f",
  "\r\nSet-Cookie: a=b",
  "\nX-Injected: 1",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "{{7*7}}<%= 7*7 %>",
  "<script>alert(1)</script>",
  "javascript:alert(1)",
  "\u{1f600}".repeat(300),
  "A".repeat(20_000),
  "-1",
  "1e999",
  "NaN",
  "",
];

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

const STORES: [string, () => Store][] = [
  ["memory", () => memoryStore(SETTINGS)],
  ["Postgres", () => sqlStore(direct.call, SETTINGS)],
];

/** Copies of a request, each with one string replaced by poison. */
function* poisoned(value: unknown, poison: string): Generator<unknown> {
  yield poison;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries())
      for (const one of poisoned(item, poison)) yield value.with(i, one);
    return;
  }
  if (value === null || typeof value !== "object") return;
  for (const [key, item] of Object.entries(value)) {
    for (const one of poisoned(item, poison)) yield { ...value, [key]: one };
    yield { ...value, [poison]: item };
  }
}

describe.each(STORES)("over %s", (name, store) => {
  test("no string of any request is read as code", async () => {
    const hub = strictHub({}, { store: store() });
    const canary = await begin(hub, { channel: "web", data: { cart: ["CANARY"] } });
    const operations = (await operationsOf(hub)).filter(
      ({ path }) => !["/session/end", "/session/live"].includes(path),
    );
    const good: Record<string, unknown> = {
      phone: "+4915112340009",
      channel: "web",
      text: "Hello",
      password: "correct horse battery",
      new_password: "correct horse battery",
      external_id: "e1",
      language: "de",
      data: { cart: { tea: 1 } },
      metadata: { page: "/" },
    };
    let asked = 0;
    for (const operation of operations) {
      const mine = await begin(hub);
      const headers = { ...mine.bearer, "x-api-key": "web-key" };
      for (const poison of name === "memory" ? POISON : POISON.filter((_, i) => i % 2 === asked % 2)) {
        const paths = [
          addressOf(operation, { ...good, id: poison, device_id: poison, kind: poison, channel: poison }),
          ...operation.parameters
            .filter(({ in: place }) => place === "query")
            .map(({ name: parameter }) => addressOf(operation, { [parameter]: poison })),
        ].map((path) => path.replace(/\bwait=[^&]*/, "wait=0"));
        const { content, session, ...body } = (operation.body ? sample(operation.body, good) : {}) as Record<
          string,
          unknown
        >;
        const bodies = operation.body ? [...poisoned(body, poison)] : [undefined];
        const requests = [
          ...paths.map((path) => [path, bodies.at(-1)] as const),
          ...bodies.map((one) => [paths.at(-1)!, one] as const),
        ];
        for (const [path, one] of requests) {
          asked++;
          const response = await hub.request(path, {
            method: operation.method,
            headers: { "content-type": "application/json", ...headers },
            ...(one !== undefined && { body: JSON.stringify(one) }),
          });
          const text = await response.text();
          expect([operation.path, path, one, response.status]).toEqual([
            operation.path,
            path,
            one,
            expect.any(Number),
          ]);
          // These hubs have no file storage, and some no database.
          const lacks =
            response.status === 501 && (!hub.hub.store.features || text.includes('"needs_storage"'));
          if (response.status >= 500 && !lacks) expect([path, one, text]).toEqual("no failure");
          expect(text).not.toContain("CANARY");
          expect(response.headers.get("set-cookie")).toBeNull();
          expect(response.headers.get("x-injected")).toBeNull();
        }
      }
    }
    await hub.idle();
    expect(asked).toBeGreaterThan(1_000);
    const whole = await call(hub, "/session/restore", { headers: canary.bearer });
    expect(whole.body.session.data.cart).toEqual(["CANARY"]);
  }, 180_000);

  test("poison in a chat is stored and returned unchanged", async () => {
    const hub = strictHub({}, { store: store() });
    const { bearer } = await begin(hub);
    const said = POISON.filter((poison) => poison !== "" && poison.length <= 16_384);
    for (const [i, text] of said.entries())
      await call(hub, "/webhooks/web", post({ external_id: `${i} ${text}`.slice(0, 200), text }, bearer));
    const { body } = await call(hub, "/session/messages?limit=200", { headers: bearer });
    const kept = body.messages
      .filter(({ direction }: any) => direction === "inbound")
      .map(({ text }: any) => text);
    expect(kept).toEqual(said.map((text) => text.replaceAll("\u0000", "\uFFFD").toWellFormed()));
  });

  test("poison as a key of data is a key", async () => {
    const hub = strictHub({}, { store: store() });
    const { bearer } = await begin(hub);
    const keysOf = POISON.filter((key) => key.length < 1_000 && key !== "__proto__" && key !== "\ud800");
    const data = Object.fromEntries(keysOf.map((key, i) => [key, i]));
    const { body } = await call(hub, "/session/update", post({ data }, bearer));
    for (const [i, key] of keysOf.entries())
      expect([key, body.session.data[key.replaceAll("\u0000", "\uFFFD").toWellFormed()]]).toEqual([key, i]);
  });
});

test("all tables and functions are still there afterwards", async () => {
  const [tables] = await owner`select count(*)::int as n from pg_tables where schemaname = 'public'`;
  const [functions] = await owner`select count(*)::int as n from pg_proc where proname like 'hub\\_%'`;
  expect(tables!.n).toBeGreaterThanOrEqual(6);
  expect(functions!.n).toBeGreaterThanOrEqual(16);
});

describe("headers", () => {
  const evil = ["a b", "a\tb", "x".repeat(65), "<b>", "é", "a;b", "a,b", '"', "../x"];

  test("a request id with special characters is replaced, so that no line or header is forged", async () => {
    const hub = strictHub();
    for (const id of evil) {
      const { headers, body } = await call(hub, "/nope", { headers: { "x-request-id": latin(id) } });
      expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(body.error.request_id).toBe(headers.get("x-request-id"));
    }
    for (const { fields } of hub.lines) expect(String(fields.request_id)).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("line breaks never reach a header", () => {
    for (const id of ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b"])
      expect(() => new Headers({ "x-request-id": id })).toThrow();
  });

  test("a channel's name, an external id and a challenge are returned as data, never as a header", async () => {
    const hub = strictHub();
    const { bearer } = await begin(hub);
    const crlf = "x\r\nSet-Cookie: a=b\r\n\r\n<html>";
    const requests: [string, RequestInit][] = [
      ["/webhooks/web", post({ external_id: crlf, text: crlf }, bearer)],
      ["/session/update", post({ channel: crlf }, bearer)],
      [`/session/restore?channel=${encodeURIComponent(crlf)}`, { headers: bearer }],
      [`/webhooks/${encodeURIComponent(crlf)}`, post({})],
      [
        `/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=${ENV.WHATSAPP_VERIFY_TOKEN}&hub.challenge=${encodeURIComponent(crlf)}`,
        {},
      ],
    ];
    for (const [path, init] of requests) {
      const response = await hub.request(path, init);
      expect(response.status).toBeLessThan(500);
      expect(response.headers.get("set-cookie")).toBeNull();
      expect(response.headers.get("content-type")).not.toMatch(/html/);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test("an origin is returned exactly as listed, or not at all", async () => {
    const hub = strictHub();
    for (const origin of [
      "https://shop.example.evil",
      "https://evil/https://shop.example",
      "HTTPS://SHOP.EXAMPLE",
      "null",
      "*",
    ]) {
      const response = await hub.request("/health", { headers: { origin } });
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    }
  });

  test("a method in a header or a query overrides nothing", async () => {
    const hub = strictHub();
    const { bearer } = await begin(hub);
    for (const name of ["x-http-method-override", "x-http-method", "x-method-override"])
      await call(hub, "/session/restore?_method=DELETE&method=POST", {
        headers: { ...bearer, [name]: "POST" },
      });
    expect((await call(hub, "/session/restore", { headers: bearer })).status).toBe(200);
  });

  test("a path with its host, a doubled slash or an encoded one reaches no other route", async () => {
    const hub = strictHub();
    const { id } = await begin(hub);
    for (const path of [
      `//api/sessions/${id}/export`,
      `/api//sessions/${id}/export`,
      `/health/../api/sessions/${id}/export`,
      `/api/sessions/${id}%2Fexport`,
      `/api/sessions/${id}/export/`,
      `/API/sessions/${id}/export`,
      `/health;/api/sessions/${id}/export`,
    ]) {
      const { status } = await call(hub, path).catch(() => ({ status: 404 }));
      // 400: an id that is none.
      expect([path, [400, 401, 404, 405].includes(status)]).toEqual([path, true]);
    }
    expect((await call(hub, `/api/sessions/${id}/export`, { headers: keys.admin })).status).toBe(200);
  });
});

describe("bodies", () => {
  const paths = async (hub: StrictHub) =>
    (await operationsOf(hub))
      .filter(({ method }) => method === "POST")
      .map(({ path }) => path.replaceAll(/\{\w+\}/g, "1"));

  test("that are too large, too deep, cut off or compressed are refused by every route, or not read", async () => {
    const hub = strictHub();
    const { bearer } = await begin(hub);
    const bodies: [string, string | Uint8Array, Record<string, string>?][] = [
      ["two megabytes", `{"text":"${"x".repeat(2 * 1024 * 1024)}"}`],
      ["deep arrays", "[".repeat(200_000)],
      ["deep objects", `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`],
      [
        "many keys",
        JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i]))),
      ],
      ["a long number", `{"a":${"9".repeat(100_000)}}`],
      ["half a document", '{"channel":"web","text":"'],
      ["gzip", new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), { "content-encoding": "gzip" }],
      ["two documents", '{"channel":"web"}{"channel":"web"}'],
      ["a key twice", '{"channel":"web","channel":"kiosk","phone":"1","phone":"2"}'],
    ];
    for (const path of await paths(hub))
      for (const [what, body, extra] of bodies) {
        const { bearer: fresh } = await begin(hub);
        const headers = { "content-type": "application/json", ...fresh, ...extra };
        const response = await hub.request(path, { method: "POST", headers, body: body as BodyInit });
        const lacks = /"needs_(storage|database)"/.test(await response.text());
        expect([path, what, response.status < 500 || lacks]).toEqual([path, what, true]);
      }
    expect((await call(hub, "/session/restore", { headers: bearer })).status).toBe(200);
  });
});

/** A header's value as sent over the network. */
function latin(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
