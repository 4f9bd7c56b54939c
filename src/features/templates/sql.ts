import type { Template } from "../../core/content/template.ts";
import { cursorOf, type Row, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Templates } from "./templates.ts";

/** `Templates` over functions of the database. */
export function sqlTemplates(ask: SqlCall): Templates {
  const read = (rows: unknown) => (rows as Row[]).map((row) => toRecord<Template>(row));
  return {
    async begin({ channel, account, everyMs }, now) {
      const { due } = await ask("hub_begin_template_sync", { now, channel, account, every_ms: everyMs });
      return due as boolean;
    },
    async save(of, templates, now) {
      await ask("hub_save_templates", { now, ...of, templates });
    },
    async update(update, now) {
      const { applied } = await ask("hub_update_template", { now, ...update });
      return applied as boolean;
    },
    async list(query, after, limit) {
      const page = await ask("hub_templates", { ...query, limit, ...(after !== undefined && { after }) });
      return {
        templates: read(page.templates),
        ...(page.synced_at != null && { synced_at: new Date(page.synced_at as string) }),
        ...cursorOf(page),
      };
    },
    async find(of) {
      const { templates, synced } = await ask("hub_template", of);
      return { templates: read(templates), synced: synced as boolean };
    },
  };
}
