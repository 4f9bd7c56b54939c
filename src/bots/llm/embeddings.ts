import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import type { Embeddings } from "../../features/knowledge/embeddings.ts";
import { type Endpoint, openAiClient, toFailure } from "./client.ts";

/** The largest answer that is read, in bytes: 16 vectors of 4,096 numbers are about 1.4 MB. */
const MOST_BYTES = 8 * 1024 * 1024;
/** The longest vector that pgvector takes. */
const MOST_DIMENSIONS = 16_000;
/** Postgres refuses smaller numbers of the type real, other than zero. */
const LEAST = 1e-30;

const answerSchema = z.object({
  data: z.array(
    z.object({
      index: z.number().int().min(0),
      embedding: z.array(z.number().min(-1e6).max(1e6)).min(1).max(MOST_DIMENSIONS),
    }),
  ),
  usage: z
    .object({ prompt_tokens: z.number().int().min(0).max(10_000_000) })
    .nullish()
    .catch(undefined),
});

/** Any endpoint that speaks OpenAI's protocol of embeddings: https://platform.openai.com/docs/api-reference/embeddings */
export function openAiEmbeddings({ baseUrl, apiKey, model }: Endpoint): Embeddings {
  const client = openAiClient({ baseUrl, apiKey, mostBytes: MOST_BYTES });
  return {
    model,
    async embed(texts, signal) {
      try {
        const asked = client.embeddings.create(
          { model, input: [...texts], encoding_format: "float" },
          { signal },
        );
        return embeddedOf(await (await asked.asResponse()).json(), texts.length);
      } catch (thrown) {
        const failure = toFailure(thrown, signal);
        throw /^llm_http_(400|413|422)$/.test(failure.reason ?? "")
          ? new HubError("rejected", "the embeddings model refuses a text", { reason: failure.reason! })
          : failure;
      }
    },
  };
}

function embeddedOf(given: unknown, texts: number) {
  const read = answerSchema.safeParse(given);
  const vectors: number[][] = [];
  for (const { index, embedding } of read.data?.data ?? [])
    vectors[index] = embedding.map((x) => (Math.abs(x) < LEAST ? 0 : x));
  const isWhole =
    vectors.length === texts &&
    Object.keys(vectors).length === texts &&
    // The distance from a vector of zeros is no number.
    vectors.every((vector) => vector.length === vectors[0]!.length && vector.some((x) => x !== 0));
  if (!isWhole)
    throw new HubError("unavailable", "the embeddings cannot be read", { reason: "llm_bad_answer" });
  const tokens = read.data?.usage?.prompt_tokens;
  return { vectors, ...(tokens !== undefined && { tokens }) };
}
