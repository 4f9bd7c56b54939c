import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Backlog } from "../../src/core/receive/journal.ts";
import { localSignIn } from "../../src/features/staff/local-sign-in.ts";
import { memoryJournal } from "../../src/stores/memory/journal.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { heard } from "../contracts/journal.ts";
import { begin, testHub } from "../support/http.ts";
import { call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";
import { createDatabase, redis, supabase } from "../support/stack.ts";

let url: string;
let direct: PostgresCalls;
beforeAll(async () => {
  ({ url } = await createDatabase());
  direct = postgresCalls(url, { max: 4, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

let people = 0;
/** The phone of a new person. */
const newPhone = () => `+49151300${String(++people).padStart(5, "0")}`;
const refusing: Bot = {
  history: 0,
  reply: async () => {
    throw new HubError("rejected", "the bot refused", { reason: "422" });
  },
};

function shop(bot?: Bot, journal?: Pick<Backlog, "find">): StrictHub {
  const store = { ...sqlStore(direct.call, settings), ...(journal && { journal: journal as Backlog }) };
  return strictHub({}, { store, ...(bot && { bot }) });
}
const trace = (hub: StrictHub, query: string, headers: Record<string, string> = keys.admin) =>
  call(hub, `/api/trace?${query}`, { headers });

/** How many look-ups the admin key has made, by outcome. */
async function looks(hub: StrictHub): Promise<{ found: number; none: number }> {
  const { counters } = await hub.hub.store.operations.metrics(hub.hub.now());
  const of = (outcome: string) =>
    Object.entries(counters)
      .filter(([key]) => key.startsWith("lookups|") && key.endsWith(outcome))
      .reduce((sum, [, value]) => sum + value, 0);
  return { found: of("found"), none: of("none") };
}

describe("GET /api/trace", () => {
  test("is open to everybody who is signed in at the desk, until they are disabled", async () => {
    const store = sqlStore(direct.call, settings);
    const hub = strictHub({ signIn: localSignIn("desk-password") }, { store, bot: refusing });
    const email = `ana${newPhone()}@shop.example`;
    const json = { "content-type": "application/json" };
    const sent = (path: string, body: object, method = "POST") =>
      call(hub, path, { method, headers: { ...json, ...keys.admin }, body: JSON.stringify(body) });
    const { body: user } = await sent("/api/users", { email, name: "Ana", role: "agent" });
    const { body: signed } = await sent("/api/staff/sign-in", { email, password: "desk-password" });
    const staff = { authorization: `Bearer ${signed.staff_token}` };
    const phone = newPhone();
    await onWhatsApp(hub, phone, "Two tickets, please");
    const { status, body } = await trace(hub, `phone=${phone}`, staff);
    expect([status, body.found]).toEqual([200, "customer"]);
    expect((await trace(hub, `phone=${phone}`, { authorization: "Bearer hsu_nobody" })).status).toBe(401);
    await sent(`/api/users/${user.user_id}`, { disabled: true }, "PATCH");
    expect((await trace(hub, `phone=${phone}`, staff)).status).toBe(401);
  });

  test("tells why a customer got no answer, without a word of theirs", async () => {
    const hub = shop(refusing);
    const phone = newPhone();
    await onWhatsApp(hub, phone, "Two tickets, please");
    const { status, body } = await trace(hub, `phone=${phone}`);
    expect([status, body.found, body.journal, body.cursor]).toEqual([200, "customer", "none", null]);
    expect(body.verdict).toMatch(
      /^no answer because the bot failed once, last with 422 \(rejected\); a dead letter at /,
    );
    expect(body.steps.map(({ what }: any) => what)).toEqual([
      "session_opened",
      "message_received",
      "dead_letter",
    ]);
    expect(JSON.stringify(body)).not.toMatch(/tickets|49151/);
    const { session_id, message_id } = body.steps.at(-1);
    for (const query of [`session=${session_id}`, `message=${message_id}`])
      expect((await trace(hub, query)).body.verdict).toBe(body.verdict);
    expect(JSON.stringify(hub.lines)).not.toMatch(/tickets|49151/);
  });

  test("takes a phone as people write it, and counts who looks whom up", async () => {
    const hub = shop();
    const phone = newPhone();
    await onWhatsApp(hub, phone, "Hello");
    const before = await looks(hub);
    expect((await trace(hub, `phone=%20${phone.slice(1)}`)).body.found).toBe("customer");
    expect((await trace(hub, `phone=0${phone.slice(3)}`)).body.found).toBe("customer");
    expect((await trace(hub, "phone=%2B4915199999999")).body).toMatchObject({ found: null, steps: [] });
    expect(await looks(hub)).toEqual({ found: before.found + 2, none: before.none + 1 });
  });

  test("needs an admin key and exactly one name", async () => {
    const hub = shop();
    const { bearer, id } = await begin(hub);
    const query = `session=${id}`;
    for (const [headers, status] of [
      [{}, 401],
      [bearer, 401],
      [keys.web, 403],
      [keys.kiosk, 403],
      [keys.admin, 200],
    ] as const)
      expect([headers, (await trace(hub, query, headers)).status]).toEqual([headers, status]);
    for (const wrong of [
      "",
      `${query}&message=1`,
      "session=1",
      `${query}&after=1`,
      `${query}&limit=0`,
      `${query}&x=1`,
    ])
      expect([wrong, (await trace(hub, wrong)).code]).toEqual([wrong, "malformed"]);
    expect((await call(testHub(), `/api/trace?${query}`, { headers: keys.admin })).code).toBe(
      "needs_database",
    );
  });

  test("finds what waits in the journal and what is in its quarantine", async () => {
    const clock = { now: new Date("2026-11-02T10:00:05Z") };
    const journal = memoryJournal({ now: () => clock.now });
    const hub = shop(undefined, journal);
    const phone = newPhone();
    for (const [id, from] of [
      ["q1", phone],
      ["q2", phone],
      ["q3", newPhone()],
    ] as const)
      await journal.append(heard(id, { from: { phone: from } }), { behind: false });
    const [first] = await journal.read(1);
    await journal.quarantine(first!.id, "22P05");
    const { body } = await trace(hub, `phone=${encodeURIComponent(phone)}`);
    expect(body).toMatchObject({ found: null, journal: "ok" });
    expect(body.steps).toEqual([
      {
        at: "2026-11-02T10:00:00.123Z",
        what: "journaled",
        words: "message q2 arrived while the database was down, and waits in the journal",
        channel: "whatsapp",
      },
      {
        at: "2026-11-02T10:00:05.000Z",
        what: "quarantined",
        words:
          "message q1 was quarantined at 2026-11-02T10:00:05.000Z because the database refused it: 22P05",
        channel: "whatsapp",
        reason: "22P05",
      },
    ]);
    expect((await trace(hub, "message=q1")).body.verdict).toMatch(/^message q1 was quarantined at /);
    const down: Pick<Backlog, "find"> = {
      find: () => Promise.reject(new HubError("unavailable", "down", { reason: "journal_unreachable" })),
    };
    expect((await trace(shop(undefined, down), "message=q1")).body).toMatchObject({
      found: null,
      journal: "unreachable",
    });
  });
});

describe("npm run trace", () => {
  /** Runs the command with only these settings. */
  async function run(args: string[], env: Record<string, string>) {
    const child = spawn(process.execPath, [join(import.meta.dirname, "../../scripts/trace.ts"), ...args], {
      env: { PATH: process.env.PATH!, NO_COLOR: "1", ...env },
    });
    let out = "";
    let error = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (error += chunk));
    const code = await new Promise<number>((resolve) => child.on("close", resolve));
    return { code, out, error };
  }

  test("prints the same over the hub, Postgres and REST, with the journal of Upstash", async () => {
    const hub = shop(refusing);
    const phone = newPhone();
    await onWhatsApp(hub, phone, "Two tickets, please");
    const server = createServer(
      getRequestListener((request) => hub.app.fetch(request), { overrideGlobalObjects: false }),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const [api, upstash] = await Promise.all([supabase(url, 2), redis()]);
    const journal = { UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: upstash.token };
    const places = [
      { HUB_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ADMIN_API_KEY: "admin-key" },
      { DATABASE_URL: url, ...journal },
      { SUPABASE_URL: api.url, SUPABASE_SERVICE_ROLE_KEY: api.serviceRoleKey },
    ];
    const printed = await Promise.all(places.map((env) => run(["--phone", phone], env)));
    expect(printed.map(({ code, error }) => [code, error])).toEqual([
      [0, ""],
      [0, ""],
      [0, ""],
    ]);
    expect(new Set(printed.map(({ out }) => out)).size).toBe(1);
    expect(printed[0]!.out).toMatch(
      /^\S+Z {2}session_opened {3}session opened on whatsapp\n\S+Z {2}message_received text arrived on whatsapp.*\n\S+Z {2}dead_letter .*\n\nno answer because the bot failed once, last with 422 \(rejected\); a dead letter at .*\n$/,
    );
    const asJson = await run(["--phone", phone, "--json"], places[1]!);
    expect(JSON.parse(asJson.out)).toMatchObject({ found: "customer", journal: "ok", cursor: null });
  });

  test("names what is wrong, without a secret", async () => {
    const nothing = await run(["--message", "no-such-message"], { DATABASE_URL: url });
    expect([nothing.code, nothing.out]).toEqual([2, expect.stringMatching(/^never arrived/)]);
    expect((await run([], { DATABASE_URL: url })).error).toMatch(
      /exactly one of --phone, --session and --message/,
    );
    expect((await run(["--who", "x"], {})).error).toMatch(/Unknown option '--who'/);
    const secret = "postgres://hub:pa55word@127.0.0.1:9/none";
    const down = await run(["--session", "00000000-0000-7000-8000-000000000001"], { DATABASE_URL: secret });
    expect([down.code, down.error]).toEqual([1, expect.stringMatching(/^unavailable \(ECONNREFUSED\)/)]);
    expect(down.error + down.out).not.toMatch(/pa55word/);
    expect((await run(["--message", "1"], { PORT: "9" })).error).toMatch(/does not answer; set HUB_URL/);
  });
});
