import { expect, test } from "vitest";
import { anna, ben, type Desk, day, desk, hash, type Make, minute, said } from "./given.ts";
import { annasSession, begin, bensSession, expectToken, typeIn } from "./proving.ts";

const { phone, telegram_chat_id } = anna;
const PASSWORD = "correct horse battery";
const wrong = { code: "password_invalid" };
const required = { code: "verification_required" };

/** Passwords: a password belongs to a verified phone and moves with it. */
export function passwords(make: Make): void {
  const signUp = (store: Desk, seed: number, now: Date, password = PASSWORD) =>
    store.proofs.signUp({ token_hash: hash(seed), password }, now);
  const logIn = (store: Desk, seed: number, now: Date, over: object = {}) => {
    const login = {
      phone,
      password: PASSWORD,
      new_token_hash: hash(seed),
      channel: "web",
      rate_limit_keys: [],
    };
    return store.proofs.logIn({ ...login, ...over }, now);
  };

  test("a password set after proof of the phone logs in on any device", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await signUp(store, 901, minute(0));
    const found = await logIn(store, 1, minute(1), { channel: "kiosk" });
    expect(found).toMatchObject({ session_id: session.session_id, data: { cart: ["anna's"] } });
    expect(found.channels.at(-1)).toBe("kiosk");
    await expectToken(store, hash(1), session.session_id, minute(2));
    const later = await logIn(store, 2, day(9));
    expect(later).toMatchObject({ phone, channel: "web", message_count: 0 });
    expect(later.session_id).not.toBe(session.session_id);
  });

  test("a password needs a verified phone", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    await expect(signUp(store, 1, minute(0))).rejects.toMatchObject(required);
    await typeIn(store, 2, phone, minute(0));
    await expect(signUp(store, 2, minute(0))).rejects.toMatchObject(required);
    const change = { token_hash: hash(2), password: PASSWORD, new_password: PASSWORD };
    await expect(store.proofs.changePassword(change, minute(0))).rejects.toMatchObject(required);
    await expect(signUp(store, 3, minute(0))).rejects.toMatchObject({ code: "session_not_found" });
  });

  test("it is changed only with the old password", async () => {
    const store = await desk(make);
    await annasSession(store);
    await signUp(store, 901, minute(0));
    const change = (password: string) =>
      store.proofs.changePassword(
        { token_hash: hash(901), password, new_password: "something new" },
        minute(1),
      );
    await expect(change("something else")).rejects.toMatchObject(wrong);
    await change(PASSWORD);
    await expect(logIn(store, 2, minute(2))).rejects.toMatchObject(wrong);
    await logIn(store, 2, minute(2), { password: "something new" });
  });

  test.for([
    ["a known phone", phone],
    ["an unknown one", ben.phone],
  ] as const)("five wrong ones lock %s, for longer each time", async ([, of]) => {
    const store = await desk(make);
    await annasSession(store);
    await signUp(store, 901, minute(0));
    const guess = (at: number) => logIn(store, 1, minute(at), { phone: of, password: "a wrong guess" });
    for (let i = 0; i < 5; i++) await expect(guess(1)).rejects.toMatchObject(wrong);
    const locked = { code: "too_many_requests" };
    await expect(guess(1.5)).rejects.toMatchObject({ ...locked, retryAfterMs: 30_000 });
    await expect(guess(2)).rejects.toMatchObject(wrong);
    await expect(guess(3)).rejects.toMatchObject({ ...locked, retryAfterMs: 60_000 });
    if (of !== phone) return;
    await expect(logIn(store, 1, minute(3))).rejects.toMatchObject(locked);
    await logIn(store, 1, minute(4));
    await expect(guess(4)).rejects.toMatchObject(wrong);
    await logIn(store, 2, minute(4));
  });

  test("a caller that tries many phones is refused", async () => {
    const store = await desk(make);
    const rate_limit_keys = [`device:${hash(1)}`];
    const tries = [...Array(16).keys()].map((i) => ({ phone: `+4915112346${i + 100}`, rate_limit_keys }));
    for (const one of tries.slice(0, 15))
      await expect(logIn(store, 1, minute(0), one)).rejects.toMatchObject(wrong);
    await expect(logIn(store, 1, minute(1), tries[15])).rejects.toMatchObject({
      code: "too_many_requests",
      retryAfterMs: 840_000,
    });
  });

  test("a login merges an anonymous session, and all other tokens of both end", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await signUp(store, 901, minute(0));
    await begin(store, 1, { visitor_id: "v" }, minute(1), { data: { cart: ["new"] } });
    const mine = await logIn(store, 2, minute(2), { token_hash: hash(1) });
    expect(mine).toMatchObject({
      session_id: session.session_id,
      data: { cart: ["anna's", "new"] },
      closed: [hash(901), hash(1)],
    });
    for (const seed of [1, 901]) await expectToken(store, hash(seed), undefined, minute(3));
  });

  test("a login leaves the session of another customer and does not merge it", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await signUp(store, 901, minute(0));
    const bens = await bensSession(store);
    const mine = await logIn(store, 2, minute(1), { token_hash: hash(902) });
    expect(mine).toMatchObject({ session_id: session.session_id, telegram_chat_id });
    await expectToken(store, hash(902), undefined, minute(2));
    const { session: still } = await store.hear(
      said("telegram", { telegram_chat_id: ben.telegram_chat_id }, "b"),
      minute(2),
    );
    expect(still).toMatchObject({ session_id: bens.session_id, data: { cart: ["ben's"] } });
  });

  test("it is deleted when another person proves the phone", async () => {
    const store = await desk(make);
    await annasSession(store);
    await signUp(store, 901, minute(0));
    const { whatsapp_user_id } = ben;
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "b1"), minute(1));
    await expect(logIn(store, 1, minute(2))).rejects.toMatchObject(wrong);
    expect(session.data).toEqual({});
  });

  test("it is deleted too when the old owner's session ended long ago", async () => {
    const store = await desk(make);
    await annasSession(store);
    await signUp(store, 901, minute(0));
    const { whatsapp_user_id } = ben;
    await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "b1"), day(30));
    await expect(logIn(store, 1, day(30))).rejects.toMatchObject(wrong);
  });

  test("it is deleted too when the identities that differ were added after it was set", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0));
    await signUp(store, 1, minute(0));
    await store.hear(said("whatsapp", { whatsapp_user_id: anna.whatsapp_user_id, phone }, "a1"), minute(1));
    await logIn(store, 2, minute(2));
    await store.hear(said("whatsapp", { whatsapp_user_id: ben.whatsapp_user_id, phone }, "b1"), day(30));
    await expect(logIn(store, 3, day(30))).rejects.toMatchObject(wrong);
  });

  test("it moves to its owner's new phone", async () => {
    const store = await desk(make);
    await annasSession(store);
    await signUp(store, 901, minute(0));
    const { whatsapp_user_id } = anna;
    const moved = "+4915112345699";
    await store.hear(said("whatsapp", { whatsapp_user_id, phone: moved }, "a9"), minute(1));
    await expect(logIn(store, 1, minute(2))).rejects.toMatchObject(wrong);
    await logIn(store, 1, minute(2), { phone: moved });
  });

  test("it is deleted when its phone is unlinked", async () => {
    const store = await desk(make);
    await annasSession(store);
    await signUp(store, 901, minute(0));
    await store.proofs.unlink(hash(901), "phone", minute(1));
    await expect(logIn(store, 1, minute(2))).rejects.toMatchObject(wrong);
  });

  test("every character of a long password counts", async () => {
    const store = await desk(make);
    await annasSession(store);
    const long = `${"x".repeat(80)}1\0${"ü".repeat(40)}`;
    await signUp(store, 901, minute(0), `${long}a`);
    await expect(logIn(store, 1, minute(1), { password: `${long}b` })).rejects.toMatchObject(wrong);
    await logIn(store, 1, minute(1), { password: `${long}a` });
  });
}
