import { openAiEmbeddings } from "../../src/bots/llm/embeddings.ts";
import { openAiModel } from "../../src/bots/llm/openai.ts";
import { llmSettings } from "../../src/bots/llm/settings.ts";
import { toHubError } from "../../src/core/errors.ts";
import { isLoopback } from "../../src/core/safe-url.ts";
import { fail, type Outcome, ok, warn } from "./outcome.ts";
import type { Values } from "./parts.ts";

const PATIENCE_MS = 30_000;

/** What the causes mean. */
const CAUSES: Readonly<Record<string, string>> = {
  llm_http_401: "the endpoint does not take the key",
  llm_http_403: "the endpoint does not take the key",
  llm_http_404: "the endpoint has no such model, or LLM_BASE_URL is wrong: it ends with /v1 mostly",
  llm_unreachable: "the endpoint cannot be reached",
  llm_bad_answer: "the endpoint does not speak OpenAI's protocol",
  llm_timeout: "the model says nothing within 30 s",
};

/** Asks the language model for a word, and the embeddings model for a vector if there is one. */
export async function checkModel(values: Values): Promise<{ outcomes: Outcome[] }> {
  const name = "llm";
  const settings = llmSettings(values);
  if (isLoopback(settings.LLM_BASE_URL) && !isLoopback(values.HUB_URL ?? ""))
    return {
      outcomes: [
        fail(name, "a Worker cannot reach this machine", "give an address that the internet reaches"),
      ],
    };
  const endpoint = {
    baseUrl: settings.LLM_BASE_URL,
    apiKey: settings.LLM_API_KEY,
    model: settings.LLM_MODEL,
  };
  const messages = [{ role: "user" as const, text: "Say: ready" }];
  const request = { messages, tools: [], mayCall: false, maxTokens: settings.LLM_ANSWER_TOKENS };
  const outcomes = [
    await tried(name, settings.LLM_MODEL, (signal) => openAiModel(endpoint).complete(request, signal)),
  ];
  const { LLM_EMBEDDINGS_MODEL: model, LLM_EMBEDDINGS_BASE_URL: elsewhere } = settings;
  if (model !== undefined) {
    const apiKey = settings.LLM_EMBEDDINGS_API_KEY ?? (elsewhere ? undefined : settings.LLM_API_KEY);
    const embeddings = openAiEmbeddings({ baseUrl: elsewhere ?? settings.LLM_BASE_URL, apiKey, model });
    outcomes.push(await tried("embeddings", model, (signal) => embeddings.embed(["ready"], signal)));
  }
  if (settings.LLM_DAY_COST === undefined)
    outcomes.push(
      warn(
        "llm budget",
        "no LLM_DAY_COST: only tokens are limited, by customer",
        "LLM_DAY_COST, LLM_INPUT_PRICE and LLM_OUTPUT_PRICE: docs/llm.md",
      ),
    );
  return { outcomes };
}

async function tried(
  name: string,
  model: string,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<Outcome> {
  try {
    await work(AbortSignal.timeout(PATIENCE_MS));
    return ok(name, `${model} answers`);
  } catch (thrown) {
    const { reason = "", message } = toHubError(thrown);
    return fail(name, CAUSES[reason] ?? `${message} (${reason})`, "docs/llm.md");
  }
}
