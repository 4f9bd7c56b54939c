import { describe, expect, test } from "vitest";
import { watchJournal } from "../../src/outage/watch.ts";
import { withJournal } from "../../src/outage/with-journal.ts";
import { memoryJournal } from "../../src/stores/memory/journal.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { begin, post } from "../support/http.ts";
import { memoryCache, withFaults } from "../support/outage.ts";
import { askCode, call, keys, onWhatsApp, strictHub } from "../support/people.ts";

const PHONE = "+4915112340001";
const WEEK_MS = 7 * 86_400_000;

/** A hub whose store can be switched off, with its journal and cache. */
function fragileHub() {
  const whole = memoryStore({ sessionTtlMs: WEEK_MS, leaseMs: 60_000, history: 0 });
  let down = false;
  const now = () => new Date("2026-11-02T10:00:00Z"); // as its clock says
  const journal = memoryJournal({ now });
  const cache = memoryCache(now);
  const store = withJournal(
    withFaults(whole, "store", () => (down ? "down" : undefined)),
    {
      journal,
      watch: watchJournal(journal, now),
      cache,
      log: () => {},
      now,
      later: () => {},
      replayed: () => {},
    },
  );
  const hub = strictHub({}, { store, cache });
  const fall = () => {
    down = true;
  };
  const rise = () => {
    down = false;
  };
  return { hub, fall, rise, journal, cache, whole };
}

type Fragile = ReturnType<typeof fragileHub>;

const say = (headers: Record<string, string>, text = "Hello") =>
  post({ external_id: crypto.randomUUID(), text }, headers);

describe("while the store is down", () => {
  test("a web key's message is accepted, so that the cases below fail only for their caller", async () => {
    const { hub, fall, journal } = fragileHub();
    fall();
    const message = post({ external_id: "1", phone: PHONE, text: "Hello" }, keys.web);
    const answer = await call(hub, "/webhooks/web", message);
    expect([answer.status, answer.body]).toEqual([202, { persisted: false }]);
    expect((await journal.depth()).depth).toBe(1);
  });

  test("a device's message is accepted while its token lives", async () => {
    const { hub, fall, journal } = fragileHub();
    const { bearer } = await begin(hub);
    await hub.idle();
    fall();
    expect((await call(hub, "/webhooks/web", say(bearer))).status).toBe(202);
    expect((await journal.depth()).depth).toBe(1);
  });

  test("no session is read, whatever the cache holds", async () => {
    const { hub, fall } = fragileHub();
    const shown = await begin(hub, { phone: PHONE, channel: "web", data: { cart: ["CANARY"] } }, keys.web);
    await hub.idle();
    fall();
    const phone = encodeURIComponent(PHONE);
    for (const [path, init] of [
      ["/session/restore", { headers: shown.bearer }],
      [`/session/restore?phone=${phone}`, { headers: keys.web }],
      [`/session/restore?phone=${phone}`, { headers: keys.kiosk }],
      ["/session/start", post({ phone: PHONE, channel: "web" }, keys.web)],
      ["/session/start", post({ phone: PHONE, channel: "kiosk" }, keys.kiosk)],
      ["/session/update", post({ data: {} }, shown.bearer)],
      ["/webhooks/kiosk", post({ external_id: "1", phone: PHONE, text: "Hello" }, keys.kiosk)],
      ["/session/messages", { headers: shown.bearer }],
      [`/api/sessions/${shown.id}/messages`, { headers: keys.admin }],
      [`/api/sessions/${shown.id}/export`, { headers: keys.admin }],
    ] as [string, RequestInit][]) {
      const answer = await call(hub, path, init);
      const isTold = JSON.stringify(answer.body).includes("CANARY");
      expect([path, answer.status, isTold]).toEqual([path, 503, false]);
    }
  });

  test("a stranger cannot fill the journal: only live tokens, keys and platforms are accepted", async () => {
    const { hub, fall, journal } = fragileHub();
    fall();
    for (let i = 0; i < 20; i++) {
      const made_up = { authorization: `Bearer hst_${String(i).padStart(43, "x")}` };
      expect((await call(hub, "/webhooks/web", say(made_up))).status).toBe(503);
      expect((await call(hub, "/webhooks/web", say({}))).status).toBe(401);
      expect((await call(hub, "/webhooks/whatsapp", post({}))).status).toBe(401);
    }
    expect(await journal.depth()).toEqual({ depth: 0, quarantined: 0 });
  });

  test.for<[string, (all: Fragile, one: Awaited<ReturnType<typeof begin>>) => Promise<unknown>]>([
    ["signed out", ({ hub }, one) => call(hub, "/session/signout", { method: "POST", headers: one.bearer })],
    ["ended", ({ hub }, one) => call(hub, "/session/end", { method: "POST", headers: one.bearer })],
    [
      "signed out by an operator",
      async ({ hub }, one) => {
        const path = `/api/sessions/${one.id}/devices`;
        const { body } = await call(hub, path, { headers: keys.admin });
        await call(hub, `${path}/${body.devices[0].device_id}`, { method: "DELETE", headers: keys.admin });
      },
    ],
    [
      "erased",
      ({ hub }, one) => call(hub, `/api/sessions/${one.id}`, { method: "DELETE", headers: keys.admin }),
    ],
    [
      "exchanged for a new one by a code",
      async ({ hub }, one) => {
        await onWhatsApp(hub, PHONE, "Hello");
        const code = await askCode(hub, PHONE, one.bearer);
        await call(hub, "/session/verify", post({ phone: PHONE, code }, one.bearer));
      },
    ],
    [
      "exchanged for a new one by a scan",
      async ({ hub }, one) => {
        const { body } = await call(hub, "/session/link", { method: "POST", headers: one.bearer });
        await onWhatsApp(hub, PHONE, body.links.whatsapp.split("text=")[1]);
      },
    ],
  ])("a token that was %s before opens nothing and says nothing", async ([, lose]) => {
    const all = fragileHub();
    const { hub, fall, rise, journal, whole } = all;
    const one = await begin(hub, { channel: "web", data: { cart: ["CANARY"] } });
    await call(hub, "/session/restore", { headers: one.bearer });
    await hub.idle();
    await lose(all, one);
    await hub.idle();
    fall();
    const answer = await call(hub, "/session/restore", { headers: one.bearer });
    expect([answer.status, JSON.stringify(answer.body).includes("CANARY")]).toEqual([503, false]);
    expect((await call(hub, "/webhooks/web", say(one.bearer, "PLANTED"))).status).toBe(503);
    expect((await journal.depth()).depth).toBe(0);
    rise();
    await hub.hub.store.journal!.replay({ entries: 9, ms: 1_000 });
    const { messages } = await whole.sessions.messages({ session_id: one.id }, 0, 99, new Date());
    expect(JSON.stringify(messages)).not.toContain("PLANTED");
  });

  test("an ended token that the cache still knows writes nothing once the store is up again", async () => {
    const { hub, fall, rise, journal, whole, cache } = fragileHub();
    const one = await begin(hub);
    await hub.idle();
    await call(hub, "/session/signout", { method: "POST", headers: one.bearer });
    fall();
    Object.assign(cache, { knows: async () => true }); // nobody told it
    expect((await call(hub, "/webhooks/web", say(one.bearer, "PLANTED"))).status).toBe(202);
    rise();
    await hub.hub.store.journal!.replay({ entries: 9, ms: 1_000 });
    expect(await journal.depth()).toEqual({ depth: 0, quarantined: 1 });
    const { messages } = await whole.sessions.messages({ session_id: one.id }, 0, 99, new Date());
    expect(messages).toEqual([]);
  });

  test("a token planted in a claimed session opens nothing after its owner's proof", async () => {
    const { hub, fall } = fragileHub();
    const planted = await begin(hub, { phone: PHONE, channel: "kiosk" }, keys.kiosk);
    await onWhatsApp(hub, PHONE, "CANARY");
    await hub.idle();
    fall();
    expect((await call(hub, "/session/restore", { headers: planted.bearer })).status).toBe(503);
    expect((await call(hub, "/webhooks/kiosk", say(planted.bearer))).status).toBe(503);
  });

  test("no proof is accepted", async () => {
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
