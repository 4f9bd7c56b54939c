import { expect, test } from "vitest";
import type { CustomerRef, ExportedMessage, ExportedSession } from "../../src/features/privacy/privacy.ts";
import { anna, ben, type Desk, day, desk, hash, type Make, minute, reply, said } from "./given.ts";
import { actorOf, askCode, auditOf, begin, bensSession, expectToken, giveCode } from "./proving.ts";

const { phone, telegram_chat_id, whatsapp_user_id } = anna;
const CUSTOMER = "103";

/** Export, erasure and audit. */
export function privacy(make: Make): void {
  /** Exports all pages. */
  async function exportAll(store: Desk, of: CustomerRef, limit: number, actor = actorOf()) {
    const sessions: ExportedSession[] = [];
    const messages: ExportedMessage[] = [];
    let pages = 0;
    for (let after: string | undefined; ; ) {
      const page = await store.privacy.export(of, after, limit, actor, minute(50));
      expect(page.sessions.length + page.messages.length).toBeLessThanOrEqual(limit);
      sessions.push(...page.sessions);
      messages.push(...page.messages);
      pages++;
      if (page.after === undefined) return { sessions, messages, pages };
      after = page.after;
    }
  }

  /** Two sessions of one customer, one of them merged from two; one answered message, one edited. */
  async function customersData(store: Desk) {
    const first = await begin(store, 1, { phone }, minute(0), { customer_id: CUSTOMER, data: { cart: [1] } });
    await store.hear(said("telegram", { telegram_chat_id }, "t1"), minute(1));
    const turn = await store.ask(said("whatsapp", { phone, whatsapp_user_id }, "w1"), minute(2));
    const { deliveries } = await store.conversations.complete(turn, [reply("an answer")], minute(2));
    await store.settleAs(deliveries[0]!, { external_id: "sent-1" }, minute(2));
    const content = { kind: "text", text: "changed" } as const;
    const edit = { channel: "telegram", account: "bot-1", external_id: "t1", content, at: minute(3) };
    await store.tell({ type: "edit", edit }, minute(3));
    await store.hear(said("telegram", { telegram_chat_id, phone }, "t2"), minute(4));
    await begin(store, 1, { phone }, minute(5));
    await store.sessions.end(hash(1), minute(5));
    const second = await begin(store, 2, { phone }, minute(6), { customer_id: CUSTOMER });
    await store.hear(said("web", { token_hash: hash(2) }, "w2"), minute(7));
    return { first, second };
  }

  test("an export holds everything of a customer, with any page size", async () => {
    const store = await desk(make);
    const { first, second } = await customersData(store);
    await store.proofs.signUp({ token_hash: hash(2), password: "long enough" }, minute(8));
    await bensSession(store);
    const whole = await exportAll(store, { customer_id: CUSTOMER }, 100);
    expect(whole.pages).toBe(1);
    expect(whole.sessions).toHaveLength(3);
    const at = (id: string) => whole.sessions.find(({ session_id }) => session_id === id)!;
    expect(at(first.session_id)).toMatchObject({
      customer_id: CUSTOMER,
      data: { cart: [1] },
      status: "logged_out",
      devices: [],
      has_password: true,
    });
    expect(at(first.session_id).addresses.map(({ channel }) => channel)).toEqual(["telegram", "whatsapp"]);
    expect(at(second.session_id)).toMatchObject({
      devices: [{ channel: "web", created_at: minute(6) }],
      windows: [],
      unreachable: [],
      has_password: true,
    });
    const texts = whole.messages.map(({ text }) => text);
    expect(texts.sort()).toEqual(["an answer", "changed", "text of t2", "text of w1", "text of w2"]);
    const edited = whole.messages.find(({ text }) => text === "changed")!;
    expect(edited.revisions).toEqual([
      { text: "text of t1", content: { kind: "text", text: "text of t1" }, at: minute(3) },
    ]);
    for (const limit of [1, 2, 3, 5]) {
      const paged = await exportAll(store, { customer_id: CUSTOMER }, limit);
      expect(paged.sessions).toEqual(whole.sessions);
      expect(paged.messages.map(({ message_id }) => message_id)).toEqual(
        (await exportAll(store, { customer_id: CUSTOMER }, 100)).messages.map(({ message_id }) => message_id),
      );
    }
  });

  test("by session_id the whole customer is exported, and an unknown one is empty", async () => {
    const store = await desk(make);
    const { first } = await customersData(store);
    const { sessions } = await exportAll(store, { session_id: first.session_id }, 100);
    const merged = sessions.find(({ merged_into }) => merged_into === first.session_id)!;
    expect(await exportAll(store, { session_id: merged.session_id }, 100)).toMatchObject({ sessions });
    expect(await exportAll(store, { customer_id: "nobody" }, 9)).toMatchObject({
      sessions: [],
      messages: [],
    });
    expect(await exportAll(store, { session_id: crypto.randomUUID() }, 9)).toMatchObject({ sessions: [] });
  });

  test("erased content and identities are in no table, and counts stay", async () => {
    const store = await desk(make);
    const { first, second } = await customersData(store);
    const ids = (await exportAll(store, { customer_id: CUSTOMER }, 100)).sessions.map(
      ({ session_id }) => session_id,
    );
    const bens = await bensSession(store);
    const erased = await store.privacy.erase({ customer_id: CUSTOMER }, actorOf(), minute(9));
    expect(erased).toEqual({
      sessions: 3,
      messages: 5,
      session_ids: ids,
      token_hashes: [hash(2)],
      identities: [
        { kind: "telegram_chat_id", value: telegram_chat_id },
        { kind: "whatsapp_user_id", value: whatsapp_user_id },
        { kind: "phone", value: phone },
      ],
    });
    const left = await exportAll(store, { session_id: first.session_id }, 100);
    const again = await exportAll(store, { session_id: second.session_id }, 100);
    const kept = JSON.stringify([left, again]);
    // Quoted, because ids may hold the same digits.
    const values = [phone, telegram_chat_id, whatsapp_user_id, CUSTOMER].map((value) =>
      JSON.stringify(value),
    );
    for (const secret of [...values, "text of", "answer", '"address":']) expect(kept).not.toContain(secret);
    for (const message of [...left.messages, ...again.messages]) {
      const content = { kind: "system", event: "erased" };
      expect(message).toMatchObject({ kind: "system", text: "", content, revisions: [] });
      expect(message).not.toHaveProperty("external_id");
      expect(message).not.toHaveProperty("reply_to");
    }
    expect(left.sessions.map(({ message_count }) => message_count).sort()).toEqual([0, 1, 4]);
    expect(again).toEqual(left);
    expect(left.sessions.find(({ session_id }) => session_id === second.session_id)).toMatchObject({
      status: "logged_out",
      ended_at: minute(9),
      message_count: 1,
      data: {},
    });
    await expectToken(store, hash(2), undefined, minute(10));
    await expectToken(store, hash(902), bens.session_id, minute(10));
    expect((await store.privacy.erase({ customer_id: CUSTOMER }, actorOf(), minute(10))).sessions).toBe(0);
    const once = await store.privacy.erase({ session_id: first.session_id }, actorOf(), minute(10));
    expect(once).toMatchObject({ sessions: 3, messages: 0 });
  });

  test("a customer who writes again after an erasure is new", async () => {
    const store = await desk(make);
    const { second } = await customersData(store);
    await store.proofs.signUp({ token_hash: hash(2), password: "long enough" }, minute(8));
    await askCode(store, phone, "123456", minute(8));
    await store.privacy.erase({ customer_id: CUSTOMER }, actorOf(), minute(9));
    await expect(giveCode(store, phone, "123456", 5, minute(10))).rejects.toMatchObject({
      code: "code_invalid",
    });
    const { session } = await store.hear(said("telegram", { telegram_chat_id, phone }, "t9"), minute(10));
    expect(session).toMatchObject({ phone, message_count: 1, data: {} });
    expect(session.session_id).not.toBe(second.session_id);
    const login = {
      phone,
      password: "long enough",
      new_token_hash: hash(6),
      channel: "web",
      rate_limit_keys: [],
    };
    await expect(store.proofs.logIn(login, minute(11))).rejects.toMatchObject({ code: "password_invalid" });
  });

  test("unfinished work of an erased customer ends", async () => {
    const store = await desk(make);
    const asked = said("telegram", { telegram_chat_id }, "t1");
    const turn = await store.ask(asked, minute(0));
    const { deliveries } = await store.conversations.complete(
      turn,
      [reply("1 and 2", ["1", "2"])],
      minute(0),
    );
    const open = await store.ask(said("telegram", { telegram_chat_id }, "t2"), minute(1));
    const { session_id } = turn.session;
    await store.privacy.erase({ session_id }, actorOf(), minute(2));
    expect(await store.conversations.complete(open, [reply("late")], minute(3))).toMatchObject({
      stale: true,
    });
    expect(await store.settleAs(deliveries[0]!, {}, minute(3))).toEqual([]);
    expect(await store.conversations.due(day(1), 10)).toEqual({ turns: [], deliveries: [] });
    expect(await store.history(session_id)).toMatchObject([
      { text: "" },
      { text: "", status: "failed" },
      { text: "" },
    ]);
    const dead = (await store.operations.deadLetters(undefined, 10)).filter(
      (one) => one.session_id === session_id,
    );
    expect(dead).toMatchObject([{ reason: "erased" }, { reason: "erased" }]);
    expect(await store.operations.retry(dead[0]!.id, { actor: "admin:test" }, day(1))).toMatchObject({
      deliveries: [{ address: {}, content: { kind: "text", text: "" } }],
    });
  });

  test("a number that has moved to another person keeps its code and password", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone, whatsapp_user_id }, minute(0));
    await store.sessions.end(hash(1), minute(1));
    await begin(store, 2, { phone, whatsapp_user_id: ben.whatsapp_user_id }, minute(2));
    await store.proofs.signUp({ token_hash: hash(2), password: "long enough" }, minute(3));
    await askCode(store, phone, "123456", minute(3));
    await store.privacy.erase({ session_id }, actorOf(), minute(4));
    await giveCode(store, phone, "123456", 3, minute(5));
    const login = {
      phone,
      password: "long enough",
      new_token_hash: hash(6),
      channel: "web",
      rate_limit_keys: [],
    };
    await store.proofs.logIn(login, minute(5));
  });

  test("each export and erasure is one line in the audit, in order and without content", async () => {
    const store = await desk(make);
    const { second } = await customersData(store);
    const actor = actorOf();
    await exportAll(store, { customer_id: CUSTOMER }, 2, actor);
    await store.privacy.erase({ session_id: second.session_id }, actor, minute(60));
    await store.privacy.erase({ customer_id: "nobody" }, actor, minute(61));
    const line = { audit_id: expect.any(String), actor };
    expect(await auditOf(store, actor)).toEqual([
      { ...line, at: minute(50), action: "export", subject: `customer:${CUSTOMER}`, details: {} },
      {
        ...line,
        at: minute(60),
        action: "erase",
        subject: `session:${second.session_id}`,
        details: { sessions: 3, messages: 5 },
      },
      {
        ...line,
        at: minute(61),
        action: "erase",
        subject: "customer:nobody",
        details: { sessions: 0, messages: 0 },
      },
    ]);
  });
}
