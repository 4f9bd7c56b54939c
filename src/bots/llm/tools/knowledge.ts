import { z } from "zod";
import { type Tool, toolOf } from "./tool.ts";

const MOST = 4;

export const searchKnowledge: Tool = toolOf(
  "search_knowledge",
  "Searches the shop's documents: opening hours, prices, rules, products. Each result has the number of its document.",
  z.strictObject({
    query: z.string().min(1).max(500).describe("Words of the question, in the language of the documents."),
  }),
  async ({ query }, { features, sources, near }) => {
    const hits = await features.knowledge.search(query, MOST, await near(query));
    return {
      results: hits.map((hit) => ({
        document: sources.numberOf(hit),
        title: hit.title,
        ...(hit.heading && { heading: hit.heading }),
        text: hit.text,
      })),
    };
  },
);
