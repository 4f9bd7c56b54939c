import { describe, expect, test } from "vitest";
import { begin, post } from "../support/http.ts";
import {
  askCode,
  call,
  keys,
  onTelegram,
  onWhatsApp,
  otherThan,
  type StrictHub,
  sharesPhone,
  strictHub,
} from "../support/people.ts";

const PHONE = "+4915112340001";
const MINUTE = 60_000;

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const later = (hub: StrictHub, ms: number) => {
  hub.clock.now = new Date(hub.clock.now.getTime() + ms);
};
const restore = (hub: StrictHub, token: string) => call(hub, "/session/restore", { headers: bearer(token) });

describe("a kiosk that is not trusted", () => {
  test("starts a session for an unknown phone at once, and finds it again", async () => {
    const hub = strictHub();
    const start = () => call(hub, "/session/start", post({ phone: PHONE, channel: "kiosk" }, keys.kiosk));
    const first = await start();
    expect([first.status, first.body.session.phone, first.body.session.phone_verified]).toEqual([
      200,
      PHONE,
      false,
    ]);
    const second = await start();
    expect(second.body.session.session_id).toBe(first.body.session.session_id);
    const path = `/session/restore?phone=${encodeURIComponent(PHONE)}`;
    const found = await call(hub, path, { headers: keys.kiosk });
    expect(found.body.session).toMatchObject({
      session_id: first.body.session.session_id,
      channels: ["kiosk"],
    });
    const posted = await call(
      hub,
      "/webhooks/kiosk",
      post({ external_id: "1", phone: PHONE, text: "Hello" }, keys.kiosk),
    );
    expect(posted.body.session.session_id).toBe(first.body.session.session_id);
  });

  test.for<[string, (hub: StrictHub) => Promise<unknown>]>([
    ["the web vouches for", (hub) => begin(hub, { phone: PHONE, channel: "web" }, keys.web)],
    ["WhatsApp knows", (hub) => onWhatsApp(hub, PHONE, "Hello")],
    [
      "a customer has verified on Telegram",
      (hub) => onTelegram(hub, 11, "Hi").then(() => sharesPhone(hub, 11, PHONE)),
    ],
  ])("does not see the session of a phone that %s, and is notified what to do", async ([, prepare]) => {
    const hub = strictHub();
    await prepare(hub);
    const attempts = [
      call(hub, "/session/start", post({ phone: PHONE, channel: "kiosk" }, keys.kiosk)),
      call(hub, `/session/restore?phone=${encodeURIComponent(PHONE)}`, { headers: keys.kiosk }),
      call(hub, "/webhooks/kiosk", post({ external_id: "1", phone: PHONE, text: "Hello" }, keys.kiosk)),
    ];
    for (const { status, body } of await Promise.all(attempts)) {
      expect([status, body.error.code]).toEqual([403, "verification_required"]);
      for (const way of ["/session/verify", "/auth/login", "/session/link"])
        expect(body.error.message).toContain(way);
    }
  });

  test("does not see a session it has opened once another channel has used it", async () => {
    const hub = strictHub();
    const { token } = await begin(hub, { phone: PHONE, channel: "kiosk" }, keys.kiosk);
    expect((await call(hub, "/session/restore?channel=web", { headers: bearer(token) })).status).toBe(200);
    const again = await call(hub, "/session/start", post({ phone: PHONE, channel: "kiosk" }, keys.kiosk));
    expect(again.code).toBe("verification_required");
  });

  test.for([
    [{ telegram_chat_id: "11" }, "verification_required"],
    [{ customer_id: "103" }, "verification_required"],
    [{ phone: PHONE, customer_id: 103 }, "verification_required"],
    [{ phone: PHONE, channel: "web" }, "forbidden"],
  ] as [object, string][])("cannot claim %j", async ([claim, code]) => {
    const hub = strictHub();
    const answer = await call(hub, "/session/start", post({ channel: "kiosk", ...claim }, keys.kiosk));
    expect([answer.status, answer.code]).toEqual([403, code]);
    const field = Object.keys(claim).at(-1)!;
    expect(answer.body.error.message).toMatch(new RegExp(`^${field}: `));
  });

  test("cannot find a chat, nor open a session by its id", async () => {
    const hub = strictHub();
    const { id } = await begin(hub, { phone: PHONE, channel: "web" }, keys.web);
    const found = await call(hub, "/session/restore?telegram_chat_id=11", { headers: keys.kiosk });
    expect(found.code).toBe("verification_required");
    const posted = await call(
      hub,
      "/webhooks/kiosk",
      post({ external_id: "1", session: id, text: "x" }, keys.kiosk),
    );
    expect(posted.code).toBe("verification_required");
  });

  test("is trusted with the setting, and web and admin keys always are", async () => {
    const trusting = strictHub({ kioskPhones: "trust" });
    await begin(trusting, { phone: PHONE, channel: "web" }, keys.web);
    const start = post({ phone: PHONE, channel: "kiosk" }, keys.kiosk);
    expect((await call(trusting, "/session/start", start)).status).toBe(200);
    const hub = strictHub();
    for (const key of [keys.web, keys.admin])
      expect((await call(hub, "/session/start", post({ phone: PHONE, channel: "kiosk" }, key))).status).toBe(
        200,
      );
  });
});

describe("a one-time code", () => {
  test("is sent to the customer's last messenger, and gives the session", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Is it there?");
    const code = await askCode(hub, PHONE);
    expect(hub.codes).toEqual([{ channel: "whatsapp", code: expect.stringMatching(/^\d{6}$/) }]);
    const verified = await call(
      hub,
      "/session/verify",
      post({ phone: PHONE, code, channel: "kiosk" }, keys.kiosk),
    );
    expect(verified.status).toBe(200);
    expect(verified.body.session).toMatchObject({ phone: PHONE, channels: ["whatsapp", "kiosk"] });
    const { body } = await call(hub, "/session/messages", { headers: bearer(verified.body.session_token) });
    expect(body.messages[0].text).toBe("Is it there?");
  });

  test("is kept out of the history and the log", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Hello");
    const code = (await askCode(hub, PHONE))!;
    const { body } = await call(hub, "/session/verify", post({ phone: PHONE, code }));
    const page = await call(hub, "/session/messages", { headers: bearer(body.session_token) });
    expect(JSON.stringify(page.body)).not.toContain(code);
    expect(JSON.stringify(hub.lines)).not.toContain(code);
    expect(JSON.stringify(hub.lines)).not.toContain(PHONE.slice(1));
  });

  test("merges the device's session with the phone's, and ends its old token", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Hello");
    const here = await begin(hub, { channel: "web", data: { cart: ["tea"] } });
    const code = await askCode(hub, PHONE, here.bearer);
    const { body } = await call(
      hub,
      "/session/verify",
      post({ phone: PHONE, code, channel: "web" }, here.bearer),
    );
    expect(body.session).toMatchObject({ phone: PHONE, phone_verified: true, data: { cart: ["tea"] } });
    expect(body.session.channels.toSorted()).toEqual(["web", "whatsapp"]);
    expect((await restore(hub, here.token)).code).toBe("session_not_found");
    expect((await restore(hub, body.session_token)).status).toBe(200);
    expect(hub.cache.calls.flatMap(([verb, hashes]) => (verb === "drop" ? [hashes].flat() : []))).not.toEqual(
      [],
    );
  });

  test("is refused when it is wrong, used, replaced, expired or tried five times", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Hello");
    const give = async (code: string | undefined) =>
      (await call(hub, "/session/verify", post({ phone: PHONE, code }))).code;
    const first = (await askCode(hub, PHONE))!;
    expect(await give(otherThan(first))).toBe("code_invalid");
    const second = (await askCode(hub, PHONE))!;
    if (first !== second) expect(await give(first)).toBe("code_invalid");
    expect(await give(second)).toBeUndefined();
    expect(await give(second)).toBe("code_invalid");
    later(hub, 16 * MINUTE);
    const third = (await askCode(hub, PHONE))!;
    later(hub, 5 * MINUTE);
    expect(await give(third)).toBe("code_invalid");
    const fourth = (await askCode(hub, PHONE))!;
    for (let i = 0; i < 5; i++) expect(await give(otherThan(fourth))).toBe("code_invalid");
    expect(await give(fourth)).toBe("code_invalid");
  });

  test("is sent at most three times in 15 minutes, and then the wait is returned", async () => {
    const hub = strictHub();
    for (let i = 0; i < 3; i++) await askCode(hub, PHONE);
    const fourth = await call(hub, "/session/verify", post({ phone: PHONE }));
    expect([fourth.status, fourth.code]).toEqual([429, "too_many_requests"]);
    expect(Number(fourth.headers.get("retry-after"))).toBeGreaterThan(800);
    expect(Number(fourth.headers.get("retry-after"))).toBeLessThanOrEqual(900);
    later(hub, 15 * MINUTE);
    await askCode(hub, PHONE);
  });

  test("is requested at most ten times from one network, whatever other headers say", async () => {
    const hub = strictHub();
    const ask = (i: number) =>
      call(
        hub,
        "/session/verify",
        post(
          { phone: `+49151123400${10 + i}` },
          {
            "cf-connecting-ip": "203.0.113.7",
            "x-forwarded-for": `198.51.100.${i}`,
            "x-real-ip": `198.51.100.${i}`,
            forwarded: `for=198.51.100.${i}`,
          },
        ),
      );
    for (let i = 0; i < 10; i++) expect((await ask(i)).status).toBe(202);
    expect((await ask(10)).status).toBe(429);
    const elsewhere = post({ phone: "+4915112340030" }, { "cf-connecting-ip": "203.0.113.8" });
    expect((await call(hub, "/session/verify", elsewhere)).status).toBe(202);
  });

  test.for([
    { phone: PHONE, code: "12345" },
    { phone: PHONE, code: 123456 },
    { phone: "12" },
    { code: "123456" },
    { phone: PHONE, code: "１２３４５６" },
  ])("%j is malformed", async (body) => {
    expect((await call(strictHub(), "/session/verify", post(body))).code).toBe("malformed");
  });
});

describe("a link to scan", () => {
  const start = /^https:\/\/t\.me\/shop_bot\?start=(link_[\w-]{32})$/;
  const text = /^https:\/\/wa\.me\/15550001111\?text=(link_[\w-]{32})$/;

  test("adds the messenger to the session, and the page goes on by itself", async () => {
    const hub = strictHub();
    const here = await begin(hub, { channel: "web", data: { cart: ["tea"] } });
    const { status, body } = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
    expect(status).toBe(200);
    expect(body.expires_at).toBe("2026-11-02T10:10:00.000Z");
    const [, token] = start.exec(body.links.telegram)!;
    expect(body.links.whatsapp).toMatch(text);
    expect((await restore(hub, body.session_token)).code).toBe("session_not_found");
    const waiting = call(hub, "/session/messages?wait=5", { headers: here.bearer });
    await onTelegram(hub, 11, `/start ${token}`);
    expect((await waiting).code).toBe("session_not_found");
    const { session } = (await restore(hub, body.session_token)).body;
    const page = (await call(hub, "/session/messages", { headers: bearer(body.session_token) })).body;
    expect(page.messages[0]).toMatchObject({
      kind: "system",
      content: { event: "linked" },
      role: expect.any(String),
    });
    expect(session).toMatchObject({ telegram_chat_id: "11", data: { cart: ["tea"] } });
    expect(session.channels).toEqual(["web", "telegram"]);
    expect(JSON.stringify(page)).not.toContain(token);
    expect(hub.sent.map(({ channel }) => channel)).toEqual(["telegram"]);
  });

  test("works once", async () => {
    const hub = strictHub();
    const here = await begin(hub, { channel: "web" });
    const { body } = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
    const [, token] = text.exec(body.links.whatsapp)!;
    await onWhatsApp(hub, PHONE, `${token}`);
    await onWhatsApp(hub, "+4915112340002", `${token}`);
    const { session } = (await restore(hub, body.session_token)).body;
    expect(session.phone).toBe(PHONE);
    const other = await call(hub, "/session/restore?phone=%2B4915112340002", { headers: keys.web });
    expect(other.body.session.session_id).not.toBe(session.session_id);
    expect(hub.sent.at(-1)?.text).toContain("no longer valid");
  });

  test("is drawn as a code that scanners can read", async () => {
    const { default: decodeQR } = await import("qr/decode.js");
    const hub = strictHub();
    const here = await begin(hub);
    const { body } = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
    for (const name of ["telegram", "whatsapp"]) {
      const svg: string = body.qr[name];
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/);
      expect(svg).not.toMatch(/script|style|href|on\w+=/i);
      expect(decodeQR(pixels(svg))).toBe(body.links[name]);
    }
  });

  test("names only the messengers that are configured", async () => {
    const hub = strictHub();
    hub.hub.channels.telegram!.scanLink = () => undefined;
    const here = await begin(hub);
    const { body } = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
    expect(Object.keys(body.links)).toEqual(["whatsapp"]);
    expect(Object.keys(body.qr)).toEqual(["whatsapp"]);
  });
});

describe("a password", () => {
  const password = "correct horse battery";
  const signedUp = async (hub: StrictHub) => {
    const here = await begin(hub, { phone: PHONE, channel: "web", data: { cart: ["tea"] } }, keys.web);
    expect((await call(hub, "/auth/signup", post({ password }, here.bearer))).body).toEqual({
      password: "set",
    });
    return here;
  };
  const logIn = (hub: StrictHub, body: object, headers: Record<string, string> = {}) =>
    call(hub, "/auth/login", post({ phone: PHONE, password, channel: "kiosk", ...body }, headers));

  test("opens the session on another channel, and merges the device's own", async () => {
    const hub = strictHub();
    const { id } = await signedUp(hub);
    const there = await begin(hub, { channel: "kiosk", data: { seen: true } });
    const { status, body } = await logIn(hub, {}, there.bearer);
    expect([status, body.session.session_id, body.session.channels]).toEqual([200, id, ["web", "kiosk"]]);
    expect(body.session.data).toMatchObject({ cart: ["tea"], seen: true });
    expect((await restore(hub, there.token)).code).toBe("session_not_found");
    expect((await restore(hub, body.session_token)).status).toBe(200);
    const out = await call(hub, "/auth/logout", { method: "POST", headers: bearer(body.session_token) });
    expect(out.body).toEqual({ signed_out: true });
    expect((await restore(hub, body.session_token)).code).toBe("session_not_found");
  });

  test("is the same for every Unicode composition", async () => {
    const hub = strictHub();
    const here = await begin(hub, { phone: PHONE, channel: "web" }, keys.web);
    await call(hub, "/auth/signup", post({ password: "Zwölf Boxkämpfer".normalize("NFD") }, here.bearer));
    expect((await logIn(hub, { password: "Zwölf Boxkämpfer".normalize("NFC") })).status).toBe(200);
  });

  test("needs a proven phone", async () => {
    const hub = strictHub();
    const anonymous = await begin(hub);
    const claimed = await begin(hub, { phone: PHONE, channel: "kiosk" }, keys.kiosk);
    for (const { bearer } of [anonymous, claimed])
      expect((await call(hub, "/auth/signup", post({ password }, bearer))).code).toBe(
        "verification_required",
      );
  });

  test("is changed with the old one, or set again after a code", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Hello");
    const here = await signedUp(hub);
    const change = (old: string) =>
      call(hub, "/auth/password", post({ password: old, new_password: "another password" }, here.bearer));
    expect((await change("not the old one")).code).toBe("password_invalid");
    later(hub, 15 * MINUTE);
    expect((await call(hub, "/auth/signup", post({ password }, here.bearer))).code).toBe(
      "verification_required",
    );
    expect((await change(password)).body).toEqual({ password: "changed" });
    expect((await logIn(hub, {})).code).toBe("password_invalid");
    const code = await askCode(hub, PHONE);
    const { body } = await call(hub, "/session/verify", post({ phone: PHONE, code }));
    const forgot = post({ password: "a third password" }, bearer(body.session_token));
    expect((await call(hub, "/auth/signup", forgot)).status).toBe(200);
    expect((await logIn(hub, { password: "a third password" })).status).toBe(200);
  });

  test("is locked after five wrong tries, longer each time, for unknown phones too", async () => {
    for (const phone of [PHONE, "+4915112340009"]) {
      const hub = strictHub();
      await signedUp(hub);
      const wrong = () => logIn(hub, { phone, password: "wrong password" });
      for (let i = 0; i < 5; i++) expect((await wrong()).code).toBe("password_invalid");
      const locked = await logIn(hub, { phone });
      expect([locked.status, locked.headers.get("retry-after")]).toEqual([429, "60"]);
      later(hub, MINUTE);
      expect((await wrong()).code).toBe("password_invalid");
      expect((await wrong()).headers.get("retry-after")).toBe("120");
    }
  });

  test.for([
    ["short one", 400],
    ["ten chars!", 200],
    ["🔑".repeat(9), 400],
    ["🔑".repeat(10), 200],
    ["x".repeat(1_024), 200],
    ["x".repeat(1_025), 400],
    ["          ", 200],
  ] as [string, number][])("of the form %j is answered %i", async ([chosen, status]) => {
    const hub = strictHub();
    const here = await begin(hub, { phone: PHONE, channel: "web" }, keys.web);
    expect((await call(hub, "/auth/signup", post({ password: chosen }, here.bearer))).status).toBe(status);
  });
});

describe("devices", () => {
  test("are listed and signed out by a device, and by an operator", async () => {
    const hub = strictHub();
    const one = await begin(hub, { phone: PHONE, channel: "web" }, keys.web);
    later(hub, MINUTE);
    const two = await begin(hub, { phone: PHONE, channel: "kiosk" }, keys.web);
    const list = async (path: string, headers: Record<string, string>) =>
      (await call(hub, path, { headers })).body.devices;
    const own = await list("/session/devices", two.bearer);
    expect(own).toMatchObject([
      { channel: "web", current: false, created_at: "2026-11-02T10:00:00.000Z" },
      { channel: "kiosk", current: true, created_at: "2026-11-02T10:01:00.000Z" },
    ]);
    const path = `/api/sessions/${one.id}/devices`;
    expect((await list(path, keys.admin)).map(({ current }: any) => current)).toEqual([false, false]);

    const gone = await call(hub, `/session/devices/${own[0].device_id}`, {
      method: "DELETE",
      headers: two.bearer,
    });
    expect([gone.status, gone.body]).toEqual([200, { revoked: true }]);
    expect((await restore(hub, one.token)).code).toBe("session_not_found");
    const again = await call(hub, `/session/devices/${own[0].device_id}`, {
      method: "DELETE",
      headers: two.bearer,
    });
    expect([again.status, again.code]).toEqual([404, "not_found"]);

    const other = await call(hub, `${path}/${own[1].device_id.toUpperCase()}`, {
      method: "DELETE",
      headers: keys.admin,
    });
    expect(other.status).toBe(200);
    expect((await restore(hub, two.token)).code).toBe("session_not_found");
    const dropped = hub.cache.calls.flatMap(([verb, hashes]) => (verb === "drop" ? [hashes].flat() : []));
    expect(dropped).toHaveLength(2);
  });

  test("are notified when they are signed out", async () => {
    const notified: unknown[][] = [];
    const hub = strictHub({}, { live: { publish: (...what) => void notified.push(what) } });
    const one = await begin(hub);
    const { body } = await call(hub, "/session/devices", { headers: one.bearer });
    await call(hub, `/session/devices/${body.devices[0].device_id}`, {
      method: "DELETE",
      headers: one.bearer,
    });
    expect(notified.at(-1)).toEqual([
      one.id,
      { type: "closed", token_hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
  });

  test.for(["kiosk-key-1", "web-key"])("of any session are not shown to %s", async (key) => {
    const hub = strictHub();
    const { id } = await begin(hub);
    const answer = await call(hub, `/api/sessions/${id}/devices`, { headers: { "x-api-key": key } });
    expect([answer.status, answer.code]).toEqual([403, "forbidden"]);
  });
});

describe("DELETE /session/identities/:kind", () => {
  test("unlinks a channel, whose next message opens another session", async () => {
    const hub = strictHub();
    await onTelegram(hub, 11, "Hello");
    await sharesPhone(hub, 11, PHONE);
    const here = await begin(hub, { phone: PHONE, channel: "web" }, keys.web);
    const path = "/session/identities/telegram_chat_id";
    const { status, body } = await call(hub, path, { method: "DELETE", headers: here.bearer });
    expect([status, body.session.telegram_chat_id, body.session.phone]).toEqual([200, null, PHONE]);
    expect((await call(hub, path, { method: "DELETE", headers: here.bearer })).status).toBe(200);
    await onTelegram(hub, 11, "Still me");
    const found = await call(hub, "/session/restore?telegram_chat_id=11", { headers: keys.web });
    expect(found.body.session.session_id).not.toBe(here.id);
  });

  test("knows four kinds", async () => {
    const hub = strictHub();
    const here = await begin(hub);
    const answer = await call(hub, "/session/identities/customer_id", {
      method: "DELETE",
      headers: here.bearer,
    });
    expect(answer.code).toBe("malformed");
  });
});

/** Renders an SVG of squares as the pixels that a scanner reads. */
function pixels(svg: string) {
  const size = Number(/viewBox="0 0 (\d+)/.exec(svg)![1]);
  const scale = 4;
  const side = size * scale;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [, x, y, width] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g))
    for (let py = Number(y) * scale; py < (Number(y) + 1) * scale; py++)
      for (let px = Number(x) * scale; px < (Number(x) + Number(width)) * scale; px++)
        data.fill(0, (py * side + px) * 4, (py * side + px) * 4 + 3);
  return { width: side, height: side, data };
}
