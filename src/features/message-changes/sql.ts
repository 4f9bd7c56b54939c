import { type Row, toColumns, toDelivery, toMessage } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { MessageChanges } from "./message-changes.ts";

/** `MessageChanges` over functions of the database. `lease` has the arguments of calls that claim deliveries. */
export function sqlMessageChanges(ask: SqlCall, lease: Row): MessageChanges {
  return {
    async channelOf(message_id) {
      return (await ask("hub_message_channel", { message_id })).channel as string;
    },
    async change(message_id, { content, parts }, by, now) {
      const change = toColumns(content);
      const row = await ask("hub_change_message", { now, ...lease, ...by, message_id, change, parts });
      return {
        message: toMessage(row.message as Row),
        changed: row.changed as boolean,
        deliveries: (row.deliveries as Row[]).map(toDelivery),
      };
    },
  };
}
