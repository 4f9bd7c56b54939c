import { inspect } from "node:util";
import postgres from "postgres";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { hmacHex } from "../../src/core/signature.ts";
import worker from "../../src/worker.ts";
import { ENV, post } from "../support/http.ts";
import { startBot } from "../support/hub-rig.ts";
import { createDatabase, redis, supabase } from "../support/stack.ts";

/** Secrets that no log line may hold, in any spelling. Tokens and wamids are added during the run. */
const WORDS = "Zitronenfalter";
const PHONES = ["4915155501234", "15155501234", "1515 5501234", "4915155509876"];
const CHAT = 7_315_550_001;
const KEYS = {
  KIOSK_API_KEY: "kiosk-Schluesselbein",
  WEB_API_KEY: "web-Schluesselbein",
  ADMIN_API_KEY: "admin-Schluesselbein",
  TELEGRAM_BOT_TOKEN: "103:bot-Schluesselbein",
  TELEGRAM_WEBHOOK_SECRET: "telegram-Schluesselbein",
  WHATSAPP_ACCESS_TOKEN: "access-Schluesselbein",
  WHATSAPP_APP_SECRET: "app-Schluesselbein",
  WHATSAPP_VERIFY_TOKEN: "verify-Schluesselbein",
  BOT_WEBHOOK_SECRET: "bot-secret-Schluesselbein",
};

const levels = ["log", "info", "warn", "error", "debug"] as const;
let logged: string[] = [];
let secrets: string[] = [];
beforeEach(() => {
  logged = [];
  secrets = [WORDS, ...PHONES, String(CHAT), "Schluesselbein", "test-upstash-token"];
  for (const level of levels)
    vi.spyOn(console, level).mockImplementation((...parts) => {
      logged.push(parts.map((part) => (typeof part === "string" ? part : inspect(part))).join(" "));
    });
});
afterEach(() => void vi.restoreAllMocks());

/** A Worker with these settings, called as Cloudflare calls it, and its two emulators, which send the messages. */
async function openWorker(settings: Record<string, unknown>) {
  const botUrl = await startBot(async ({ message }) => {
    if (message.text.includes("nonsense")) return [null as never];
    if (message.text.includes("crash")) throw new Error(`cannot answer ${message.text}`);
    return [`You said ${message.text}`];
  });
  const env: Record<string, unknown> = {
    ...ENV,
    ...KEYS,
    ...settings,
    BOT: "webhook",
    BOT_WEBHOOK_URL: botUrl,
  };
  const running = new Set<Promise<unknown>>();
  const context = {
    waitUntil: (work: Promise<unknown>) => void running.add(work),
    passThroughOnException() {},
  };
  const idle = async () => {
    for (let size = -1; size !== running.size; ) {
      size = running.size;
      await Promise.allSettled(running);
    }
  };
  const ask = async (path: string, init?: RequestInit) => {
    const request = new Request(`https://hub.example${path}`, init);
    const response: Response = await (worker.fetch(request as never, env, context as never) as never);
    await idle();
    return { status: response.status, body: (await response.json().catch(() => ({}))) as any };
  };
  /** Delivers a platform's request to the Worker directly, without a server between. */
  const telegram = await startTelegramEmulator({ port: 0, token: KEYS.TELEGRAM_BOT_TOKEN, strict: false });
  const whatsapp = await startWhatsAppEmulator({
    port: 0,
    accessToken: KEYS.WHATSAPP_ACCESS_TOKEN,
    appSecret: KEYS.WHATSAPP_APP_SECRET,
    verifyToken: KEYS.WHATSAPP_VERIFY_TOKEN,
    phoneNumberId: ENV.WHATSAPP_PHONE_NUMBER_ID,
    strict: false,
    statuses: false,
  });
  onTestFinished(async () => {
    await Promise.all([telegram.stop(), whatsapp.stop()]);
  });
  Object.assign(env, { TELEGRAM_API_ROOT: telegram.url, WHATSAPP_API_ROOT: whatsapp.url });
  const sweep = async () => {
    await worker.scheduled({} as never, env, context as never);
    await idle();
  };
  return { ask, sweep, telegram, whatsapp };
}

type Open = Awaited<ReturnType<typeof openWorker>>;

/** Requests of customers, frontends and operators, valid and invalid, with secrets in every possible place. */
async function talk({ ask, sweep, telegram, whatsapp }: Open): Promise<number[]> {
  const statuses: number[] = [];
  let n = Date.now();
  const call = async (path: string, init?: RequestInit) => {
    const { status, body } = await ask(path, init);
    statuses.push(status);
    return body;
  };

  const from = { id: CHAT, is_bot: false, first_name: WORDS, username: WORDS };
  const chat = { id: CHAT, type: "private", first_name: WORDS };
  const said = (more: object) => ({ message_id: ++n % 1e9, date: 1_793_600_000, from, chat, ...more });
  const update = (more: object) =>
    call(
      "/webhooks/telegram",
      post({ update_id: ++n, ...more }, { "x-telegram-bot-api-secret-token": KEYS.TELEGRAM_WEBHOOK_SECRET }),
    );
  await fault(telegram.url, {
    method: "sendMessage",
    status: 400,
    body: { ok: false, error_code: 400, description: `Bad Request: ${WORDS} in chat ${CHAT}` },
  });
  await fault(telegram.url, {
    method: "sendChatAction",
    status: 400,
    body: { ok: false, error_code: 400, description: WORDS },
  });
  for (const text of [WORDS, `${WORDS} crash`, `${WORDS} nonsense`])
    await update({ message: said({ text }) });
  await update({ message: said({ contact: { user_id: CHAT, phone_number: PHONES[0], first_name: WORDS } }) });
  await update({ edited_message: said({ text: `${WORDS} again`, edit_date: 1_793_600_001 }) });
  await update({
    callback_query: { id: String(n), from, message: said({ text: WORDS }), chat_instance: "1", data: WORDS },
  });
  await update({
    message: said({ document: { file_id: WORDS, file_unique_id: "1", file_name: WORDS }, caption: WORDS }),
  });
  await update({ message: { ...said({ text: WORDS }), chat: { id: -100, type: "group", title: WORDS } } });
  await update({ [WORDS]: { text: WORDS } });
  await update({
    my_chat_member: {
      chat,
      from,
      date: 1,
      old_chat_member: { user: from, status: "member" },
      new_chat_member: { user: from, status: "kicked" },
    },
  });
  await call(
    "/webhooks/telegram",
    post({ update_id: ++n, message: said({ text: WORDS }) }, { "x-telegram-bot-api-secret-token": WORDS }),
  );

  const signed = async (body: string) =>
    post(body, {
      "x-hub-signature-256": `sha256=${await hmacHex(KEYS.WHATSAPP_APP_SECRET, new TextEncoder().encode(body))}`,
    });
  const value = (more: object) =>
    JSON.stringify({
      object: "whatsapp_business_account",
      entry: [
        {
          id: "1",
          changes: [
            {
              field: "messages",
              value: {
                messaging_product: "whatsapp",
                metadata: { display_phone_number: PHONES[3], phone_number_id: ENV.WHATSAPP_PHONE_NUMBER_ID },
                ...more,
              },
            },
          ],
        },
      ],
    });
  const wamid = () => {
    const id = `wamid.${btoa(`${PHONES[0]} ${++n}`)}`;
    secrets.push(id, btoa(PHONES[0]!).slice(0, 14));
    return id;
  };
  const contacts = [{ wa_id: PHONES[0], profile: { name: WORDS } }];
  const written = async (more: object, type = Object.keys(more)[0]) =>
    call(
      "/webhooks/whatsapp",
      await signed(
        value({
          contacts,
          messages: [{ id: wamid(), from: PHONES[0], timestamp: "1793600000", type, ...more }],
        }),
      ),
    );
  await fault(whatsapp.url, {
    method: "text",
    status: 400,
    body: { error: { code: 100, message: `${WORDS} to ${PHONES[0]}` } },
  });
  for (const body of [WORDS, `${WORDS} crash`]) await written({ text: { body } });
  await written({ interactive: { type: "button_reply", button_reply: { id: WORDS, title: WORDS } } });
  await written({ contacts: [{ name: { formatted_name: WORDS }, phones: [{ phone: PHONES[3] }] }] });
  await written({ [WORDS]: WORDS });
  await written({ edit: { original_message_id: wamid(), message: { type: "text", text: { body: WORDS } } } });
  await call(
    "/webhooks/whatsapp",
    await signed(
      value({
        statuses: [
          {
            id: wamid(),
            status: "failed",
            timestamp: "1793600000",
            recipient_id: PHONES[0],
            errors: [{ code: 131026, title: WORDS, message: WORDS }],
          },
        ],
      }),
    ),
  );
  await call("/webhooks/whatsapp", await signed(`{"entry": "${WORDS}`));
  await call("/webhooks/whatsapp", post(value({}), { "x-hub-signature-256": `sha256=${WORDS}` }));
  await call(`/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=${WORDS}&hub.challenge=${WORDS}`);

  const kiosk = { "x-api-key": KEYS.KIOSK_API_KEY };
  const web = { "x-api-key": KEYS.WEB_API_KEY };
  const admin = { headers: { authorization: `Bearer ${KEYS.ADMIN_API_KEY}` } };
  await call("/webhooks/kiosk?wait=0.3", post({ external_id: WORDS, phone: PHONES[2], text: WORDS }, kiosk));
  await call("/webhooks/kiosk", post({ external_id: 1, phone: WORDS, text: WORDS }, kiosk));
  await call(
    "/webhooks/kiosk",
    post({ external_id: "1", phone: PHONES[0], text: WORDS }, { "x-api-key": WORDS }),
  );
  const started = await call(
    "/session/start",
    post({ channel: "web", phone: PHONES[2], data: { cart: WORDS } }, web),
  );
  const anonymous = await call("/session/start", post({ channel: "web" }));
  const tokens = [started, anonymous].map((body) => body.session_token ?? "hst_Schluesselbein");
  secrets.push(...tokens);
  const session = started.session?.session_id ?? crypto.randomUUID();
  await call("/webhooks/kiosk?wait=0.3", post({ external_id: "2", session, text: WORDS }, kiosk));
  for (const token of tokens) {
    const bearer = { authorization: `Bearer ${token}` };
    await call("/webhooks/web?wait=0.3", post({ external_id: WORDS, text: WORDS }, bearer));
    await call("/webhooks/web", post({ external_id: "2", content: { kind: WORDS } }, bearer));
    await call(
      "/session/update",
      post({ data: { [WORDS]: PHONES[0] }, message: WORDS, language: "de" }, bearer),
    );
    await call("/session/update", post({ data: WORDS, language: WORDS }, bearer));
    await call("/session/restore?channel=kiosk", { headers: bearer });
    await call("/session/messages", { headers: bearer });
    await call("/auth/signup", post({ password: WORDS }, bearer));
    await call("/session/link", post({ channel: "telegram" }, bearer));
    await call("/session/verify", post({ phone: PHONES[0] }, bearer));
    await call("/session/verify", post({ phone: PHONES[0], code: "123456" }, bearer));
    await call("/api/chat/language", post({ language: WORDS }, bearer));
  }
  await call("/auth/login", post({ phone: PHONES[0], password: WORDS, channel: "web" }));
  await call(`/session/restore?phone=%2B${PHONES[0]}`, { headers: web });
  await call(`/session/restore?telegram_chat_id=${CHAT}`, { headers: kiosk });
  await call("/session/restore", { headers: { authorization: `Bearer hst_${WORDS}` } });
  await call(`/api/sessions/${WORDS}/messages`, admin);
  await call(`/api/sessions/${session}/messages`, admin);
  await call(`/api/search/messages?q=${WORDS}`, admin);
  await call(`/${WORDS}/${PHONES[0]}?phone=${PHONES[0]}`);
  await call(`/session/start?${WORDS}`, post(`{"phone": "${PHONES[0]}", ${WORDS}`));
  for (const path of ["/health", "/metrics"]) await call(path, admin);
  const dead = await call("/api/dead-letters", admin);
  for (const { id } of dead.dead_letters ?? [])
    await call(`/api/dead-letters/${id}/retry`, { method: "POST", ...admin });
  for (const path of ["/session/signout", "/session/end"])
    await call(path, { method: "POST", headers: { "x-session-token": tokens[0] } });
  // Without a database it throws, which Cloudflare counts as a failed event.
  await sweep().catch(() => undefined);
  return statuses;
}

async function fault(url: string, fields: object): Promise<void> {
  await fetch(`${url}/_faults`, { method: "POST", body: JSON.stringify({ kind: "status", ...fields }) });
}

/**
 * Expects that every line is one JSON object with a name and without secrets. `events` shows that lines were written.
 */
function expectQuiet(events: readonly string[]): void {
  const named = logged.map((line) => {
    const notified = line.toLowerCase();
    for (const secret of secrets)
      if (notified.includes(secret.toLowerCase())) expect(line).not.toContain(secret);
    const { level, event } = JSON.parse(line) as { level: string; event: string };
    expect(level).toMatch(/^(info|warn|error)$/);
    return event;
  });
  for (const event of events) expect(named).toContain(event);
}

const ALL = ["request", "turn", "delivery.failed", "showTyping.failed", "sweep"];

test("a conversation on all channels leaves no text, phone, token or key in the logs: memory", async () => {
  const statuses = await talk(await openWorker({}));
  // The search, which needs a database.
  expect(statuses.filter((status) => status >= 500)).toEqual([501]);
  expectQuiet([...ALL, "store.memory"]);
});

const BREAK = [
  "create function public.spill() returns trigger language plpgsql as $$ begin raise exception 'spilt: %', new; end $$",
  "create trigger spill before insert on public.messages for each row execute function public.spill()",
];

test("neither do errors of Postgres, up or down", async () => {
  const { url } = await createDatabase();
  const owner = postgres(url, { max: 1, onnotice: () => {} });
  // A Worker for each, because the breaker stops the calls of one whose calls keep failing.
  const open = () =>
    openWorker({ CONVERSATION_STORAGE_BACKEND: "postgres", HYPERDRIVE: { connectionString: url } });
  expect((await talk(await open())).filter((status) => status >= 500)).toEqual([]);
  for (const statement of BREAK) await owner.unsafe(statement);
  expect(await talk(await open())).toContain(503);
  await owner`drop trigger spill on public.messages`;
  await owner`alter table public.messages add constraint no_words check (text = '') not valid`;
  await talk(await open());
  await owner`drop function public.hub_receive(jsonb)`;
  await talk(await open());
  await owner.end();
  const connectionString = "postgres://Schluesselbein:Schluesselbein@127.0.0.1:9/Schluesselbein";
  const gone = await openWorker({
    CONVERSATION_STORAGE_BACKEND: "postgres",
    HYPERDRIVE: { connectionString },
  });
  expect(await talk(gone)).toContain(503);
  expectQuiet([...ALL, "store.failed"]);
  const reasons = logged.map((line) => JSON.parse(line)).filter(({ event }) => event === "store.failed");
  expect(new Set(reasons.map(({ reason }) => reason))).toEqual(
    new Set(["P0001", "23514", "42883", "ECONNREFUSED"]),
  );
}, 120_000);

test("neither do errors of Supabase's REST API, up or down, and of the journal", async () => {
  const { url } = await createDatabase();
  const owner = postgres(url, { max: 1, onnotice: () => {} });
  const [api, upstash] = await Promise.all([supabase(url, 4), redis()]);
  const cache = { UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: "test-upstash-token" };
  secrets.push(api.serviceRoleKey);
  const settings = { SUPABASE_URL: api.url, SUPABASE_SERVICE_ROLE_KEY: api.serviceRoleKey, ...cache };
  const open = await openWorker(settings);
  expect((await talk(open)).filter((status) => status >= 500)).toEqual([]);
  for (const statement of BREAK) await owner.unsafe(statement);
  await talk(open);
  await owner.end();
  await api.stop();
  await talk(open);
  const wrongKey = { SUPABASE_URL: api.url, SUPABASE_SERVICE_ROLE_KEY: "sb_secret_Schluesselbein" };
  await talk(await openWorker(wrongKey));
  await upstash.stop();
  await talk(open);
  expectQuiet([...ALL, "store.failed", "cache.failed"]);
}, 120_000);
