import { type ErrorCode, HubError } from "../core/errors.ts";
import { NOTICES } from "../core/identity/notices.ts";
import type { Operations } from "../core/operations.ts";
import { TOO_LARGE } from "../core/sessions/session.ts";
import type { Store, StoreSettings } from "../core/store.ts";
import type { Housekeeping } from "../core/sweep/housekeeping.ts";
import { sqlPrivacy } from "../features/privacy/sql.ts";
import { type Row, toDeadLetter, toMetrics } from "./rows.ts";
import { sqlConversations, toDue } from "./sql/conversations.ts";
import { sqlProofs } from "./sql/proofs.ts";
import { sqlSessions } from "./sql/sessions.ts";

/**
 * One way to the database: calls a function of `migrations/` by name with its one jsonb argument, in one statement
 * and one round trip. Throws `unavailable` or `throttled`, with the SQLSTATE as `reason` where there is one.
 */
export type SqlCall = (name: SqlFunction, argument: Row) => Promise<Row>;

export type SqlFunction =
  | "hub_receive"
  | "hub_complete"
  | "hub_fail"
  | "hub_settle"
  | "hub_due"
  | "hub_dead_letters"
  | "hub_retry"
  | "hub_metrics"
  | "hub_start"
  | "hub_restore"
  | "hub_find"
  | "hub_ping"
  | "hub_update"
  | "hub_end"
  | "hub_sign_out"
  | "hub_messages"
  | "hub_request_code"
  | "hub_confirm_code"
  | "hub_create_link"
  | "hub_sign_up"
  | "hub_change_password"
  | "hub_log_in"
  | "hub_devices"
  | "hub_revoke_device"
  | "hub_unlink"
  | "hub_export"
  | "hub_erase"
  | "hub_audit"
  | "hub_expire"
  | "hub_purge";

/** Two transactions in each other's way (unique violation, serialisation, deadlock): nothing happened, so again. */
export const COLLISIONS = new Set(["23505", "40001", "40P01"]);
const TRIES = 4;

const SAYS: Partial<Record<ErrorCode, string>> = {
  session_not_found: "there is no such session, or it has ended",
  session_expired: "the session has expired",
  merge_required: "the two are known as different customers",
  version_conflict: "the session has moved on from that version",
  payload_too_large: TOO_LARGE,
  verification_required: "who this is has to be proven first",
  code_invalid: "the code is wrong or no longer valid",
  password_invalid: "phone and password do not belong together",
  too_many_requests: "too many tries; wait a while",
};

/** The store whose every state change is a Postgres function, over whatever transport `call` is. */
export function sqlStore(call: SqlCall, settings: StoreSettings): Store {
  const ask = async (name: SqlFunction, argument: Row): Promise<Row> => {
    const row = await tryAgain(() => call(name, argument));
    if (typeof row.error === "string") {
      const wait = row.retry_after_ms == null ? {} : { retryAfterMs: Number(row.retry_after_ms) };
      throw new HubError(row.error as ErrorCode, SAYS[row.error as ErrorCode] ?? row.error, wait);
    }
    return row;
  };
  const { history, language, batch, pace } = settings;
  const lease = { lease_ms: settings.leaseMs, patience_ms: settings.patienceMs, history, batch, pace };
  const { kioskIdleMs: kiosk_idle_ms, notices = NOTICES } = settings;
  const opening = { ttl_ms: settings.sessionTtlMs, language, kiosk_idle_ms };
  const people = { ...lease, ...opening, notices };
  return {
    conversations: sqlConversations(ask, lease, people),
    sessions: sqlSessions(ask, people),
    housekeeping: sqlHousekeeping(ask),
    operations: sqlOperations(ask, lease),
    proofs: sqlProofs(ask, people),
    privacy: sqlPrivacy(ask),
    ping: async () => {
      await ask("hub_ping", {});
    },
  };
}

function sqlOperations(ask: SqlCall, lease: Row): Operations {
  return {
    async deadLetters(after, limit, session_id) {
      return ((await ask("hub_dead_letters", { after, limit, session_id })).dead_letters as Row[]).map(
        toDeadLetter,
      );
    },
    async retry(id, now) {
      const row = await ask("hub_retry", { now, ...lease, id });
      return row.found ? { found: true, ...toDue(row) } : { found: false };
    },
    async metrics() {
      return toMetrics(await ask("hub_metrics", {}));
    },
  };
}

function sqlHousekeeping(ask: SqlCall): Housekeeping {
  return {
    expire: async (now, limit) => (await ask("hub_expire", { now, limit })).expired as number,
    purge: async (before, limit, retention) =>
      (await ask("hub_purge", { before, limit, ...retention })).purged as number,
  };
}

/** What no table can hold (SQLSTATE classes 22 and 54) will not get better by asking again. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof HubError) || !/^(22|54)\w{3}$/.test(error.reason ?? "")) return error;
  const { reason, cause } = error;
  return new HubError("malformed", "the database cannot keep this", { ...(reason && { reason }), cause });
}

async function tryAgain<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const collided = error instanceof HubError && COLLISIONS.has(error.reason ?? "");
      if (!collided || attempt === TRIES) throw refusalOf(error);
    }
  }
}
