import { expect, test } from "vitest";
import { answer } from "../../src/core/answer/answer.ts";
import type { Turn } from "../../src/core/answer/turn.ts";
import type { Channel } from "../../src/core/channel.ts";
import { DEFAULT_POLICY, type Hub } from "../../src/core/hub.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { noCache } from "../../src/stores/upstash.ts";
import { anna, ben, said } from "../contracts/given.ts";

const START = Date.UTC(2026, 10, 2, 8);

/** A hub whose Telegram channel keeps a second between two messages to one chat. Only sleeping moves its clock. */
function pacedHub() {
  let now = START;
  const sent: { to: string; text: string; at_s: number }[] = [];
  const telegram = {
    spacingMs: 1_000,
    split: (content) =>
      content.kind === "text" ? content.text.split(" ").map((text) => ({ kind: "text", text })) : [],
    showTyping: async () => {},
    send: async ({ to }, part) => {
      sent.push({ to: to!, text: part.kind === "text" ? part.text : "", at_s: (now - START) / 1_000 });
      return `sent-${sent.length}`;
    },
  } as Partial<Channel> as Channel;
  const hub: Hub = {
    channels: { telegram },
    store: memoryStore({ sessionTtlMs: 86_400_000, leaseMs: 60_000, history: 0 }),
    cache: noCache,
    bot: { history: 0, reply: async ({ message }) => [{ kind: "text", text: message.text }] },
    live: { publish: () => {} },
    log: () => {},
    now: () => new Date(now),
    sleep: async (ms) => {
      now += ms;
    },
    policy: DEFAULT_POLICY,
  };
  const hear = async (who: { telegram_chat_id: string }, external_id: string, text: string) => {
    const { telegram_chat_id } = who;
    const [result] = await hub.store.conversations.receive(
      [
        {
          type: "message",
          message: said("telegram", { telegram_chat_id }, external_id, {
            content: { kind: "text", text },
            address: { to: telegram_chat_id },
          }),
        },
      ],
      hub.now(),
    );
    return result!.turn;
  };
  return { hub, sent, hear };
}

test("the parts of a reply keep the channel's spacing between two messages to one chat", async () => {
  const { hub, sent, hear } = pacedHub();
  await answer(hub, (await hear(anna, "1", "one two three")) as Turn);
  expect(sent).toEqual([
    { to: anna.telegram_chat_id, text: "one", at_s: 0 },
    { to: anna.telegram_chat_id, text: "two", at_s: 1 },
    { to: anna.telegram_chat_id, text: "three", at_s: 2 },
  ]);
});

test("the replies to messages that came together keep the spacing too", async () => {
  const { hub, sent, hear } = pacedHub();
  const first = (await hear(anna, "1", "one")) as Turn;
  expect(await hear(anna, "2", "two")).toBeUndefined();
  await answer(hub, first);
  expect(sent.map(({ text, at_s }) => [text, at_s])).toEqual([
    ["one", 0],
    ["two", 1],
  ]);
});

test("a turn that waited long behind an earlier reply is left to its lease, and the bot is asked once", async () => {
  const { hub, sent, hear } = pacedHub();
  const asked: string[] = [];
  const { bot } = hub;
  const counting = {
    ...hub,
    bot: {
      ...bot,
      reply: (turn: Turn, signal: AbortSignal) => {
        asked.push(turn.message.text);
        return bot.reply(turn, signal, hub);
      },
    },
  };
  const long = Array.from({ length: 40 }, (_, i) => `part${i}`).join(" ");
  const first = (await hear(anna, "1", long)) as Turn;
  await hear(anna, "2", "two");
  await answer(counting, first);
  expect([sent.length, asked]).toEqual([40, [long]]);
  expect((await hub.store.conversations.due(hub.now(), 10)).turns).toEqual([]);
  const later = new Date(hub.now().getTime() + 60_000);
  const { turns } = await hub.store.conversations.due(later, 10);
  expect(turns.map(({ message, attempt }) => [message.text, attempt])).toEqual([["two", 2]]);
});

test("customers do not wait for each other", async () => {
  const { hub, sent, hear } = pacedHub();
  await answer(hub, (await hear(anna, "1", "one")) as Turn);
  await answer(hub, (await hear(ben, "2", "two")) as Turn);
  expect(sent.map(({ text, at_s }) => [text, at_s])).toEqual([
    ["one", 0],
    ["two", 0],
  ]);
});
