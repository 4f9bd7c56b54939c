import { HubError, toHubError } from "../../core/errors.ts";
import type { Row } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Answer, Statistics } from "./statistics.ts";

/** `Statistics` over functions of the database. */
export function sqlStatistics(ask: SqlCall): Statistics {
  return {
    async figures(query) {
      return toAnswer(await ranged(() => ask("hub_stats", { ...query })));
    },
    async count(limit) {
      const { counted, more } = await ask("hub_count_statistics", { limit });
      return { counted: counted as number, more: more as boolean };
    },
  };
}

function toAnswer({ as_of, age_ms, from, to, rows, total }: Row): Answer {
  return {
    as_of: new Date(as_of as string),
    age_ms: age_ms as number,
    from: new Date(from as string),
    to: new Date(to as string),
    rows: rows as Answer["rows"],
    total: total as Answer["total"],
  };
}

/** Adds a text to the database's refusal, which is a code only. */
async function ranged(call: () => Promise<Row>): Promise<Row> {
  try {
    return await call();
  } catch (error) {
    const { code, details } = toHubError(error);
    if (code !== "malformed" || details?.reason !== "range") throw error;
    throw new HubError(
      code,
      "from, to: from must be before to, and the time between them at most 400 days, by hour 32",
      { cause: error },
    );
  }
}
