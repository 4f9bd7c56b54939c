import type { Answer, BotParts } from "../../core/answer/bot.ts";
import type { Turn } from "../../core/answer/turn.ts";
import { failureOf, HubError, toHubError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { withTimeout } from "../../core/timeout.ts";
import { featuresOf } from "../../features/features.ts";
import type { Embeddings } from "../../features/knowledge/embeddings.ts";
import type { QuestionVector } from "../../features/knowledge/knowledge.ts";
import { type Budget, budgetOf } from "./budget.ts";
import type { Model, ModelAnswer, ModelMessage, ModelRequest } from "./model.ts";
import { systemPrompt } from "./prompt.ts";
import type { LlmSettings } from "./settings.ts";
import { newSources } from "./sources.ts";
import { summarise } from "./summary.ts";
import { TOOL_DESCRIPTIONS, toolRunner } from "./tools/run.ts";
import type { Desk } from "./tools/tool.ts";
import { transcriptOf } from "./transcript.ts";

/** The history's share of a turn's tokens: it is sent again with each step. */
const HISTORY_SHARE = 5;
const MOST_CALLS = 8;
const LONGEST_ANSWER = 16_000;
/** A failure that asks for a longer wait is left to the next attempt. */
const SHORT_WAIT_MS = 2_000;
const FIRST_WAIT_MS = 500;
/** How long a question may wait for its vector. */
const QUESTION_MS = 3_000;

/** With what a bot answers. */
interface Means {
  readonly settings: LlmSettings;
  readonly model: Model;
  readonly embeddings: Embeddings | undefined;
}

/**
 * Answers a turn with the model and its tools. What the tools change, and a new summary, are actions of the answer: they are saved with it, or not
 * at all. Throws what the model and the store throw, `too_many_requests` at a limit, and `unavailable` with the reason `llm_no_answer` if the
 * model says nothing.
 */
export async function converse(
  { settings, model, embeddings }: Means,
  turn: Turn,
  signal: AbortSignal,
  parts: BotParts,
): Promise<Answer> {
  const features = featuresOf(parts);
  const budget = budgetOf({ model, embeddings, usage: features.modelUsage, settings, turn, parts });
  const covered = await budget.begin();
  const { messages: said, older } = transcriptOf(
    turn,
    covered,
    Math.floor(settings.LLM_TURN_TOKENS / HISTORY_SHARE),
  );
  const { turn_id, session } = turn;
  const system = systemPrompt({
    prompt: settings.LLM_SYSTEM_PROMPT,
    language: session.language,
    timezone: settings.LLM_TIMEZONE,
    now: parts.now(),
    failure: turn.failure,
  });
  const desk: Desk = {
    turn,
    parts,
    features,
    timezone: settings.LLM_TIMEZONE,
    actions: [],
    sources: newSources(),
    handoff: undefined,
    near: (text) => nearTo(text, budget, signal, parts.log),
  };
  const summary = summarise(turn, older, budget, signal, (reason) =>
    parts.log("warn", "llm.not_summarised", { turn_id, reason }),
  );
  const ask = (request: ModelRequest) => patiently(() => budget.ask(request, signal), signal);
  const { draft } = parts;
  const onText = settings.LLM_STREAM && draft ? (text: string) => draft.show(wordsOf({ text })) : undefined;
  const dialogue: ModelMessage[] = [{ role: "system", text: system }, ...said];
  let answer: ModelAnswer;
  let steps = 0;
  try {
    const runner = toolRunner(desk);
    do {
      steps += 1;
      const mayCall = steps < settings.LLM_TURN_STEPS;
      answer = await ask({
        messages: dialogue,
        tools: TOOL_DESCRIPTIONS,
        mayCall,
        maxTokens: settings.LLM_ANSWER_TOKENS,
        ...(onText && { onText }),
      });
      const calls = mayCall ? answer.calls.slice(0, MOST_CALLS) : [];
      if (calls.length === 0) break;
      dialogue.push({ role: "assistant", text: answer.text, calls });
      for (const call of calls)
        dialogue.push({ role: "tool", call_id: call.id, text: await runner.run(call) });
    } while (!signal.aborted);
  } finally {
    // It ends by itself, and never rejects; its tokens are counted before the turn ends.
    await summary;
    parts.log("info", "llm.turn", { turn_id, steps, ...budget.used() });
  }
  const text = wordsOf(answer);
  if (text === "" && !desk.handoff)
    throw new HubError("unavailable", "the model has no answer", { reason: "llm_no_answer" });
  const told = await summary;
  return {
    replies: text === "" ? [] : [{ kind: "text", text: desk.sources.named(text, session.language) }],
    actions: [...desk.actions, ...(told ? [told] : [])],
    ...(desk.handoff && { handoff: desk.handoff }),
  };
}

/** The model's words for the customer, without the thoughts that some models put before them. */
function wordsOf({ text }: Pick<ModelAnswer, "text">): string {
  return text
    .replace(/^\s*<think>[\s\S]*?(<\/think>|$)/, "")
    .trim()
    .slice(0, LONGEST_ANSWER)
    .toWellFormed();
}

/** The vector of a question. Undefined if there is no embeddings model, or if it fails: documents are then found by their words. */
async function nearTo(
  text: string,
  budget: Budget,
  signal: AbortSignal,
  log: Log,
): Promise<QuestionVector | undefined> {
  try {
    return await withTimeout(QUESTION_MS, "llm_timeout", (late) =>
      budget.embed(text, AbortSignal.any([late, signal])),
    );
  } catch (thrown) {
    log("warn", "knowledge.not_embedded", failureOf(toHubError(thrown)));
    return undefined;
  }
}

/** Asks a second time after a short failure. */
async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    const { code, retryAfterMs = FIRST_WAIT_MS, reason = "" } = toHubError(thrown);
    const isShort = retryAfterMs <= SHORT_WAIT_MS && !signal.aborted;
    if (!isShort || !["unavailable", "throttled"].includes(code) || !reason.startsWith("llm_")) throw thrown;
    await new Promise((go) => setTimeout(go, retryAfterMs));
    return ask();
  }
}
