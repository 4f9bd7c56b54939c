import { expect, test } from "vitest";
import {
  anna,
  ben,
  desk,
  failure,
  type Heard,
  hash,
  type Make,
  minute,
  rejection,
  reply,
  said,
} from "./given.ts";
import { begin } from "./proving.ts";

const { phone, telegram_chat_id } = anna;

/** What operators and devices read of a session's messages besides text, and what callers with keys write. */
export function reading(make: Make): void {
  test("history shows the state of a message's turn", async () => {
    const store = await desk(make);
    const first = await store.ask(said("web", { phone }, "1"), minute(0));
    await store.hear(said("web", { phone }, "2"), minute(0.1));
    await store.hear(said("web", { phone }, "3", { wakes: false }), minute(0.2));
    const { session_id } = first.session;
    const states = async () =>
      (await store.sessions.messages({ session_id }, 0, 9, minute(1))).messages.map(({ turn }) => turn);
    expect(await states()).toEqual([
      { state: "running", attempt: 1 },
      { state: "waiting", attempt: 0 },
      undefined,
    ]);
    await store.conversations.fail(first, failure("bot_timeout"), minute(2), minute(1));
    const failed = { code: "unavailable", reason: "bot_timeout" };
    expect((await states())[0]).toEqual({ state: "retrying", attempt: 1, ...failed });
    const [again] = (await store.conversations.due(minute(2), 9)).turns;
    expect((await states())[0]).toMatchObject({ state: "running", attempt: 2 });
    const { next } = await store.conversations.fail(again!, rejection("bot_400"), undefined, minute(2));
    const dead = { state: "dead", attempt: 2, code: "rejected", reason: "bot_400" };
    expect((await states()).slice(0, 2)).toEqual([dead, { state: "running", attempt: 1 }]);
    await store.conversations.complete(next!, [reply("an answer", [])], minute(3));
    expect(await states()).toEqual([dead, undefined, undefined, undefined]);
    await store.operations.retry(
      (await store.operations.deadLetters(undefined, 9))[0]!.id,
      { actor: "admin:test" },
      minute(4),
    );
    expect((await states())[0]).toEqual({ state: "running", attempt: 1 });
  });

  test("dead letters are listed of one session, also by the id of a session merged into it", async () => {
    const store = await desk(make);
    const bury = async (channel: string, from: object, now: Date) => {
      const turn = await store.ask(said(channel, from, channel), now);
      await store.conversations.fail(turn, rejection("bot_400"), undefined, now);
      return turn.session.session_id;
    };
    const [one, two, three] = [
      await bury("web", { phone }, minute(0)),
      await bury("telegram", { telegram_chat_id }, minute(1)),
      await bury("whatsapp", { whatsapp_user_id: "DE.9" }, minute(2)),
    ];
    await store.hear(said("telegram", { telegram_chat_id, phone }, "joint", { wakes: false }), minute(3));
    const of = async (session_id: string) =>
      (await store.operations.deadLetters(undefined, 9, session_id)).map(({ channel }) => channel);
    expect(await of(one)).toEqual(["web", "telegram"]);
    expect(await of(two)).toEqual(["web", "telegram"]);
    expect(await of(three)).toEqual(["whatsapp"]);
    expect(await of(crypto.randomUUID())).toEqual([]);
    expect(await store.operations.deadLetters(undefined, 9)).toHaveLength(3);
  });

  test("a session is updated by its id, and a message by a key has its author", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    const author = "key:web:0123abcd";
    const message = { text: "We have your parcel", role: "assistant", author } as const;
    const updated = await store.sessions.update({ session_id }, { data: { a: 1 }, message }, minute(1));
    expect(updated).toMatchObject({ session_id, data: { a: 1 }, message_count: 1 });
    const user = { text: "By phone: yes", role: "user" } as const;
    await store.sessions.update({ token_hash: hash(1) }, { message: user }, minute(2));
    const [reported, said] = await store.history(session_id);
    expect(reported).toMatchObject({ author, role: "assistant", direction: "outbound", status: "sent" });
    expect(said).not.toHaveProperty("author");
    await store.sessions.end(hash(1), minute(3));
    await expect(store.sessions.update({ session_id }, {}, minute(4))).rejects.toMatchObject({
      code: "session_not_found",
    });
  });

  test("the order of messages is that of their arrival, in microseconds, and always rises", async () => {
    const store = await desk(make);
    const { session, message } = await store.hear(said("web", { phone }, "1"), minute(0));
    expect(message.seq).toBe(minute(0).getTime() * 1_000);
    const late = await store.hear(said("web", { phone }, "2", { came_at: minute(-5) }), minute(1));
    expect(late.message.seq).toBe(message.seq + 1);
    await begin(store, 1, { telegram_chat_id }, minute(0.5));
    const came_at = minute(0);
    const other = await store.hear(said("telegram", { telegram_chat_id }, "3", { came_at }), minute(1));
    await store.hear(said("telegram", { telegram_chat_id, phone }, "4"), minute(2));
    const seqs = (await store.history(session.session_id)).map(({ external_id, seq }) => [external_id, seq]);
    expect(seqs).toEqual([
      ["1", message.seq],
      ["3", other.message.seq + 1],
      ["2", other.message.seq + 2],
      ["4", minute(2).getTime() * 1_000],
    ]);
  });

  test("of two customers of one webhook the first one is the older", async () => {
    const store = await desk(make);
    for (let n = 0; n < 5; n += 1) {
      const kept = [`${n}-telegram`, `${n}-whatsapp`].map((id, i) => ({
        type: "message" as const,
        message: said("web", i ? { whatsapp_user_id: id } : { telegram_chat_id: id }, id),
      }));
      const [first, second] = await store.conversations.receive(kept, minute(n));
      const proof = { telegram_chat_id: `${n}-telegram`, whatsapp_user_id: `${n}-whatsapp` };
      const opened = await begin(store, n, proof, minute(n));
      expect(opened.session_id).toBe((first as Heard).session.session_id);
      expect(opened.merged).toEqual([(second as Heard).session.session_id]);
    }
  });

  test("messages of one webhook have one order, whatever sessions they are in", async () => {
    const store = await desk(make);
    const from = [ben, anna, { visitor_id: "v" }, anna].map((one) => ({ visitor_id: one.visitor_id }));
    const kept = (before: string) =>
      from.map((who, i) => ({ type: "message" as const, message: said("web", who, `${before}${i}`) }));
    await store.conversations.receive(kept("a"), minute(1));
    const heard = await store.conversations.receive(kept("b"), minute(2));
    const seqs = heard.flatMap((one) => (one.type === "message" ? one.message.seq : []));
    expect(seqs).toEqual([0, 10, 20, 30].map((place) => minute(2).getTime() * 1_000 + place));
    const { turns } = await store.conversations.due(minute(10), 10);
    expect(turns.map(({ message }) => message.external_id)).toEqual(["a0", "a1", "a2"]);
  });

  test("a patch of too many keys, objects or levels is refused, and changes nothing", async () => {
    const store = await desk(make);
    const { version } = await begin(store, 1, { phone }, minute(0));
    const keys = (count: number) =>
      Object.fromEntries([...Array(count).keys()].map((i) => [i.toString(36), 1]));
    const levels = (count: number): object => (count === 1 ? {} : { a: levels(count - 1) });
    const update = (data: object) =>
      store.sessions.update({ token_hash: hash(1) }, { data: data as never }, minute(1));
    const holders = (count: number, held: object) =>
      Object.fromEntries([...Array(count).keys()].map((i) => [i.toString(36), held]));
    const inArray = { a: [[{ b: "{" }]] };
    const refused = { code: "payload_too_large" };
    for (const data of [
      keys(10_001),
      { a: keys(5_000), b: [keys(5_000)] },
      levels(33),
      { a: [levels(31)] },
      // The document itself is the 501st.
      holders(500, { a: {} }),
      holders(500, inArray),
      holders(250, { a: { a: { a: 1 } } }),
    ])
      await expect(update(data)).rejects.toMatchObject(refused);
    await expect(begin(store, 2, { phone }, minute(1), { data: keys(10_001) })).rejects.toMatchObject(
      refused,
    );
    expect((await update(keys(10_000))).version).toBe(version + 1);
    await update(levels(32));
    await update({ a: [levels(30)] });
    await update(holders(499, { a: {} }));
    await update(holders(499, inArray));
    // An object with a brace in its text holds none.
    await update(holders(1_000, { a: "{}", b: [1] }));
  });
}
