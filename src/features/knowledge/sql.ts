import { type Row, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import { chunksOf } from "./chunks.ts";
import type {
  Knowledge,
  KnowledgeDocument,
  KnowledgeHit,
  KnowledgePart,
  KnowledgeSummary,
} from "./knowledge.ts";

/** `Knowledge` over functions of the database. */
export function sqlKnowledge(ask: SqlCall): Knowledge {
  return {
    async put(knowledge_id, fields, actor, now) {
      const chunks = chunksOf(fields.text, fields.format);
      const { document, created } = await ask("hub_put_knowledge", {
        now,
        actor,
        knowledge_id,
        fields,
        chunks,
      });
      return { document: toRecord<KnowledgeDocument>(document), created: created as boolean };
    },
    async get(knowledge_id) {
      return toRecord<KnowledgeDocument>((await ask("hub_get_knowledge", { knowledge_id })).document);
    },
    async delete(knowledge_id, actor, now) {
      return (await ask("hub_delete_knowledge", { now, actor, knowledge_id })).deleted as boolean;
    },
    async list(after, limit) {
      const page = await ask("hub_list_knowledge", { limit, ...(after !== undefined && { after }) });
      return {
        items: (page.documents as Row[]).map(toRecord<KnowledgeSummary>),
        ...(page.after != null && { after: page.after as string }),
      };
    },
    async search(query, limit, near) {
      const { results } = await ask("hub_search_knowledge", { query, limit, ...(near && { near }) });
      return (results as Row[]).map(toRecord<KnowledgeHit>);
    },
    async unembedded(model, limit) {
      return (await ask("hub_unembedded_knowledge", { model, limit })).parts as KnowledgePart[];
    },
    async embed(model, parts) {
      const rows = parts.map(({ knowledge_id, place, hash, vector }) => ({
        knowledge_id,
        place,
        hash,
        vector,
      }));
      return (await ask("hub_embed_knowledge", { model, parts: rows })).embedded as number;
    },
  };
}
