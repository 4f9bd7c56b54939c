import { APIConnectionError, APIError, OpenAI } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources";
import type { ChatCompletionCreateParamsBase } from "openai/resources/chat/completions/completions";
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { cleanText } from "../../core/json.ts";
import { gathered } from "./gathered.ts";
import type { Model, ModelAnswer, ModelMessage, ModelRequest } from "./model.ts";

/** The largest answer that is read, in bytes: an endpoint that never stops must not fill the Worker's memory. */
const MOST_BYTES = 1024 * 1024;
/** The same of an answer in pieces: an endpoint wraps each token into some hundred bytes. */
const MOST_STREAM_BYTES = 8 * 1024 * 1024;
/** The longest wait that an endpoint can ask for. */
const LONGEST_WAIT_MS = 15 * 60_000;
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

export interface OpenAiSettings {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly model: string;
}

/** Any endpoint that speaks OpenAI's protocol of chat completions: https://platform.openai.com/docs/api-reference/chat */
export function openAiModel({ baseUrl, apiKey, model }: OpenAiSettings): Model {
  const client = new OpenAI({
    baseURL: baseUrl,
    // The client does not start without a key; endpoints on the same machine need none.
    apiKey: apiKey ?? "none",
    organization: null,
    project: null,
    maxRetries: 0,
    logLevel: "off",
    fetch: boundedFetch,
    // Workers do not support "error" here. With "manual" a redirect comes back as its 3xx status, which is refused.
    fetchOptions: { redirect: "manual" },
  });
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

/** The hub's error for a failure. Its cause is left out: errors of the client hold what the endpoint has said. */
function toFailure(thrown: unknown, signal: AbortSignal): HubError {
  if (thrown instanceof HubError) return thrown;
  if (signal.aborted) return new HubError("unavailable", "the model was too slow", { reason: "llm_timeout" });
  if (thrown instanceof APIConnectionError || !(thrown instanceof APIError)) {
    const isJson = thrown instanceof SyntaxError;
    return new HubError(
      "unavailable",
      isJson ? "the model's answer is not JSON" : "the model cannot be reached",
      {
        reason: isJson ? "llm_bad_answer" : "llm_unreachable",
      },
    );
  }
  const reason = `llm_http_${thrown.status ?? "error"}`;
  const retryAfterMs = waitOf(thrown.headers);
  if (thrown.status === 429 || (thrown.status === 503 && retryAfterMs !== undefined))
    return new HubError("throttled", "the model's endpoint asks to wait", {
      reason,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  return new HubError("unavailable", `the model's endpoint answered ${thrown.status}`, { reason });
}

/** `Retry-After` in seconds, or OpenAI's `retry-after-ms`. A date is not read: this file has no clock. */
function waitOf(headers: Headers | undefined): number | undefined {
  const ms = headers?.get("retry-after-ms");
  const seconds = headers?.get("retry-after");
  const wait = /^\d+(\.\d+)?$/.test(ms ?? "")
    ? Number(ms)
    : /^\d+(\.\d+)?$/.test(seconds ?? "")
      ? Number(seconds) * 1_000
      : undefined;
  return wait === undefined ? undefined : Math.min(wait, LONGEST_WAIT_MS);
}

/** `fetch` whose answers end with an error after `MOST_BYTES`, and streams after `MOST_STREAM_BYTES`. */
async function boundedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  if (!response.body) return response;
  const isStream = response.headers.get("content-type")?.includes("text/event-stream");
  const most = isStream ? MOST_STREAM_BYTES : MOST_BYTES;
  let size = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.byteLength;
        if (size > most)
          controller.error(
            new HubError("unavailable", "the model's answer is too large", { reason: "llm_bad_answer" }),
          );
        else controller.enqueue(chunk);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(counted, { status, statusText, headers });
}
