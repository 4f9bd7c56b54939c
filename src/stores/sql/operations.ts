import type { Operations } from "../../core/operations.ts";
import { type Row, toDeadLetter, toMetrics } from "../rows.ts";
import type { SqlCall } from "../sql.ts";
import { toDue } from "./conversations.ts";

/** The operators' calls in Postgres. */
export function sqlOperations(ask: SqlCall, lease: Row): Operations {
  return {
    async deadLetters(after, limit, session_id) {
      const { dead_letters } = await ask("hub_dead_letters", { after, limit, session_id });
      return (dead_letters as Row[]).map(toDeadLetter);
    },
    async retry(id, by, now) {
      const row = await ask("hub_retry", { now, ...lease, ...by, id });
      return row.found ? { found: true, ...toDue(row) } : { found: false };
    },
    async count(key) {
      await ask("hub_count", { key });
    },
    async metrics() {
      return toMetrics(await ask("hub_metrics", {}));
    },
  };
}
