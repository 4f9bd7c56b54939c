import type { Session } from "../../core/sessions/session.ts";
import type { SessionRow } from "./tables.ts";

/** Ends a session with this status. */
export function retire(
  session: SessionRow["session"],
  status: Exclude<Session["status"], "active">,
  now: Date,
): void {
  session.status = status;
  session.ended_at = now;
  session.updated_at = now;
  session.version += 1;
}
