import { type Row, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { OptOut } from "./opt-out.ts";
import type { OptOuts } from "./opt-outs.ts";

/** `OptOuts` over functions of the database. */
export function sqlOptOuts(ask: SqlCall): OptOuts {
  const read = ({ opt_outs }: Row) => (opt_outs as Row[]).map((row) => toRecord<OptOut>(row));
  return {
    list: async (of) => read(await ask("hub_opt_outs", { ...of })),
    set: async (of, which, by) => read(await ask("hub_set_opt_out", { ...of, ...which, ...by })),
  };
}
