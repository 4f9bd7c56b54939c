import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { openAiModel } from "../../src/bots/llm/openai.ts";
import type { LiveEvent } from "../../src/core/live.ts";
import { json, type ModelServer, startModelServer, USAGE } from "../support/model-server.ts";
import { type ModelShop, modelShop, settingsFor } from "../support/model-shop.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty } = bothTransports({ max: 8 });
const [[, call]] = transports as [(typeof transports)[number]];

let model: ModelServer;
beforeAll(async () => {
  model = await startModelServer();
});
afterAll(() => model.stop());
beforeEach(empty);

const piece = (delta: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
});
const says = (content: string) => piece({ content });
const END = piece({}, "stop");

/** Streams these pieces, as chat completions are streamed. */
const stream =
  (pieces: readonly unknown[], { ms = 0, isCut = false } = {}) =>
  async (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    for (const one of pieces) {
      response.write(`data: ${typeof one === "string" ? one : JSON.stringify(one)}\n\n`);
      if (ms) await wait(ms);
    }
    if (isCut) response.socket?.destroy();
    else response.end("data: [DONE]\n\n");
  };

async function complete(respond: (response: ServerResponse) => unknown) {
  model.think(() => (response) => void respond(response));
  const texts: string[] = [];
  const request = {
    messages: [{ role: "user" as const, text: "Hi" }],
    tools: [],
    mayCall: true,
    maxTokens: 100,
    onText: (text: string) => void texts.push(text),
  };
  const one = openAiModel({ baseUrl: model.url, apiKey: undefined, model: "test-model" });
  const answer = await one.complete(request, AbortSignal.timeout(5_000)).catch((error) => ({ error }));
  return { answer, texts };
}

test("a streamed answer is shown as it grows, and read as one in one piece is", async () => {
  const { answer, texts } = await complete(
    stream([piece({ role: "assistant" }), says("Hel"), says("lo 👋"), END, { choices: [], usage: USAGE }]),
  );
  expect(texts).toEqual(["Hel", "Hello 👋"]);
  expect(answer).toEqual({ text: "Hello 👋", calls: [], usage: { input_tokens: 100, output_tokens: 20 } });
  expect(model.asked[0]!.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
});

test("names of events change nothing, and nothing that cannot be read is written to the console", async () => {
  const written = vi.spyOn(console, "error");
  const named = await complete((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const one of [says("Hel"), says("lo"), END])
      response.write(`event: thread.message\r\ndata: ${JSON.stringify(one)}\r\n\r\n`);
    response.end("event: thread.done\ndata: [DONE]\n\n");
  });
  expect(named.answer).toMatchObject({ text: "Hello" });
  const broken = await complete((response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end("event: thread.message\ndata: {secret words\n\n");
  });
  expect(broken.answer).toMatchObject({ error: { reason: "llm_bad_answer" } });
  expect(written).not.toHaveBeenCalled();
  written.mockRestore();
});

test("calls of tools come in pieces too", async () => {
  const at = (index: number, part: object, id?: string) =>
    piece({ tool_calls: [{ index, ...(id && { id }), function: part }] });
  const { answer } = await complete(
    stream([
      at(0, { name: "find_orders", arguments: "" }, "a"),
      at(1, { name: "get_customer", arguments: "{}" }, "b"),
      at(0, { arguments: '{"x"' }),
      at(0, { arguments: ":1}" }),
      piece({}, "tool_calls"),
    ]),
  );
  expect(answer).toMatchObject({
    calls: [
      { id: "a", name: "find_orders", arguments: '{"x":1}' },
      { id: "b", name: "get_customer", arguments: "{}" },
    ],
  });
});

test("an endpoint that answers in one piece all the same is read", async () => {
  const { answer, texts } = await complete((response) =>
    json(response, { choices: [{ message: { content: "Hello" } }], usage: USAGE }),
  );
  expect(answer).toMatchObject({ text: "Hello" });
  expect(texts).toEqual([]);
});

test.each<[string, (response: ServerResponse) => unknown, string]>([
  ["ends before the model has finished", stream([says("Hel")]), "llm_bad_answer"],
  ["is cut", stream([says("Hel")], { ms: 30, isCut: true }), "llm_unreachable"],
  ["has a piece that is no JSON", stream([says("Hel"), "{"]), "llm_bad_answer"],
  ["has a piece of another shape", stream([{ choices: [{ delta: { content: 1 } }] }]), "llm_bad_answer"],
  ["is too large", stream(Array(100).fill(says("x".repeat(100_000)))), "llm_bad_answer"],
  ["holds an error", stream([says("Hel"), { error: { message: "overloaded" } }]), "llm_http_error"],
  ["is a refusal", (response) => json(response, {}, 429, { "retry-after": "1" }), "llm_http_429"],
])("a stream that %s is a failure", async (_, respond, reason) => {
  const { answer } = await complete(respond);
  expect(answer).toMatchObject({ error: { reason } });
});

test("customers see the answer grow without the model's thoughts, and get the whole", async () => {
  const drafts: string[] = [];
  const live = {
    publish: (_: string, event: LiveEvent) => void (event.type === "draft" && drafts.push(event.text)),
  };
  const sleep = (ms: number) => wait(ms) as Promise<void>;
  const shop = (env: object = {}): ModelShop =>
    modelShop(call(), { ...settingsFor(model), ...env }, { live, sleep });
  const think = () => (response: ServerResponse) =>
    void stream(["<think>They ", "greet</think>", "Hello, ", "Anna", "!"].map(says).concat(END), { ms: 120 })(
      response,
    );
  model.think(think);
  const anna = await shop().visitor({ phone: "+4915112345601" });
  expect(await anna.say("Hi")).toEqual(["Hello, Anna!"]);
  expect(drafts.length).toBeGreaterThan(1);
  expect(drafts.at(-1)).toBe("");
  for (const text of drafts) expect("Hello, Anna!".startsWith(text)).toBe(true);

  drafts.length = 0;
  model.think(() => "In one piece");
  const ben = await shop({ LLM_STREAM: "false" }).visitor({ phone: "+4915112345602" });
  expect(await ben.say("Hi")).toEqual(["In one piece"]);
  expect(drafts).toEqual([]);
  expect(model.asked[0]!.body).not.toHaveProperty("stream");
});
