import { once } from "node:events";
import { request } from "node:http";
import postgres from "postgres";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { freePort } from "../../dev/services/ports.ts";
import { device } from "../client/shop.ts";
import { post } from "../support/http.ts";
import { startBot } from "../support/hub-rig.ts";
import { type Program, run } from "../support/program.ts";
import { createDatabase } from "../support/stack.ts";

interface Started extends Program {
  readonly url: string;
  readonly port: number;
  /** Sends the signal, and returns the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  /** Its log lines with this event. */
  lines(event: string): any[];
}

const KEYS = { WEB_API_KEY: "web-key", KIOSK_API_KEY: "kiosk-key", ADMIN_API_KEY: "admin-key" };
const web = { "x-api-key": "web-key" };

/** Starts the hub as `npm start` does, with these settings only. */
async function start(env: Record<string, string>, port?: number): Promise<Started> {
  const at = port ?? (await freePort());
  const program = run(
    { PATH: process.env.PATH!, HOST: "127.0.0.1", PORT: String(at), SWEEP_SECONDS: "1", ...KEYS, ...env },
    "src/node.ts",
  );
  onTestFinished(async () => {
    program.child.kill("SIGKILL");
    await program.ended;
  });
  await program.says('"event":"listening"');
  return {
    ...program,
    port: at,
    url: `http://127.0.0.1:${at}`,
    async end(signal = "SIGTERM") {
      program.child.kill(signal);
      return program.ended;
    },
    lines: (event) =>
      program
        .output()
        .split("\n")
        .filter((line) => line.includes(`"event":"${event}"`))
        .map((line) => JSON.parse(line)),
  };
}

/** A message on the web channel for the customer with this number. */
function say(hub: { url: string }, id: number | string, wait = 0, headers: Record<string, string> = {}) {
  const phone = `+4915114${String(id).padStart(6, "0")}`;
  const body = { external_id: String(id), phone, text: `Hello ${id}` };
  return fetch(`${hub.url}/webhooks/web${wait ? `?wait=${wait}` : ""}`, post(body, { ...web, ...headers }));
}

describe("the hub under Node", () => {
  let databaseUrl: string;
  let sql: postgres.Sql;
  beforeAll(async () => {
    ({ url: databaseUrl } = await createDatabase());
    sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
    return () => sql.end();
  });
  const open = async () =>
    (await sql`select count(*)::int as n from turns where state <> 'dead'`)[0]!.n as number;
  const slowBot = (ms: number) =>
    startBot(async ({ message }) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return [`You said ${message.text}`];
    });
  const settings = async (ms = 0) => ({
    DATABASE_URL: databaseUrl,
    BOT_WEBHOOK_URL: await slowBot(ms),
    BOT_WEBHOOK_SECRET: "the secret of the bot",
    ENVIRONMENT: "development",
  });

  test("takes the demo's customer through four channels", async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const [PORT, TELEGRAM_EMULATOR_PORT, WHATSAPP_EMULATOR_PORT] = ports as [number, number, number];
    const url = `http://127.0.0.1:${PORT}`;
    const telegram = await startTelegramEmulator({
      port: TELEGRAM_EMULATOR_PORT,
      token: "1000001:dev-telegram-token",
      webhookUrl: `${url}/webhooks/telegram`,
      webhookSecret: "dev-telegram-secret",
    });
    const whatsapp = await startWhatsAppEmulator({
      port: WHATSAPP_EMULATOR_PORT,
      accessToken: "dev-whatsapp-token",
      appSecret: "dev-app-secret",
      verifyToken: "dev-verify-token",
      phoneNumberId: "100000000000001",
      webhookUrl: `${url}/webhooks/whatsapp`,
    });
    onTestFinished(() => Promise.all([telegram.stop(), whatsapp.stop()]).then(() => {}));
    await start(
      {
        DATABASE_URL: databaseUrl,
        ENVIRONMENT: "development",
        KIOSK_PHONE_POLICY: "trust",
        KIOSK_API_KEY: "dev-kiosk-key",
        WEB_API_KEY: "dev-web-key",
        ADMIN_API_KEY: "dev-admin-key",
        TELEGRAM_BOT_TOKEN: "1000001:dev-telegram-token",
        TELEGRAM_WEBHOOK_SECRET: "dev-telegram-secret",
        TELEGRAM_API_ROOT: telegram.url,
        TELEGRAM_BOT_USERNAME: "hub_bot",
        WHATSAPP_ACCESS_TOKEN: "dev-whatsapp-token",
        WHATSAPP_APP_SECRET: "dev-app-secret",
        WHATSAPP_VERIFY_TOKEN: "dev-verify-token",
        WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
        WHATSAPP_API_ROOT: whatsapp.url,
        WHATSAPP_DISPLAY_PHONE_NUMBER: "15550001111",
      },
      PORT,
    );
    const env = { PORT, TELEGRAM_EMULATOR_PORT, WHATSAPP_EMULATOR_PORT };
    const texts = Object.fromEntries(Object.entries(env).map(([name, port]) => [name, String(port)]));
    const demo = run({ PATH: process.env.PATH!, NO_COLOR: "1", ...texts }, "dev/demo.ts");
    expect(await demo.ended).toBe(0);
    expect(demo.output()).toMatch(/One customer, four channels, one session.*no surprise\./);
  });

  test("answers the client library, which falls back to long polls", async () => {
    const hub = await start(await settings());
    const { hub: client, listen, until, texts } = device(hub.url);
    await client.session.start();
    listen();
    await client.send("Hello");
    await until(() => texts().length === 2, 15_000);
    expect(texts()).toEqual(["Hello", "You said Hello"]);
    client.close();
    const live = await fetch(`${hub.url}/session/live`, { headers: { authorization: "Bearer hst_x" } });
    expect(live.status).toBeGreaterThanOrEqual(400);
  });

  /** Four senders, each with one message after another until `isOver` or a refused connection. */
  async function sending(hub: Started, from: number, isOver: () => boolean) {
    const saved: number[] = [];
    const failed: { id: number; why: string }[] = [];
    const send = async (sender: number) => {
      for (let id = from + sender * 100; !isOver(); id++) {
        try {
          const { status } = await say(hub, id, 0, { connection: "close" });
          if (status === 200) saved.push(id);
          else failed.push({ id, why: String(status) });
        } catch (error) {
          const why = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? String(error);
          failed.push({ id, why });
          if (why === "ECONNREFUSED") return;
        }
      }
    };
    await Promise.all([0, 1, 2, 3].map(send));
    return { saved: saved.sort((a, b) => a - b), failed };
  }

  /** The stored messages of four senders, and those without exactly one answer. */
  async function stored(from: number) {
    const rows = await sql<{ id: number; answers: number }[]>`
      select substr(text, 7)::int as id,
        (select count(*)::int from messages a where a.reply_to = q.message_id::text) as answers
      from messages q where direction = 'inbound' and text ~ '^Hello \\d+$' and substr(text, 7)::int between ${from} and ${from + 399} order by 1`;
    return { ids: rows.map(({ id }) => id), unanswered: rows.filter(({ answers }) => answers !== 1) };
  }

  test("stops without cutting a request, and ends the background work first", async () => {
    const hub = await start(await settings(1_500));
    const waiting = say(hub, 1, 20); // its answer comes before the process ends
    const sent = sending(hub, 1_000, () => false);
    await new Promise((resolve) => setTimeout(resolve, 700));
    const began = Date.now();
    expect([await hub.end(), hub.lines("stopped")[0]]).toEqual([0, expect.objectContaining({ whole: true })]);
    expect(Date.now() - began).toBeLessThan(20_000);
    expect((await waiting).status).toBe(200);
    const { saved, failed } = await sent;
    // A connection that comes as the socket closes is refused or reset before its request is read.
    expect(failed.filter(({ why }) => !/^ECONN(REFUSED|RESET)$/.test(why))).toEqual([]);
    expect(saved.length).toBeGreaterThan(4);
    expect(await stored(1_000)).toEqual({ ids: saved, unanswered: [] });
    expect(await open()).toBe(0); // no turn is left claimed
  });

  test("with a delay a balancer that watches /ready gets no failure at all", async () => {
    const hub = await start({ ...(await settings(50)), STOP_DELAY_SECONDS: "2" });
    const isReady = async () => (await fetch(`${hub.url}/ready`)).status === 200;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        isOver = !(await isReady());
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    const sent = sending(hub, 2_000, () => isOver);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await hub.end()).toBe(0);
    await watching;
    const { saved, failed } = await sent;
    expect(failed).toEqual([]);
    expect(await stored(2_000)).toEqual({ ids: saved, unanswered: [] });
  });

  test("answers long polls at once when it stops", async () => {
    const hub = await start(await settings());
    const started = await fetch(`${hub.url}/session/start`, post({ channel: "web" }));
    const { session_token } = (await started.json()) as any;
    const headers = { authorization: `Bearer ${session_token}` };
    const poll = fetch(`${hub.url}/session/messages?wait=25`, { headers });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = Date.now();
    expect(await hub.end()).toBe(0);
    const answer = await poll;
    expect([answer.status, ((await answer.json()) as any).messages]).toEqual([200, []]);
    expect(Date.now() - began).toBeLessThan(5_000);
  });

  test("says that it is ready, not while the database is down, and not once it stops", async () => {
    const hub = await start({ ...(await settings()), STOP_DELAY_SECONDS: "2" });
    const ask = async (url: string, path: string) => {
      const response = await fetch(`${url}${path}`);
      return [response.status, ((await response.json()) as any).status];
    };
    expect([await ask(hub.url, "/ready"), await ask(hub.url, "/health")]).toEqual([
      [200, "ready"],
      [200, "ok"],
    ]);
    const lost = await start({ DATABASE_URL: "postgres://nobody@127.0.0.1:9/none", BOT: "echo" });
    expect([await ask(lost.url, "/ready"), await ask(lost.url, "/health")]).toEqual([
      [503, "not_ready"],
      [200, "ok"],
    ]);
    hub.child.kill("SIGTERM");
    await hub.says('"event":"stopping"');
    expect([await ask(hub.url, "/ready"), (await say(hub, 70)).status]).toEqual([[503, "not_ready"], 200]);
    expect(await hub.ended).toBe(0);
  });

  test("a kill loses nothing: another process takes its work over, once its lease has ended", async () => {
    const first = await start(await settings(20_000));
    expect((await say(first, 80)).status).toBe(200);
    await first.end("SIGKILL");
    expect(await open()).toBe(1);
    await sql`update turns set due_at = now() - interval '1 second'`; // the minute of the lease is over
    const second = await start(await settings());
    await expect.poll(open, { timeout: 15_000 }).toBe(0);
    expect(await sql`select text from messages where role = 'assistant' and text like '%80'`).toHaveLength(1);
    expect(await second.end()).toBe(0);
  });

  test("processes side by side answer each waiting message once", async () => {
    const asked: string[] = [];
    const bot = await startBot(async ({ message }) => {
      asked.push(message.text);
      return ["Yes"];
    });
    const all = { ...(await settings()), BOT_WEBHOOK_URL: bot };
    const dropped = await start({ ...all, BOT_WEBHOOK_URL: await slowBot(20_000), SWEEP_SECONDS: "3600" });
    await Promise.all(Array.from({ length: 40 }, (_, i) => say(dropped, 9_000 + i)));
    await dropped.end("SIGKILL");
    await sql`update turns set due_at = now() - interval '1 second'`;
    const hubs = await Promise.all([start(all), start(all), start(all)]);
    await expect.poll(open, { timeout: 30_000 }).toBe(0);
    expect(asked.toSorted()).toEqual(Array.from({ length: 40 }, (_, i) => `Hello ${9_000 + i}`));
    await Promise.all(hubs.map((hub) => hub.end()));
  });

  test("counts calls by the connection's address, whatever a caller says of itself", async () => {
    const hub = await start(await settings());
    const begin = async (headers: Record<string, string>, url = hub.url) =>
      (await fetch(`${url}/session/start`, post({ channel: "web" }, headers))).status;
    const forged = (i: number) => ({ "cf-connecting-ip": `10.0.0.${i}`, "x-forwarded-for": `10.0.1.${i}` });
    const statuses = [];
    for (let i = 0; i < 31; i++) statuses.push(await begin(forged(i)));
    expect(statuses).toEqual([...Array(30).fill(200), 429]);
    const behind = await start({ ...(await settings()), CLIENT_IP_HEADER: "X-Forwarded-For" });
    const by = (last: string) => begin({ "x-forwarded-for": `1.2.3.4, ${last}` }, behind.url);
    for (let i = 0; i < 30; i++) expect(await by("10.0.0.1")).toBe(200);
    expect([await by("10.0.0.1"), await by("10.0.0.2")]).toEqual([429, 200]);
  });

  test("refuses a body that does not come, and goes on", async () => {
    const hub = await start(await settings());
    const slow = request(`${hub.url}/session/start`, {
      method: "POST",
      headers: { "content-length": "100" },
    });
    slow.flushHeaders();
    const [answer] = await once(slow, "response");
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    slow.destroy();
    expect((await say(hub, 90)).status).toBe(200);
  });

  test.each([
    [
      "a wrong setting",
      { PORT: "80000", DATABASE_URL: "mysql://x" },
      /PORT.*DATABASE_URL must be a postgres:\/\/ URL/,
    ],
    [
      "a channel that is half configured",
      { WHATSAPP_APP_SECRET: "pa55word" },
      /WHATSAPP_ACCESS_TOKEN is missing/,
    ],
  ])("exits with 1 on %s, and names it", async (_, env, named) => {
    const program = run({ PATH: process.env.PATH!, PORT: "0", HOST: "127.0.0.1", ...env }, "src/node.ts");
    expect(await program.ended).toBe(1);
    expect(program.output()).toMatch(named);
    expect(program.output()).not.toMatch(/pa55word|mysql:/);
  });

  test("exits with 1 on a taken port, and at once on a second signal", async () => {
    const hub = await start(await settings(20_000));
    const second = run({ PATH: process.env.PATH!, PORT: String(hub.port), HOST: "127.0.0.1" }, "src/node.ts");
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/"event":"not_listening".*EADDRINUSE/);
    await say(hub, 95);
    hub.child.kill("SIGTERM");
    await hub.says('"event":"stopping"');
    expect(await hub.end("SIGINT")).toBe(130);
    await sql`delete from turns`;
  });
});
