import { beforeAll, describe, expect, test } from "vitest";
import { begin, post } from "../support/http.ts";
import { addressOf, type Operation, operationsOf, sample } from "../support/openapi.ts";
import {
  call,
  keys,
  onTelegram,
  onWhatsApp,
  type StrictHub,
  sharesPhone,
  strictHub,
} from "../support/people.ts";

const PHONE = "+4915112340001";
/** Routes that are open to everybody and show no customer. */
const PUBLIC = [
  "GET /",
  "GET /docs",
  "GET /health",
  "GET /openapi.json",
  "GET /api/config",
  "GET /api/staff/sign-in",
];
const password = "CANARY password";

/** A victim with messages on every channel, and all ids that an attacker may know. */
async function victimOf(hub: StrictHub) {
  const start = { phone: PHONE, channel: "web", customer_id: "103", data: { cart: ["CANARY"] } };
  await onTelegram(hub, 11, "CANARY");
  await sharesPhone(hub, 11, PHONE);
  await onWhatsApp(hub, PHONE, "CANARY");
  const web = await begin(hub, start, keys.web);
  await call(hub, "/session/update", post({ metadata: { note: "CANARY" }, language: "de" }, web.bearer));
  await call(hub, "/webhooks/web", post({ external_id: "v1", text: "CANARY" }, web.bearer));
  await call(hub, "/auth/signup", post({ password }, web.bearer));
  const thread = { ...post({ user_id: "103", data: { note: "CANARY" } }, keys.web), method: "PUT" };
  await call(hub, "/api/threads/web", thread);
  const { devices } = (await call(hub, "/session/devices", { headers: web.bearer })).body;
  const page = await call(hub, "/session/messages", { headers: web.bearer });
  const known = {
    id: web.id,
    session: web.id,
    session_id: web.id,
    order_id: "A-1",
    device_id: devices[0].device_id,
    message_id: page.body.messages[0].message_id,
    kind: "phone",
    phone: PHONE,
    telegram_chat_id: "11",
    whatsapp_user_id: "DE.1",
    customer_id: "103",
    visitor_id: "11",
    external_id: "v1",
    reply_to: "v1",
    thread_id: "web",
    user_id: "103",
    rating: 1,
    feedback: "a stranger's",
    summary: "a stranger's",
    code: "000000",
    password: "a guessed password",
    new_password: "a chosen password",
    channel: "kiosk",
    text: "Hello",
    language: "en",
    after: "0",
    limit: "200",
  };
  return { web, known };
}

/** All stored data of the victim, as an operator sees it. */
async function keptOf(hub: StrictHub, id: string) {
  const { body } = await call(hub, `/api/sessions/${id}/export`, { headers: keys.admin });
  return body;
}

let operations: Operation[];
beforeAll(async () => {
  operations = await operationsOf(strictHub());
});

/** A valid request by the API description, with the victim's ids in every place that takes one. */
function requestsFor(
  operation: Operation,
  known: Record<string, unknown>,
): { path: string; body?: string }[] {
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(known).filter(([name]) => !names.includes(name)));
  const bodies = operation.body
    ? [
        known,
        without("phone"),
        without("session"),
        without("session", "phone", "content"),
        without("telegram_chat_id", "whatsapp_user_id", "customer_id"),
        without("session_id", "telegram_chat_id", "whatsapp_user_id", "customer_id"),
        without("session_id", "phone", "whatsapp_user_id", "customer_id"),
        without("session_id", "phone", "telegram_chat_id", "whatsapp_user_id"),
        without("phone", "telegram_chat_id", "whatsapp_user_id", "customer_id"),
        without("code"),
      ].map((named) => {
        const whole = sample(operation.body!, named) as Record<string, unknown>;
        // One form of the message, and only the victim's ids.
        const { content: _, ...rest } = whole;
        return Object.fromEntries(
          Object.entries(rest).filter(
            ([name]) => name in named || ["data", "metadata", "message"].includes(name),
          ),
        );
      })
    : [undefined];
  const queries = [
    known,
    without("phone"),
    without("telegram_chat_id"),
    without("phone", "telegram_chat_id"),
    without("phone", "telegram_chat_id", "whatsapp_user_id"),
    without("telegram_chat_id", "whatsapp_user_id", "customer_id"),
    without("phone", "whatsapp_user_id", "customer_id"),
    without("telegram_chat_id", "whatsapp_user_id", "customer_id", "channel", "after", "limit"),
    without("phone", "telegram_chat_id", "whatsapp_user_id", "channel", "after"),
  ];
  const paths = [
    ...new Set(
      queries.map((named) => addressOf({ ...operation, path: filled(operation.path, known) }, named)),
    ),
  ];
  return paths.flatMap((path) =>
    bodies.map((body) => ({ path, ...(body && { body: JSON.stringify(body) }) })),
  );
}

/** The path with the victim's ids in it. */
function filled(path: string, known: Record<string, unknown>): string {
  const ids = path.startsWith("/api/customers/") ? { ...known, id: known.customer_id } : known;
  return path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(ids[name] ?? "web")));
}

/** 501: what needs a database, which has attack tests of its own. */
const isRefusal = (status: number) => (status >= 400 && status < 500) || status === 501;

type Way = [string, (hub: StrictHub) => Promise<Record<string, string>>];
const WAYS: Way[] = [
  ["nothing", async () => ({})],
  ["another customer's token", async (hub) => (await begin(hub, { channel: "web" })).bearer],
  [
    "a token of another known customer",
    async (hub) => (await begin(hub, { phone: "+4915112340066", channel: "web" }, keys.web)).bearer,
  ],
  ["a kiosk's key", async () => keys.kiosk],
  [
    "a kiosk's key and another customer's token",
    async (hub) => ({
      ...keys.kiosk,
      "x-session-token": (await begin(hub, { channel: "kiosk" }, keys.kiosk)).token,
    }),
  ],
  [
    "a token that was signed out",
    async (hub) => {
      const { bearer } = await begin(hub);
      await call(hub, "/session/signout", { method: "POST", headers: bearer });
      return bearer;
    },
  ],
  [
    "a token that died with its session",
    async (hub) => {
      const { bearer } = await begin(hub);
      await call(hub, "/session/end", { method: "POST", headers: bearer });
      return bearer;
    },
  ],
  ["an invented key", async () => ({ "x-api-key": "admin-keys" })],
];

describe.each(WAYS)("with %s", (_, credentials) => {
  test("no route of the API description shows or changes another customer's session", async () => {
    expect(operations.length).toBeGreaterThan(20);
    for (const operation of operations) {
      const name = `${operation.method} ${operation.path}`;
      const hub = strictHub();
      const { web, known } = await victimOf(hub);
      const before = await keptOf(hub, web.id);
      for (const { path, body } of requestsFor(operation, known)) {
        const headers = { "content-type": "application/json", ...(await credentials(hub)) };
        const response = await hub.request(path, {
          method: operation.method,
          headers,
          ...(body && { body }),
        });
        const text = await response.text();
        await hub.idle();
        const notified = [...response.headers].map(([key, value]) => `${key}: ${value}`).join("\n");
        expect([name, path, body, /CANARY/.test(text + notified)]).toEqual([name, path, body, false]);
        if (!PUBLIC.includes(name)) expect([name, response.status]).not.toEqual([name, 500]);
        if (!PUBLIC.includes(name) && (path.startsWith("/api/") || path.startsWith("/metrics")))
          expect([name, response.status, isRefusal(response.status)]).toEqual([name, response.status, true]);
      }
      expect([name, await keptOf(hub, web.id)]).toEqual([name, before]);
      expect([name, (await call(hub, "/session/restore", { headers: web.bearer })).status]).toEqual([
        name,
        200,
      ]);
    }
  });
});

test("the same requests with the victim's own token, or an admin key, show it: only the guards differ", async () => {
  const shown = new Set<string>();
  for (const operation of operations) {
    const hub = strictHub();
    const { web, known } = await victimOf(hub);
    for (const { path, body } of requestsFor(operation, known))
      for (const who of [web.bearer, keys.admin]) {
        const headers = { "content-type": "application/json", ...who };
        const response = await hub.request(path, {
          method: operation.method,
          headers,
          ...(body && { body }),
        });
        if (/CANARY/.test(await response.text())) shown.add(`${operation.method} ${operation.path}`);
      }
  }
  expect([...shown]).toEqual(
    expect.arrayContaining([
      "POST /session/start",
      "GET /session/restore",
      "POST /session/restore",
      "GET /api/sessions",
      "GET /api/sessions/{id}",
      "GET /api/threads/{thread_id}",
      "POST /session/update",
      "GET /session/messages",
      "GET /api/sessions/{id}/messages",
      "GET /api/customers/{id}/export",
      "GET /api/sessions/{id}/export",
      "POST /webhooks/web",
      "POST /webhooks/kiosk",
    ]),
  );
});
