import type { ChatCompletionMessageParam } from "openai/resources";
import type { ChatCompletionCreateParamsBase } from "openai/resources/chat/completions/completions";
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { cleanText } from "../../core/json.ts";
import { type Endpoint, openAiClient, toFailure } from "./client.ts";
import { gathered } from "./gathered.ts";
import type { Model, ModelAnswer, ModelMessage, ModelRequest } from "./model.ts";

/** The largest answer that is read, in bytes. */
const MOST_BYTES = 1024 * 1024;
const MOST_TOKENS = 10_000_000;

const tokens = z.number().int().min(0).max(MOST_TOKENS);

/** What the hub reads of an answer. Endpoints that speak the protocol differ in the rest. */
const answerSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({
          content: z.string().nullish(),
          tool_calls: z
            .array(
              z.object({
                id: z.string().max(512).nullish(),
                function: z.object({
                  name: z.string(),
                  arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
                }),
              }),
            )
            .nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish().catch(undefined),
});

/** Any endpoint that speaks OpenAI's protocol of chat completions: https://platform.openai.com/docs/api-reference/chat */
export function openAiModel({ baseUrl, apiKey, model }: Endpoint): Model {
  const client = openAiClient({ baseUrl, apiKey, mostBytes: MOST_BYTES });
  // OpenAI's newer models refuse max_tokens; many other endpoints know nothing else.
  const limit = new URL(baseUrl).hostname === "api.openai.com" ? "max_completion_tokens" : "max_tokens";
  return {
    async complete({ messages, tools, mayCall, maxTokens, onText }: ModelRequest, signal) {
      const body: ChatCompletionCreateParamsBase = {
        model,
        messages: messages.map(toParam),
        ...(tools.length > 0 && {
          tools: tools.map((one) => ({ type: "function" as const, function: { ...one } })),
          tool_choice: mayCall ? ("auto" as const) : ("none" as const),
        }),
        [limit]: maxTokens,
        ...(onText && { stream: true, stream_options: { include_usage: true } }),
      };
      try {
        const response = await client.chat.completions.create(body, { signal }).asResponse();
        // An endpoint without streams answers in one piece.
        const isStream = onText && response.headers.get("content-type")?.includes("text/event-stream");
        return answerOf(isStream ? await gathered(response, client, onText) : await response.json());
      } catch (thrown) {
        throw toFailure(thrown, signal);
      }
    },
  };
}

function toParam(message: ModelMessage): ChatCompletionMessageParam {
  switch (message.role) {
    case "tool":
      return { role: "tool", tool_call_id: message.call_id, content: message.text };
    case "assistant":
      return {
        role: "assistant",
        content: message.text,
        ...(message.calls?.length && {
          tool_calls: message.calls.map(({ id, name, arguments: args }) => ({
            id,
            type: "function" as const,
            function: { name, arguments: args },
          })),
        }),
      };
    default:
      return { role: message.role, content: message.text };
  }
}

function answerOf(given: unknown): ModelAnswer {
  const read = answerSchema.safeParse(given);
  if (!read.success)
    throw new HubError("unavailable", "the model's answer cannot be read", { reason: "llm_bad_answer" });
  const { choices, usage } = read.data;
  const { content, tool_calls } = choices[0]!.message;
  return {
    text: cleanText(content ?? ""),
    calls: (tool_calls ?? []).map(({ id, function: { name, arguments: args } }, i) => ({
      id: id || `call_${i}`,
      name: cleanText(name),
      arguments: cleanText(typeof args === "string" ? args : JSON.stringify(args ?? {})),
    })),
    ...(usage && { usage: { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens } }),
  };
}
