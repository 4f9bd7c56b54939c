import { describe, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { sha256Hex } from "../../src/core/signature.ts";
import type { ExportedMessage, ExportPage } from "../../src/features/privacy/privacy.ts";
import { streamed } from "../../src/http/streamed.ts";
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

const PHONE = "+4915112340001";

/** A customer with a number, a cart and messages on three channels, and another customer. */
async function shop(parts?: Parameters<typeof strictHub>[1]) {
  const hub = strictHub({}, parts);
  const start = { phone: PHONE, channel: "web", customer_id: "A 103/ä", data: { cart: ["CANARY-cart"] } };
  await onTelegram(hub, 11, "CANARY-telegram");
  await sharesPhone(hub, 11, PHONE);
  await onWhatsApp(hub, PHONE, "CANARY-whatsapp");
  const web = await begin(hub, start, keys.web);
  await call(
    hub,
    "/session/update",
    post({ message: "CANARY-note", metadata: { m: "CANARY-meta" } }, web.bearer),
  );
  const other = await begin(hub, { phone: "+4915112340002", channel: "web", customer_id: "104" }, keys.web);
  await call(hub, "/webhooks/web", post({ external_id: "1", text: "OTHER" }, other.bearer));
  return { hub, web, other };
}

const customer = `/api/customers/${encodeURIComponent("A 103/ä")}`;
const actor = async () => `admin:${(await sha256Hex("admin-key")).slice(0, 8)}`;

async function audit(hub: StrictHub, query = ""): Promise<any> {
  return (await call(hub, `/api/audit${query}`, { headers: keys.admin })).body;
}

describe("an export", () => {
  test("holds everything of one customer and nothing of another", async () => {
    const { hub, web } = await shop();
    const response = await hub.request(`${customer}/export`, { headers: keys.admin });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
    const text = await response.text();
    for (const word of ["cart", "note", "meta", "telegram", "whatsapp"])
      expect(text).toContain(`CANARY-${word}`);
    expect(text).not.toMatch(/OTHER|4915112340002/);
    const { sessions, messages } = JSON.parse(text);
    const ours = sessions.find(({ status }: any) => status === "active");
    expect(ours).toMatchObject({
      session_id: web.id,
      phone: PHONE,
      telegram_chat_id: "11",
      has_password: false,
    });
    expect(ours.addresses.map(({ channel }: any) => channel)).toEqual(["telegram", "whatsapp"]);
    expect(ours.devices).toMatchObject([{ channel: "web" }]);
    expect(messages.every(({ revisions }: any) => Array.isArray(revisions))).toBe(true);
    expect(text).not.toContain(web.token);
    expect(text).not.toContain(await sha256Hex(web.token));
  });

  test("by session_id works for people without a number", async () => {
    const { hub } = await shop();
    const here = await begin(hub, { channel: "web", data: { cart: ["mine"] } });
    const { body } = await call(hub, `/api/sessions/${here.id}/export`, { headers: keys.admin });
    expect(body).toMatchObject({
      sessions: [{ session_id: here.id, data: { cart: ["mine"] } }],
      messages: [],
    });
  });

  test("of an unknown customer is empty", async () => {
    const { hub } = await shop();
    const { status, body } = await call(hub, "/api/customers/999/export", { headers: keys.admin });
    expect([status, body]).toEqual([
      200,
      { sessions: [], messages: [], threads: [], reservations: [], orders: [], notes: [], handoffs: [] },
    ]);
  });

  test("is written page by page as it is read", async () => {
    const { hub, web } = await shop();
    const whole = JSON.parse(await (await hub.request(`${customer}/export`, { headers: keys.admin })).text());
    const asked: (string | undefined)[] = [];
    hub.hub.store.privacy.export = pages(whole.messages[0], asked);
    const response = await hub.request(`/api/sessions/${web.id}/export`, { headers: keys.admin });
    expect(asked).toEqual([undefined]);
    const reader = response.body!.getReader();
    const first = new TextDecoder().decode((await reader.read()).value);
    expect(first).toMatch(/^\{"sessions":\[\],"messages":\[\{/);
    expect(asked).toHaveLength(1);
    await reader.read();
    expect(asked).toEqual([undefined, "1"]);
    await reader.cancel();
    await hub.idle();
    expect(asked).toHaveLength(2);
  });

  test("that nobody reads ends by itself", async () => {
    const { hub } = await shop();
    const head = await hub.request(`${customer}/export`, { method: "HEAD", headers: keys.admin });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    await hub.idle();
    const { ended } = streamed(text(), 1);
    await ended;
    async function* text() {
      yield "never read";
    }
  });

  test("lists sessions before messages with any page size", async () => {
    const { hub, web } = await shop();
    const path = `/api/sessions/${web.id}/export`;
    const whole = JSON.parse(await (await hub.request(path, { headers: keys.admin })).text());
    const { export: read } = hub.hub.store.privacy;
    for (const size of [1, 2, 3]) {
      hub.hub.store.privacy.export = (of, after, _limit, who, now) => read(of, after, size, who, now);
      expect(JSON.parse(await (await hub.request(path, { headers: keys.admin })).text())).toEqual(whole);
    }
  });

  test("fails with an error at the first page, and is cut off at a later one", async () => {
    const { hub, web } = await shop();
    const path = `/api/sessions/${web.id}/export`;
    const { export: read } = hub.hub.store.privacy;
    const down = async () => {
      throw new HubError("unavailable", "the store is down");
    };
    hub.hub.store.privacy.export = down;
    expect((await call(hub, path, { headers: keys.admin })).status).toBe(503);
    hub.hub.store.privacy.export = (of, after, _limit, who, now) =>
      after === undefined ? read(of, after, 1, who, now) : down();
    const broken = await hub.request(path, { headers: keys.admin });
    expect(broken.status).toBe(200);
    await expect(broken.text()).rejects.toThrow();
    await hub.idle();
    expect(hub.lines.at(-1)).toMatchObject({ event: "background.failed", fields: { code: "unavailable" } });
  });
});

describe("an erasure", () => {
  test("removes content, identities and tokens, and returns the counts", async () => {
    const notified: unknown[][] = [];
    const { hub, web, other } = await shop({ live: { publish: (...what) => void notified.push(what) } });
    const { status, body } = await call(hub, customer, { method: "DELETE", headers: keys.admin });
    expect([status, body]).toEqual([200, { sessions: expect.any(Number), messages: expect.any(Number) }]);
    expect(body.messages).toBeGreaterThanOrEqual(3);
    expect((await call(hub, "/session/restore", { headers: web.bearer })).status).toBe(404);
    expect(notified).toContainEqual([web.id, { type: "closed" }]);
    const drop = hub.cache.calls.findLast(([verb]) => verb === "drop")!;
    const token_hashes = [await sha256Hex(web.token)];
    const session_ids = expect.arrayContaining([web.id]);
    expect(drop.slice(1)).toEqual([token_hashes, { token_hashes, session_ids }]);
    const left = await call(hub, `/api/sessions/${web.id}/export`, { headers: keys.admin });
    expect(JSON.stringify(left.body)).not.toMatch(/CANARY|4915112340001/);
    const found = await call(hub, `/session/restore?phone=${encodeURIComponent(PHONE)}`, {
      headers: keys.web,
    });
    expect(found.status).toBe(404);
    expect((await call(hub, "/session/restore", { headers: other.bearer })).status).toBe(200);
    expect((await call(hub, customer, { method: "DELETE", headers: keys.admin })).status).toBe(200);
  });

  test("by session_id leaves other customers' sessions", async () => {
    const { hub, web, other } = await shop();
    const answer = await call(hub, `/api/sessions/${other.id.toUpperCase()}`, {
      method: "DELETE",
      headers: keys.admin,
    });
    expect(answer.body).toMatchObject({ sessions: 1 });
    expect((await call(hub, "/session/restore", { headers: other.bearer })).status).toBe(404);
    expect((await call(hub, "/session/restore", { headers: web.bearer })).status).toBe(200);
  });
});

describe("the audit", () => {
  test("has a line for each, with actor and counts and without content", async () => {
    const { hub, other } = await shop();
    await (await hub.request(`${customer}/export`, { headers: keys.admin })).text();
    await call(hub, `/api/sessions/${other.id}`, { method: "DELETE", headers: keys.admin });
    const { lines, cursor } = await audit(hub);
    expect(lines).toMatchObject([
      { actor: await actor(), action: "export", subject: "customer:A 103/ä", at: "2026-11-02T10:00:00.000Z" },
      { actor: await actor(), action: "erase", subject: `session:${other.id}`, details: { sessions: 1 } },
    ]);
    expect(cursor).toBe(lines[1].audit_id);
    expect(JSON.stringify(lines)).not.toMatch(/CANARY|OTHER|4915|admin-key/);
    expect((await audit(hub, `?after=${lines[0].audit_id}`)).lines).toEqual([lines[1]]);
    expect((await audit(hub, "?limit=1")).lines).toEqual([lines[0]]);
    expect(await audit(hub, `?after=${cursor}`)).toEqual({ lines: [], cursor });
  });

  test("begins empty", async () => {
    expect(await audit(strictHub())).toEqual({ lines: [], cursor: null });
  });
});

test.for([
  ["GET", "/api/customers/103/export"],
  ["DELETE", "/api/customers/103"],
  ["GET", "/api/sessions/00000000-0000-4000-8000-000000000000/export"],
  ["DELETE", "/api/sessions/00000000-0000-4000-8000-000000000000"],
  ["GET", "/api/audit"],
] as [string, string][])("%s %s is for admin keys", async ([method, path]) => {
  const hub = testHub();
  const { bearer } = await begin(hub);
  for (const [headers, status] of [
    [{}, 401],
    [bearer, 401],
    [keys.kiosk, 403],
    [keys.web, 403],
    [{ "x-api-key": "admin-kez" }, 401],
  ] as [Record<string, string>, number][])
    expect((await call(hub, path, { method, headers })).status).toBe(status);
  expect((await call(hub, "/api/audit", { headers: keys.admin })).body.lines).toEqual([]);
});

/** An export of endless pages, each with one message. */
function pages(message: any, asked: (string | undefined)[]) {
  const revived = { ...message, created_at: new Date(message.created_at), revisions: [] };
  for (const key of ["sent_at", "edited_at", "deleted_at"]) delete revived[key];
  return async (_of: unknown, after: string | undefined): Promise<ExportPage> => {
    asked.push(after);
    return { sessions: [], messages: [revived as ExportedMessage], after: String(Number(after ?? 0) + 1) };
  };
}
