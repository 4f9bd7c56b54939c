import type { JsonObject } from "../../core/json.ts";
import type { CustomerRef } from "../../features/privacy/privacy.ts";
import { newId, type Tables } from "./tables.ts";

/** Adds a line to the audit. */
export function addAudit(
  tables: Tables,
  line: { actor: string; action: string; of: CustomerRef | string; details: JsonObject },
  now: Date,
): void {
  const { actor, action, of, details } = line;
  const subject =
    typeof of === "string"
      ? of
      : "customer_id" in of
        ? `customer:${of.customer_id}`
        : `session:${of.session_id}`;
  tables.audit.push({ audit_id: newId(tables, now), at: now, actor, action, subject, details });
}
