import { HubError } from "../core/errors.ts";
import type { Store, StoreSettings } from "../core/store.ts";
import { sqlPrivacy } from "../features/privacy/sql.ts";
import { sqlFeatures } from "../features/sql.ts";
import { sqlThreads } from "../features/threads/sql.ts";
import { THREAD_TTL_MS } from "../features/threads/thread.ts";
import type { Row } from "./rows.ts";
import { sqlConversations } from "./sql/conversations.ts";
import { sqlHousekeeping } from "./sql/housekeeping.ts";
import { sqlOperations } from "./sql/operations.ts";
import { sqlProofs } from "./sql/proofs.ts";
import { returnedRefusal } from "./sql/refusals.ts";
import { sqlSessions } from "./sql/sessions.ts";

/**
 * One transport to the database: calls a function of `migrations/` by name, with its one jsonb argument, in one
 * statement and one round trip. Throws the function's refusal as its `HubError`. Every other failure is `unavailable`
 * or `throttled`, with the SQLSTATE as `reason` where there is one.
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
  | "hub_count"
  | "hub_metrics"
  | "hub_start"
  | "hub_restore"
  | "hub_find"
  | "hub_ping"
  | "hub_update"
  | "hub_end"
  | "hub_rate"
  | "hub_set_language"
  | "hub_sessions"
  | "hub_windows"
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
  | "hub_put_thread"
  | "hub_thread"
  | "hub_delete_thread"
  | "hub_threads"
  | "hub_threads_kept"
  | "hub_get_customer"
  | "hub_find_customers"
  | "hub_save_customer"
  | "hub_merge_customers"
  | "hub_duplicate_customers"
  | "hub_create_reservation"
  | "hub_update_reservation"
  | "hub_get_reservation"
  | "hub_find_reservations"
  | "hub_create_order"
  | "hub_update_order"
  | "hub_get_order"
  | "hub_find_orders"
  | "hub_calendar"
  | "hub_add_calendar_feed"
  | "hub_calendar_feeds"
  | "hub_delete_calendar_feed"
  | "hub_search"
  | "hub_index_messages"
  | "hub_search_lag"
  | "hub_begin_template_sync"
  | "hub_save_templates"
  | "hub_update_template"
  | "hub_templates"
  | "hub_template"
  | "hub_create_campaign"
  | "hub_run_campaigns"
  | "hub_steer_campaign"
  | "hub_campaign"
  | "hub_campaigns"
  | "hub_send"
  | "hub_dispatch"
  | "hub_cancel_dispatch"
  | "hub_place_dispatches"
  | "hub_opt_outs"
  | "hub_set_opt_out"
  | "hub_create_endpoint"
  | "hub_endpoints"
  | "hub_update_endpoint"
  | "hub_delete_endpoint"
  | "hub_rotate_secret"
  | "hub_replay_events"
  | "hub_dead_events"
  | "hub_due_endpoints"
  | "hub_next_events"
  | "hub_events_state"
  | "hub_export_table"
  | "hub_segment"
  | "hub_stats"
  | "hub_count_statistics"
  | "hub_trace"
  | "hub_put_knowledge"
  | "hub_get_knowledge"
  | "hub_delete_knowledge"
  | "hub_list_knowledge"
  | "hub_search_knowledge"
  | "hub_unembedded_knowledge"
  | "hub_embed_knowledge"
  | "hub_spend_tokens"
  | "hub_staff_sign_in"
  | "hub_staff"
  | "hub_staff_sign_out"
  | "hub_users"
  | "hub_add_user"
  | "hub_update_user"
  | "hub_conversations"
  | "hub_conversation"
  | "hub_conversation_messages"
  | "hub_conversations_of"
  | "hub_hold"
  | "hub_reply_target"
  | "hub_operator_reply"
  | "hub_add_note"
  | "hub_delete_note"
  | "hub_presence"
  | "hub_desk_changes"
  | "hub_canned_replies"
  | "hub_save_canned_reply"
  | "hub_handoff_figures"
  | "hub_conversation_dead_letters"
  | "hub_export_conversation"
  | "hub_mark_overdue"
  | "hub_conversations_state"
  | "hub_media"
  | "hub_message_channel"
  | "hub_change_message"
  | "hub_begin_upload"
  | "hub_finish_upload"
  | "hub_claim_upload"
  | "hub_send_upload"
  | "hub_keep_platform_id"
  | "hub_uploads_over"
  | "hub_drop_uploads"
  | "hub_delete_upload"
  | "hub_expire"
  | "hub_purge";

/**
 * SQLSTATEs of a collision of two transactions: unique violation, serialization failure, deadlock. The transaction was
 * rolled back, so the call is made again. It waits a random time first, so that the two do not collide again.
 */
export const COLLISIONS = new Set(["23505", "40001", "40P01"]);
const TRIES = 10;
const PAUSE_MS = 10;

/** The store in Postgres. Every method calls one SQL function over the transport `call`. */
export function sqlStore(call: SqlCall, settings: StoreSettings): Store {
  const ask = async (name: SqlFunction, argument: Row): Promise<Row> => {
    const row = await tryAgain(() => call(name, argument));
    const refused = returnedRefusal(row);
    if (refused) throw refused;
    return row;
  };
  const { history, language, languages, batch, pace, notices } = settings;
  const waits = { lease_ms: settings.leaseMs, patience_ms: settings.patienceMs };
  const lease = { ...waits, history, batch, pace, languages };
  const { kioskIdleMs: kiosk_idle_ms } = settings;
  const opening = { ttl_ms: settings.sessionTtlMs, language, kiosk_idle_ms };
  const people = { ...lease, ...opening, notices };
  return {
    conversations: sqlConversations(ask, lease, people),
    sessions: sqlSessions(ask, people),
    housekeeping: sqlHousekeeping(ask),
    operations: sqlOperations(ask, lease),
    proofs: sqlProofs(ask, people),
    privacy: sqlPrivacy(ask),
    threads: sqlThreads(ask, settings.threadTtlMs ?? THREAD_TTL_MS),
    features: sqlFeatures(ask, people),
    ping: async () => {
      await ask("hub_ping", {});
    },
  };
}

/**
 * Turns an error about the data itself (SQLSTATE classes 22 and 54) into `malformed`: another try fails the same way.
 */
function unkept(error: unknown): unknown {
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
      if (!collided || attempt === TRIES) throw unkept(error);
      if (attempt > 1) await new Promise((go) => setTimeout(go, Math.random() * PAUSE_MS * attempt));
    }
  }
}
