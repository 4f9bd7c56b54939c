import { describe, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { identitiesOf } from "../../src/core/identity/identity.ts";
import type { SessionCache } from "../../src/core/sessions/cache.ts";
import type { Session } from "../../src/core/sessions/session.ts";
import type { Store } from "../../src/core/store.ts";
import { standbyOf } from "../../src/outage/journal.ts";
import { memoryJournal } from "../../src/stores/memory/journal.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { begin, post } from "../support/http.ts";
import { askCode, call, keys, onWhatsApp, strictHub } from "../support/people.ts";

const PHONE = "+4915112340001";
const WEEK_MS = 7 * 86_400_000;

/** A cache that finds sessions by token, id and identity, as Upstash does. */
function memoryCache(): SessionCache {
  const tokens = new Map<string, string>();
  const sessions = new Map<string, Session>();
  return {
    async get(who) {
      if ("session_id" in who) return sessions.get(who.session_id);
      if ("token_hash" in who) return sessions.get(tokens.get(who.token_hash) ?? "");
      return [...sessions.values()].find((session) =>
        identitiesOf(who.identities).some(([kind, value]) => session[kind] === value),
      );
    },
    async put(token_hash, session) {
      sessions.set(session.session_id, session);
      if (token_hash !== undefined) tokens.set(token_hash, session.session_id);
    },
    async drop(token_hashes) {
      for (const hash of token_hashes) tokens.delete(hash);
    },
  };
}

/** A hub whose store can be switched off, with everything that carries it meanwhile. */
function fragileHub() {
  const whole = memoryStore({ sessionTtlMs: WEEK_MS, leaseMs: 60_000, history: 0 });
  let down = false;
  const port = <T extends object>(methods: T): T =>
    new Proxy(methods, {
      get: (target, name) => (down ? refuse : Reflect.get(target, name)),
    });
  const refuse = async () => {
    throw new HubError("unavailable", "the store is down");
  };
  const store = Object.fromEntries(
    Object.entries(whole).map(([name, methods]) => [
      name,
      typeof methods === "object" ? port(methods) : methods,
    ]),
  ) as unknown as Store;
  const standby = standbyOf(memoryJournal({ now: () => new Date() }), { sessionTtlMs: WEEK_MS });
  const hub = strictHub({}, { store, standby, cache: memoryCache() });
  const fall = () => {
    down = true;
  };
  return { hub, fall };
}

describe("while the store is down", () => {
  test("a web key still finds a customer, so that the cases below fail for who asks", async () => {
    const { hub, fall } = fragileHub();
    await begin(hub, { phone: PHONE, channel: "web", data: { cart: ["CANARY"] } }, keys.web);
    fall();
    const found = await call(hub, `/session/restore?phone=${encodeURIComponent(PHONE)}`, {
      headers: keys.web,
    });
    expect([found.status, JSON.stringify(found.body).includes("CANARY")]).toEqual([200, true]);
  });

  test("a kiosk's key finds nobody by a phone: only the store knows who has proven it", async () => {
    const { hub, fall } = fragileHub();
    await begin(hub, { phone: PHONE, channel: "web", data: { cart: ["CANARY"] } }, keys.web);
    fall();
    for (const [path, init] of [
      ["/session/start", post({ phone: PHONE, channel: "kiosk" }, keys.kiosk)],
      [`/session/restore?phone=${encodeURIComponent(PHONE)}`, { headers: keys.kiosk }],
      ["/webhooks/kiosk", post({ external_id: "1", phone: PHONE, text: "Hello" }, keys.kiosk)],
      ["/session/start", post({ phone: "+4915112340077", channel: "kiosk" }, keys.kiosk)],
    ] as [string, RequestInit][]) {
      const answer = await call(hub, path, init);
      expect([path, answer.status, JSON.stringify(answer.body).includes("CANARY")]).toEqual([
        path,
        503,
        false,
      ]);
    }
  });

  test.for<
    [
      string,
      (hub: ReturnType<typeof fragileHub>["hub"], one: Awaited<ReturnType<typeof begin>>) => Promise<unknown>,
    ]
  >([
    ["signed out", (hub, one) => call(hub, "/session/signout", { method: "POST", headers: one.bearer })],
    ["ended", (hub, one) => call(hub, "/session/end", { method: "POST", headers: one.bearer })],
    [
      "signed out by an operator",
      async (hub, one) => {
        const path = `/api/sessions/${one.id}/devices`;
        const { body } = await call(hub, path, { headers: keys.admin });
        await call(hub, `${path}/${body.devices[0].device_id}`, { method: "DELETE", headers: keys.admin });
      },
    ],
    ["erased", (hub, one) => call(hub, `/api/sessions/${one.id}`, { method: "DELETE", headers: keys.admin })],
    [
      "exchanged for a new one by a code",
      async (hub, one) => {
        await onWhatsApp(hub, PHONE, "Hello");
        const code = await askCode(hub, PHONE, one.bearer);
        await call(hub, "/session/verify", post({ phone: PHONE, code }, one.bearer));
      },
    ],
    [
      "exchanged for a new one by a scan",
      async (hub, one) => {
        const { body } = await call(hub, "/session/link", { method: "POST", headers: one.bearer });
        await onWhatsApp(hub, PHONE, body.links.whatsapp.split("text=")[1]);
      },
    ],
  ])("a token that was %s before opens nothing from the cache", async ([, lose]) => {
    const { hub, fall } = fragileHub();
    const one = await begin(hub, { channel: "web", data: { cart: ["CANARY"] } });
    await call(hub, "/session/restore", { headers: one.bearer });
    await lose(hub, one);
    fall();
    const answer = await call(hub, "/session/restore", { headers: one.bearer });
    expect([answer.status, JSON.stringify(answer.body).includes("CANARY")]).toEqual([503, false]);
  });

  test("a token planted in a claimed session opens nothing once its owner has come", async () => {
    const { hub, fall } = fragileHub();
    const planted = await begin(hub, { phone: PHONE, channel: "kiosk" }, keys.kiosk);
    await onWhatsApp(hub, PHONE, "CANARY");
    fall();
    const answer = await call(hub, "/session/restore", { headers: planted.bearer });
    expect(answer.status).toBe(503);
  });

  test("nothing is proven", async () => {
    const { hub, fall } = fragileHub();
    const { bearer } = await begin(hub);
    fall();
    for (const [path, body] of [
      ["/session/verify", { phone: PHONE }],
      ["/session/verify", { phone: PHONE, code: "000000" }],
      ["/auth/login", { phone: PHONE, password: "correct horse battery", channel: "web" }],
      ["/auth/signup", { password: "correct horse battery" }],
      ["/session/link", {}],
    ] as [string, object][])
      expect([path, (await call(hub, path, post(body, bearer))).status]).toEqual([path, 503]);
  });
});
