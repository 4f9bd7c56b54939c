import { expect, test } from "vitest";
import { anna, ben, day, desk, failure, type Make, minute, reply, said } from "./given.ts";

const { phone } = anna;

export function turns(make: Make): void {
  test("a redelivered message changes nothing and claims no second turn within the lease", async () => {
    const store = await desk(make);
    const first = await store.hear(said("telegram", { phone }, "1"), minute(0));
    const again = await store.hear(said("telegram", { phone }, "1"), minute(0.5));
    expect(again).toEqual({
      type: "message",
      duplicate: true,
      message: first.message,
      session: first.session,
    });
    expect(again.session.expires_at).toEqual(first.session.expires_at);
  });

  test("a redelivered message without an answer is claimed again after the lease", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("telegram", { phone }, "1"), minute(0));
    const again = await store.hear(said("telegram", { phone }, "1"), minute(1));
    expect(again).toMatchObject({ duplicate: true, turn: { turn_id: turn.turn_id, attempt: 2 } });
    expect((await store.hear(said("telegram", { phone }, "1"), minute(1.5))).turn).toBeUndefined();
  });

  test("a redelivered message that was answered never changes anything", async () => {
    const store = await desk(make);
    const turn = await store.ask(said("telegram", { phone }, "1"), minute(0));
    await store.conversations.complete(turn, [], minute(1));
    const again = await store.hear(said("telegram", { phone }, "1"), day(20));
    expect(again).toMatchObject({ duplicate: true, session: { session_id: turn.session.session_id } });
    expect(again.turn).toBeUndefined();
    expect(await store.conversations.due(day(20), 10)).toEqual({ turns: [], deliveries: [] });
  });

  test("a platform's id is one message per channel and account, a caller's id one per session", async () => {
    const store = await desk(make);
    const ids = [
      said("telegram", { phone }, "1"),
      said("telegram", { phone }, "1", { account: "bot-2" }),
      said("whatsapp", { phone }, "1"),
      said("web", { phone }, "1"),
      said("kiosk", { phone }, "1"),
      said("web", { phone: ben.phone }, "1"),
    ];
    for (const message of ids) expect((await store.hear(message, minute(0))).duplicate).toBe(false);
    for (const message of ids) expect((await store.hear(message, minute(0))).duplicate).toBe(true);
    const elsewhere = await store.hear(said("telegram", { phone: ben.phone }, "1"), minute(0));
    expect(elsewhere).toMatchObject({ duplicate: true, session: { phone } });
  });

  test("one turn of a session runs at a time, in order of arrival; others don't wait", async () => {
    const store = await desk(make);
    const one = await store.ask(said("telegram", { phone }, "1"), minute(0));
    expect((await store.hear(said("web", { phone }, "2"), minute(0.1))).turn).toBeUndefined();
    expect((await store.hear(said("kiosk", { phone }, "3"), minute(0.2))).turn).toBeUndefined();
    expect((await store.hear(said("web", { phone: ben.phone }, "4"), minute(0.3))).turn).toBeDefined();
    const { next: two } = await store.conversations.complete(one, [], minute(0.4));
    expect(two).toMatchObject({ channel: "web", message: { external_id: "2" }, attempt: 1 });
    expect((await store.hear(said("web", { phone }, "5"), minute(0.5))).turn).toBeUndefined();
    const { next: three } = await store.conversations.complete(two!, [], minute(0.6));
    expect(three).toMatchObject({ channel: "kiosk", message: { external_id: "3" } });
    expect(three?.history.map((message) => message.external_id)).toEqual(["1", "2"]);
    const { next: five } = await store.conversations.complete(three!, [], minute(0.7));
    expect(five).toMatchObject({ message: { external_id: "5" } });
    expect(await store.conversations.complete(five!, [], minute(0.8))).toEqual({
      stale: false,
      messages: [],
      deliveries: [],
    });
  });

  test("a turn saved by a fast clock is claimed by a slow one", async () => {
    const store = await desk(make);
    const one = await store.ask(said("web", { phone }, "1"), minute(0));
    await store.hear(said("web", { phone }, "2"), minute(0.5));
    const { next } = await store.conversations.complete(one, [], minute(0.4));
    expect(next).toMatchObject({ message: { external_id: "2" } });
  });

  test("a turn holds as many earlier messages as the bot wants, oldest first, with replies", async () => {
    const store = await desk(make);
    let turn = await store.ask(said("web", { phone }, "1"), minute(0));
    await store.conversations.complete(turn, [reply("one", []), reply("two", [])], minute(1));
    turn = await store.ask(said("kiosk", { phone }, "2"), minute(2));
    await store.conversations.complete(turn, [reply("three", [])], minute(3));
    turn = await store.ask(said("kiosk", { phone }, "3"), minute(4));
    expect(turn.history.map((message) => message.text)).toEqual(["two", "text of 2", "three"]);
    expect(turn.history[0]).toMatchObject({ direction: "outbound", role: "assistant", channel: "web" });
  });

  test("a turn whose lease has ended is claimed by the sweep, and its first claim is stale", async () => {
    const store = await desk(make);
    const claim = await store.ask(said("web", { phone }, "1"), minute(0));
    await store.hear(said("web", { phone }, "2"), minute(0.5));
    expect((await store.conversations.due(minute(0.9), 10)).turns).toEqual([]);
    const { turns: swept } = await store.conversations.due(minute(1), 10);
    expect(swept).toMatchObject([{ turn_id: claim.turn_id, attempt: 2, message: { external_id: "1" } }]);
    expect((await store.conversations.due(minute(1), 10)).turns).toEqual([]);
    expect(await store.conversations.complete(claim, [reply("late")], minute(1.1))).toEqual({
      stale: true,
      messages: [],
      deliveries: [],
    });
    expect(await store.conversations.fail(claim, failure("late"), undefined, minute(1.1))).toMatchObject({
      stale: true,
    });
    expect(await store.conversations.complete(swept[0]!, [reply("once", [])], minute(1.2))).toMatchObject({
      stale: false,
      next: { message: { external_id: "2" } },
    });
    expect(await store.texts(claim.session.session_id)).toEqual(["text of 1", "text of 2", "once"]);
  });

  test("a claim past its lease still counts until another one is made", async () => {
    const store = await desk(make);
    const claim = await store.ask(said("web", { phone }, "1"), minute(0));
    expect((await store.conversations.complete(claim, [reply("late", [])], minute(9))).stale).toBe(false);
    expect((await store.conversations.complete(claim, [reply("twice", [])], minute(9))).stale).toBe(true);
  });

  test("a failed turn waits for its retry, and later turns wait behind it", async () => {
    const store = await desk(make);
    const claim = await store.ask(said("web", { phone }, "1"), minute(0));
    const failed = await store.conversations.fail(claim, failure("bot_timeout"), minute(5), minute(1));
    expect(failed).toEqual({ stale: false, messages: [], deliveries: [] });
    expect((await store.hear(said("web", { phone }, "2"), minute(2))).turn).toBeUndefined();
    expect((await store.hear(said("web", { phone }, "1"), minute(3))).turn).toBeUndefined();
    expect((await store.conversations.due(minute(4.9), 10)).turns).toEqual([]);
    const { turns: again } = await store.conversations.due(minute(5), 10);
    expect(again).toMatchObject([{ turn_id: claim.turn_id, attempt: 2 }]);
    expect((await store.conversations.fail(claim, failure("late"), undefined, minute(5))).stale).toBe(true);
  });

  test("a new message of the session claims the failed turn when it is due", async () => {
    const store = await desk(make);
    const claim = await store.ask(said("web", { phone }, "1"), minute(0));
    await store.conversations.fail(claim, failure("bot_timeout"), minute(5), minute(1));
    const { turn } = await store.hear(said("web", { phone }, "2"), minute(6));
    expect(turn).toMatchObject({ turn_id: claim.turn_id, attempt: 2, message: { external_id: "1" } });
  });

  test("a turn to be retried at once is claimed at once", async () => {
    const store = await desk(make);
    const claim = await store.ask(said("web", { phone }, "1"), minute(0));
    const { next } = await store.conversations.fail(claim, failure("again"), minute(1), minute(1));
    expect(next).toMatchObject({ turn_id: claim.turn_id, attempt: 2 });
  });

  test("a dead turn lets the next one run and is never claimed again", async () => {
    const store = await desk(make);
    const claim = await store.ask(said("web", { phone }, "1"), minute(0));
    await store.hear(said("web", { phone }, "2"), minute(0.1));
    const { next } = await store.conversations.fail(claim, failure("bot_timeout"), undefined, minute(0.2));
    expect(next).toMatchObject({ message: { external_id: "2" } });
    await store.conversations.complete(next!, [], minute(0.3));
    expect((await store.hear(said("web", { phone }, "1"), day(1))).turn).toBeUndefined();
    expect((await store.conversations.due(day(1), 10)).turns).toEqual([]);
    expect((await store.conversations.complete(claim, [reply("no")], day(1))).stale).toBe(true);
  });

  test("a sweep claims at most its limit, oldest first, one of each session", async () => {
    const store = await desk(make);
    for (const id of ["c", "a", "b"]) {
      await store.hear(said("web", { visitor_id: id }, "1"), minute(id.charCodeAt(0) - 97));
      await store.hear(said("web", { visitor_id: id }, "2"), minute(id.charCodeAt(0) - 97));
    }
    const now = day(1);
    const who = async (limit: number) =>
      (await store.conversations.due(now, limit)).turns.map(({ session }) => session.visitor_id);
    expect(await who(2)).toEqual(["a", "b"]);
    expect(await who(2)).toEqual(["c"]);
    expect(await who(2)).toEqual([]);
  });

  test("a message from before a session's end is still answered", async () => {
    const store = await desk(make);
    const claim = await store.ask(said("web", { phone }, "1"), day(0));
    await store.housekeeping.expire(day(8), 100);
    const { turns } = await store.conversations.due(day(8), 10);
    expect(turns).toMatchObject([{ turn_id: claim.turn_id, session: { status: "expired" } }]);
    expect(await store.conversations.complete(turns[0]!, [reply("sorry", [])], day(8))).toMatchObject({
      stale: false,
      messages: [{ text: "sorry", session_id: claim.session.session_id }],
    });
  });
}
