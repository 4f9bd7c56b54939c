/** A table that can be exported. */
interface ExportedTable {
  /** In the order of an export. */
  readonly columns: readonly string[];
  /** The most rows read at a time, so that a page stays within a few megabytes. */
  readonly page: number;
}

/**
 * The tables that can be exported, with their columns. No column is a secret, or the hash of one. `customers` has the
 * identities of each.
 */
export const TABLES = {
  customers: {
    page: 200,
    columns:
      "customer_key customer_id name email email_verified phone phone_verified preferred_language plan tags attributes profile identities claimed version created_at updated_at".split(
        " ",
      ),
  },
  sessions: {
    page: 50,
    columns:
      "session_id customer_key previous_session_id channel channels status merged_into language data metadata version message_count rating feedback summary created_at updated_at last_activity expires_at ended_at".split(
        " ",
      ),
  },
  messages: {
    page: 250,
    columns:
      "message_id session_id seq channel account external_id direction role author kind text content reply_to status sent_at created_at edited_at deleted_at reaction pinned_at revisions".split(
        " ",
      ),
  },
  turns: {
    page: 500,
    columns:
      "turn_id session_id message_id channel account address state attempt due_at code reason created_at".split(
        " ",
      ),
  },
  deliveries: {
    page: 500,
    columns:
      "delivery_id message_id session_id parts channel account address state attempt due_at status external_id code reason created_at".split(
        " ",
      ),
  },
  threads: {
    page: 8,
    columns: "thread_id user_id data metadata version created_at updated_at expires_at".split(" "),
  },
  reservations: {
    page: 500,
    columns:
      "reservation_id customer_key session_id name email phone datetime timezone guests notes google_calendar_event_id status version created_at updated_at".split(
        " ",
      ),
  },
  orders: {
    page: 200,
    columns:
      "order_key order_id customer_key session_id payment_intent_id amount currency status items version created_at updated_at".split(
        " ",
      ),
  },
  model_usage: { page: 1_000, columns: "customer_key day turns input_tokens output_tokens".split(" ") },
  audit: { page: 500, columns: "audit_id at actor action subject details".split(" ") },
} satisfies Readonly<Record<string, ExportedTable>>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as [TableName, ...TableName[]];
