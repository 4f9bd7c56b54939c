import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { withTimeout } from "../../core/timeout.ts";
import type { Embedded, Embeddings } from "./embeddings.ts";
import type { KnowledgePart } from "./knowledge.ts";

/** How many parts one request to the model has. */
const AT_ONCE = 16;
const REQUEST_MS = 20_000;

/**
 * Has the vectors made that parts of documents lack, in batches, and begins none after `ms`. Without an embeddings model, and in a database
 * that does not compare vectors, there is nothing to do. Returns how many parts have one now. It logs failures instead of throwing: documents are
 * found by their words, and the next sweep goes on.
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
      const kept = await knowledge.embed(embeddings.model, await vectorsOf(hub, embeddings, parts));
      embedded += kept;
      // Somebody else holds them.
      if (kept === 0) break;
    }
  } catch (thrown) {
    hub.log("warn", "knowledge.not_embedded", failureOf(toHubError(thrown)));
  }
  return embedded;
}

type PartWithVector = KnowledgePart & { readonly vector: readonly number[] | null };

/** The parts with their vectors; null for a part that the model refuses by itself. */
async function vectorsOf(
  hub: Hub,
  embeddings: Embeddings,
  parts: readonly KnowledgePart[],
): Promise<PartWithVector[]> {
  let made: Embedded;
  try {
    made = await withTimeout(REQUEST_MS, "llm_timeout", (signal) =>
      embeddings.embed(
        parts.map(({ text }) => text),
        signal,
      ),
    );
  } catch (thrown) {
    const error = toHubError(thrown);
    if (error.code !== "rejected") throw error;
    if (parts.length === 1) {
      const { knowledge_id, place } = parts[0]!;
      hub.log("warn", "knowledge.part_refused", { knowledge_id, place, ...failureOf(error) });
      return [{ ...parts[0]!, vector: null }];
    }
    const half = Math.ceil(parts.length / 2);
    return [
      ...(await vectorsOf(hub, embeddings, parts.slice(0, half))),
      ...(await vectorsOf(hub, embeddings, parts.slice(half))),
    ];
  }
  return parts.map((part, i) => ({ ...part, vector: made.vectors[i]! }));
}
