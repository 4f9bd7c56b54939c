import type { ServerResponse } from "node:http";
import postgres from "postgres";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { post } from "../support/http.ts";
import { browse, isReady, type OpenDevice } from "../support/live.ts";
import { begin, history, type LiveHub, play, say, startLiveHub } from "../support/live-hub.ts";

const DIGITS = "4915112349901";
const CHAT = 7_400_100;

let hub: LiveHub;
let sql: postgres.Sql;

beforeAll(async () => {
  hub = await startLiveHub();
  sql = postgres(hub.databaseUrl, { max: 1, onnotice: () => {} });
}, 120_000);
afterEach(() => {
  hub.bot.respond = undefined;
});
afterAll(async () => {
  await sql?.end();
  await hub?.stop();
});

const pause = (ms: number) => new Promise((later) => setTimeout(later, ms));
const line = (value: unknown) => `${JSON.stringify(value)}\n`;
const WORDS = ["We ", "have ", "tea, ", "coffee ", "and ", "cake."];

/** Streams the words with a pause after each, then `end`, which is the answer if nothing else is given. */
async function speak(answer: ServerResponse, ms: number, end?: (answer: ServerResponse) => unknown) {
  answer.setHeader("content-type", "application/x-ndjson");
  for (const delta of WORDS) {
    answer.write(line({ delta }));
    await pause(ms);
  }
  if (end) await end(answer);
  else answer.end(line({ replies: [{ text: `${WORDS.join("")} Welcome!` }] }));
}

/** The draft as a page shows it, and every state that it had. */
function draftOf(device: OpenDevice): string[] {
  const states: string[] = [""];
  for (const frame of device.of("draft")) states.push(states.at(-1)!.slice(0, frame.at) + frame.text);
  return states;
}

async function connected(body?: object) {
  const begun = await begin(hub.url, body);
  const device = await browse(hub.url, begun.token);
  await device.until(isReady);
  return { begun, device };
}

const outbound = (device: OpenDevice) =>
  device.of("message").filter(({ message }) => message.direction === "outbound");
const hasReply = (device: OpenDevice) => outbound(device).length > 0;
const sentBy = async (emulator: LiveHub["telegram"], method: string) =>
  ((await (await fetch(`${emulator.url}/_sent?method=${method}`)).json()) as any).sent as any[];

describe("a bot that streams its answer", () => {
  test("is seen growing on connected pages, and its whole answer takes the draft's place once", async () => {
    const { begun, device } = await connected();
    const other = await browse(hub.url, begun.token);
    await other.until(isReady);
    hub.bot.respond = (_, answer) => speak(answer, 250);
    await say(begun, "What do you have?");
    for (const it of [device, other]) {
      await it.until((one) => hasReply(one) && draftOf(one).at(-1) === "");
      const states = draftOf(it);
      expect(states.length).toBeGreaterThan(4);
      for (const state of states) expect(WORDS.join("").startsWith(state)).toBe(true);
      const [asked] = it.of("message");
      expect(new Set(it.of("draft").map(({ reply_to }) => reply_to))).toEqual(
        new Set([asked.message.message_id]),
      );
      expect(outbound(it).map(({ message }) => message.text)).toEqual([`${WORDS.join("")} Welcome!`]);
      const order = it.frames.map(({ type }) => type);
      // The answer comes before the draft goes, so that a page shows no gap.
      expect(order.lastIndexOf("message")).toBeLessThan(order.lastIndexOf("draft"));
      expect(order.indexOf("draft")).toBeLessThan(order.lastIndexOf("message"));
    }
    expect(await history(begun)).toHaveLength(2);
  });

  test("that is cut in the middle has failed: the draft is taken back, and the next attempt answers once", async () => {
    const { begun, device } = await connected();
    const attempts: number[] = [];
    hub.bot.respond = async ({ attempt }, answer) => {
      attempts.push(attempt);
      await speak(answer, 100, attempt === 1 ? (it) => void it.socket?.destroy() : undefined);
    };
    await say(begun, "And now?");
    await device.until((it) => it.of("turn").length > 0);
    expect(device.of("turn")[0]).toMatchObject({ turn: { state: "retrying", reason: "bot_unreachable" } });
    expect(draftOf(device).length).toBeGreaterThan(2);
    expect(draftOf(device).at(-1)).toBe("");
    expect(hasReply(device)).toBe(false);
    expect(await history(begun)).toHaveLength(1);
    await sql`update turns set due_at = now() - interval '1 second'`;
    await hub.sweep();
    await device.until((it) => hasReply(it) && draftOf(it).at(-1) === "");
    expect(outbound(device)).toHaveLength(1);
    expect(attempts).toEqual([1, 2]);
    expect((await history(begun)).map(({ text }) => text)).toEqual([
      "And now?",
      `${WORDS.join("")} Welcome!`,
    ]);
  });

  test("shows a draft on Telegram within its rate, and then the message, with nothing after it", async () => {
    hub.bot.respond = (_, answer) => speak(answer, 600);
    await play(hub.telegram, "/_customer/message", { chat: { id: CHAT }, text: "Tea?" });
    await expect
      .poll(async () => (await sentBy(hub.telegram, "sendMessage")).length, { timeout: 15_000 })
      .toBe(1);
    await pause(1_500);
    const drafts = await sentBy(hub.telegram, "sendMessageDraft");
    expect(drafts.length).toBeGreaterThanOrEqual(2);
    expect(drafts.length).toBeLessThanOrEqual(4);
    for (const { text } of drafts) expect(WORDS.join("").startsWith(text)).toBe(true);
    expect(new Set(drafts.map(({ draft_id }) => draft_id)).size).toBe(1);
    const [message] = await sentBy(hub.telegram, "sendMessage");
    expect(message.text).toBe(`${WORDS.join("")} Welcome!`);
    expect(Math.max(...drafts.map(({ n }) => n))).toBeLessThan(message.n);
  });

  test("gives WhatsApp the whole answer only", async () => {
    const before = (await sentBy(hub.whatsapp, "text")).length;
    hub.bot.respond = (_, answer) => speak(answer, 200);
    await play(hub.whatsapp, "/_customer/message", { from: DIGITS, text: "Tea?" });
    await expect
      .poll(async () => (await sentBy(hub.whatsapp, "text")).length, { timeout: 15_000 })
      .toBe(before + 1);
    expect((await sentBy(hub.whatsapp, "text")).at(-1).text).toBe(`${WORDS.join("")} Welcome!`);
  });

  test("is read line by line by a page without a WebSocket", async () => {
    const begun = await begin(hub.url);
    hub.bot.respond = (_, answer) => speak(answer, 250);
    const answer = await fetch(`${hub.url}/webhooks/web?wait=10`, {
      ...post({ external_id: "1", text: "Hi" }, { ...begun.bearer, accept: "application/x-ndjson" }),
    });
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
    const began = Date.now();
    const arrivals: number[] = [];
    let text = "";
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      arrivals.push(Date.now() - began);
    }
    const lines = text
      .trim()
      .split("\n")
      .map((one) => JSON.parse(one));
    expect(lines[0]).toMatchObject({ type: "saved", message: { text: "Hi" }, duplicate: false });
    expect(lines.at(-1)).toMatchObject({
      type: "replies",
      replies: [{ text: `${WORDS.join("")} Welcome!` }],
      turn: null,
    });
    const drafts = lines.slice(1, -1);
    expect(drafts.length).toBeGreaterThan(3);
    let shown = "";
    for (const draft of drafts) {
      expect(draft).toMatchObject({ type: "draft", reply_to: lines[0].message.message_id });
      shown = shown.slice(0, draft.at) + draft.text;
    }
    expect(WORDS.join("").startsWith(shown)).toBe(true);
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(500);
  });

  test("whose Worker is killed in the middle is asked again, and its answer is saved and shown once", async () => {
    const { begun } = await connected();
    const cut = Promise.withResolvers<void>();
    hub.bot.respond = async ({ attempt }, answer) => {
      if (attempt > 1) return speak(answer, 20);
      await speak(answer, 100, () => {
        cut.resolve();
        return pause(60_000);
      });
    };
    await say(begun, "Killed");
    await cut.promise;
    await hub.restart();
    const device = await browse(hub.url, begun.token);
    await device.until(isReady);
    expect(await history(begun)).toHaveLength(1);
    await sql`update turns set due_at = now() - interval '1 second'`;
    await hub.sweep();
    await device.until(hasReply);
    expect((await history(begun)).map(({ text }) => text)).toEqual(["Killed", `${WORDS.join("")} Welcome!`]);
    expect(outbound(device)).toHaveLength(1);
  }, 120_000);
});
