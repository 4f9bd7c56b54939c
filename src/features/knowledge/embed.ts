import { failureOf, HubError, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { withTimeout } from "../../core/timeout.ts";
import type { Embeddings } from "./embeddings.ts";
import type { KnowledgePart } from "./knowledge.ts";

/** How many parts one request to the model has. */
const AT_ONCE = 16;

/**
 * Has the vectors made that parts of documents lack, in batches. After `ms` it begins no request, and ends the one on its way. Without an
 * embeddings model, and in a database that does not compare vectors, there is nothing to do. Returns how many parts have one now. It logs
 * failures instead of throwing: documents are found by their words, and the next sweep goes on.
 */
export async function embedKnowledge(hub: Hub, ms: number): Promise<number> {
  const { embeddings } = hub.bot;
  const knowledge = hub.store.features?.knowledge;
  if (!embeddings || !knowledge) return 0;
  const ends = hub.now().getTime() + ms;
  let embedded = 0;
  try {
    while (hub.now().getTime() < ends) {
      const parts = await knowledge.unembedded(embeddings.model, AT_ONCE);
      if (parts.length === 0) break;
      const { made, refused, failure } = await vectorsOf(hub, embeddings, parts, ends);
      // An endpoint answers 400 to a wrong key or a spent budget too. Only the vector of another part shows that it means the text.
      if (made.length === 0)
        throw (
          failure ??
          new HubError("unavailable", "the embeddings model has made no vector of a batch", {
            reason: refused[0]?.error.reason ?? "llm_timeout",
          })
        );
      for (const { part, error } of refused) {
        const { knowledge_id, place } = part;
        hub.log("warn", "knowledge.part_refused", { knowledge_id, place, ...failureOf(error) });
      }
      const kept = await knowledge.embed(embeddings.model, [
        ...made,
        ...refused.map(({ part }) => ({ ...part, vector: null })),
      ]);
      embedded += kept;
      if (failure) throw failure;
      // Somebody else holds them.
      if (kept === 0) break;
    }
  } catch (thrown) {
    // With parts embedded before, the end of the time is no failure.
    if (embedded === 0 || hub.now().getTime() < ends)
      hub.log("warn", "knowledge.not_embedded", failureOf(toHubError(thrown)));
  }
  return embedded;
}

interface Answers {
  readonly made: readonly (KnowledgePart & { readonly vector: readonly number[] })[];
  /** The parts that the model refuses by themselves. */
  readonly refused: readonly { readonly part: KnowledgePart; readonly error: HubError }[];
  /** Why the other parts have no answer. Absent: all have one, or the time was over. */
  readonly failure?: HubError;
}

/** What the model answers to the parts until `ends`, in milliseconds of the hub's clock. A batch that it refuses is asked again in halves. */
async function vectorsOf(
  hub: Hub,
  embeddings: Embeddings,
  parts: readonly KnowledgePart[],
  ends: number,
): Promise<Answers> {
  const made: Answers["made"][number][] = [];
  const refused: Answers["refused"][number][] = [];
  const batches = [parts];
  for (let batch = batches.shift(); batch; batch = batches.shift()) {
    const left = ends - hub.now().getTime();
    if (left <= 0) break;
    const texts = batch.map(({ text }) => text);
    try {
      const { vectors } = await withTimeout(left, "llm_timeout", (signal) => embeddings.embed(texts, signal));
      made.push(...batch.map((part, i) => ({ ...part, vector: vectors[i]! })));
    } catch (thrown) {
      const error = toHubError(thrown);
      if (error.code !== "rejected") return { made, refused, failure: error };
      const half = Math.ceil(batch.length / 2);
      if (batch.length === 1) refused.push({ part: batch[0]!, error });
      else batches.push(batch.slice(0, half), batch.slice(half));
    }
  }
  return { made, refused };
}
