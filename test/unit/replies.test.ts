import { describe, expect, test } from "vitest";
import { join } from "../../src/channels/whatsapp/send/join.ts";
import { answer } from "../../src/core/answer/answer.ts";
import type { Part } from "../../src/core/answer/turn.ts";
import type { Channel } from "../../src/core/channel.ts";
import { choicesOf, chosenIn } from "../../src/core/content/choices.ts";
import type { Reply } from "../../src/core/content/reply.ts";
import { deliver } from "../../src/core/deliver/deliver.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { noCache } from "../../src/stores/upstash.ts";
import { anna, desk, said, text } from "../contracts/given.ts";

const NOW = new Date("2026-11-02T08:00:00Z");

/** A hub with one plain channel, which knows only texts, and a bot with these replies. */
async function hubWith(replies: readonly Reply[], over: Partial<Channel> = {}) {
  const sent: Part[] = [];
  const lines: Record<string, unknown>[] = [];
  let typed = 0;
  const telegram = {
    split: ({ text }) => [{ kind: "text", text }],
    showTyping: async () => void typed++,
    send: async (_to, part) => `sent-${sent.push(part)}`,
    ...over,
  } as Partial<Channel> as Channel;
  const store = memoryStore({ sessionTtlMs: 86_400_000, leaseMs: 60_000, history: 0 });
  const hub: Hub = {
    channels: { telegram },
    store,
    cache: noCache,
    bot: { history: 0, reply: async () => [...replies] },
    live: { publish: () => {} },
    log: (_level, event, fields) => void lines.push({ event, ...fields }),
    now: () => NOW,
    sleep: async () => {},
    policy: DEFAULT_POLICY,
  };
  const here = await desk(async () => store);
  const turn = await here.ask(said("telegram", anna, "m1"), NOW);
  await answer(hub, turn);
  return { hub, here, sent, lines, turn, typed: () => typed };
}

describe("a channel that knows only texts", () => {
  test("sends every kind as its text, and accepts the numbers of its choices", async () => {
    const buttons: Reply = {
      kind: "buttons",
      text: "Which?",
      buttons: [
        { id: "a", title: "A" },
        { id: "b", title: "B" },
      ],
    };
    const { here, sent, turn } = await hubWith([
      buttons,
      { kind: "location", latitude: 1, longitude: 2, name: "Shop" },
    ]);
    expect(sent.map((part) => part.text)).toEqual([
      "Which?\n1. A\n2. B",
      "Shop\nhttps://www.google.com/maps/search/?api=1&query=1,2",
    ]);
    const { message } = await here.hear(said("telegram", anna, "m2", { content: text("2") }), NOW);
    expect(message.content).toEqual({ kind: "interaction", interaction: "button", id: "b", title: "B" });
    const [, reply] = await here.history(turn.session.session_id);
    expect(reply?.content).toEqual({ ...buttons, numbered: true });
  });

  test("shows typing, and saves none of it", async () => {
    const { here, turn, typed } = await hubWith([{ kind: "typing" }, text("hi")]);
    expect(typed()).toBe(2);
    expect(await here.texts(turn.session.session_id)).toEqual(["text of m1", "hi"]);
  });

  test("fails the turn, with the reason for the bot's author, for a reply that no text says", async () => {
    const { here, sent, lines, turn } = await hubWith([
      text("hi"),
      { kind: "delete", message_id: crypto.randomUUID() },
    ]);
    expect(sent).toEqual([]);
    expect(await here.texts(turn.session.session_id)).toEqual(["text of m1"]);
    expect(lines.at(-1)).toMatchObject({
      event: "turn",
      outcome: "failed",
      code: "unavailable",
      reason: "bot_bad_reply",
      detail: "this channel has no delete, and no text says it",
    });
  });

  test("buries a call about a message that was never sent", async () => {
    const { lines, sent } = await hubWith([{ kind: "edit", message_id: crypto.randomUUID(), text: "new" }], {
      content: { edit: { as: "native" } } as Channel["content"] & object,
      render: () => ({ parts: [{ kind: "text", text: "new", call: {}, target: crypto.randomUUID() }] }),
    });
    expect(sent).toEqual([]);
    expect(lines.find(({ event }) => event === "delivery.failed")).toMatchObject({
      reason: "message_not_found",
      dead: true,
    });
  });

  test("sends nothing of a part that an erasure has emptied", async () => {
    const { hub, sent, turn } = await hubWith([]);
    const { session_id } = turn.session;
    const content = { kind: "system", event: "erased" } as unknown as Part;
    const emptied = {
      delivery_id: crypto.randomUUID(),
      message_id: "",
      session_id,
      attempt: 1,
      channel: "telegram",
    };
    await deliver(hub, [{ ...emptied, address: {}, content }]);
    expect(sent).toEqual([]);
  });
});

describe("WhatsApp joins replies, because each is paid", () => {
  const url = "https://example.com/a.png";
  test.for<[string, Reply[], Reply[]]>([
    ["texts", [text("a"), text("b"), text("c")], [text("a\n\nb\n\nc")]],
    [
      "texts of other formats not",
      [text("a"), { ...text("b"), format: "markdown" }],
      [text("a"), { ...text("b"), format: "markdown" }],
    ],
    [
      "texts past the limit not",
      [text("a".repeat(4_000)), text("b".repeat(95))],
      [text("a".repeat(4_000)), text("b".repeat(95))],
    ],
    [
      "a picture and its text",
      [{ kind: "image", media: { url } }, text("look")],
      [{ kind: "image", media: { url }, caption: "look" }],
    ],
    [
      "a text and the choices after it",
      [text("a"), { kind: "buttons", text: "b", buttons: [{ id: "1", title: "x" }] }],
      [{ kind: "buttons", text: "a\n\nb", buttons: [{ id: "1", title: "x" }] }],
    ],
    [
      "calls of one platform not",
      [{ ...text("a"), raw: { whatsapp: {} } }, text("b")],
      [{ ...text("a"), raw: { whatsapp: {} } }, text("b")],
    ],
  ])("%s", ([, replies, joined]) => {
    expect(join(replies)).toEqual(joined);
  });
});

test("choices have the order in which they are numbered", () => {
  const carousel: Reply = {
    kind: "carousel",
    cards: [
      {
        title: "1",
        buttons: [
          { id: "a", title: "A" },
          { url: "https://example.com", title: "link" },
        ],
      },
      { title: "2", buttons: [{ id: "b", title: "B" }] },
    ],
  };
  expect(choicesOf(carousel).map(({ id }) => id)).toEqual(["a", "b"]);
  expect(chosenIn(text("१२"))).toEqual({ place: 12, typed: true });
  expect(chosenIn(text("12345"))).toBeUndefined();
});
