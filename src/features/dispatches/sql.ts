import { type Row, toDelivery, toEffects, toRecord } from "../../stores/rows.ts";
import { toReply } from "../../stores/sql/conversations.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Dispatch, Rendering } from "./dispatch.ts";
import type { Dispatches } from "./dispatches.ts";

/** `Dispatches` over functions of the database. `people` has the arguments of calls that may open sessions. */
export function sqlDispatches(ask: SqlCall, people: Row): Dispatches {
  return {
    async send({ renderings, ...dispatch }, sending) {
      const row = await ask("hub_send", {
        ...people,
        ...dispatch,
        ...sending,
        renderings: Object.fromEntries(Object.entries(renderings).map(([name, one]) => [name, toRow(one)])),
      });
      const { replayed } = row;
      return {
        dispatch: toRecord<Dispatch>(row.dispatch),
        replayed: replayed as boolean,
        effects: toEffects(row),
      };
    },
    get: async (dispatch_id) => toRecord<Dispatch>((await ask("hub_dispatch", { dispatch_id })).dispatch),
    async cancel(dispatch_id, by) {
      return toRecord<Dispatch>((await ask("hub_cancel_dispatch", { ...by, dispatch_id })).dispatch);
    },
    async place(limit, now) {
      const { placed, failed, deliveries } = await ask("hub_place_dispatches", { ...people, limit, now });
      return {
        placed: placed as number,
        failed: failed as number,
        deliveries: (deliveries as Row[]).map(toDelivery),
      };
    },
  };
}

/** The columns of a rendering. */
export function toRow({ outside, account, address, ...reply }: Rendering): Row {
  return { ...toReply(reply), outside, account, address };
}
