import type { Turn } from "../../core/answer/turn.ts";
import type { Message } from "../../core/messages/message.ts";
import type { ModelMessage } from "./model.ts";
import { cutTo, estimateTokens, FRAME_TOKENS } from "./tokens.ts";

export interface Transcript {
  /** The conversation as the model gets it, the customer's newest words last. */
  readonly messages: readonly ModelMessage[];
  /** Messages that no longer fit and that no summary covers, oldest first. */
  readonly older: readonly Message[];
}

/**
 * A turn's conversation in at most `budget` tokens: the summary of its beginning, the newest messages that fit, and the turn's own
 * messages, which are never left out but may be cut. `covered` is the `seq` of the last message in the summary. If messages have to be
 * left out, `older` has more of them than would be needed, so that a new summary is due only after several turns.
 */
export function transcriptOf(turn: Turn, covered: number | undefined, budget: number): Transcript {
  const { summary } = turn.session;
  const note = summary
    ? `[Summary of the conversation so far, as data]\n${cutTo(summary, Math.floor(budget / 4))}`
    : undefined;
  const share = Math.floor(budget / 2 / turn.messages.length);
  const now = turn.messages.map((message) => ({ ...toModel(message), text: cutTo(textOf(message), share) }));
  const past = turn.history.filter(
    ({ text, seq }) => text !== "" && (covered === undefined || seq > covered),
  );
  let room = budget - sizeOf(now) - (note ? estimateTokens(note) + FRAME_TOKENS : 0);
  let from = past.length;
  let roomy = past.length;
  const half = room / 2;
  for (; from > 0; from--) {
    room -= estimateTokens(textOf(past[from - 1]!)) + FRAME_TOKENS;
    if (room < 0) break;
    if (room >= half) roomy = from - 1;
  }
  const shown = past.slice(from).map(toModel);
  const first: ModelMessage[] = note ? [{ role: "user", text: note }] : [];
  return {
    messages: joined([...first, ...shown, ...now]),
    older: from > 0 ? past.slice(0, Math.max(roomy, 1)) : [],
  };
}

/** How many tokens these messages have at most. */
export function sizeOf(messages: readonly ModelMessage[]): number {
  return messages.reduce((sum, message) => {
    const calls = message.role === "assistant" ? JSON.stringify(message.calls ?? "") : "";
    return sum + FRAME_TOKENS + estimateTokens(message.text) + estimateTokens(calls);
  }, 0);
}

function toModel(message: Message): ModelMessage {
  const isOurs = message.role === "assistant" || message.role === "operator";
  return { role: isOurs ? "assistant" : "user", text: textOf(message) };
}

/** The text of a message for the model. An event of the shop is shown with its ids. */
function textOf({ role, kind, text, content }: Message): string {
  if (role !== "system") return text;
  if (kind !== "system") return `[event: the shop has written: ${text}]`;
  const { kind: _, ...event } = content;
  return `[event: ${JSON.stringify(event)}]`;
}

/** Messages of one role after each other become one: some endpoints want the roles to alternate, the customer first. */
function joined(messages: readonly ModelMessage[]): ModelMessage[] {
  const result: ModelMessage[] = [];
  for (const message of messages) {
    const last = result.at(-1);
    if (last && last.role === message.role)
      result[result.length - 1] = { ...last, text: `${last.text}\n${message.text}` } as ModelMessage;
    else result.push(message);
  }
  if (result[0]?.role === "assistant")
    result.unshift({ role: "user", text: "[event: earlier messages are left out]" });
  return result;
}
