import type { Housekeeping } from "../../core/sweep/housekeeping.ts";
import type { SqlCall } from "../sql.ts";

/** Expiry and retention in Postgres. */
export function sqlHousekeeping(ask: SqlCall): Housekeeping {
  return {
    expire: async (now, limit) => (await ask("hub_expire", { now, limit })).expired as number,
    purge: async (before, limit, retention) =>
      (await ask("hub_purge", { before, limit, ...retention })).purged as number,
  };
}
