import { describe, expect, test } from "vitest";
import type { OutboundReply, Part } from "../../src/core/answer/turn.ts";
import type { Reply } from "../../src/core/content/reply.ts";
import type { Content } from "../../src/core/messages/content.ts";
import type { InboundMessage, Message } from "../../src/core/messages/message.ts";
import { anna, type Desk, desk, type Make, minute, said, text } from "./given.ts";

const SIZES: Reply = {
  kind: "buttons",
  text: "Which size?",
  buttons: [
    { id: "s", title: "Small" },
    { url: "https://example.com/sizes", title: "Sizes" },
    { id: "l", title: "Large" },
  ],
};
const MENU: Reply = {
  kind: "list",
  text: "Menu",
  sections: [
    { title: "Cold", rows: [{ id: "cola", title: "Cola" }] },
    { title: "Warm", rows: [{ id: "tea", title: "Tea", description: "Green" }] },
  ],
};
const call: Part = {
  kind: "text",
  text: "Which size?",
  call: { method: "sendMessage", params: { text: "Which size?" } },
};
const sent = (content: Reply, parts: readonly Part[] = [call]): OutboundReply => ({ content, parts });
const numbered = (content: Reply): OutboundReply =>
  sent({ ...(content as typeof MENU), numbered: true } as Reply);
const tap = (id: string): Content => ({ kind: "interaction", interaction: "button", id });

export function choices(make: Make): void {
  describe("content", () => {
    test("a part keeps the platform's call, also when it is tried again", async () => {
      const store = await desk(make);
      const first = await store.answered(
        said("telegram", anna, "m1"),
        [sent(SIZES, [text("ahead"), call])],
        minute(0),
      );
      expect(first.content).toEqual(text("ahead"));
      const [second] = await store.settleAs(first, { external_id: "7001:1" }, minute(0));
      expect(second?.content).toEqual(call);
      const failed = {
        state: "pending",
        retry_at: minute(1),
        code: "unavailable",
        reason: "network",
      } as const;
      await store.settleAs(second!, failed, minute(0));
      const { deliveries } = await store.conversations.due(minute(2), 10);
      expect(deliveries.map(({ content, attempt }) => [content, attempt])).toEqual([[call, 2]]);
    });

    test("every kind of reply is kept as it was said", async () => {
      const store = await desk(make);
      const replies: Reply[] = [
        { kind: "text", text: "**hi**", format: "markdown" },
        SIZES,
        MENU,
        { kind: "image", media: { url: "https://example.com/a.png" }, caption: "look" },
        { kind: "reaction", emoji: null },
      ];
      const { session_id } = await store.answered(
        said("telegram", anna, "m1"),
        replies.map((one) => sent(one)),
        minute(0),
      );
      const history = await store.history(session_id);
      expect(history.slice(1).map(({ kind, text, content }) => [kind, text, content])).toEqual([
        ["text", "**hi**", replies[0]],
        ["buttons", "Which size?\n1. Small\nSizes: https://example.com/sizes\n2. Large", SIZES],
        ["list", "Menu\nCold\n1. Cola\nWarm\n2. Tea: Green", MENU],
        ["image", "look", replies[3]],
        ["reaction", "", replies[4]],
      ]);
    });

    test("a call about an earlier message gets the platform's ids of it, once it was sent", async () => {
      const store = await desk(make);
      const first = await store.answered(
        said("telegram", anna, "m1"),
        [sent(SIZES, [call, call])],
        minute(0),
      );
      const target = first.message_id;
      const edit: Part = { ...call, target };
      const turn = await store.ask(said("telegram", anna, "m2"), minute(0));
      await store.conversations.complete(
        turn,
        [sent({ kind: "delete", message_id: target }, [edit])],
        minute(0),
      );
      const [second] = await store.settleAs(first, { external_id: "7001:1" }, minute(0));
      const [about] = await store.settleAs(second!, { external_id: "7001:2" }, minute(0));
      expect(about?.content).toEqual({ ...edit, targets: ["7001:1", "7001:2"] });
      await store.settleAs(about!, {}, minute(0));
      const own = { ...edit, target: turn.message.message_id };
      const reacted = await store.answered(said("telegram", anna, "m3"), [sent(SIZES, [own])], minute(2));
      expect(reacted.content).toEqual({ ...own, targets: ["m2"] });
    });

    test("an edit and a deletion change the bot's own earlier reply, and keep what it said", async () => {
      const store = await desk(make);
      const first = await store.answered(said("telegram", anna, "m1"), [sent(SIZES), sent(MENU)], minute(0));
      const { session_id } = first;
      const [inbound, sizes, menu] = await store.history(session_id);
      const turn = await store.ask(said("telegram", anna, "m2"), minute(1));
      const edit: Reply = {
        kind: "edit",
        message_id: sizes!.message_id,
        text: "**gone**",
        format: "markdown",
      };
      const changes: Reply[] = [
        edit,
        { kind: "delete", message_id: menu!.message_id },
        { kind: "delete", message_id: inbound!.message_id },
      ];
      await store.conversations.complete(
        turn,
        changes.map((one) => sent(one)),
        minute(1),
      );
      const [, edited, deleted, , ...others] = await store.history(session_id);
      expect(edited).toMatchObject({ kind: "text", text: "**gone**", edited_at: minute(1) });
      expect(edited?.content).toEqual({ kind: "text", text: "**gone**", format: "markdown" });
      expect(deleted).toMatchObject({
        text: "",
        content: { kind: "system", event: "deleted" },
        deleted_at: minute(1),
      });
      expect(others.map(({ kind, content }) => [kind, content])).toEqual(
        changes.map((one) => [one.kind, one]),
      );
      expect((await store.history(session_id))[0]).toEqual(inbound);
      const again = await store.ask(said("telegram", { telegram_chat_id: "5" }, "x1"), minute(2));
      await store.conversations.complete(again, [sent({ ...edit, text: "not mine" })], minute(2));
      expect((await store.history(session_id))[1]).toEqual(edited);
    });

    test("pins and reactions stand on the message that they name, and are handed over with edits and deletions", async () => {
      const store = await desk(make);
      const first = await store.answered(said("telegram", anna, "m1"), [sent(SIZES), sent(MENU)], minute(0));
      const [, sizes, menu] = await store.history(first.session_id);
      const pin: Reply = { kind: "pin", message_id: sizes!.message_id };
      const like: Reply = { kind: "reaction", emoji: "👍" };
      const turn = await store.ask(said("telegram", anna, "m2"), minute(1));
      const asked = turn.message.message_id;
      const replies = [pin, like, { ...pin, pinned: true }, { kind: "edit", message_id: asked, text: "x" }];
      const { changed } = await store.conversations.complete(
        turn,
        replies.map((one) => sent(one as Reply)),
        minute(1),
      );
      expect(changed).toMatchObject([
        { message_id: sizes!.message_id, pinned_at: minute(1), kind: "buttons" },
        { message_id: asked, reaction: "👍", text: "text of m2" },
      ]);
      expect((await store.history(first.session_id)).find((one) => one.message_id === asked)).toMatchObject({
        reaction: "👍",
        role: "user",
      });

      const next = await store.ask(said("telegram", anna, "m3"), minute(2));
      const last = await store.conversations.complete(
        next,
        [
          sent({ ...pin, pinned: false }),
          sent({ kind: "reaction", emoji: null, message_id: asked }),
          sent({ kind: "pin", message_id: menu!.message_id }),
          sent({ kind: "delete", message_id: menu!.message_id }),
          sent({ kind: "pin", message_id: menu!.message_id }),
        ],
        minute(2),
      );
      expect(last.changed?.map(({ message_id }) => message_id)).toEqual([
        sizes!.message_id,
        asked,
        menu!.message_id,
        menu!.message_id,
      ]);
      for (const message of (await store.history(first.session_id)).slice(0, 4)) {
        expect(message).not.toHaveProperty("pinned_at");
        expect(message).not.toHaveProperty("reaction");
      }
      const other = await store.ask(said("telegram", { telegram_chat_id: "5" }, "x1"), minute(2));
      const theirs = await store.conversations.complete(other, [sent(pin), sent(like)], minute(2));
      expect(theirs.changed).toMatchObject([{ reaction: "👍", session_id: other.session.session_id }]);
    });

    test("what a platform bills is counted by category, once for each part that it took", async () => {
      const store = await desk(make);
      const first = await store.answered(
        said("whatsapp", anna, "w1"),
        [sent(SIZES, [call, call, call])],
        minute(0),
      );
      const failed = {
        state: "pending",
        retry_at: minute(0),
        code: "unavailable",
        reason: "network",
      } as const;
      const [again] = await store.settleAs(first, failed, minute(0));
      const [second] = await store.settleAs(again!, { external_id: "wamid.1", billed: "service" }, minute(0));
      await store.settleAs(second!, { external_id: "wamid.2", billed: "utility" }, minute(0));
      await store.settleAs(second!, { external_id: "wamid.2", billed: "utility" }, minute(0));
      const other = await store.answered(
        said("telegram", { telegram_chat_id: "9" }, "t1"),
        [sent(SIZES)],
        minute(0),
      );
      const { deliveries } = await store.conversations.due(minute(0), 10);
      const both = [other, ...deliveries].map(({ delivery_id, attempt }, i) => {
        return {
          delivery_id,
          attempt,
          state: "sent" as const,
          external_id: `x${i}`,
          ...(i > 0 && { billed: "service" }),
        };
      });
      await store.conversations.settle(both, minute(0));
      const { counters } = await store.operations.metrics(minute(1));
      const billed = Object.entries(counters).filter(([key]) => key.startsWith("billed|"));
      expect(Object.fromEntries(billed)).toEqual({
        "billed|whatsapp|service": 1 + deliveries.length,
        "billed|whatsapp|utility": 1,
      });
    });

    test("a message of another session or channel is no target", async () => {
      const store = await desk(make);
      const other = await store.answered(
        said("telegram", { telegram_chat_id: "1" }, "o1"),
        [sent(SIZES)],
        minute(0),
      );
      await store.settleAs(other, { external_id: "1:1" }, minute(0));
      const mine = await store.answered(said("whatsapp", anna, "w1"), [sent(SIZES)], minute(0));
      await store.settleAs(mine, { external_id: "wamid.1" }, minute(0));
      for (const [i, target] of [other.message_id, mine.message_id, crypto.randomUUID()].entries()) {
        const asked = await store.answered(
          said("telegram", anna, `m${i}`),
          [sent(SIZES, [{ ...call, target }])],
          minute(1),
        );
        expect(asked.content.targets).toEqual([]);
        await store.settleAs(asked, {}, minute(1));
      }
    });
  });

  describe("choices", () => {
    test("a tap is the choice with the bot's id and title, by its id and by its place", async () => {
      const store = await desk(make);
      await offer(store, [sent(SIZES)], "7001:1");
      for (const [i, id] of ["l", "#2"].entries())
        expect(await hear(store, `t${i}`, tap(id), "7001:1")).toMatchObject({
          kind: "interaction",
          text: "Large",
          content: { kind: "interaction", interaction: "button", id: "l", title: "Large" },
        });
    });

    test("a row of a list is one on every channel, whatever the platform calls it", async () => {
      const store = await desk(make);
      const { message_id } = await offer(store, [sent(MENU)], "7001:1");
      const heard = await hear(store, "t1", tap("tea"), "7001:1");
      expect(heard.content).toEqual({
        kind: "interaction",
        interaction: "list",
        id: "tea",
        title: "Tea",
        description: "Green",
      });
      expect(heard.reply_to).toBe(message_id);
    });

    test("a tap twice is the same choice twice, and a redelivered tap is no second one", async () => {
      const store = await desk(make);
      await offer(store, [sent(SIZES)], "7001:1");
      const first = await hear(store, "t1", tap("#1"), "7001:1");
      expect(await hear(store, "t1", tap("#1"), "7001:1")).toEqual(first);
      expect((await hear(store, "t2", tap("#1"), "7001:1")).content).toEqual(first.content);
    });

    test("a tap on a message that is forgotten has no id if it came with a place, and its own id else", async () => {
      const store = await desk(make);
      const heard = await hear(store, "t1", tap("#1"), "7001:99");
      expect([heard.text, heard.content]).toEqual([
        "[button]",
        { kind: "interaction", interaction: "button" },
      ]);
      expect((await hear(store, "t2", tap("s"), "7001:99")).content).toEqual(tap("s"));
      await offer(store, [sent(SIZES)], "7001:1");
      expect((await hear(store, "t3", tap("#9"), "7001:1")).content).toEqual({
        kind: "interaction",
        interaction: "button",
      });
    });

    test("a tap in a session that was merged since finds its message", async () => {
      const store = await desk(make);
      const { telegram_chat_id, phone } = anna;
      await offer(store, [sent(SIZES)], "7001:1", { telegram_chat_id });
      await store.hear(said("whatsapp", { phone }, "w1"), minute(1));
      await store.hear(said("telegram", { telegram_chat_id, phone }, "own card"), minute(2));
      expect((await hear(store, "t1", tap("#2"), "7001:1", { telegram_chat_id })).text).toBe("Large");
    });

    test("another customer's tap on somebody's message finds nothing", async () => {
      const store = await desk(make);
      await offer(store, [sent(SIZES)], "7001:1");
      const heard = await hear(store, "t1", tap("#2"), "7001:1", { telegram_chat_id: "666" });
      expect(heard.content).toEqual({ kind: "interaction", interaction: "button" });
    });

    test("a typed number answers numbered choices, in the digits of any script", async () => {
      const store = await desk(make);
      for (const [i, digits] of ["2", " 2. ", "2)", "٢", "२"].entries()) {
        const { message_id } = await offer(
          store,
          [numbered(MENU), sent({ kind: "text", text: "take your time" })],
          `7001:${i}`,
        );
        const heard = await hear(store, `d${i}`, text(digits));
        expect(heard).toMatchObject({
          kind: "interaction",
          text: "Tea",
          content: { id: "tea" },
          reply_to: message_id,
        });
      }
    });

    test("a number is a text when no numbered choices are open, or when it is out of their range", async () => {
      const store = await desk(make);
      expect((await hear(store, "d1", text("2"))).kind).toBe("text");
      await offer(store, [sent(MENU)], "7001:1");
      expect((await hear(store, "d2", text("2"))).kind).toBe("text");
      await offer(store, [numbered(MENU)], "7001:2");
      for (const [i, words] of ["0", "3", "2 teas", "22", "two"].entries())
        expect((await hear(store, `e${i}`, text(words))).content).toEqual(text(words));
      expect((await hear(store, "f", { ...text("2"), context: { forwarded: true } })).kind).toBe("text");
      expect((await hear(store, "w", text("2"), undefined, anna, "whatsapp")).kind).toBe("text");
      await offer(store, [sent({ kind: "text", text: "How many?" })], "7001:3");
      expect((await hear(store, "g", text("2"))).kind).toBe("text");
    });

    test("a number answers the newest choices, or older ones that it quotes", async () => {
      const store = await desk(make);
      await offer(store, [numbered(MENU)], "7001:1");
      await offer(store, [numbered(SIZES)], "7001:2");
      expect((await hear(store, "d1", text("1"))).content).toMatchObject({ interaction: "button", id: "s" });
      expect((await hear(store, "d2", text("1"), "7001:1")).content).toMatchObject({
        interaction: "list",
        id: "cola",
      });
    });
  });
}

let asked = 0;

/** Lets the customer ask, and the bot answer with these replies, which are sent under this id. Returns the first. */
async function offer(
  store: Desk,
  replies: readonly OutboundReply[],
  external_id: string,
  from: InboundMessage["from"] = anna,
): Promise<Message> {
  const now = minute(10 + asked);
  const turn = await store.ask(said("telegram", from, `ask ${++asked}`), now);
  const { messages, deliveries } = await store.conversations.complete(turn, replies, now);
  let waiting = deliveries;
  for (let i = 0; waiting[0]; i++)
    waiting = await store.settleAs(
      waiting[0],
      { external_id: i === 0 ? external_id : `${external_id}+${i}` },
      now,
    );
  return messages[0]!;
}

/** Lets the customer say something that the bot does not hear of. */
async function hear(
  store: Desk,
  external_id: string,
  content: Content,
  reply_to?: string,
  from: InboundMessage["from"] = anna,
  channel = "telegram",
): Promise<Message> {
  const over = { content, wakes: false, ...(reply_to !== undefined && { reply_to }) };
  return (await store.hear(said(channel, from, external_id, over), minute(10 + asked))).message;
}
