import { expect, test } from "vitest";
import { anna, type Desk, desk, hash, type Make, minute, said } from "./given.ts";
import { askCode, begin, expectToken, giveCode, scan } from "./proving.ts";

const { phone, telegram_chat_id } = anna;
/** The attacker's own Telegram, with a session that is theirs. */
const MALLORY = { telegram_chat_id: "6660001" };
const PLANTED = hash(1);
const PAGE = hash(2);
const VICTIM = hash(9);
const LINK = hash(500);
const PASSWORD = "correct horse battery";

/**
 * A page that an attacker left signed in, tested with every way in which two customers can be joined. The attacker kept a token
 * of the page's session, and must not read with it what the victim writes there later.
 */
export function planted(make: Make): void {
  interface Way {
    readonly how: string;
    /** The page's channel, `web` by default. */
    readonly channel?: string;
    readonly prove: (store: Desk) => Promise<unknown>;
  }
  const code = async (store: Desk, merge?: boolean) => {
    await askCode(store, phone, "123456", minute(2));
    return giveCode(store, phone, "123456", 3, minute(2), {
      token_hash: PAGE,
      ...(merge !== undefined && { merge }),
    });
  };
  const show = (store: Desk) =>
    store.proofs.createLink({ token_hash: PAGE, link_hash: LINK, new_token_hash: hash(3) }, minute(2));
  const ways: Way[] = [
    { how: "a code that leaves", prove: (store) => code(store, false) },
    { how: "a code with consent", prove: (store) => code(store, true) },
    { how: "a code without an answer", prove: (store) => code(store).catch(({ code }) => code) },
    { how: "a code at a kiosk", channel: "kiosk", prove: (store) => code(store, true) },
    {
      how: "a password",
      prove: async (store) => {
        await store.proofs.signUp({ token_hash: VICTIM, password: PASSWORD }, minute(2));
        const login = { phone, password: PASSWORD, channel: "web", rate_limit_keys: [] };
        return store.proofs.logIn({ ...login, token_hash: PAGE, new_token_hash: hash(3) }, minute(2));
      },
    },
    {
      how: "a scan that was not agreed to",
      prove: async (store) => {
        await show(store);
        return scan(store, { phone }, LINK, "s1", minute(2));
      },
    },
    {
      how: "a scan that was agreed to",
      prove: async (store) => {
        await show(store);
        await scan(store, { phone }, LINK, "s1", minute(2));
        return scan(store, { phone }, LINK, "s2", minute(2.5));
      },
    },
    {
      how: "a scan at a kiosk",
      channel: "kiosk",
      prove: async (store) => {
        await show(store);
        await scan(store, { phone }, LINK, "s1", minute(2));
        return scan(store, { phone }, LINK, "s2", minute(2.5));
      },
    },
    {
      how: "a contact card with that phone from the attacker's own chat",
      prove: (store) => store.hear(said("telegram", { ...MALLORY, phone }, "card"), minute(2)),
    },
    {
      how: "a trusted key that names both",
      prove: (store) => begin(store, 4, { ...MALLORY, phone }, minute(2)),
    },
    {
      how: "a name that a trusted key gives both",
      prove: async (store) => {
        await store.sessions.update({ token_hash: VICTIM }, { customer_id: "103" }, minute(2));
        return store.sessions.update({ token_hash: PAGE }, { customer_id: "103" }, minute(2));
      },
    },
    {
      how: "a platform's word that one id is the other",
      prove: (store) => {
        const change = { channel: "telegram", from: MALLORY, to: { phone } };
        return store.tell({ type: "identity_change", change }, minute(2));
      },
    },
  ];

  test.for(ways.flatMap((way) => [true, false].map((ended) => ({ ...way, ended }))))(
    "$how shows the attacker's token nothing of the victim, whose session was over: $ended",
    async ({ channel = "web", prove, ended }) => {
      const store = await desk(make);
      await begin(store, 9, { phone }, minute(0));
      await store.hear(
        said("web", { phone }, "before", { content: { kind: "text", text: "CANARY" } }),
        minute(0),
      );
      await begin(store, 1, MALLORY, minute(1), { channel });
      await begin(store, 2, MALLORY, minute(1), { channel });
      if (ended) {
        await begin(store, 8, { phone }, minute(1));
        await store.sessions.end(hash(8), minute(1));
        await begin(store, 9, { phone }, minute(1.5));
      }
      await prove(store);
      const words = { kind: "text", text: "CANARY" } as const;
      await store.hear(said("whatsapp", { phone }, "after", { content: words }), minute(3));
      const seen = await store.sessions
        .messages({ token_hash: PLANTED }, 0, 99, minute(4))
        .catch(({ code }) => code as string);
      expect(JSON.stringify(seen)).not.toContain("CANARY");
      const signUp = store.proofs.signUp({ token_hash: PLANTED, password: "attacker's own" }, minute(4));
      await expect(signUp).rejects.toMatchObject({
        code: expect.stringMatching(/^(verification_required|session_not_found)$/),
      });
    },
  );

  test("a token of an anonymous page reads nothing once the victim has proven an identity there", async () => {
    for (const prove of [() => code, () => show] as const) {
      const store = await desk(make);
      await begin(store, 9, { phone, telegram_chat_id }, minute(0));
      await begin(store, 1, { visitor_id: "v" }, minute(1));
      await begin(store, 2, { visitor_id: "v" }, minute(1));
      if (prove() === code) await code(store);
      else {
        await show(store);
        await scan(store, { telegram_chat_id }, LINK, "s1", minute(2));
      }
      for (const dead of [PLANTED, PAGE, VICTIM]) await expectToken(store, dead, undefined, minute(3));
      await expectToken(store, hash(3), (await begin(store, 7, { phone }, minute(3))).session_id, minute(3));
    }
  });
}
