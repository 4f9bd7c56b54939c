import { beforeEach, describe, expect, test } from "vitest";
import type { Traces } from "../../src/features/trace/trace.ts";
import { type Trace, traced } from "../../src/features/trace/traced.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import {
  anna,
  ben,
  type Desk,
  desk,
  failure,
  minute,
  rejection,
  reply,
  said,
  settings,
} from "../contracts/given.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty } = bothTransports({ max: 2 });
beforeEach(() => empty());

describe.each(transports)("a trace, in %s", (_name, call) => {
  let store: Desk;
  let traces: Traces;

  beforeEach(async () => {
    store = await desk(async () => sqlStore(call(), settings));
    traces = store.features!.traces;
  });

  const trace = (of: Parameters<Traces["trace"]>[0], now = minute(60)): Promise<Trace> =>
    traced(store, of, undefined, 50, now);
  const ofAnna = { identities: { phone: anna.phone } };
  const whats = ({ steps }: Trace) => steps.map(({ what }) => what);

  test("names the bot's failures, and since when its turn is a dead letter", async () => {
    const turn = await store.ask(said("whatsapp", { phone: anna.phone }, "w1"), minute(0));
    await store.conversations.fail(turn, failure("500"), minute(2), minute(1));
    expect((await trace(ofAnna, minute(1))).verdict).toBe(
      `no answer yet because the bot failed once, last with 500 (unavailable); tried again at ${minute(2).toISOString()}`,
    );
    const { turns } = await store.conversations.due(minute(3), 10);
    await store.conversations.fail(turns[0]!, failure("500"), undefined, minute(4));
    const dead = await trace(ofAnna);
    expect(dead.verdict).toBe(
      "no answer because the bot failed 2 times, last with 500 (unavailable); a dead letter at " +
        `${minute(4).toISOString()}: POST /api/dead-letters/${turn.turn_id}/retry tries it again`,
    );
    expect(whats(dead)).toEqual(["session_opened", "message_received", "dead_letter"]);
    expect(dead.steps.at(-1)).toMatchObject({ at: minute(4), code: "unavailable", reason: "500" });
  });

  test("names when a reply was sent, delivered and read, by its receipts", async () => {
    const message = said("whatsapp", { phone: anna.phone }, "w1");
    const delivery = await store.answered(message, [reply("Hello")], minute(0));
    expect((await trace(ofAnna, minute(0))).verdict).toBe("the answer is being sent: attempt 1");
    await store.settleAs(delivery, { external_id: "wamid.out" }, minute(1));
    expect((await trace(ofAnna)).verdict).toBe(
      `sent at ${minute(1).toISOString()}; whatsapp has not said that it was delivered`,
    );
    const receipt = (status: "delivered" | "read", at: Date) =>
      ({
        type: "receipt",
        receipt: { channel: "whatsapp", account: "number-1", external_id: "wamid.out", status, at },
      }) as const;
    await store.tell(receipt("delivered", minute(2)), minute(9));
    expect((await trace(ofAnna)).verdict).toBe(`delivered at ${minute(2).toISOString()}, not read`);
    await store.tell(receipt("read", minute(3)), minute(9));
    const done = await trace(ofAnna);
    expect(done.verdict).toBe(`delivered, read at ${minute(3).toISOString()}`);
    expect(whats(done)).toEqual([
      "session_opened",
      "message_received",
      "reply_saved",
      "reply_sent",
      "reply_delivered",
      "reply_read",
    ]);
  });

  test("names a receipt that came before the platform's answer with its own time", async () => {
    const delivery = await store.answered(
      said("whatsapp", { phone: anna.phone }, "w1"),
      [reply("Hello")],
      minute(0),
    );
    const receipt = {
      channel: "whatsapp",
      account: "number-1",
      external_id: "early",
      status: "read",
      at: minute(1),
    } as const;
    await store.tell({ type: "receipt", receipt }, minute(2));
    await store.settleAs(delivery, { external_id: "early" }, minute(3));
    expect((await trace(ofAnna)).verdict).toBe(`delivered, read at ${minute(1).toISOString()}`);
  });

  test("names a customer who has blocked the bot, and what was not sent for it", async () => {
    const delivery = await store.answered(
      said("telegram", { telegram_chat_id: anna.telegram_chat_id }, "t1"),
      [reply("Hello")],
      minute(0),
    );
    await store.settleAs(delivery, { state: "dead", ...rejection("blocked") }, minute(1));
    const found = await trace({ identities: { telegram_chat_id: anna.telegram_chat_id } });
    expect(found.verdict).toBe(
      `not sent because the customer blocked the bot on telegram at ${minute(1).toISOString()}`,
    );
    await store
      .answered(said("telegram", { telegram_chat_id: anna.telegram_chat_id }, "t2"), [], minute(2))
      .catch(() => {});
    expect((await trace({ message: "t2" })).verdict).toBe(
      "no answer because the bot had nothing to say, or because this kind of message asks for none",
    );
  });

  test("names a refusal of the platform, and when it is tried again", async () => {
    const delivery = await store.answered(
      said("whatsapp", { phone: anna.phone }, "w1"),
      [reply("Hello")],
      minute(0),
    );
    await store.settleAs(
      delivery,
      { state: "pending", retry_at: minute(2), ...failure("131000") },
      minute(1),
    );
    const waits = await trace(ofAnna, minute(1));
    expect(waits.verdict).toBe(
      `the answer is not sent yet because whatsapp failed with 131000 (unavailable) at attempt 1; tried again at ${minute(2).toISOString()}`,
    );
    const { deliveries } = await store.conversations.due(minute(2), 10);
    await store.settleAs(deliveries[0]!, { state: "dead", ...rejection("131047") }, minute(3));
    expect((await trace(ofAnna)).verdict).toBe(
      "not delivered because whatsapp failed with 131047 (rejected) at attempt 2 at " +
        `${minute(3).toISOString()}; a dead letter: POST /api/dead-letters/${delivery.delivery_id}/retry tries it again`,
    );
  });

  test("names what a message waits for", async () => {
    await store.ask(said("whatsapp", { phone: anna.phone }, "w1"), minute(0));
    await store.hear(said("whatsapp", { phone: anna.phone }, "w2"), minute(0));
    expect((await trace(ofAnna, minute(0))).verdict).toBe("no answer yet because 1 earlier message waits");
    expect((await trace({ message: "w1" }, minute(0))).verdict).toBe("being answered: attempt 1");
    expect((await trace({ message: "w1" }, minute(5))).verdict).toMatch(
      /^no answer yet because attempt 1 was cut off at .*; the sweep tries it again$/,
    );
  });

  test("finds a message by the platform's id, by ours, and by that of its turn or delivery, with question and answers", async () => {
    const turn = await store.ask(said("whatsapp", { phone: anna.phone }, "w1"), minute(0));
    const { deliveries } = await store.conversations.complete(turn, [reply("One"), reply("Two")], minute(1));
    await store.settleAs(deliveries[0]!, { external_id: "wamid.out" }, minute(2));
    await store.hear(said("telegram", { telegram_chat_id: ben.telegram_chat_id }, "t1"), minute(3));
    const { message_id } = turn.message;
    const answers = ["session_opened", "message_received", "reply_saved", "reply_saved", "reply_sent"];
    for (const message of [
      "w1",
      message_id,
      message_id.toUpperCase(),
      "wamid.out",
      deliveries[0]!.delivery_id,
    ]) {
      const found = await trace({ message }, minute(2));
      expect([message, found.found, whats(found).slice(0, 5)]).toEqual([message, "message", answers]);
    }
    expect((await trace({ message: "t1" })).steps).toHaveLength(3);
  });

  test("says of an unknown id that it never arrived, and which receipts came for it", async () => {
    await store.hear(said("whatsapp", { phone: anna.phone }, "w1"), minute(0));
    const nothing = await trace({ message: "w2" });
    expect([nothing.found, nothing.verdict, nothing.steps]).toEqual([
      null,
      "never arrived: no message with that id is stored; a webhook that was refused or ignored is only in the log",
      [],
    ]);
    const receipt = {
      channel: "whatsapp",
      account: "number-1",
      external_id: "w2",
      status: "read",
      at: minute(1),
    } as const;
    await store.tell({ type: "receipt", receipt }, minute(1));
    expect((await trace({ message: "w2" })).steps).toMatchObject([
      {
        what: "receipt_early",
        words: "whatsapp sent the receipt read for it, and the message itself never arrived",
      },
    ]);
    expect((await trace({ identities: { phone: "+4915112349999" } })).verdict).toMatch(
      /^never arrived: no customer/,
    );
    expect((await trace({ session_id: "00000000-0000-7000-8000-000000000001" })).found).toBeNull();
  });

  test("says of an erased message that it was erased, and shows the audit", async () => {
    await store.hear(said("whatsapp", { phone: ben.phone }, "another"), minute(0));
    const { session } = await store.hear(said("whatsapp", { phone: anna.phone }, "w1"), minute(0));
    await store.privacy.export(
      { session_id: session.session_id },
      undefined,
      10,
      "key:admin:12345678",
      minute(1),
    );
    expect((await trace({ session_id: session.session_id })).steps).toContainEqual({
      at: minute(1),
      what: "audit",
      words: "key:admin:12345678: export",
    });
    await store.privacy.erase({ session_id: session.session_id }, "key:admin:12345678", minute(2));
    const erased = await trace({ message: "w1" });
    expect([erased.found, erased.verdict]).toEqual([
      null,
      `erased at ${minute(2).toISOString()}: nothing else is known of it`,
    ]);
  });

  test("goes through a customer's sessions page by page, each message once", async () => {
    for (let i = 0; i < 7; i++) await store.hear(said("whatsapp", { phone: anna.phone }, `w${i}`), minute(i));
    const { session } = await store.hear(said("whatsapp", { phone: anna.phone }, "w7"), minute(7));
    await store.housekeeping.expire(minute(30 * 24 * 60), 10);
    for (let i = 8; i < 11; i++)
      await store.hear(said("whatsapp", { phone: anna.phone }, `w${i}`), minute(30 * 24 * 60 + i));
    const pages: string[][] = [];
    let after: string | undefined;
    do {
      const facts = await traces.trace(ofAnna, after, 4);
      pages.push(facts.messages.map(({ message_id }) => message_id));
      after = facts.after;
    } while (after);
    expect(pages.map(({ length }) => length)).toEqual([4, 4, 3]);
    const all = pages.toReversed().flat();
    expect(all).toEqual([...new Set(all)].sort());
    expect(
      (await trace({ session_id: session.session_id })).steps.filter(
        ({ what }) => what === "message_received",
      ),
    ).toHaveLength(8);
  });

  test("holds no content, phone or address", async () => {
    const delivery = await store.answered(
      said("whatsapp", { phone: anna.phone }, "w1"),
      [reply("a secret reply")],
      minute(0),
    );
    await store.settleAs(delivery, { external_id: "wamid.out" }, minute(1));
    const facts = await traces.trace(ofAnna, undefined, 50);
    const text = JSON.stringify([facts, await trace(ofAnna)]);
    expect(text).not.toMatch(/secret|text of|address"|4915112345601/);
  });
});
