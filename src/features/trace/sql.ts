import type { Row } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { TraceFacts, Traces } from "./trace.ts";

/** `Traces` over functions of the database. */
export function sqlTraces(ask: SqlCall): Traces {
  return {
    async trace(of, after, limit) {
      const { found, ...facts } = await ask("hub_trace", { ...of, limit, ...(after && { after }) });
      return { found, ...(plain(facts) as Row) } as unknown as TraceFacts;
    },
  };
}

/** The same without nulls, at any depth, and with instants as dates. */
function plain(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (typeof value === "string") return isInstant(key) ? new Date(value) : value;
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(fields.map(([name, field]) => [name, plain(field, name)]));
}

function isInstant(key: string): boolean {
  return key === "at" || key.endsWith("_at") || key === "last_activity";
}
