import {
  cursorOf,
  type Row,
  toAuditLine,
  toCustomer,
  toExportedMessage,
  toExportedSession,
  toRecord,
} from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Dispatch } from "../dispatches/dispatch.ts";
import type { OptOut } from "../opt-outs/opt-out.ts";
import type { Erased, Privacy, UsageOfDay } from "./privacy.ts";

/** The port `Privacy`, by functions of the database. */
export function sqlPrivacy(ask: SqlCall): Privacy {
  return {
    async export(of, after, limit, actor, now) {
      const page = await ask("hub_export", { now, actor, ...of, after, limit });
      return {
        ...(page.customer != null && { customer: toCustomer(page.customer as Row) }),
        ...((page.opt_outs as Row[] | null)?.length && {
          opt_outs: (page.opt_outs as Row[]).map((row) => toRecord<OptOut>(row)),
        }),
        ...((page.dispatches as Row[] | null)?.length && {
          dispatches: (page.dispatches as Row[]).map((row) => toRecord<Dispatch>(row)),
        }),
        ...((page.model_usage as UsageOfDay[] | null)?.length && {
          model_usage: page.model_usage as UsageOfDay[],
        }),
        sessions: (page.sessions as Row[]).map(toExportedSession),
        messages: (page.messages as Row[]).map(toExportedMessage),
        ...cursorOf(page),
      };
    },
    async erase(of, actor, now) {
      return (await ask("hub_erase", { now, actor, ...of })) as unknown as Erased;
    },
    async audit(after, limit) {
      return ((await ask("hub_audit", { after, limit })).lines as Row[]).map(toAuditLine);
    },
  };
}
