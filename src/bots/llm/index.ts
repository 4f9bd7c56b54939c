import type { Answer, Bot } from "../../core/answer/bot.ts";
import type { Turn } from "../../core/answer/turn.ts";
import { HubError, toHubError } from "../../core/errors.ts";
import type { Env } from "../../core/settings.ts";
import { textIn } from "../../core/texts/text-in.ts";
import { withTimeout } from "../../core/timeout.ts";
import { converse } from "./converse.ts";
import { openAiEmbeddings } from "./embeddings.ts";
import { openAiModel } from "./openai.ts";
import { embeddingsEndpointOf, llmSettings } from "./settings.ts";

/** How many earlier messages a turn holds; how many of them the model gets is decided by tokens. */
const HISTORY = 60;
/** How many attempts a turn has. A customer does not wait longer for a model than these minutes; then a person is asked. */
const ATTEMPTS = 3;

/**
 * Answers with a language model, as docs/llm.md describes. When the model fails, is too slow, or a limit is reached, the customer gets one
 * plain sentence, and the session is marked for a person. Throws `misconfigured` for missing and wrong settings.
 */
export default function llm(env: Env) {
  const settings = llmSettings(env);
  const model = openAiModel({
    baseUrl: settings.LLM_BASE_URL,
    apiKey: settings.LLM_API_KEY,
    model: settings.LLM_MODEL,
  });
  const endpoint = embeddingsEndpointOf(settings);
  const embeddings = endpoint && openAiEmbeddings(endpoint);
  const timeoutMs = settings.LLM_TIMEOUT_SECONDS * 1_000;
  return {
    history: HISTORY,
    batch: true,
    needsDatabase: true,
    ...(embeddings && { embeddings }),
    async reply(turn, signal, parts) {
      const { turn_id, attempt } = turn;
      try {
        if (attempt > ATTEMPTS)
          throw new HubError("unavailable", "too many attempts", { reason: "llm_given_up" });
        const answer = await withTimeout(timeoutMs, "llm_timeout", (late) =>
          converse({ settings, model, embeddings }, turn, AbortSignal.any([late, signal]), parts),
        );
        return answer.replies.length > 0 ? answer : { ...answer, replies: sentence(turn) };
      } catch (thrown) {
        const error = toHubError(thrown);
        const { code, reason = code } = error;
        if (!reason.startsWith("llm_") || mayTryAgain(reason, attempt)) throw error;
        parts.log("warn", "llm.handed_over", { turn_id, attempt, reason });
        return handedOver(turn, reason.startsWith("llm_limit_") ? "limit" : "failed");
      }
    },
    giveUp: (turn) => handedOver(turn, "failed"),
  } satisfies Bot;
}

/** Whether another attempt may end better: not after a time limit, a limit of tokens, or a model that says nothing. */
function mayTryAgain(reason: string, attempt: number): boolean {
  return attempt < ATTEMPTS && /^llm_(http_|unreachable|bad_answer)/.test(reason);
}

function handedOver(turn: Turn, reason: "failed" | "limit"): Answer {
  return { replies: sentence(turn), actions: [], handoff: { reason } };
}

/** The sentence of a handover; nothing if it was the last thing that the customer has read. */
function sentence({ session, history }: Turn): Answer["replies"] {
  const text = textIn(session.language, "handed_over");
  const last = history.findLast(({ direction, role }) => direction === "outbound" && role !== "system");
  return last?.text === text ? [] : [{ kind: "text", text }];
}
