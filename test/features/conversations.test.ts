import { beforeEach, describe, expect, test } from "vitest";
import { answer } from "../../src/core/answer/answer.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Hub } from "../../src/core/hub.ts";
import { accept } from "../../src/core/receive/accept.ts";
import type { Store } from "../../src/core/store.ts";
import { textIn } from "../../src/core/texts/text-in.ts";
import type { OperatorReply } from "../../src/features/conversations/conversation.ts";
import type { AtDesk } from "../../src/features/conversations/conversations.ts";
import { STAFF_IDLE_MS, STAFF_MS } from "../../src/features/staff/staff.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { anna, ben, type Desk, desk, hash, minute, reply, said, settings } from "../contracts/given.ts";
import { allUp, from, storeDown, webhook, world } from "../support/outage.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty, owner } = bothTransports({ max: 20 });
beforeEach(empty);

const ADMIN = { actor: "admin:test" };

describe.each(transports)("who has a conversation, in %s", (_name, call) => {
  let store: Desk;
  let seed = 0;
  const features = () => store.features!;
  const { conversations } = { conversations: () => features().conversations };

  beforeEach(async () => {
    const plain: Store = sqlStore(call(), settings);
    store = await desk(async () => plain);
  });

  /** Adds a user and signs them in. Returns a maker of calls at a minute. */
  const operator = async (name: string, role: "agent" | "admin" = "agent") => {
    const email = `${name.toLowerCase()}@shop.example`;
    const user = await features().staff.add(ADMIN, { email, name, role }, minute(0));
    const staff = hash(++seed + 1000);
    await features().staff.signIn({ email }, staff, minute(0));
    return { user, staff, at: (m = 1): AtDesk => ({ staff, now: minute(m) }) };
  };
  const write = (m = 0, over = {}) =>
    store.hear(said("whatsapp", { phone: anna.phone }, `m${++seed}`, over), minute(m));
  const keyOf = async () =>
    (await owner()`select customer_key from customers order by created_at limit 1`)[0]!
      .customer_key as string;
  const says = (text: string, over: Partial<OperatorReply> = {}): OperatorReply => ({
    channel: "whatsapp",
    account: "number-1",
    address: { to: "whatsapp address" },
    replies: [reply(text)],
    fields: { text },
    ...over,
  });
  const refused = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(HubError);
    const { code, details } = error as HubError;
    return { code, ...(details && { details }) };
  };

  test("a bot's handoff: nobody has it, no message asks the bot, and the next session is held too", async () => {
    const { turn } = await write();
    await store.conversations.complete(turn!, [reply("Wait")], minute(1), undefined, {
      reason: "a refund",
      to: "billing",
    });
    const heard = await write(2);
    expect(heard.turn).toBeUndefined();
    expect(heard.session).toMatchObject({ holder: "waiting", session_id: turn!.session.session_id });
    const ana = await operator("Ana");
    const { conversations: list, counts } = await conversations().list(ana.at(3), {
      view: "unassigned",
      limit: 10,
    });
    expect(list).toMatchObject([
      {
        holder: "waiting",
        unread: 2,
        waiting_since: minute(1),
        handoff: { requested_by: "bot", reason: "a refund", wanted: "billing" },
        last: { text: `text of m${seed - 1}` },
      },
    ]);
    expect(counts).toMatchObject({ mine: 0, unassigned: 1, waiting: 1 });
    // The session expires; the customer comes back.
    const later = await store.hear(
      said("whatsapp", { phone: anna.phone }, `m${++seed}`),
      new Date(minute(2).getTime() + settings.sessionTtlMs + 1),
    );
    expect(later.session.session_id).not.toBe(turn!.session.session_id);
    expect(later.session.holder).toBe("waiting");
    expect(later.turn).toBeUndefined();
    expect(
      (await store.conversations.due(new Date(minute(30).getTime() + settings.sessionTtlMs), 10)).turns,
    ).toEqual([]);
  });

  test("a bot that hands over from an expired session does not wait for the active one while it has the customer", async () => {
    const { turn } = await write();
    const back = minute(1).getTime() + settings.sessionTtlMs;
    const { session } = await store.hear(
      said("whatsapp", { phone: anna.phone }, `m${++seed}`),
      new Date(back),
    );
    expect(session.session_id).not.toBe(turn!.session.session_id);
    const handsOver = () =>
      store.conversations.complete(turn!, [reply("Wait")], new Date(back + 1), undefined, {
        reason: "a refund",
      });
    // Another call has the active session, and may want the customer next.
    const meanwhile = await owner().begin(async (sql) => {
      await sql`select from public.sessions where session_id = ${session.session_id} for update`;
      return handsOver().catch((error: HubError) => error);
    });
    expect(meanwhile).toMatchObject({ code: "unavailable", reason: "40001" });
    expect(await handsOver()).toMatchObject({ stale: false });
    expect(
      await store.hear(said("whatsapp", { phone: anna.phone }, `m${++seed}`), new Date(back + 2)),
    ).toMatchObject({
      session: { holder: "waiting", session_id: session.session_id },
    });
  });

  test("an operator who takes over while the bot answers: its late answer is dropped", async () => {
    const { turn } = await write();
    await write(0);
    const ana = await operator("Ana");
    const held = await conversations().hold(ana.at(), await keyOf(), { action: "take" });
    expect(held.conversation).toMatchObject({ holder: "person", user: { name: "Ana" }, unread: 2 });
    const late = await store.conversations.complete(turn!, [reply("Too late")], minute(1));
    expect(late).toMatchObject({ stale: true, messages: [], deliveries: [] });
    expect(await store.conversations.due(minute(60), 10)).toEqual({ turns: [], deliveries: [] });
    expect((await store.texts(turn!.session.session_id)).includes("Too late")).toBe(false);
  });

  test("two take it at once: one has it, the other is told who; and once more is the same", async () => {
    await write();
    const [ana, bob] = [await operator("Ana"), await operator("Bob")];
    const key = await keyOf();
    const results = await Promise.allSettled(
      [ana, bob].map(({ at }) => conversations().hold(at(), key, { action: "take" })),
    );
    const won = results.findIndex(({ status }) => status === "fulfilled");
    const winner = [ana, bob][won]!;
    const lost = results[1 - won] as PromiseRejectedResult;
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(lost.reason).toMatchObject({
      code: "conversation_taken",
      details: { user: { user_id: winner.user.user_id, name: winner.user.name } },
    });
    const again = await conversations().hold(winner.at(), key, { action: "take" });
    expect(again.conversation.version).toBe(1);
    const loser = [ana, bob][1 - won]!;
    const taken = await conversations().hold(loser.at(), key, { action: "take", from: winner.user.user_id });
    expect(taken.conversation.user).toMatchObject({ name: loser.user.name });
    expect((await refused(conversations().reply(winner.at(), key, says("mine")))).code).toBe(
      "conversation_taken",
    );
  });

  test("taken and written at once, many times: each message is the bot's or the person's, and none is both or neither", async () => {
    const ana = await operator("Ana");
    await write();
    const key = await keyOf();
    for (let round = 0; round < 12; round++) {
      const before = await store.conversations.due(minute(1000 + 10 * round), 10);
      for (const turn of before.turns)
        await store.conversations.complete(turn, [], minute(1000 + 10 * round));
      const at = minute(1001 + 10 * round);
      const [heard] = await Promise.all([
        store.hear(said("whatsapp", { phone: anna.phone }, `m${++seed}`), at),
        conversations().hold({ staff: ana.staff, now: minute(1) }, key, { action: "take" }),
      ]);
      const [row] = await owner()`
        select unread, (select count(*)::int from turns) as turns from conversations where customer_key = ${key}`;
      expect(row).toMatchObject({ turns: 0, unread: 1 });
      if (heard.turn)
        expect((await store.conversations.complete(heard.turn, [reply("late")], at)).stale).toBe(true);
      await conversations().hold({ staff: ana.staff, now: minute(1) }, key, { action: "close" });
    }
  });

  test("a message that waited for the take-over is the person's: it had read the holder before", async () => {
    const { session } = await write();
    const ana = await operator("Ana");
    const key = await keyOf();
    let heard: ReturnType<typeof write> | undefined;
    await owner().begin(async (tx) => {
      await tx`select 1 from sessions where session_id = ${session.session_id} for update`;
      heard = write(1);
      // It waits for the session now, with what it has read of the customer.
      await new Promise((go) => setTimeout(go, 300));
      const p = { now: minute(1), staff: ana.staff, id: key, action: "take", lease_ms: 60_000, ttl_ms: 1 };
      await tx`select public.hub_hold(${JSON.stringify(p)}::text::jsonb)`;
    });
    expect((await heard!).turn).toBeUndefined();
    expect(
      await owner()`select unread, (select count(*)::int from turns) as turns from conversations`,
    ).toEqual([{ unread: 2, turns: 0 }]);
  });

  test("answers of a person are durable, counted as read, sent once per key, and in the audit", async () => {
    const { session } = await write();
    const ana = await operator("Ana");
    const key = await keyOf();
    const target = await conversations().target(ana.at(), key);
    expect(target).toMatchObject({
      channel: "whatsapp",
      account: "number-1",
      address: { to: "whatsapp address" },
    });
    const first = await conversations().reply(ana.at(), key, says("Hello", { idempotency_key: "k1" }));
    expect(first).toMatchObject({
      replayed: false,
      session_id: session.session_id,
      conversation: { holder: "person", user: { name: "Ana" }, unread: 0 },
      messages: [{ role: "operator", author: `user:${ana.user.user_id}`, text: "Hello", status: "pending" }],
      deliveries: [{ attempt: 1, content: { text: "Hello" } }],
    });
    expect(first.conversation.waiting_since).toBeUndefined();
    const again = await conversations().reply(ana.at(), key, says("Hello", { idempotency_key: "k1" }));
    expect(again).toMatchObject({
      replayed: true,
      deliveries: [],
      messages: [{ message_id: first.messages[0]!.message_id }],
    });
    expect(
      (await refused(conversations().reply(ana.at(), key, says("Other", { idempotency_key: "k1" })))).code,
    ).toBe("idempotency_conflict");
    // Nobody settles it: the sweep sends it again.
    const { deliveries } = await store.conversations.due(minute(10), 10);
    expect(deliveries).toMatchObject([{ message_id: first.messages[0]!.message_id, attempt: 2 }]);
    const audit =
      await owner()`select actor from audit where action = 'conversation.reply' and subject = ${`customer:${key}`}`;
    expect(audit).toMatchObject([{ actor: `user:${ana.user.user_id}` }]);
  });

  test("answered since you looked: refused, with who it was", async () => {
    const { message } = await write();
    const [ana, bob] = [await operator("Ana"), await operator("Bob")];
    const key = await keyOf();
    await conversations().reply(ana.at(), key, says("Mine"));
    await conversations().hold(bob.at(), key, { action: "take", from: ana.user.user_id });
    expect(
      await refused(conversations().reply(bob.at(), key, says("Also", { seen: message.seq }))),
    ).toMatchObject({
      code: "answered_since",
      details: { role: "operator", user: { name: "Ana" } },
    });
    const { messages } = await conversations().messages(bob.at(), key, { limit: 10 });
    const seen = messages.at(-1)!.seq;
    expect((await conversations().reply(bob.at(), key, says("Also", { seen }))).messages).toHaveLength(1);
  });

  test("given back: the bot is asked what nobody has answered, once; closed: it is not", async () => {
    await write();
    const ana = await operator("Ana");
    const key = await keyOf();
    await conversations().hold(ana.at(), key, { action: "take" });
    const { message } = await write(2);
    const { turn, conversation } = await conversations().hold(ana.at(3), key, { action: "give_back" });
    expect(conversation).toMatchObject({ holder: "bot", unread: 0 });
    expect(turn).toMatchObject({
      message: { message_id: message.message_id },
      address: { to: "whatsapp address" },
      attempt: 1,
    });
    // Killed here: the sweep asks again.
    const { turns } = await store.conversations.due(minute(5), 10);
    expect(turns).toMatchObject([{ turn_id: turn!.turn_id, attempt: 2 }]);
    await store.conversations.complete(turns[0]!, [reply("From the bot")], minute(5));
    await conversations().hold(ana.at(6), key, { action: "take" });
    expect((await conversations().hold(ana.at(6), key, { action: "give_back" })).turn).toBeUndefined();
    await write(7);
    await conversations().hold(ana.at(8), key, { action: "take" });
    expect((await conversations().hold(ana.at(8), key, { action: "close" })).turn).toBeUndefined();
    expect((await write(9)).turn).toBeDefined();
    expect((await refused(conversations().hold(ana.at(), key, { action: "close" }))).code).toBe(
      "illegal_transition",
    );
  });

  test("a dead letter of the bot is not retried while a person has the conversation", async () => {
    const { turn } = await write();
    await store.conversations.fail(turn!, { code: "rejected", reason: "x" }, undefined, minute(0));
    const ana = await operator("Ana");
    await conversations().hold(ana.at(), await keyOf(), { action: "take" });
    expect(await conversations().deadLetters(ana.at(), await keyOf())).toMatchObject([
      { type: "turn", id: turn!.turn_id },
    ]);
    expect(
      (await refused(store.operations.retry(turn!.turn_id, { actor: "admin:test" }, minute(1)))).code,
    ).toBe("conversation_held");
  });

  test("people who become one: a person's hold comes along, and the notes", async () => {
    const ana = await operator("Ana");
    const bob = await operator("Bob");
    // Two customers: by WhatsApp id, and by phone.
    await store.hear(said("whatsapp", { whatsapp_user_id: anna.whatsapp_user_id }, "w1"), minute(0));
    const { turn } = await store.hear(
      said("telegram", { phone: anna.phone, telegram_chat_id: anna.telegram_chat_id }, "t1"),
      minute(1),
    );
    const rows = await owner()`select customer_key from customers order by created_at`;
    const [older, younger] = rows.map(({ customer_key }) => customer_key as string) as [string, string];
    await conversations().hold(bob.at(2), younger, { action: "take" });
    await conversations().addNote(bob.at(2), younger, { text: "calls back", mentions: [ana.user.user_id] });
    await conversations().hold(ana.at(3), older, { action: "take" });
    const joined = await store.hear(
      said("whatsapp", { whatsapp_user_id: anna.whatsapp_user_id, phone: anna.phone }, "w2"),
      minute(4),
    );
    expect(joined.turn).toBeUndefined();
    expect(joined.session.holder).toBe("person");
    expect((await store.conversations.complete(turn!, [reply("late")], minute(4))).stale).toBe(true);
    // Bob took his first; the key of the one who is gone leads on.
    const beside = await conversations().get(ana.at(5), younger);
    expect(beside).toMatchObject({
      conversation: { customer_key: older, holder: "person", user: { name: "Bob" }, unread: 3 },
      notes: [{ text: "calls back", user: { name: "Bob" }, mentions: [{ name: "Ana" }] }],
    });
    expect(beside.handoffs.map(({ outcome }) => outcome)).toContain("merged");
    expect((await store.conversations.due(minute(60), 10)).turns).toEqual([]);
  });

  test("a held customer joins one whose bot is answering: that answer is dropped too", async () => {
    const ana = await operator("Ana");
    await store.hear(said("whatsapp", { whatsapp_user_id: anna.whatsapp_user_id }, "w1"), minute(0));
    await conversations().hold(ana.at(0), await keyOf(), { action: "take" });
    const { turn } = await store.hear(
      said("telegram", { phone: anna.phone, telegram_chat_id: "7001" }, "t1"),
      minute(1),
    );
    expect(turn).toBeDefined();
    const joined = await store.hear(
      said("whatsapp", { whatsapp_user_id: anna.whatsapp_user_id, phone: anna.phone }, "w2"),
      minute(2),
    );
    expect(joined.turn).toBeUndefined();
    expect((await store.conversations.complete(turn!, [reply("late")], minute(3))).stale).toBe(true);
  });

  test("who waits longer than the limit is marked once; an answer takes the mark away", async () => {
    const { turn } = await write();
    await store.conversations.complete(turn!, [], minute(1), undefined, { reason: "x" });
    expect(await conversations().markOverdue(minute(0), 10, minute(16))).toBe(0);
    expect(await conversations().markOverdue(minute(2), 10, minute(17))).toBe(1);
    expect(await conversations().markOverdue(minute(2), 10, minute(18))).toBe(0);
    expect(await conversations().state()).toMatchObject({
      waiting: 1,
      overdue: 1,
      oldest_waiting_at: minute(1),
    });
    const ana = await operator("Ana");
    await conversations().reply(ana.at(20), await keyOf(), says("Sorry"));
    expect(await conversations().state()).toMatchObject({ held: 1, waiting: 0, overdue: 0 });
    const figures = await conversations().figures(ADMIN, minute(0), minute(60), minute(60));
    expect(figures).toMatchObject({
      requested: 1,
      by: { bot: 1, customer: 0, operator: 0 },
      accepted: 1,
      overdue: 1,
      wait: { median_ms: 19 * 60_000 },
    });
  });

  test("an erasure leaves figures, and nothing else", async () => {
    const { turn, session } = await write();
    await store.conversations.complete(turn!, [], minute(1), undefined, { reason: "private words" });
    const ana = await operator("Ana");
    const key = await keyOf();
    await conversations().addNote(ana.at(), key, { text: "private note", mentions: [] });
    await conversations().present(ana.at(), key, true);
    const of = { session_id: session.session_id };
    expect(await conversations().exported(of)).toMatchObject({
      notes: [{ text: "private note" }],
      handoffs: [{ reason: "private words" }],
    });
    await store.privacy.erase(of, "admin:test", minute(2));
    const tables = await owner()`
      select (select count(*)::int from notes) as notes, (select count(*)::int from conversations) as conversations,
        (select count(*)::int from presences) as presences, (select jsonb_agg(to_jsonb(h)) from handoffs h) as handoffs`;
    expect(tables[0]).toMatchObject({
      notes: 0,
      conversations: 0,
      presences: 0,
      handoffs: [{ customer_key: null, reason: null, outcome: "erased" }],
    });
    expect((await refused(conversations().get(ana.at(), key))).code).toBe("not_found");
  });

  test("views, counts, snooze and unread, page by page", async () => {
    const ana = await operator("Ana");
    for (let n = 0; n < 7; n++)
      await store.hear(said("telegram", { telegram_chat_id: `90${n}` }, `p${n}`), minute(n));
    const keys = (await owner()`select customer_key from customers order by created_at`).map(
      (row) => row.customer_key as string,
    );
    const all: string[] = [];
    let after: string | undefined;
    do {
      const page = await conversations().list(ana.at(10), { view: "all", limit: 3, ...(after && { after }) });
      all.push(...page.conversations.map(({ customer_key }) => customer_key));
      after = page.after;
    } while (after);
    expect(all).toEqual(keys.toReversed());
    for (const key of keys.slice(0, 5)) await conversations().hold(ana.at(10), key, { action: "take" });
    const mine: string[] = [];
    do {
      const page = await conversations().list(ana.at(11), {
        view: "mine",
        limit: 2,
        ...(after && { after }),
      });
      mine.push(...page.conversations.map(({ customer_key }) => customer_key));
      after = page.after;
    } while (after);
    expect(mine.toSorted()).toEqual(keys.slice(0, 5).toSorted());
    await conversations().hold(ana.at(12), keys[0]!, { action: "snooze", until: minute(100) });
    await conversations().hold(ana.at(12), keys[1]!, { action: "seen" });
    const { counts } = await conversations().list(ana.at(13), { view: "mine", limit: 1 });
    expect(counts).toMatchObject({ mine: 4, waiting: 4, snoozed: 1, held: 5 });
    const unread = await conversations().list(ana.at(13), { view: "mine", unread: true, limit: 10 });
    expect(unread.conversations).toHaveLength(3);
    await store.hear(said("telegram", { telegram_chat_id: "900" }, "wakes"), minute(14));
    expect((await conversations().list(ana.at(15), { view: "mine", limit: 1 })).conversations).toMatchObject([
      { customer_key: keys[0], unread: 2 },
    ]);
    await conversations().hold(ana.at(16), keys[0]!, { action: "assign" });
    expect(
      (await conversations().list(ana.at(16), { view: "unassigned", limit: 9 })).conversations,
    ).toHaveLength(1);
  });

  test("changes name what is new, also what a slow transaction brings late", async () => {
    const ana = await operator("Ana");
    await write();
    const first = await conversations().changes(ana.at());
    expect(first).toMatchObject({ fresh: false, conversations: [] });
    expect((await conversations().changes(ana.at(), first.cursor)).fresh).toBe(false);
    await store.hear(said("whatsapp", { phone: ben.phone }, "b1"), minute(1));
    const second = await conversations().changes(ana.at(), first.cursor);
    expect(second.fresh).toBe(true);
    // With what came in the five seconds before, for a slow transaction may be overtaken.
    expect(second.conversations).toHaveLength(2);
    await conversations().hold(ana.at(), await keyOf(), { action: "take" });
    const third = await conversations().changes(ana.at(), second.cursor);
    expect(third).toMatchObject({ fresh: true, counts: { mine: 1 } });
    expect(third.conversations).toContain(await keyOf());
    const bob = await operator("Bob");
    await conversations().present(bob.at(), await keyOf(), true);
    expect(await conversations().changes(ana.at(), third.cursor)).toMatchObject({
      fresh: true,
      presence: [{ user: { name: "Bob" }, typing: true }],
    });
  });

  test("staff who are signed out, disabled, idle or of the past open nothing; agents are no admins", async () => {
    const [ana, root] = [await operator("Ana"), await operator("Root", "admin")];
    const list = (staff: string, now: Date) =>
      conversations().list({ staff, now }, { view: "all", limit: 1 });
    const late = (ms: number) => new Date(minute(0).getTime() + ms);
    expect((await refused(list(hash(5), minute(1)))).code).toBe("unauthorized");
    expect((await refused(list(ana.staff, late(STAFF_IDLE_MS + 1)))).code).toBe("unauthorized");
    for (let at = 0; at < STAFF_MS; at += STAFF_IDLE_MS / 2) await list(root.staff, late(at));
    expect((await refused(list(root.staff, late(STAFF_MS + 1)))).code).toBe("unauthorized");
    const add = { email: "new@shop.example", name: "New", role: "admin" as const };
    expect((await refused(features().staff.add({ staff: ana.staff }, add, minute(1)))).code).toBe(
      "forbidden",
    );
    expect(
      (await refused(features().staff.signIn({ email: "nobody@shop.example" }, hash(7), minute(1)))).code,
    ).toBe("unauthorized");
    const bound = { email: "ana@shop.example", auth_id: "auth-1" };
    await features().staff.signIn(bound, hash(8), minute(1));
    expect(
      (await refused(features().staff.signIn({ ...bound, auth_id: "auth-2" }, hash(9), minute(1)))).code,
    ).toBe("unauthorized");
    await write();
    await conversations().hold(ana.at(), await keyOf(), { action: "take" });
    await features().staff.update(
      { staff: root.staff },
      ana.user.user_id,
      { disabled: true },
      undefined,
      minute(2),
    );
    expect((await refused(list(ana.staff, minute(2)))).code).toBe("unauthorized");
    expect(
      (await refused(features().staff.signIn({ email: "ana@shop.example" }, hash(6), minute(2)))).code,
    ).toBe("unauthorized");
    const { conversations: left } = await conversations().list(root.at(2), { view: "unassigned", limit: 5 });
    expect(left).toMatchObject([{ holder: "waiting" }]);
    expect((await write(3)).turn).toBeUndefined();
    await features().staff.signOut(root.staff, minute(3));
    expect((await refused(list(root.staff, minute(3)))).code).toBe("unauthorized");
  });

  test("the conversation of somebody who never wrote is taken and answered too", async () => {
    const ana = await operator("Ana");
    const { customer } = await features().customers.put(
      "103",
      { phone: anna.phone },
      { actor: "test", now: minute(0) },
    );
    const key = customer.customer_key;
    await conversations().hold(ana.at(), key, { action: "take" });
    const sent = await conversations().reply(ana.at(), key, says("Hello"));
    expect(sent).toMatchObject({
      messages: [{ text: "Hello" }],
      conversation: { holder: "person", session_status: "active" },
    });
  });

  test("canned replies are saved, changed at their version, and deleted", async () => {
    const ana = await operator("Ana");
    const hi = { shortcut: "hi", title: "Greeting", replies: [{ kind: "text" as const, text: "Hello!" }] };
    expect(await conversations().saveCannedReply(ana.at(), hi)).toMatchObject({
      ...hi,
      version: 1,
      updated_by: { name: "Ana" },
    });
    expect((await refused(conversations().saveCannedReply(ana.at(), hi, 9))).code).toBe("version_conflict");
    await conversations().saveCannedReply(ana.at(), { ...hi, title: "Hello" }, 1);
    expect(await conversations().cannedReplies(ana.at())).toMatchObject([{ title: "Hello", version: 2 }]);
    await conversations().deleteCannedReply(ana.at(), "hi");
    expect(await conversations().cannedReplies(ana.at())).toEqual([]);
  });
});

describe("an outage of the store, with a journal", () => {
  const STAFF = hash(77);
  const phone = "+4915112345678";

  /** A shop with two isolates, a person of the staff, and a customer who has written "hello" and was answered. */
  async function shop() {
    const all = world({ store: sqlStore(transports[0]![1](), { ...settings, history: 0 }) });
    const now = () => new Date(all.clock.now);
    const isolate = (): Hub => ({ ...all.isolate(), desk: { words: true } });
    const features = all.store.features!;
    await features.staff.add(ADMIN, { email: "ana@shop.example", name: "Ana", role: "agent" }, now());
    await features.staff.signIn({ email: "ana@shop.example" }, STAFF, now());
    const hears = async (hub: Hub, ...texts: string[]) => {
      for (const text of texts) {
        const { results } = await accept(hub, "whatsapp", webhook(from(phone, text)));
        for (const { turn } of results) if (turn) await answer(hub, turn);
      }
      await all.idle();
    };
    await hears(isolate(), "hello");
    const key = (await owner()`select customer_key from customers`)[0]!.customer_key as string;
    /** All isolates find out at once that the store is back. */
    const back = async () => {
      all.fault(allUp);
      all.clock.now += 60_000;
      const hubs = [isolate(), isolate()];
      const replayed = await Promise.all(
        hubs.map((hub) => hub.store.journal!.replay({ entries: 100, ms: 10_000 })),
      );
      for (const [i, { results }] of replayed.entries())
        for (const { turn } of results) if (turn) await answer(hubs[i]!, turn);
      await all.idle();
      expect(await all.journal.depth()).toEqual({ depth: 0, quarantined: 0 });
    };
    const texts = async () =>
      (await features.conversations.messages({ staff: STAFF, now: now() }, key, { limit: 100 })).messages.map(
        ({ role, text }) => `${role}: ${text}`,
      );
    return { all, isolate, hears, back, texts, key, at: () => ({ staff: STAFF, now: now() }) };
  }

  test("a person has it: what the customer wrote meanwhile is theirs, and their answer goes out once", async () => {
    const { all, isolate, hears, back, texts, key, at } = await shop();
    const { conversations } = all.store.features!;
    await conversations.hold(at(), key, { action: "take" });
    const hub = isolate();
    all.fault(storeDown);
    await hears(hub, "one", "two");
    const own = hub.store.features!.conversations;
    const says: OperatorReply = {
      channel: "whatsapp",
      account: "number-1",
      address: { to: phone },
      replies: [reply("Here I am")],
      idempotency_key: "once",
      fields: { text: "Here I am" },
    };
    await expect(own.reply(at(), key, says)).rejects.toMatchObject({ code: "unavailable" });
    await back();
    for (const replayed of [false, true])
      expect(await conversations.reply(at(), key, says)).toMatchObject({ replayed });
    expect((await texts()).slice(2)).toEqual(["user: one", "user: two", "operator: Here I am"]);
    // Given back: everything is answered, so nobody is asked again.
    const { turn } = await conversations.hold(at(), key, { action: "give_back" });
    expect(turn).toBeUndefined();
  });

  test("a customer who asks for a person meanwhile waits for one, and is told so once", async () => {
    const { all, isolate, hears, back, texts, key, at } = await shop();
    all.fault(storeDown);
    await hears(isolate(), "agent", "still there?");
    await back();
    const [, , ...later] = await texts();
    expect(later.filter((line) => line.startsWith("user"))).toEqual(["user: agent", "user: still there?"]);
    expect(later.filter((line) => line.startsWith("assistant"))).toEqual([
      `assistant: ${textIn("en", "person_asked")}`,
    ]);
    const { conversation } = await all.store.features!.conversations.get(at(), key);
    expect(conversation).toMatchObject({ holder: "waiting", handoff: { requested_by: "customer" } });
  });
});
