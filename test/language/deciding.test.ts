import { beforeEach, describe, expect, test } from "vitest";
import type { LanguagePolicy } from "../../src/core/language/policy.ts";
import type { InboundMessage } from "../../src/core/messages/message.ts";
import type { Store } from "../../src/core/store.ts";
import { newTables } from "../../src/stores/memory/tables.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { anna, ben, hash, minute, said, settings } from "../contracts/given.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, owner, empty } = bothTransports({ max: 20 });
beforeEach(empty);

const AUTO: LanguagePolicy = { mode: "auto", languages: ["en", "hi", "pt-BR"] };
const { phone } = anna;

/** A store, and the calls of a back office that only a database has. */
interface Desk {
  readonly store: Store;
  readonly describe: (
    phone: string,
    customer: { plan?: "basic" | "premium"; preferred_language?: string },
  ) => Promise<void>;
}

function inMemory(languages: LanguagePolicy | undefined): Desk {
  const tables = newTables({ ...settings, ...(languages && { languages }) });
  return {
    store: memoryStore(tables.settings, tables),
    describe: async (phone, customer) => {
      const row = [...tables.customers.values()].find(
        ({ identities }) => identities.get("phone")?.value === phone,
      );
      Object.assign(row!, customer);
    },
  };
}

const stores: [string, (languages: LanguagePolicy | undefined) => Desk][] = [
  ["memory", inMemory],
  ...transports.map(([name, call]): [string, (languages: LanguagePolicy | undefined) => Desk] => [
    name,
    (languages) => ({
      store: sqlStore(call(), { ...settings, ...(languages && { languages }) }),
      describe: async (phone, { plan, preferred_language }) => {
        await owner()`update public.customers set plan = coalesce(${plan ?? null}, plan),
          preferred_language = coalesce(${preferred_language ?? null}, preferred_language)
          where customer_key = (select customer_key from public.identities where value = ${phone})`;
      },
    }),
  ]),
];

describe.each(stores)("the language of a session, in %s", (_name, open) => {
  let desk: Desk;
  const use = (languages: LanguagePolicy | undefined) => {
    desk = open(languages);
  };
  const write = async (id: string, over: Partial<InboundMessage> = {}, at = 0) => {
    const [result] = await desk.store.conversations.receive(
      [{ type: "message", message: said("whatsapp", { phone }, id, over) }],
      minute(at),
    );
    if (result?.type !== "message") throw new Error("not a message");
    return result.session;
  };
  /** A premium customer with a session whose language is not decided. */
  const premium = async (preferred_language?: string) => {
    await write("w0");
    await desk.describe(phone, { plan: "premium", ...(preferred_language && { preferred_language }) });
  };
  beforeEach(() => use(AUTO));

  test("is the default one until a message says enough, and that one decides", async () => {
    await premium();
    expect(await write("w1")).toMatchObject({ language: "en", version: 1 });
    expect(await write("w2", { language: "hi" })).toMatchObject({ language: "hi", version: 2 });
    expect(await write("w3", { language: "fr" })).toMatchObject({ language: "hi", version: 2 });
    const [kept] = await desk.store.sessions.find({ identities: { phone } }, minute(1));
    expect(kept).toMatchObject({ language: "hi", plan: "premium" });
    expect(kept).not.toHaveProperty("language_by");
  });

  test("is decided by a message that shows the default one too", async () => {
    await premium();
    expect(await write("w1", { language: "en" })).toMatchObject({ language: "en", version: 1 });
    expect(await write("w2", { language: "hi" })).toMatchObject({ language: "en", version: 1 });
  });

  test("is a listed one if the message's has the same base", async () => {
    await premium();
    expect((await write("w1", { language: "pt" })).language).toBe("pt-BR");
  });

  test("is forced by the plan basic, until the plan changes", async () => {
    expect((await write("w1", { language: "hi" })).language).toBe("en");
    expect((await write("w2", { language: "en" })).language).toBe("en");
    await desk.describe(phone, { plan: "premium" });
    expect((await write("w3", { language: "hi" })).language).toBe("hi");
  });

  test("is forced by the mode single", async () => {
    use({ mode: "single", languages: ["en", "hi"] });
    await premium("hi");
    expect((await write("w1", { language: "hi" })).language).toBe("en");
  });

  test("is one of the allowed ones in the mode allowed; another decides nothing", async () => {
    use({ mode: "allowed", languages: ["en", "hi"] });
    await premium();
    expect((await write("w1", { language: "fr" })).language).toBe("en");
    expect((await write("w2", { language: "hi" })).language).toBe("hi");
  });

  test("is what it was without settings for languages, whatever the message shows", async () => {
    use(undefined);
    await premium();
    expect((await write("w1", { language: "hi" })).language).toBe("en");
  });

  test("is the preferred one of the customer, which wins over the message's", async () => {
    await premium("hi");
    expect((await write("w1", { language: "fr" })).language).toBe("hi");
    expect((await write("w2", { language: "fr" })).language).toBe("hi");
  });

  test("is the preferred one from the start in a later session, where that is permitted", async () => {
    const token_hash = hash(1);
    await premium("hi");
    for (const [plan, language] of [
      ["premium", "hi"],
      ["basic", "en"],
    ] as const) {
      await desk.describe(phone, { plan });
      await desk.store.sessions.start({ identities: { phone }, channel: "web", token_hash }, minute(1));
      await desk.store.sessions.end(token_hash, minute(2));
      const next = await desk.store.sessions.start(
        { identities: { phone }, channel: "web", token_hash },
        minute(3),
      );
      expect([plan, next.language]).toEqual([plan, language]);
      await desk.store.sessions.end(token_hash, minute(4));
    }
  });

  test("is decided by a customer's message that a frontend reports, and by no bot's", async () => {
    await premium();
    const { session_id } = await write("w1");
    const report = (external_id: string, role: "user" | "assistant", language?: string) => {
      const message = { text: "x", role, external_id, ...(language && { language }) };
      return desk.store.sessions.update({ session_id }, { message }, minute(1));
    };
    expect((await report("u1", "assistant")).language).toBe("en");
    expect(await report("u2", "user", "hi")).toMatchObject({ language: "hi", version: 2, message_count: 4 });
    expect((await report("u3", "user", "fr")).language).toBe("hi");
  });

  test("is not changed by a message that is delivered again", async () => {
    await premium();
    const hindi = { language: "hi" };
    const { session_id } = await write("w1", hindi);
    await desk.store.sessions.setLanguage({ session_id }, "en", minute(1));
    expect(await write("w1", hindi, 2)).toMatchObject({ language: "en" });
    expect(await write("w2", hindi, 2)).toMatchObject({ language: "en" });
  });

  test("is decided once by two first messages at the same time", async () => {
    await premium();
    const ids = Array.from({ length: 10 }, (_, i) => `w${i + 1}`);
    const sessions = await Promise.all(
      ids.map((id, i) => write(id, { language: i % 2 ? "hi" : "fr" }, i / 100)),
    );
    const [kept] = await desk.store.sessions.find({ identities: { phone } }, minute(1));
    expect(["hi", "fr"]).toContain(kept!.language);
    expect(kept!.version).toBe(2);
    expect(new Set(sessions.map(({ language }) => language))).toEqual(new Set([kept!.language]));
  });

  test("of two that merge is the decided one, and else the older one's", async () => {
    await premium();
    await desk.store.conversations.receive(
      [{ type: "message", message: said("telegram", { telegram_chat_id: "7001" }, "t1") }],
      minute(-5),
    );
    const telegram = { telegram_chat_id: "7001" };
    const chosen = await write("w1", { language: "hi" });
    expect(chosen.language).toBe("hi");
    const both = said("whatsapp", { phone, ...telegram }, "w2");
    const [merged] = await desk.store.conversations.receive([{ type: "message", message: both }], minute(2));
    expect(merged).toMatchObject({ type: "message", merged: [expect.any(String)] });
    expect(merged).toMatchObject({ session: { language: "hi" } });
  });

  describe("when it is switched", () => {
    test("is the chosen one, the history says so, and the customer prefers it from then on", async () => {
      await premium();
      const { session_id } = await write("w1");
      const { session, message } = await desk.store.sessions.setLanguage({ session_id }, "hi", minute(1));
      expect(session).toMatchObject({ language: "hi", preferred_language: "hi", version: 2 });
      expect(message).toMatchObject({
        role: "system",
        direction: "outbound",
        status: "sent",
        text: "यह बातचीत अब हिन्दी में आगे बढ़ेगी।",
      });
      const { messages } = await desk.store.sessions.messages({ session_id }, 0, 10, minute(2));
      expect(messages.at(-1)).toEqual(message);
      expect((await write("w2", { language: "fr" })).language).toBe("hi");
    });

    test("again to the same one, nothing changes", async () => {
      await premium();
      const { session_id } = await write("w1");
      await desk.store.sessions.setLanguage({ session_id }, "hi", minute(1));
      const again = await desk.store.sessions.setLanguage({ session_id }, "hi", minute(2));
      expect(again.message).toBeUndefined();
      expect(again.session).toMatchObject({ version: 2, message_count: 3 });
    });

    test("by ten calls at the same time, the history says so once", async () => {
      await premium();
      const { session_id } = await write("w1");
      await Promise.all(
        Array.from({ length: 10 }, () => desk.store.sessions.setLanguage({ session_id }, "hi", minute(1))),
      );
      const { messages } = await desk.store.sessions.messages({ session_id }, 0, 20, minute(2));
      expect(messages.filter(({ role }) => role === "system")).toHaveLength(1);
    });

    test("to one without texts of the hub, the history says so in English", async () => {
      await premium();
      const { session_id } = await write("w1");
      const { message } = await desk.store.sessions.setLanguage({ session_id }, "de", minute(1));
      expect(message!.text).toBe("The language of this conversation is now de.");
    });

    test("to one that is not permitted, is refused with those that are, and nothing changes", async () => {
      const { session_id } = await write("w1");
      const refused = desk.store.sessions.setLanguage({ session_id }, "hi", minute(1));
      await expect(refused).rejects.toMatchObject({
        code: "language_not_allowed",
        details: { languages: ["en"] },
      });
      const update = desk.store.sessions.update({ session_id }, { language: "hi" }, minute(1));
      await expect(update).rejects.toMatchObject({ code: "language_not_allowed" });
      expect(await write("w2")).toMatchObject({ language: "en", version: 1, message_count: 2 });
    });

    test("by an update, is decided too, without a message", async () => {
      await premium();
      const { session_id } = await write("w1");
      const updated = await desk.store.sessions.update({ session_id }, { language: "hi" }, minute(1));
      expect(updated).toMatchObject({ language: "hi", message_count: 2, version: 2 });
      expect((await write("w2", { language: "fr" })).language).toBe("hi");
    });
  });

  test("is the language of the hub's own notices", async () => {
    await premium();
    const { session_id } = await write("w1");
    await desk.store.sessions.setLanguage({ session_id }, "hi", minute(1));
    const token = said("whatsapp", { phone }, "w2", { link_hash: hash(99) });
    await desk.store.conversations.receive([{ type: "message", message: token }], minute(2));
    const { messages } = await desk.store.sessions.messages({ session_id }, 0, 20, minute(3));
    expect(messages.at(-1)).toMatchObject({
      role: "system",
      text: "यह कोड अब मान्य नहीं है। कृपया नया कोड दिखवाएँ और उसे स्कैन करें।",
    });
    // Somebody else proves to hold the number.
    const request = { phone, code_hash: hash(5), rate_limit_keys: [] };
    const addresses = await desk.store.proofs.requestCode(request, minute(4));
    expect(addresses).toMatchObject([{ channel: "whatsapp", language: "hi" }]);
  });

  test("does not replace texts of the deployment", async () => {
    const notices = { linked: "Ours", link_failed: "Ours too" };
    desk = { ...desk, store: withNotices(notices) };
    const token = said("whatsapp", { phone: ben.phone }, "b1", { link_hash: hash(99) });
    const [result] = await desk.store.conversations.receive([{ type: "message", message: token }], minute(0));
    const { session_id } = (result as { session: { session_id: string } }).session;
    const { messages } = await desk.store.sessions.messages({ session_id }, 0, 9, minute(1));
    expect(messages.at(-1)!.text).toBe("Ours too");
  });

  const withNotices = (notices: Partial<NonNullable<typeof settings.notices>>): Store => {
    const [, call] = transports.find(([name]) => name === _name) ?? [];
    return call ? sqlStore(call(), { ...settings, notices }) : memoryStore({ ...settings, notices });
  };
});
