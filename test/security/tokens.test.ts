import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../src/core/signature.ts";
import { begin, post, testHub } from "../support/http.ts";
import {
  askCode,
  call,
  keys,
  onTelegram,
  onWhatsApp,
  type StrictHub,
  sharesPhone,
  strictHub,
} from "../support/people.ts";

const PHONE = "+4915112340001";
const password = "correct horse battery";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const codeOf = async (hub: StrictHub, token: string) =>
  (await call(hub, "/session/restore", { headers: bearer(token) })).code;

describe("a session token", () => {
  test("is 256 random bits, and no two are alike", async () => {
    const hub = testHub();
    const tokens = await Promise.all(Array.from({ length: 500 }, async () => (await begin(hub)).token));
    expect(new Set(tokens).size).toBe(500);
    const bytes = tokens.map((token) => Buffer.from(token.slice("hst_".length), "base64url"));
    expect(bytes.every(({ length }) => length === 32)).toBe(true);
    // Every bit is on in about half of them: 500 throws of a fair coin lie within 150 and 350 all but always.
    for (let bit = 0; bit < 256; bit++) {
      const on = bytes.filter((one) => (one[bit >> 3]! >> (bit & 7)) & 1).length;
      expect(on).toBeGreaterThan(150);
      expect(on).toBeLessThan(350);
    }
  });

  test("is shown once and kept nowhere: store, cache and log know its hash at most", async () => {
    const seen: unknown[] = [];
    const hub = strictHub();
    const { start, restore } = hub.hub.store.sessions;
    hub.hub.store.sessions.start = (given, now) => {
      seen.push(given);
      return start(given, now);
    };
    hub.hub.store.sessions.restore = (given, ...rest) => {
      seen.push(given);
      return restore(given, ...rest);
    };
    const { token } = await begin(hub);
    const answer = await call(hub, "/session/restore", { headers: bearer(token) });
    expect(seen).toMatchObject([
      { token_hash: await sha256Hex(token) },
      { token_hash: await sha256Hex(token) },
    ]);
    for (const place of [seen, hub.cache.calls, hub.lines, answer.body])
      expect(JSON.stringify(place)).not.toContain(token);
  });

  test("does not open anything when it is nearly right", async () => {
    const hub = strictHub();
    const { token, id } = await begin(hub);
    const hash = await sha256Hex(token);
    const guesses = [
      token.slice(0, -1),
      `${token}A`,
      token.slice("hst_".length),
      token.toLowerCase(),
      token.replace(/.$/, (last) => (last === "A" ? "B" : "A")),
      `hst_${hash}`,
      hash,
      `hst_${id}`,
      id,
      "hst_",
      "hst_%",
      "hst_*",
      "hst_' or '1'='1",
    ];
    for (const guess of guesses)
      for (const headers of [bearer(guess), { "x-session-token": guess }, { "x-api-key": guess }]) {
        const { status, body } = await call(hub, "/session/restore", { headers });
        expect([guess, [401, 404].includes(status), JSON.stringify(body).includes(id)]).toEqual([
          guess,
          true,
          false,
        ]);
      }
  });

  test("stands in a header only: not in a query, a cookie or a body", async () => {
    const hub = strictHub();
    const { token, id } = await begin(hub);
    const cookie = `session_token=${token}; hst=${token}; Authorization=Bearer ${token}`;
    for (const [path, init, refused] of [
      [`/session/restore?session_token=${token}&token=${token}&authorization=Bearer%20${token}`, {}, 400],
      ["/session/restore", { headers: { cookie } }, 401],
      ["/session/update", post({ session_token: token, token, data: {} }), 400],
    ] as [string, RequestInit, number][]) {
      const { status, body } = await call(hub, path, init);
      expect([path, status, JSON.stringify(body).includes(id)]).toEqual([path, refused, false]);
    }
  });

  test("of a kiosk dies when nobody uses it for a while, and lives when somebody does", async () => {
    const { memoryStore } = await import("../../src/stores/memory.ts");
    const store = memoryStore({
      sessionTtlMs: 7 * 86_400_000,
      leaseMs: 60_000,
      history: 0,
      kioskIdleMs: 120_000,
    });
    const hub = strictHub({}, { store });
    const kiosk = await begin(hub, { phone: PHONE, channel: "kiosk" }, keys.kiosk);
    const web = await begin(hub, { channel: "web" });
    for (let i = 0; i < 5; i++) {
      hub.clock.now = new Date(hub.clock.now.getTime() + 100_000);
      expect(await codeOf(hub, kiosk.token)).toBeUndefined();
    }
    hub.clock.now = new Date(hub.clock.now.getTime() + 121_000);
    for (const [path, init] of [
      ["/session/restore", {}],
      ["/session/messages", {}],
      ["/session/devices", {}],
      ["/session/link", { method: "POST" }],
      ["/session/update", post({ data: {} })],
      ["/webhooks/kiosk", post({ external_id: "1", text: "x" })],
    ] as [string, RequestInit][]) {
      const headers = { ...(init.headers as object), ...kiosk.bearer };
      expect([path, (await call(hub, path, { ...init, headers })).code]).toEqual([path, "session_not_found"]);
    }
    expect(await codeOf(hub, web.token)).toBeUndefined();
  });
});

describe("a token planted before somebody proves who they are", () => {
  /** Attacker and customer stand at one kiosk, one after the other; both know the token. */
  const planted = (hub: StrictHub, body: object = { phone: PHONE, channel: "kiosk" }) =>
    begin(hub, body, keys.kiosk);

  test.for<[string, (hub: StrictHub, token: Record<string, string>) => Promise<string | undefined>]>([
    [
      "by a code",
      async (hub, headers) => {
        await onTelegram(hub, 11, "Hello");
        await sharesPhone(hub, 11, "+4915112340002");
        const code = await askCode(hub, "+4915112340002", headers);
        const answer = await call(hub, "/session/verify", post({ phone: "+4915112340002", code }, headers));
        return answer.body.session_token;
      },
    ],
    [
      "by a password",
      async (hub, headers) => {
        const web = await begin(hub, { phone: "+4915112340002", channel: "web" }, keys.web);
        await call(hub, "/auth/signup", post({ password }, web.bearer));
        const body = { phone: "+4915112340002", password, channel: "kiosk" };
        return (await call(hub, "/auth/login", post(body, headers))).body.session_token;
      },
    ],
    [
      "by a scan",
      async (hub, headers) => {
        const { body } = await call(hub, "/session/link", { method: "POST", headers });
        await onTelegram(hub, 11, `/start ${body.links.telegram.split("start=")[1]}`);
        return body.session_token;
      },
    ],
  ])("%s is dead runInBackground with its connections, and the device has another", async ([, prove]) => {
    const notified: unknown[][] = [];
    const hub = strictHub({}, { live: { publish: (...what) => void notified.push(what) } });
    const { id, token, bearer: headers } = await planted(hub, { channel: "kiosk" });
    const fresh = await prove(hub, headers);
    expect(await codeOf(hub, token)).toBe("session_not_found");
    expect(await codeOf(hub, fresh!)).toBeUndefined();
    expect(notified).toContainEqual([id, { type: "closed", token_hash: await sha256Hex(token) }]);
  });

  test.for<[string, (hub: StrictHub) => Promise<unknown>]>([
    ["on WhatsApp", (hub) => onWhatsApp(hub, PHONE, "It is me")],
    ["by their own contact card", (hub) => onTelegram(hub, 11, "Hi").then(() => sharesPhone(hub, 11, PHONE))],
    ["to the web", (hub) => begin(hub, { phone: PHONE, channel: "web" }, keys.web)],
  ])("%s is dead runInBackground, and its device is notified", async ([, prove]) => {
    const notified: unknown[][] = [];
    const hub = strictHub({}, { live: { publish: (...what) => void notified.push(what) } });
    const { token } = await planted(hub);
    await prove(hub);
    expect(await codeOf(hub, token)).toBe("session_not_found");
    await hub.idle();
    const token_hash = await sha256Hex(token);
    expect(notified.map(([, event]) => event)).toContainEqual({ type: "closed", token_hash });
    const dropped = hub.cache.calls.flatMap(([verb, hashes]) => (verb === "drop" ? [hashes].flat() : []));
    expect(dropped).toContain(token_hash);
  });

  test("on one device is dead when another one proves", async () => {
    const hub = strictHub();
    const first = await planted(hub);
    const second = await planted(hub);
    expect(second.id).toBe(first.id);
    await onTelegram(hub, 11, "Hello");
    const { body } = await call(hub, "/session/link", { method: "POST", headers: second.bearer });
    await onTelegram(hub, 11, `/start ${body.links.telegram.split("start=")[1]}`);
    expect(await codeOf(hub, first.token)).toBe("session_not_found");
    expect(await codeOf(hub, body.session_token)).toBeUndefined();
  });

  test("shows a link of the attacker's own in vain: scanned by nobody or by them, it opens nothing of who proves", async () => {
    const hub = strictHub();
    const { bearer: headers } = await begin(hub, { channel: "web" });
    const show = async () => (await call(hub, "/session/link", { method: "POST", headers })).body;
    const [attackers, customers] = [await show(), await show()];
    await onWhatsApp(hub, PHONE, customers.links.whatsapp.split("text=")[1]);
    await onTelegram(hub, 666, `/start ${attackers.links.telegram.split("start=")[1]}`);
    expect(await codeOf(hub, attackers.session_token)).toBe("session_not_found");
    const { body } = await call(hub, "/session/restore", { headers: bearer(customers.session_token) });
    expect(body.session).toMatchObject({
      phone: PHONE,
      telegram_chat_id: null,
      channels: ["web", "whatsapp"],
    });
  });

  test("shows a link that is worth nothing once a code was given there", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "CANARY");
    const { bearer: headers } = await begin(hub, { channel: "web" });
    const { body: attackers } = await call(hub, "/session/link", { method: "POST", headers });
    const code = await askCode(hub, PHONE, headers);
    const mine = (await call(hub, "/session/verify", post({ phone: PHONE, code }, headers))).body;
    await onTelegram(hub, 666, `/start ${attackers.links.telegram.split("start=")[1]}`);
    expect(await codeOf(hub, attackers.session_token)).toBe("session_not_found");
    const theirs = await call(hub, "/session/restore?telegram_chat_id=666", { headers: keys.web });
    expect(theirs.body.session.session_id).not.toBe(mine.session.session_id);
  });
});

test("who stays signed in at a kiosk gets nothing of the next one who scans what it shows", async () => {
  const hub = strictHub();
  await onWhatsApp(hub, PHONE, "CANARY");
  const { bearer: headers } = await begin(hub, { channel: "kiosk" });
  const show = async (token: Record<string, string>) =>
    (await call(hub, "/session/link", { method: "POST", headers: token })).body;
  const first = await show(headers);
  await onTelegram(hub, 666, `/start ${first.links.telegram.split("start=")[1]}`);
  const attacker = bearer(first.session_token);
  const second = await show(attacker);
  await onWhatsApp(hub, PHONE, second.links.whatsapp.split("text=")[1]);
  const seen = [
    call(hub, "/session/messages", { headers: attacker }),
    call(hub, "/session/restore", { headers: attacker }),
    call(hub, "/session/restore?telegram_chat_id=666", { headers: keys.web }),
  ];
  for (const { status, body } of await Promise.all(seen))
    expect([status, /CANARY|15112340001/.test(JSON.stringify(body))]).toEqual([200, false]);
  expect(await codeOf(hub, second.session_token)).toBe("session_not_found");
});

test("a login at a device that was somebody else's leaves their session, token and connection behind", async () => {
  const notified: unknown[][] = [];
  const hub = strictHub({}, { live: { publish: (...what) => void notified.push(what) } });
  const before = await begin(hub, { phone: PHONE, channel: "kiosk", data: { cart: ["CANARY"] } }, keys.web);
  const web = await begin(hub, { phone: "+4915112340002", channel: "web" }, keys.web);
  await call(hub, "/auth/signup", post({ password }, web.bearer));
  const login = { phone: "+4915112340002", password, channel: "kiosk" };
  const { body } = await call(hub, "/auth/login", post(login, before.bearer));
  expect([body.session.session_id, JSON.stringify(body).includes("CANARY")]).toEqual([web.id, false]);
  expect(await codeOf(hub, before.token)).toBe("session_not_found");
  expect(notified).toContainEqual([before.id, { type: "closed", token_hash: await sha256Hex(before.token) }]);
});

test("a sign-out leaves nothing that the next person at the kiosk could use", async () => {
  const hub = strictHub();
  const first = await begin(hub, { channel: "kiosk", data: { cart: ["CANARY"] } });
  const { body } = await call(hub, "/session/link", { method: "POST", headers: first.bearer });
  const devices = await call(hub, "/session/devices", { headers: first.bearer });
  await call(hub, "/session/signout", { method: "POST", headers: first.bearer });
  const left = [
    call(hub, "/session/restore", { headers: first.bearer }),
    call(hub, "/session/messages", { headers: first.bearer }),
    call(hub, "/webhooks/kiosk", post({ external_id: "1", text: "x" }, first.bearer)),
    call(hub, "/webhooks/kiosk", post({ external_id: "1", session: first.id, text: "x" }, keys.kiosk)),
    call(hub, `/api/sessions/${first.id}/messages`, { headers: keys.kiosk }),
    call(hub, `/session/devices/${devices.body.devices[0].device_id}`, {
      method: "DELETE",
      headers: first.bearer,
    }),
  ];
  for (const { status, body } of await Promise.all(left)) {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(body)).not.toContain("CANARY");
  }
  await onTelegram(hub, 66, `/start ${body.links.telegram.split("start=")[1]}`);
  const thief = await call(hub, "/session/restore?telegram_chat_id=66", { headers: keys.web });
  expect(thief.body.session.session_id).not.toBe(first.id);
});
