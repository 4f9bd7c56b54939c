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
  strictHub,
} from "../support/people.ts";

const PHONE = "+4915112340001";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/**
 * Somebody with a Telegram chat holds token X, and has left token Y of the same session in a browser that others use,
 * a moment ago. The victim is known by their phone.
 */
async function leftSignedIn() {
  const hub = strictHub();
  await onTelegram(hub, 66, "I am the one who left the page open");
  const x = await begin(hub, { channel: "web", telegram_chat_id: 66 }, keys.web);
  const y = await begin(hub, { channel: "web", telegram_chat_id: 66 }, keys.web);
  expect(y.id).toBe(x.id);
  await onWhatsApp(hub, PHONE, "CANARY of the victim");
  const code = (await askCode(hub, PHONE, y.bearer))!;
  const verify = (more: object = {}) =>
    call(hub, "/session/verify", post({ phone: PHONE, code, ...more }, y.bearer));
  return { hub, x, y, code, verify };
}

/** What the holder of X gets to see and do. */
async function reach(hub: StrictHub, x: { bearer: Record<string, string> }) {
  const page = await call(hub, "/session/messages", { headers: x.bearer });
  const password = await call(hub, "/auth/signup", post({ password: "a chosen password" }, x.bearer));
  return { words: JSON.stringify(page.body), password: password.status };
}

describe("a page that somebody left signed in", () => {
  test("joins nobody's session by itself: the next person is asked, with both sessions named and masked", async () => {
    const { hub, x, y, verify } = await leftSignedIn();
    const asked = await verify();
    expect([asked.status, asked.code]).toEqual([409, "merge_required"]);
    const [own, theirs] = asked.body.error.details.sessions;
    expect(own).toMatchObject({ session_id: x.id, channels: ["telegram", "web"] });
    expect(own.identities).toEqual({ telegram_chat_id: expect.stringMatching(/^…/) });
    expect(theirs).toMatchObject({ channels: ["whatsapp"], identities: { phone: `…${PHONE.slice(-4)}` } });
    expect(JSON.stringify(asked.body)).not.toContain(PHONE);
    const { words, password } = await reach(hub, x);
    expect(words).not.toContain("CANARY");
    expect(password).toBe(403);
    expect((await call(hub, "/session/restore", { headers: y.bearer })).body.session.phone).toBeNull();
  });

  test("is left by who says that it is not theirs: X sees nothing of them", async () => {
    const { hub, x, y, verify } = await leftSignedIn();
    expect((await verify()).code).toBe("merge_required");
    const left = await verify({ merge: false });
    expect([left.status, left.body.session.phone]).toEqual([200, PHONE]);
    expect(left.body.session.session_id).not.toBe(x.id);
    const { words, password } = await reach(hub, x);
    expect(words).not.toContain("CANARY");
    expect(password).toBe(403);
    expect((await call(hub, "/session/restore", { headers: y.bearer })).status).toBe(404);
    const page = await call(hub, "/session/messages", { headers: bearer(left.body.session_token) });
    expect(JSON.stringify(page.body)).toContain("CANARY");
  });

  test("is joined by who says that it is theirs, and then only the token that proved it lives", async () => {
    const { hub, x, y, verify } = await leftSignedIn();
    const joined = await verify({ merge: true });
    expect(joined.status).toBe(200);
    expect(joined.body.session).toMatchObject({ phone: PHONE, telegram_chat_id: "66" });
    for (const dead of [x, y])
      expect((await call(hub, "/session/restore", { headers: dead.bearer })).code).toBe("session_not_found");
    const { words, password } = await reach(hub, x);
    expect(words).not.toContain("CANARY");
    expect([401, 403, 404]).toContain(password);
    const alive = await call(hub, "/session/restore", { headers: bearer(joined.body.session_token) });
    expect(alive.status).toBe(200);
  });

  test("does not ask twice of one try: the code stays good while the customer thinks, and is spent afterwards", async () => {
    const { verify } = await leftSignedIn();
    for (let i = 0; i < 8; i++) expect((await verify()).code).toBe("merge_required");
    expect((await verify({ merge: false })).status).toBe(200);
    expect((await verify({ merge: false })).code).toBe("code_invalid");
  });

  test("asks nobody whose code is wrong: who guesses learns nothing of either session", async () => {
    const { hub, y, code } = await leftSignedIn();
    const guess = post({ phone: PHONE, code: otherThan(code), merge: true }, y.bearer);
    const refused = await call(hub, "/session/verify", guess);
    expect([refused.code, refused.body.error.details]).toEqual(["code_invalid", undefined]);
  });

  test("is no question for a session that is nobody's, or the customer's own", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, PHONE, "Hello");
    const anonymous = await begin(hub);
    const first = (await askCode(hub, PHONE, anonymous.bearer))!;
    const known = await call(hub, "/session/verify", post({ phone: PHONE, code: first }, anonymous.bearer));
    expect([known.status, known.body.session.phone]).toEqual([200, PHONE]);
    const own = bearer(known.body.session_token);
    const second = (await askCode(hub, PHONE, own))!;
    expect((await call(hub, "/session/verify", post({ phone: PHONE, code: second }, own))).status).toBe(200);
  });

  test.for(["true", 1, null])("takes no merge of %j", async (merge) => {
    const { verify } = await leftSignedIn();
    expect((await verify({ merge })).code).toBe("malformed");
  });
});
