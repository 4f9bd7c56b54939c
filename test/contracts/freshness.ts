import { expect, test } from "vitest";
import { anna, ben, type Desk, desk, hash, type Make, minute, said } from "./given.ts";
import { annasSession, askCode, begin, bensSession, expectToken, giveCode, scan } from "./proving.ts";

const { phone, telegram_chat_id } = anna;
const PASSWORD = "correct horse battery";
const required = { code: "verification_required" };

/** Changes that outlast a token: in a person's session they need a recent proof on the device. */
export function freshness(make: Make): void {
  const signUp = (store: Desk, seed: number, now: Date, password = PASSWORD) =>
    store.proofs.signUp({ token_hash: hash(seed), password }, now);
  const logIn = (store: Desk, seed: number, now: Date, password = PASSWORD) =>
    store.proofs.logIn(
      { phone, password, new_token_hash: hash(seed), channel: "web", rate_limit_keys: [] },
      now,
    );
  /** Makes a link; once it is redeemed the device goes on with the next token. */
  const show = (store: Desk, seed: number, next: number, now: Date) =>
    store.proofs.createLink(
      { token_hash: hash(seed), link_hash: hash(500 + next), new_token_hash: hash(next) },
      now,
    );

  const gone = { code: "session_not_found" };
  /** What a device gets whose last proof was long ago. */
  const proofs: [string, (store: Desk) => Promise<unknown>, { code: string }?][] = [
    [
      "a code",
      async (store) => {
        await askCode(store, phone, "123456", minute(0));
        await giveCode(store, phone, "123456", 1, minute(0));
      },
    ],
    [
      "a code at a kiosk",
      async (store) => {
        await askCode(store, phone, "123456", minute(0));
        await giveCode(store, phone, "123456", 1, minute(0), { channel: "kiosk" });
      },
    ],
    [
      "a scan",
      async (store) => {
        await begin(store, 2, { visitor_id: "v" }, minute(-60));
        await show(store, 2, 1, minute(-5));
        await scan(store, { telegram_chat_id }, hash(501), "t9", minute(0));
      },
      gone,
    ],
    [
      "a login",
      async (store) => {
        await signUp(store, 901, minute(-1));
        await logIn(store, 1, minute(0));
      },
    ],
    ["the word of a key", (store) => begin(store, 1, { phone }, minute(0))],
    [
      "the word of a key that found it again",
      (store) => store.sessions.restore({ token_hash: hash(1), identities: { phone } }, undefined, minute(0)),
    ],
  ];
  test.for(proofs)(
    "a password is set within fifteen minutes of %s, on that device",
    async ([, prove, before = required]) => {
      const store = await desk(make);
      await annasSession(store);
      await prove(store);
      await expect(signUp(store, 901, minute(7))).rejects.toMatchObject(before);
      await expect(signUp(store, 1, minute(15))).rejects.toMatchObject(required);
      await signUp(store, 1, minute(14.9));
      await logIn(store, 3, minute(15));
      await signUp(store, 1, minute(14.9), "another password");
      await logIn(store, 3, minute(15), "another password");
    },
  );

  test("using a session does not count as a proof", async () => {
    const store = await desk(make);
    await begin(store, 1, { phone }, minute(0));
    await store.sessions.restore({ token_hash: hash(1) }, "web", minute(14));
    await store.sessions.update({ token_hash: hash(1) }, { data: {} }, minute(15));
    await expect(signUp(store, 1, minute(15))).rejects.toMatchObject(required);
  });

  test("a link is made in a person's session within 15 minutes of a proof, and in an anonymous one at any time", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(-60));
    await show(store, 1, 2, minute(0));
    await scan(store, { telegram_chat_id }, hash(502), "t1", minute(0));
    await expect(show(store, 2, 3, minute(15))).rejects.toMatchObject(required);
    await show(store, 2, 3, minute(14.9));
    const heard = await scan(store, { telegram_chat_id }, hash(503), "t2", minute(20));
    expect(heard.message.text).toBe("linked");
    await show(store, 3, 4, minute(34.9));
    await expect(show(store, 3, 5, minute(35))).rejects.toMatchObject(required);
  });

  test("an identity is unlinked from a person's session within 15 minutes of a proof, and from an anonymous one at any time", async () => {
    const store = await desk(make);
    await annasSession(store);
    for (const kind of ["phone", "telegram_chat_id", "visitor_id"] as const)
      await expect(store.proofs.unlink(hash(901), kind, minute(7))).rejects.toMatchObject(required);
    expect((await store.proofs.unlink(hash(901), "phone", minute(6.9))).session.phone).toBeUndefined();
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    expect((await store.proofs.unlink(hash(1), "visitor_id", minute(60))).session.visitor_id).toBeUndefined();
  });

  test("a code confirmed later leaves the session and opens the phone's own", async () => {
    const store = await desk(make);
    const bens = await bensSession(store);
    await askCode(store, phone, "123456", minute(8));
    const mine = await giveCode(store, phone, "123456", 1, minute(9), { token_hash: hash(902) });
    expect(mine.session_id).not.toBe(bens.session_id);
    expect(mine.data).toEqual({});
    await expectToken(store, hash(902), undefined, minute(10));
    const { telegram_chat_id } = ben;
    const { session } = await store.hear(said("telegram", { telegram_chat_id }, "b1"), minute(10));
    expect(session).toMatchObject({ session_id: bens.session_id, data: { cart: ["ben's"] } });
    expect(session.phone).toBeUndefined();
  });
}
