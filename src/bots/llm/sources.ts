import { textIn } from "../../core/texts/text-in.ts";
import type { KnowledgeHit } from "../../features/knowledge/knowledge.ts";

/** The documents that an attempt has seen, numbered from 1 for the model. */
export interface Sources {
  /** The number of a part's document. */
  numberOf(hit: KnowledgeHit): number;
  /** The text, with the documents named that it refers to by number. Numbers of no document are taken out. */
  named(text: string, language: string | undefined): string;
}

export function newSources(): Sources {
  const seen: KnowledgeHit[] = [];
  return {
    numberOf(hit) {
      const place = seen.findIndex(({ knowledge_id }) => knowledge_id === hit.knowledge_id);
      return place < 0 ? seen.push(hit) : place + 1;
    },
    named(text, language) {
      if (seen.length === 0) return text;
      const used = new Set<number>();
      const kept = text.replace(/ ?\[(\d{1,3})\]/g, (mark, digits: string) => {
        const number = Number(digits);
        if (number < 1 || number > seen.length) return "";
        used.add(number);
        return mark;
      });
      if (used.size === 0) return kept;
      const sources = [...used]
        .sort((a, b) => a - b)
        .map((number) => {
          const { title, url } = seen[number - 1]!;
          return `[${number}] ${title}${url ? ` (${url})` : ""}`;
        });
      return `${kept}\n\n${textIn(language, "sources", { sources: sources.join(", ") })}`;
    },
  };
}
