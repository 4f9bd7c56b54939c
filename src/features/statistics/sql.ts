import { HubError, toHubError } from "../../core/errors.ts";
import type { Row } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Answer, Statistics } from "./statistics.ts";

/** `Statistics` over functions of the database. */
export function sqlStatistics(ask: SqlCall): Statistics {
  return {
    async figures(query) {
      return toAnswer(await explained(() => ask("hub_stats", { ...query })));
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

const REASONS: Readonly<Record<string, string>> = {
  range: "from, to: from must be before to, and the time between them at most 400 days, by hour 32",
  tz: "tz: must be the name of a time zone, such as Asia/Kolkata",
};

/** Adds a text to the database's refusal, which is a code only. */
async function explained(call: () => Promise<Row>): Promise<Row> {
  try {
    return await call();
  } catch (error) {
    const { code, details } = toHubError(error);
    const text = code === "malformed" && REASONS[`${details?.reason}`];
    if (!text) throw error;
    throw new HubError(code, text, { cause: error });
  }
}
