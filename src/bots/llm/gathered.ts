import type { OpenAI } from "openai";
import { Stream } from "openai/core/streaming";
import { z } from "zod";
import { HubError } from "../../core/errors.ts";

const MOST_CALLS = 64;

/** What the hub reads of a piece of an answer. Endpoints that speak the protocol differ in the rest. */
const pieceSchema = z.object({
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            tool_calls: z
              .array(
                z.object({
                  index: z.number().int().min(0).max(MOST_CALLS).nullish(),
                  id: z.string().nullish(),
                  function: z
                    .object({ name: z.string().nullish(), arguments: z.string().nullish() })
                    .nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: z.unknown().optional(),
});

interface Call {
  id: string;
  function: { name: string; arguments: string };
}

/**
 * A streamed answer of a model, in the shape of one that came in one piece. `onText` gets the text so far with each piece. Throws `llm_bad_answer`
 * for a stream that ends before the model has finished.
 */
export async function gathered(
  response: Response,
  client: OpenAI,
  onText: (text: string) => void,
): Promise<unknown> {
  const calls: Call[] = [];
  let text = "";
  let usage: unknown;
  let hasFinished = false;
  for await (const given of Stream.fromSSEResponse<unknown>(
    withoutNames(response),
    new AbortController(),
    client,
  )) {
    const piece = pieceSchema.safeParse(given);
    if (!piece.success) throw unreadable("a piece of the model's answer cannot be read");
    usage = piece.data.usage ?? usage;
    const choice = piece.data.choices?.[0];
    if (!choice) continue;
    hasFinished ||= typeof choice.finish_reason === "string" && choice.finish_reason !== "";
    for (const { index, id, function: part } of choice.delta?.tool_calls ?? []) {
      const place = index ?? calls.length;
      calls[place] ??= { id: "", function: { name: "", arguments: "" } };
      const call = calls[place];
      call.id ||= id ?? "";
      call.function.name += part?.name ?? "";
      call.function.arguments += part?.arguments ?? "";
    }
    const added = choice.delta?.content;
    if (!added) continue;
    text += added;
    onText(text);
  }
  if (!hasFinished) throw unreadable("the model's answer was cut");
  // Places that a stream has left out are no calls.
  return { choices: [{ message: { content: text, tool_calls: calls.filter(Boolean) } }], usage };
}

/**
 * A stream whose events have no names. The client handles names that begin with "thread." in another way: it writes what it cannot read to the
 * console, and an answer of the model belongs into no log.
 */
function withoutNames(response: Response): Response {
  let rest = "";
  const lines = new TransformStream<string, string>({
    transform(chunk, controller) {
      const whole = (rest + chunk).split("\n");
      rest = whole.pop()!;
      for (const line of whole) if (!/^event(:|\r?$)/.test(line)) controller.enqueue(`${line}\n`);
    },
    flush: (controller) => controller.enqueue(rest),
  });
  const body = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(lines);
  return new Response(body?.pipeThrough(new TextEncoderStream()) ?? null, response);
}

function unreadable(why: string): HubError {
  return new HubError("unavailable", why, { reason: "llm_bad_answer" });
}
