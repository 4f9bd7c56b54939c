import { expect, test } from "vitest";
import type { Identities } from "../../src/core/identity/identity.ts";
import { anna, ben, day, desk, hash, type Make, minute, said } from "./given.ts";
import {
  annasSession,
  askCode,
  begin,
  bensSession,
  codeHash,
  expectToken,
  giveCode,
  succeeded,
  typeIn,
} from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id } = anna;
const invalid = { code: "code_invalid" };

/** One-time codes. */
export function codes(make: Make): void {
  test("a code can be sent to the owner's addresses, last used first", async () => {
    const store = await desk(make);
    await annasSession(store);
    const addresses = await askCode(store, phone, "123456", minute(0));
    const language = "en";
    expect(addresses).toEqual([
      {
        channel: "telegram",
        account: "bot-1",
        address: { to: "telegram address" },
        used_at: minute(-7),
        language,
      },
      {
        channel: "whatsapp",
        account: "number-1",
        address: { to: "whatsapp address" },
        used_at: minute(-10),
        language,
      },
    ]);
    const reachability = { channel: "telegram", who: { telegram_chat_id }, reachable: false };
    await store.tell({ type: "reachability", reachability }, minute(1));
    expect(await askCode(store, phone, "123456", minute(1))).toMatchObject([{ channel: "whatsapp" }]);
  });

  test("after a merge it can be sent to both customers' addresses, the last of each identity", async () => {
    const store = await desk(make);
    const heard = (channel: string, from: Identities, id: string, at: number) =>
      store.hear(said(channel, from, id, { address: { to: id } }), minute(at));
    await heard("telegram", { telegram_chat_id }, "older", 0);
    await heard("whatsapp", { whatsapp_user_id, phone }, "w", 1);
    await heard("viber", { viber_user_id: "v-1", phone }, "v", 3);
    await heard("telegram", { telegram_chat_id, phone }, "card", 4);
    expect((await askCode(store, phone, "123456", minute(5))).map(({ address }) => address.to)).toEqual([
      "card",
      "v",
      "w",
    ]);
  });

  test("it is never sent to an address that serves one answer only, where others may read along", async () => {
    const store = await desk(make);
    const inShop = (id: string) =>
      said("telegram", { telegram_chat_id }, id, { address: { to: "a business's chat" }, address_of: null });
    await store.hear(
      said("telegram", { telegram_chat_id, phone }, "own", { address: { to: "own" } }),
      minute(0),
    );
    await store.hear(inShop("b-1"), minute(2));
    await store.hear(inShop("b-2"), minute(3));
    expect(await askCode(store, phone, "123456", minute(4))).toMatchObject([{ address: { to: "own" } }]);
    const stranger = { telegram_chat_id: ben.telegram_chat_id, phone: ben.phone };
    const first = said("telegram", stranger, "b-3", {
      address: { to: "a business's chat" },
      address_of: null,
    });
    await store.hear(first, minute(4));
    expect(await askCode(store, ben.phone, "123456", minute(5))).toEqual([]);
  });

  test("it has no address for an unknown or claimed phone, and the owner's after the session ended", async () => {
    const store = await desk(make);
    expect(await askCode(store, ben.phone, "123456", minute(0))).toEqual([]);
    await typeIn(store, 1, ben.phone, minute(0));
    expect(await askCode(store, ben.phone, "123456", minute(1))).toEqual([]);
    await annasSession(store);
    expect(await askCode(store, phone, "123456", day(8))).toHaveLength(2);
  });

  test("confirmed without a token it restores the phone's session and appends the channel", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await askCode(store, phone, "123456", minute(0));
    const found = await giveCode(store, phone, "123456", 1, minute(1), { channel: "kiosk" });
    expect(found).toMatchObject({ session_id: session.session_id, data: { cart: ["anna's"] } });
    expect(found.channels.at(-1)).toBe("kiosk");
    expect(found.expires_at).toEqual(day(7 + 1 / 1440));
    await expectToken(store, hash(1), session.session_id, minute(2));
    await expectToken(store, hash(901), session.session_id, minute(2));
  });

  test("confirmed for an unknown phone it opens a session", async () => {
    const store = await desk(make);
    await askCode(store, phone, "123456", minute(0));
    const session = await giveCode(store, phone, "123456", 1, minute(1));
    expect(session).toMatchObject({ phone, channel: "web", channels: ["web"] });
    expect(session.phone_verified).toBeUndefined();
  });

  test("with an anonymous session's token it merges that session, and all other tokens of both end", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await begin(store, 1, { visitor_id: "v" }, minute(0), { data: { cart: ["new"] } });
    await begin(store, 2, { visitor_id: "v" }, minute(0));
    await askCode(store, phone, "123456", minute(1));
    const mine = await giveCode(store, phone, "123456", 3, minute(2), { token_hash: hash(1) });
    expect(mine).toMatchObject({
      session_id: session.session_id,
      data: { cart: ["anna's", "new"] },
      closed: [hash(2), hash(901), hash(1)],
    });
    expect(mine.merged).toHaveLength(1);
    for (const seed of [1, 2, 901]) await expectToken(store, hash(seed), undefined, minute(3));
    await expectToken(store, hash(3), mine.session_id, minute(3));
  });

  test("the device keeps its id under its new token", async () => {
    const store = await desk(make);
    await begin(store, 1, { visitor_id: "v" }, minute(0));
    const [before] = await store.proofs.devices({ token_hash: hash(1) }, minute(0));
    await askCode(store, phone, "123456", minute(1));
    await giveCode(store, phone, "123456", 2, minute(2), { token_hash: hash(1) });
    expect(await store.proofs.devices({ token_hash: hash(2) }, minute(2))).toEqual([
      { ...before, last_used_at: minute(2) },
    ]);
  });

  test("it verifies a claimed session, and the kiosk keeps the session's data", async () => {
    const store = await desk(make);
    const { session_id } = await typeIn(store, 1, phone, minute(0));
    await typeIn(store, 2, phone, minute(0));
    await askCode(store, phone, "123456", minute(1));
    const mine = await giveCode(store, phone, "123456", 3, minute(2), {
      token_hash: hash(1),
      channel: "kiosk",
    });
    expect(mine).toMatchObject({ session_id, phone, closed: [hash(2), hash(1)] });
    expect(mine.phone_verified).toBeUndefined();
  });

  test("with an ended token the code still opens the phone's session", async () => {
    const store = await desk(make, { kioskIdleMs: 60_000 });
    await begin(store, 1, { visitor_id: "v" }, minute(0), { channel: "kiosk" });
    await askCode(store, phone, "123456", minute(1));
    const mine = await giveCode(store, phone, "123456", 2, minute(4), { token_hash: hash(1) });
    expect(mine).toMatchObject({ phone, channels: ["web"] });
    expect(mine.visitor_id).toBeUndefined();
  });

  test("a code confirmed at a kiosk of another customer joins nobody", async () => {
    const store = await desk(make);
    const { session } = await annasSession(store);
    await begin(store, 1, { telegram_chat_id: "8888" }, minute(0), { channel: "kiosk" });
    await askCode(store, phone, "123456", minute(1));
    const mine = await giveCode(store, phone, "123456", 2, minute(1.5), {
      token_hash: hash(1),
      channel: "kiosk",
    });
    expect(mine).toMatchObject({ session_id: session.session_id, telegram_chat_id });
    await expectToken(store, hash(1), undefined, minute(2));
    const other = await store.hear(said("telegram", { telegram_chat_id: "8888" }, "1"), minute(2));
    expect(other.session.session_id).not.toBe(mine.session_id);
  });

  test("a phone moves without its owner's session when the two are known to be different people", async () => {
    const store = await desk(make);
    const { session: annas } = await annasSession(store);
    const bens = await bensSession(store);
    await askCode(store, phone, "123456", minute(0));
    const agreed = { token_hash: hash(902), merge: true };
    const mine = await giveCode(store, phone, "123456", 3, minute(1), agreed);
    expect(mine).toMatchObject({ session_id: bens.session_id, phone, data: { cart: ["ben's"] } });
    expect(mine.notified).toEqual([annas.session_id]);
    expect(mine.deliveries).toMatchObject([{ session_id: annas.session_id, channel: "telegram" }]);
    const { session } = await store.hear(said("telegram", { telegram_chat_id }, "a9"), minute(2));
    expect(session).toMatchObject({ session_id: annas.session_id, data: { cart: ["anna's"] } });
    expect(session.phone).toBeUndefined();
    const notice = (await store.history(annas.session_id)).find(({ role }) => role === "system");
    expect(notice).toMatchObject({ direction: "outbound", status: "pending", channel: "telegram" });
    expect(notice!.text).toContain("phone number");
  });

  test.for([1, 5])(
    "a kiosk stays one %i minutes later, and dies without use, whatever it calls itself",
    async (at) => {
      const store = await desk(make, { kioskIdleMs: 120_000 });
      await typeIn(store, 1, phone, minute(0));
      await askCode(store, phone, "123456", minute(at));
      const device = { token_hash: hash(1), channel: "web" };
      const given = await giveCode(store, phone, "123456", 2, minute(at), device);
      await expectToken(store, hash(2), given.session_id, minute(at + 1.9));
      await expectToken(store, hash(2), undefined, minute(at + 2));
    },
  );

  test("a code works once, and a new one replaces it", async () => {
    const store = await desk(make);
    await askCode(store, phone, "111111", minute(0));
    await askCode(store, phone, "222222", minute(1));
    await expect(giveCode(store, phone, "111111", 1, minute(2))).rejects.toMatchObject(invalid);
    await giveCode(store, phone, "222222", 1, minute(2));
    await expect(giveCode(store, phone, "222222", 2, minute(2))).rejects.toMatchObject(invalid);
    await expect(giveCode(store, ben.phone, "222222", 2, minute(2))).rejects.toMatchObject(invalid);
  });

  test("of two confirmations at once one succeeds", async () => {
    const store = await desk(make);
    await askCode(store, phone, "123456", minute(0));
    const calls = [1, 2, 3].map((seed) => giveCode(store, phone, "123456", seed, minute(1)));
    expect(await succeeded(calls)).toBe(1);
  });

  test("a code ends after five minutes, and after five wrong tries", async () => {
    const store = await desk(make);
    await askCode(store, phone, "123456", minute(0));
    await expect(giveCode(store, phone, "123456", 1, minute(5))).rejects.toMatchObject(invalid);
    await askCode(store, phone, "123456", minute(6));
    for (const digits of ["000001", "000002", "000003", "000004"])
      await expect(giveCode(store, phone, digits, 1, minute(7))).rejects.toMatchObject(invalid);
    await giveCode(store, phone, "123456", 1, minute(7));
    await askCode(store, phone, "123456", minute(8));
    for (const digits of ["000001", "000002", "000003", "000004", "000005"])
      await expect(giveCode(store, phone, digits, 1, minute(8))).rejects.toMatchObject(invalid);
    await expect(giveCode(store, phone, "123456", 1, minute(8))).rejects.toMatchObject(invalid);
  });

  test("a phone, known or not, gets three codes in 15 minutes", async () => {
    const store = await desk(make);
    for (const at of [0, 1, 2]) await askCode(store, phone, "123456", minute(at));
    await expect(askCode(store, phone, "999999", minute(5))).rejects.toMatchObject({
      code: "too_many_requests",
      retryAfterMs: 600_000,
    });
    await askCode(store, ben.phone, "123456", minute(5));
    await askCode(store, phone, "777777", minute(15));
    await giveCode(store, phone, "777777", 1, minute(15));
  });

  test("a phone, known or not, gets ten codes in a day", async () => {
    const store = await desk(make);
    for (let i = 0; i < 10; i++) await askCode(store, phone, "123456", minute(i * 20));
    await expect(askCode(store, phone, "999999", minute(200))).rejects.toMatchObject({
      code: "too_many_requests",
      retryAfterMs: (24 * 60 - 200) * 60_000,
    });
    await askCode(store, ben.phone, "123456", minute(200));
    await askCode(store, phone, "123456", day(1));
  });

  test("a caller over its own limit is refused without a count for the phone", async () => {
    const store = await desk(make);
    const phones = [...Array(6).keys()].map((i) => `+49151123457${i}0`);
    const keys = [`ip:${hash(1)}`, `device:${hash(2)}`];
    for (const one of phones.slice(0, 5)) await askCode(store, one, "123456", minute(0), keys);
    const refused = { code: "too_many_requests" };
    await expect(askCode(store, phones[5]!, "123456", minute(1), keys)).rejects.toMatchObject(refused);
    for (let i = 0; i < 3; i++) await askCode(store, phones[5]!, "123456", minute(1), [keys[0]!]);
    await expect(askCode(store, phones[5]!, "123456", minute(2), [keys[0]!])).rejects.toMatchObject(refused);
  });

  test("codes, links and limits are deleted once they no longer count", async () => {
    const store = await desk(make);
    await askCode(store, phone, "123456", minute(0));
    await store.housekeeping.expire(day(2), 10);
    await expect(giveCode(store, phone, "123456", 1, minute(1))).rejects.toMatchObject(invalid);
    const request = { phone, code_hash: codeHash("1"), rate_limit_keys: [] };
    for (let i = 0; i < 3; i++) await store.proofs.requestCode(request, minute(1));
  });
}
