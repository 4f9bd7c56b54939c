import type { SqlCall } from "../../stores/sql.ts";
import type { ModelUsage, Spent } from "./model-usage.ts";

const NOTHING = { tokens: 0, cost: 0 };

/** `ModelUsage` over a function of the database. */
export function sqlModelUsage(ask: SqlCall): ModelUsage {
  return {
    async spend(turn_id, { turns = 0, hold = NOTHING, release = NOTHING, used }, limits, now) {
      const { gone, limit, summary_seq } = await ask("hub_spend_tokens", {
        now,
        turn_id,
        turns,
        hold,
        release,
        used: used ?? { input_tokens: 0, output_tokens: 0, cost: 0 },
        limits,
      });
      if (gone) return { gone: true };
      if (limit != null) return { limit } as Spent;
      return summary_seq == null ? {} : { summary_seq: summary_seq as number };
    },
  };
}
