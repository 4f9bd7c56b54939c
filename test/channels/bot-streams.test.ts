import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import webhook from "../../src/bots/webhook.ts";
import type { Answer } from "../../src/core/answer/bot.ts";
import type { Turn } from "../../src/core/answer/turn.ts";

const turn = {
  turn_id: "t",
  attempt: 1,
  history: [],
  messages: [],
  message: { text: "hi", content: { kind: "text", text: "hi" } },
} as unknown as Turn;
const pause = (ms = 20) => new Promise((later) => setTimeout(later, ms));

/** Asks a bot that answers as `respond` writes. Returns its answer or its failure, and the drafts that it showed. */
async function ask(respond: (response: ServerResponse) => unknown, ms = 5_000) {
  const server = createServer(async (request, response) => {
    for await (const _ of request);
    response.setHeader("content-type", "application/x-ndjson; charset=utf-8");
    await respond(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const bot = webhook({ BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: "a-secret-of-the-bot" });
  const drafts: [text: string, format?: string][] = [];
  const draft = {
    show: (text: string, format?: string) => void drafts.push(format ? [text, format] : [text]),
  };
  try {
    const said = await bot.reply(turn, AbortSignal.timeout(ms), { draft });
    return { said: "replies" in said ? said : ({ replies: said, actions: [] } as Answer), drafts };
  } catch (error) {
    return { error: error as Error & { reason: string }, drafts };
  }
}

const line = (value: unknown) => `${JSON.stringify(value)}\n`;
const whole = { replies: [{ kind: "text", text: "Hello, Ana" }] };

test("shows the pieces of a streamed answer as they come, and takes its last line as the answer", async () => {
  const { said, drafts } = await ask(async (response) => {
    response.write(line({ delta: "Hel", format: "markdown" }));
    await pause();
    response.write(`\r\n${line({ delta: "lo" })}`);
    await pause();
    response.end(line(whole));
  });
  expect(drafts).toEqual([
    ["Hel", "markdown"],
    ["Hello", "markdown"],
  ]);
  expect(said?.replies).toEqual(whole.replies);
});

test("reads lines and characters that are cut anywhere, and an answer without a line's end", async () => {
  const bytes = Buffer.from(line({ delta: "ação 👋" }) + line({ delta: "!" }) + JSON.stringify(whole));
  const { said, drafts } = await ask(async (response) => {
    for (const byte of bytes) {
      response.write(Buffer.from([byte]));
      if (byte > 0x7f) await pause(1);
    }
    response.end();
  });
  expect(drafts.at(-1)).toEqual(["ação 👋!"]);
  expect(said?.replies).toEqual(whole.replies);
});

test("takes actions and a handoff with the answer, and does not wait for the stream's end", async () => {
  const began = Date.now();
  const { said } = await ask((response) => {
    response.write(line({ delta: "Wait" }));
    response.write(
      line({ ...whole, actions: [{ type: "set_data", data: { a: 1 } }], handoff: { reason: "r" } }),
    );
  });
  expect(said).toMatchObject({ actions: [{ type: "set_data", data: { a: 1 } }], handoff: { reason: "r" } });
  expect(Date.now() - began).toBeLessThan(2_000);
});

test.each<[string, (response: ServerResponse) => unknown, string, string?]>([
  [
    "ends before its answer",
    (response) => response.end(line({ delta: "Hel" })),
    "bot_bad_answer",
    "the stream ended before the answer",
  ],
  ["is empty", (response) => response.end("\n\n"), "bot_bad_answer", "the stream ended before the answer"],
  [
    "ends in the middle of the answer",
    (response) => response.end(line({ delta: "Hel" }) + line(whole).slice(0, 20)),
    "bot_bad_answer",
    "not JSON",
  ],
  [
    "is cut",
    async (response) => {
      response.write(line({ delta: "Hel" }));
      await pause(50);
      response.socket?.destroy();
    },
    "bot_unreachable",
  ],
  ["has a piece that is no text", (response) => response.end(line({ delta: 1 })), "bot_bad_answer", "delta"],
  [
    "has a piece of an unknown format",
    (response) => response.end(line({ delta: "a", format: "html" })),
    "bot_bad_answer",
    "format",
  ],
  ["has a wrong answer", (response) => response.end(line({ replies: 1 })), "bot_bad_answer", "replies"],
  [
    "never ends a line",
    (response) => response.end("x".repeat(300_000)),
    "bot_bad_answer",
    "larger than 262144 bytes",
  ],
  [
    "is too long",
    async (response) => {
      for (let i = 0; i < 12; i++) response.write(line({ delta: "x".repeat(200_000) }));
      response.end(line(whole));
    },
    "bot_bad_answer",
    "larger than 2097152 bytes",
  ],
])("a stream that %s is a failed attempt", async (_, respond, reason, words = "") => {
  const { error } = await ask(respond);
  expect(error).toMatchObject({ code: "unavailable", reason });
  expect(error?.message).toContain(words);
});

test("a stream that goes on past the time limit is hung up", async () => {
  let isOpen = true;
  const { error } = await ask((response) => {
    response.on("close", () => {
      isOpen = false;
    });
    response.write(line({ delta: "Hel" }));
  }, 200);
  expect(error).toMatchObject({ code: "unavailable" });
  await expect.poll(() => isOpen).toBe(false);
});

test("an answer of the contract's first version is read as before, and one of a version that is not known is refused", async () => {
  const plain = (version?: string) => (response: ServerResponse) => {
    response.setHeader("content-type", "application/json");
    if (version) response.setHeader("x-hub-version", version);
    response.end(JSON.stringify({ replies: [{ text: "Hi" }] }));
  };
  for (const version of [undefined, "1", "2"])
    expect((await ask(plain(version))).said?.replies).toEqual([{ kind: "text", text: "Hi" }]);
  const { error } = await ask(plain("3"));
  expect(error).toMatchObject({
    reason: "bot_bad_answer",
    message: expect.stringContaining("must be one of 1, 2"),
  });
});
