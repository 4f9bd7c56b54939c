import { expect, test } from "vitest";
import { anna, type Desk, desk, hash, type Make, minute } from "./given.ts";
import { askCode, begin, expectToken, giveCode, scan, typeIn } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id } = anna;
const LINK = hash(500);

/** The token of a device whose link is redeemed: it is replaced, because others may have seen it. */
export function exchange(make: Make): void {
  /** The device's new token after its link is redeemed. */
  const next = (seed: number) => hash(700 + seed);
  const show = (store: Desk, seed: number, now: Date, link_hash = LINK, new_token_hash = next(seed)) =>
    store.proofs.createLink({ token_hash: hash(seed), link_hash, new_token_hash }, now);

  test("before that the device's token works, and the new one opens nothing", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { visitor_id: "v" }, minute(0));
    await show(store, 1, minute(1));
    await expectToken(store, hash(1), session_id, minute(2));
    await expectToken(store, next(1), undefined, minute(2));
    const [device] = await store.proofs.devices({ session_id }, minute(2));
    await scan(store, { telegram_chat_id }, LINK, "t1", minute(3));
    expect(await store.proofs.devices({ session_id }, minute(4))).toEqual([
      { ...device, last_used_at: minute(3) },
    ]);
  });

  test("the token of a known customer's session ends too", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    await begin(store, 2, { phone }, minute(0));
    await show(store, 1, minute(1));
    const heard = await scan(store, { telegram_chat_id }, LINK, "t1", minute(2));
    expect(heard.closed).toEqual([hash(1)]);
    await expectToken(store, hash(1), undefined, minute(3));
    for (const alive of [next(1), hash(2)]) await expectToken(store, alive, session_id, minute(3));
  });

  test("a kiosk that waited counts as just used", async () => {
    const store = await desk(make, { kioskIdleMs: 120_000 });
    const { session_id } = await typeIn(store, 1, phone, minute(0));
    await show(store, 1, minute(0));
    await scan(store, { telegram_chat_id }, LINK, "t1", minute(1.9));
    await expectToken(store, next(1), session_id, minute(3.8));
    await expectToken(store, next(1), undefined, minute(3.9));
  });

  test.for<[string, (store: Desk) => Promise<unknown>]>([
    [
      "another link of it was scanned",
      async (store) => {
        await show(store, 1, minute(1), hash(601), hash(801));
        await scan(store, { whatsapp_user_id }, hash(601), "w1", minute(2));
      },
    ],
    [
      "somebody gave a code there",
      async (store) => {
        await askCode(store, phone, "123456", minute(1));
        await giveCode(store, phone, "123456", 801, minute(2), { token_hash: hash(1) });
      },
    ],
  ])("a device's links end once %s", async ([, prove]) => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    await show(store, 1, minute(1));
    await prove(store);
    const heard = await scan(store, { telegram_chat_id: "666" }, LINK, "t1", minute(3));
    expect(heard.message.text).toBe("link_failed");
    const page = await store.sessions.messages({ token_hash: hash(801) }, 0, 1, minute(4));
    expect(page.session_id).not.toBe(heard.session.session_id);
    await expectToken(store, next(1), undefined, minute(4));
  });

  test("at a kiosk with a linked messenger no other messenger is linked, but the same one may be again", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { visitor_id: "v" }, minute(0), { channel: "kiosk" });
    await show(store, 1, minute(0));
    await scan(store, { telegram_chat_id }, LINK, "t1", minute(1));
    await show(store, 701, minute(1), hash(601), next(2));
    const other = await scan(store, { whatsapp_user_id, phone }, hash(601), "w1", minute(2));
    expect(other.message.text).toBe("link_failed");
    expect(other.session.session_id).not.toBe(session_id);
    await expectToken(store, next(1), session_id, minute(2));
    const again = await scan(store, { telegram_chat_id }, hash(601), "t2", minute(2));
    expect(again).toMatchObject({ message: { text: "linked" }, session: { session_id } });
    expect(again.session.phone).toBeUndefined();
  });

  test("at a kiosk a messenger is linked to the session of a phone that a trusted caller named", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0), { channel: "kiosk" });
    await show(store, 1, minute(0));
    const { session } = await scan(store, { telegram_chat_id }, LINK, "t1", minute(1));
    expect(session).toMatchObject({ session_id, phone, telegram_chat_id });
  });
}
