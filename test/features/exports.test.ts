import sqlDriver from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tableDocument } from "../../src/features/exports/document.ts";
import { TABLE_NAMES, TABLES } from "../../src/features/exports/tables.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import { settings } from "../contracts/given.ts";
import { emptying } from "../support/empty.ts";
import { begin, testHub } from "../support/http.ts";
import { call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { createDatabase, supabase } from "../support/stack.ts";

let owner: sqlDriver.Sql;
let truncation: string;
let direct: PostgresCalls;
let rest: SqlCall;

beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  truncation = await emptying(owner, "truncate");
  direct = postgresCalls(url, { max: 4, timeoutMs: 30_000 });
  const api = await supabase(url, 4);
  rest = supabaseCalls({ url: api.url, key: api.serviceRoleKey, timeoutMs: 30_000 });
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});
beforeEach(async () => {
  await owner.unsafe(truncation);
});

function shop(call: SqlCall = direct.call): StrictHub {
  const bot = { history: 0, reply: async () => [] };
  return strictHub({}, { store: sqlStore(call, settings), bot });
}
const ask = (hub: StrictHub, query: string, headers: Record<string, string> = keys.admin) =>
  hub.request(`/api/export?${query}`, { headers });
const lines = async (response: Response) =>
  (await response.text())
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

/** The records of a CSV text (RFC 4180). */
function records(text: string): string[][] {
  const all: string[][] = [[]];
  for (let at = 0; at < text.length; ) {
    let field = "";
    if (text[at] === '"') {
      for (at += 1; text[at] !== '"' || text[at + 1] === '"'; at += 1) {
        if (text[at] === '"') at += 1;
        field += text[at];
      }
      at += 1;
    } else {
      const end = text.slice(at).search(/,|\r\n/);
      field = text.slice(at, at + end);
      at += end;
    }
    all.at(-1)!.push(field);
    if (text[at] === ",") at += 1;
    else {
      expect(text.slice(at, at + 2)).toBe("\r\n");
      at += 2;
      all.push([]);
    }
  }
  return all.slice(0, -1);
}

/** Stores messages with these ids' times and texts, by hand. */
async function store(count: number, text = "text"): Promise<void> {
  await owner`
    insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
    select hub.uuid('2026-11-02T10:00:00Z'::timestamptz + i * interval '1 second'), ${crypto.randomUUID()}::uuid, i, 'web', 'inbound',
      'user', 'text', ${text} || ' ' || i, '2026-11-02T10:00:00Z'::timestamptz + i * interval '1 second'
    from generate_series(1, ${count}::int) as i`;
}

const transports: [string, () => SqlCall][] = [
  ["Postgres, directly", () => direct.call],
  ["Postgres, through Supabase's REST API", () => rest],
];

describe.each(transports)("GET /api/export, in %s", (_name, transport) => {
  test("streams every row once, in order, over several pages", async () => {
    const hub = shop(transport());
    await store(1_203);
    const response = await ask(hub, "table=messages");
    expect(response.headers.get("content-type")).toMatch(/^application\/x-ndjson/);
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="messages.ndjson"');
    const rows = await lines(response);
    expect(rows.map(({ text }) => text)).toEqual(Array.from({ length: 1_203 }, (_, i) => `text ${i + 1}`));
    expect(Object.keys(rows[0])).toEqual([...TABLES.messages.columns, "cursor"]);
  });

  test("goes on after the last whole line of a stream that was cut", async () => {
    const hub = shop(transport());
    await store(700);
    const texts: string[] = [];
    let after = "";
    for (let times = 0; times < 5; times++) {
      const text = await (await ask(hub, `table=messages${after}`)).text();
      // The connection breaks in the middle of a line, until little is left.
      const cut = text.slice(0, Math.max(text.length - 1_000, Math.floor(text.length / 2)));
      const whole = (text.length < 2_000 ? text : cut)
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line));
      texts.push(...whole.map(({ text }) => text));
      if (whole.length > 0) after = `&after=${whole.at(-1).cursor}`;
      if (text === "") break;
    }
    expect(texts.length).toBeGreaterThan(650);
    expect(texts).toEqual(Array.from({ length: texts.length }, (_, i) => `text ${i + 1}`));
    const rest = await lines(await ask(hub, `table=messages${after}`));
    expect(texts.length + rest.length).toBe(700);
  });

  test("exports rows stored in a time, with the exact columns of each table", async () => {
    const hub = shop(transport());
    await store(10);
    const of = async (time: string) =>
      (await lines(await ask(hub, `table=messages&${time}`))).map(({ seq }) => seq);
    expect(await of("from=2026-11-02T10:00:04Z&to=2026-11-02T10:00:07Z")).toEqual([4, 5, 6]);
    expect(await of("to=2026-11-02")).toEqual([]);
    expect(await of("from=2026-11-03")).toEqual([]);
    await begin(hub, { phone: "+4915112000011", channel: "web" }, keys.web);
    await onWhatsApp(hub, "+4915112000011", "hello");
    await hub.request("/api/threads/t%3A1", {
      method: "PUT",
      headers: { ...keys.web, "content-type": "application/json" },
      body: JSON.stringify({ data: { a: [1] } }),
    });
    await owner`
      insert into public.model_usage (customer_key, day, turns)
      select customer_key, date '2026-11-01' + i, i
      from generate_series(0, 3) i, (select gen_random_uuid() as customer_key from generate_series(1, 2)) k`;
    const days = (await lines(await ask(hub, "table=model_usage&from=2026-11-02&to=2026-11-04"))).map(
      ({ day }) => day,
    );
    // By customer and day, which is the order of the primary key.
    expect(days).toEqual(["2026-11-02", "2026-11-03", "2026-11-02", "2026-11-03"]);
    for (const table of TABLE_NAMES) {
      const rows = await lines(await ask(hub, `table=${table}&from=2026-11-02&to=2026-11-04`));
      if (!["turns", "deliveries", "reservations", "orders"].includes(table))
        expect([table, rows.length > 0]).toEqual([table, true]);
      for (const row of rows) expect(Object.keys(row)).toEqual([...TABLES[table].columns, "cursor"]);
      const again = await lines(
        await ask(hub, `table=${table}&from=2026-11-02&to=2026-11-04&after=${rows[0]?.cursor ?? ""}`),
      );
      if (rows.length > 0 && table !== "audit")
        expect([table, again.length]).toEqual([table, rows.length - 1]);
    }
    const [thread] = await lines(await ask(hub, "table=threads"));
    expect(thread).toMatchObject({ thread_id: "t:1", data: { a: [1] } });
  });
});

describe("GET /api/export", () => {
  test("ends after a bounded number of pages, with what is left to a next request", async () => {
    const page = { rows: [{ cursor: "1" }], after: "1" };
    let pages = 1;
    const read = async () => {
      pages += 1;
      return page;
    };
    const pieces = [];
    for await (const piece of tableDocument("ndjson", [], page, read, ({ cursor }) => cursor))
      pieces.push(piece);
    expect([pages, pieces.join("")]).toEqual([200, '{"cursor":"1"}\n'.repeat(200)]);
  });

  test("asks for a page only when the reader wants it, and for no more when it goes", async () => {
    let pages = 0;
    const counting: SqlCall = (name, argument) => {
      if (name === "hub_export_table") pages += 1;
      return direct.call(name, argument);
    };
    const hub = shop(counting);
    await store(2_000);
    const { body } = await ask(hub, "table=messages");
    const reader = body!.getReader();
    await reader.read();
    await reader.read();
    await new Promise((go) => setTimeout(go, 200));
    expect(pages).toBeLessThanOrEqual(3);
    await reader.cancel();
    await new Promise((go) => setTimeout(go, 100));
    expect(pages).toBeLessThanOrEqual(3);
  });

  test("writes CSV that keeps every text, and no formula", async () => {
    const hub = shop();
    const texts = [
      "=1+1",
      "+49 1",
      "-1",
      "@x",
      "\t=1",
      "\r=1",
      'say "hi", now',
      "two\nlines",
      "\r\nthree",
      "a,b",
      "'=quoted",
      "naïve ☕",
      "",
      " =",
    ];
    for (const [i, text] of texts.entries())
      await owner`
        insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, content, created_at)
        values (hub.uuid('2026-11-02T10:00:00Z'::timestamptz + ${i} * interval '1 second'), ${crypto.randomUUID()}, ${-i - 1}, 'web',
          'inbound', 'user', 'text', ${text}, ${owner.json({ a: "=1", b: [1, null, true] })}, now())`;
    const response = await ask(hub, "table=messages&format=csv");
    expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    const [names, ...rows] = records(await response.text());
    expect(names).toEqual([...TABLES.messages.columns, "cursor"]);
    const column = (name: string) => rows.map((row) => row[names!.indexOf(name)]);
    expect(column("text")).toEqual(texts.map((text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text)));
    expect(column("seq")).toEqual(texts.map((_, i) => String(-i - 1)));
    expect(new Set(column("content"))).toEqual(new Set(['{"a":"=1","b":[1,null,true]}']));
    expect(new Set(column("account"))).toEqual(new Set([""]));
    for (const row of rows) expect(row).toHaveLength(names!.length);
    const after = column("cursor")[4];
    expect(records(await (await ask(hub, `table=messages&format=csv&after=${after}`)).text())).toEqual([
      names,
      ...rows.slice(5),
    ]);
  });

  test("holds no secret and no hash of one", async () => {
    const hub = shop();
    const own = await begin(hub, { phone: "+4915112000012", channel: "web" }, keys.web);
    await onWhatsApp(hub, "+4915112000012", "hello");
    await hub.request("/session/verify", {
      method: "POST",
      headers: { ...own.bearer, "content-type": "application/json" },
      body: JSON.stringify({ phone: "+4915112000012" }),
    });
    await hub.request("/session/link", { method: "POST", headers: own.bearer });
    const secrets = await owner<{ secret: string }[]>`
      select token_hash as secret from public.session_tokens
      union all select code_hash from public.codes union all select link_hash from public.links
      union all select password_hash from public.passwords`;
    expect(secrets.length).toBeGreaterThan(1);
    let all = "";
    for (const table of TABLE_NAMES) all += await (await ask(hub, `table=${table}`)).text();
    for (const { secret } of secrets) expect(all).not.toContain(secret);
    expect(all).not.toContain(own.bearer.authorization.split(" ")[1]);
    expect(TABLE_NAMES).not.toContain("session_tokens");
    for (const table of [
      "session_tokens",
      "passwords",
      "codes",
      "links",
      "rate_limits",
      "pg_class",
      "public.messages",
    ])
      expect([table, (await ask(hub, `table=${table}`)).status]).toEqual([table, 400]);
  });

  test("is in the audit, once for each request, and its content in no log", async () => {
    const hub = shop();
    await store(3, "secret words");
    hub.clock.now = new Date("2026-11-05T10:00:00Z");
    const [row] = await lines(await ask(hub, "table=messages&from=2026-11-01"));
    hub.clock.now = new Date("2026-11-05T10:00:01Z");
    await (await ask(hub, `table=messages&format=csv&after=${row.cursor}`)).text();
    const { body } = await call(hub, "/api/audit?limit=200", { headers: keys.admin });
    expect(
      body.lines.slice(-2).map(({ action, subject, details }: any) => [action, subject, details]),
    ).toEqual([
      [
        "export.table",
        "table:messages",
        { format: "ndjson", from: "2026-11-01T00:00:00.000Z", continued: false },
      ],
      ["export.table", "table:messages", { format: "csv", continued: true }],
    ]);
    expect(body.lines[0].actor).toMatch(/^admin:[0-9a-f]{8}$/);
    expect(JSON.stringify(hub.lines)).not.toContain("secret words");
  });

  test("is for admins, with a database, with a cursor of that table", async () => {
    const hub = shop();
    await store(2);
    const audited = (await owner`select from public.audit`).length;
    const own = await begin(hub, { phone: "+4915112000013", channel: "web" }, keys.web);
    for (const [headers, status] of [
      [{}, 401],
      [keys.web, 403],
      [keys.kiosk, 403],
      [own.bearer, 401],
    ] as const)
      expect((await ask(hub, "table=messages", headers)).status).toBe(status);
    expect((await testHub().request("/api/export?table=messages", { headers: keys.admin })).status).toBe(501);
    const [row] = await lines(await ask(hub, "table=messages"));
    for (const query of [
      "",
      "table=messages&format=xml",
      "table=messages&after=x",
      "table=messages&after=%27",
      "table=messages&from=soon",
      `table=sessions&after=${row.cursor}`,
      `table=messages&after=${btoa("messages:1 or 1=1").replaceAll("=", "")}`,
      `table=threads&after=${btoa("threads:\0").replaceAll("=", "")}`,
      "table=messages&limit=5",
    ]) {
      const response = await ask(hub, query);
      expect([query, response.status]).toEqual([query, 400]);
      expect(((await response.json()) as any).error.code).toBe("malformed");
    }
    expect(await owner`select from public.audit`).toHaveLength(audited + 1);
  });
});
