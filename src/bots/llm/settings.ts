import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { isLoopback, isSafeUrl } from "../../core/safe-url.ts";
import { type Env, settingsOf } from "../../core/settings.ts";
import type { Endpoint } from "./client.ts";

const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const price = z.coerce.number().positive().max(1_000_000);

const url = z.string().refine(isSafeUrl, "must be an https URL without credentials (http on loopback only)");

const schema = z.object({
  LLM_BASE_URL: url,
  LLM_MODEL: z.string().max(200),
  LLM_API_KEY: z.string().optional(),
  LLM_SYSTEM_PROMPT: z
    .string()
    .max(20_000, "must have at most 20000 characters")
    .default("You are the assistant of a shop. You are polite, and your answers are short."),
  LLM_SYSTEM_PROMPT_FILE: z.string().optional(),
  LLM_TIMEZONE: z.string().refine(isZone, "must be a time zone such as Europe/Berlin").default("UTC"),
  // Below the hub's own limit for a bot, so that there is time to hand over.
  LLM_TIMEOUT_SECONDS: z.coerce.number().min(0.1).max(22).default(20),
  LLM_STREAM: z.stringbool("must be true or false").default(true),
  LLM_TURN_STEPS: whole(1, 20).default(6),
  LLM_TURN_TOKENS: whole(4_000, 1_000_000).default(16_000),
  LLM_ANSWER_TOKENS: whole(50, 16_000).default(800),
  LLM_CUSTOMER_DAY_TURNS: whole(1, 100_000).default(100),
  LLM_CUSTOMER_DAY_TOKENS: whole(4_000, 1_000_000_000).default(200_000),
  LLM_INPUT_PRICE: price.optional(),
  LLM_OUTPUT_PRICE: price.optional(),
  LLM_DAY_COST: z.coerce.number().positive().max(1_000_000_000).optional(),
  LLM_EMBEDDINGS_MODEL: z.string().max(200).optional(),
  LLM_EMBEDDINGS_BASE_URL: url.optional(),
  LLM_EMBEDDINGS_API_KEY: z.string().optional(),
});

export type LlmSettings = z.infer<typeof schema>;

/** The settings of the bot. Throws `misconfigured`, and names each variable that is missing or wrong. */
export function llmSettings(env: Env): LlmSettings {
  const settings = settingsOf("BOT=llm", schema, env);
  if (!settings) throw new HubError("misconfigured", "BOT=llm needs LLM_BASE_URL and LLM_MODEL");
  const wrong = contradictionsIn(settings);
  if (wrong.length > 0)
    throw new HubError("misconfigured", `BOT=llm has a wrong setting: ${wrong.join("; ")}`);
  return settings;
}

/** Where the embeddings model is: by default where the language model is. Undefined without such a model. */
export function embeddingsEndpointOf(settings: LlmSettings): Endpoint | undefined {
  const { LLM_EMBEDDINGS_MODEL: model, LLM_EMBEDDINGS_BASE_URL: elsewhere } = settings;
  if (model === undefined) return undefined;
  // The key of one endpoint is never sent to another.
  const apiKey =
    settings.LLM_EMBEDDINGS_API_KEY ?? (elsewhere === undefined ? settings.LLM_API_KEY : undefined);
  return { model, baseUrl: elsewhere ?? settings.LLM_BASE_URL, apiKey };
}

function contradictionsIn(settings: LlmSettings): string[] {
  const { LLM_TURN_TOKENS: turn, LLM_DAY_COST: cost } = settings;
  const hasPrices = settings.LLM_INPUT_PRICE !== undefined && settings.LLM_OUTPUT_PRICE !== undefined;
  const embeddings = embeddingsEndpointOf(settings);
  return [
    // Under Node the file's text is in LLM_SYSTEM_PROMPT already.
    ...(settings.LLM_SYSTEM_PROMPT_FILE !== undefined
      ? [
          "LLM_SYSTEM_PROMPT_FILE: a Worker reads no files; npm run setup puts the text into LLM_SYSTEM_PROMPT",
        ]
      : []),
    ...(embeddings && embeddings.apiKey === undefined && !isLoopback(embeddings.baseUrl)
      ? ["LLM_EMBEDDINGS_API_KEY is missing; only a model on this machine needs none"]
      : []),
    ...(!embeddings && (settings.LLM_EMBEDDINGS_BASE_URL ?? settings.LLM_EMBEDDINGS_API_KEY) !== undefined
      ? ["LLM_EMBEDDINGS_MODEL is missing"]
      : []),
    ...(settings.LLM_API_KEY === undefined && !isLoopback(settings.LLM_BASE_URL)
      ? ["LLM_API_KEY is missing; only a model on this machine needs none"]
      : []),
    ...(settings.LLM_ANSWER_TOKENS * 4 > turn
      ? ["LLM_ANSWER_TOKENS must be at most a quarter of LLM_TURN_TOKENS"]
      : []),
    ...(settings.LLM_CUSTOMER_DAY_TOKENS < turn
      ? ["LLM_CUSTOMER_DAY_TOKENS must be at least LLM_TURN_TOKENS"]
      : []),
    ...(cost !== undefined && !hasPrices ? ["LLM_DAY_COST needs LLM_INPUT_PRICE and LLM_OUTPUT_PRICE"] : []),
  ];
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
