import type { BotParts } from "../../core/answer/bot.ts";
import type { Turn } from "../../core/answer/turn.ts";
import { HubError } from "../../core/errors.ts";
import type { Embeddings } from "../../features/knowledge/embeddings.ts";
import type { QuestionVector } from "../../features/knowledge/knowledge.ts";
import type { ModelUsage, UsageLimits } from "../../features/model-usage/model-usage.ts";
import type { Model, ModelAnswer, ModelRequest } from "./model.ts";
import type { LlmSettings } from "./settings.ts";
import { estimateTokens } from "./tokens.ts";
import { sizeOf } from "./transcript.ts";

/** The least room for an answer with which the model is still asked, in tokens. */
const LEAST_ANSWER = 50;

/** The budget of one attempt: of its turn, its customer's day, and the hub's day. */
export interface Budget {
  /** Counts the attempt. Returns the `seq` of the last message that the session's summary covers. */
  begin(): Promise<number | undefined>;
  /**
   * Asks the model, with its tokens set aside before and counted afterwards. Throws `too_many_requests` with the reason `llm_limit_<name>`
   * if that would pass a limit, and what the model throws.
   */
  ask(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer>;
  /** The vector of a text, with its tokens counted as input. Undefined without an embeddings model. Throws as `ask`. */
  embed(text: string, signal: AbortSignal): Promise<QuestionVector | undefined>;
  /** The tokens of the attempt so far. */
  used(): { readonly input_tokens: number; readonly output_tokens: number };
}

interface Accounts {
  readonly model: Model;
  readonly embeddings: Embeddings | undefined;
  readonly usage: ModelUsage;
  readonly settings: LlmSettings;
  readonly turn: Turn;
  readonly parts: BotParts;
}

export function budgetOf({ model, embeddings, usage, settings, turn: { turn_id }, parts }: Accounts): Budget {
  const { LLM_INPUT_PRICE: inputPrice = 0, LLM_OUTPUT_PRICE: outputPrice = 0 } = settings;
  // A price per million tokens, times tokens, is in millionths of the currency.
  const costOf = (input: number, output: number) => input * inputPrice + output * outputPrice;
  const limits: UsageLimits = {
    turns: settings.LLM_CUSTOMER_DAY_TURNS,
    tokens: settings.LLM_CUSTOMER_DAY_TOKENS,
    ...(settings.LLM_DAY_COST !== undefined && { cost: settings.LLM_DAY_COST * 1_000_000 }),
  };
  let left = settings.LLM_TURN_TOKENS;
  const sum = { input_tokens: 0, output_tokens: 0 };
  const spend = async (spending: Parameters<ModelUsage["spend"]>[1]) => {
    const spent = await usage.spend(turn_id, spending, limits, parts.now());
    if ("gone" in spent)
      throw new HubError("unavailable", "the turn no longer exists", { reason: "llm_turn_gone" });
    if ("limit" in spent) throw overLimit(spent.limit);
    return spent;
  };
  return {
    begin: async () => (await spend({ turns: 1 })).summary_seq,
    used: () => ({ ...sum }),
    async embed(text, signal) {
      if (!embeddings) return undefined;
      const input = estimateTokens(text);
      if (input > left) throw overLimit("turn");
      const hold = { tokens: input, cost: costOf(input, 0) };
      await spend({ hold });
      const made = await embeddings.embed([text], signal).catch(async (thrown: unknown) => {
        if (!signal.aborted) await spend({ release: hold });
        throw thrown;
      });
      const used = { input_tokens: made.tokens ?? input, output_tokens: 0 };
      left -= used.input_tokens;
      sum.input_tokens += used.input_tokens;
      await spend({ release: hold, used: { ...used, cost: costOf(used.input_tokens, 0) } });
      return { model: embeddings.model, vector: made.vectors[0]! };
    },
    async ask(request, signal) {
      const input = sizeOf(request.messages) + estimateTokens(JSON.stringify(request.tools));
      const maxTokens = Math.min(request.maxTokens, left - input);
      if (maxTokens < LEAST_ANSWER) throw overLimit("turn");
      left -= input + maxTokens;
      const hold = { tokens: input + maxTokens, cost: costOf(input, maxTokens) };
      await spend({ hold });
      const answer = await model
        .complete({ ...request, maxTokens }, signal)
        .catch(async (thrown: unknown) => {
          // After a timeout nobody knows what the endpoint has used: the tokens stay set aside.
          if (!signal.aborted) await spend({ release: hold });
          throw thrown;
        });
      const used = answer.usage ?? {
        input_tokens: input,
        output_tokens: estimateTokens(answer.text + JSON.stringify(answer.calls)),
      };
      left += hold.tokens - used.input_tokens - used.output_tokens;
      sum.input_tokens += used.input_tokens;
      sum.output_tokens += used.output_tokens;
      await spend({ release: hold, used: { ...used, cost: costOf(used.input_tokens, used.output_tokens) } });
      return answer;
    },
  };
}

function overLimit(name: string): HubError {
  return new HubError("too_many_requests", `the limit is reached: ${name}`, { reason: `llm_limit_${name}` });
}
