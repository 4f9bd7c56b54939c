import sqlDriver from "postgres";
import { expect, test } from "vitest";
import { HOLD_MS, WINDOW_MARGIN_MS } from "../../src/core/deliver/window.ts";
import { type IdentityKind, strengthOf } from "../../src/core/identity/identity.ts";
import { CODE_MS, CODE_TRIES, FRESH_MS, LINK_MS } from "../../src/core/identity/proofs.ts";
import { PATCH_DEPTH, PATCH_KEYS, PATCH_OBJECTS } from "../../src/core/json.ts";
import { STATUS_LADDER } from "../../src/core/messages/message.ts";
import { HISTOGRAM_BOUNDS_MS } from "../../src/core/operations.ts";
import { RATING_CHANGES_MS } from "../../src/core/sessions/rating.ts";
import { DOCUMENT_BYTES, MOST_FOUND } from "../../src/core/sessions/session.ts";
import { GOODBYE_MS } from "../../src/core/sessions/sessions.ts";
import { DEAD_LETTER_DAYS, ERASED_DAYS } from "../../src/core/sweep/housekeeping.ts";
import { MOST_ENDPOINTS } from "../../src/features/endpoints/endpoint.ts";
import { RESTING_AFTER } from "../../src/features/endpoints/post-lanes.ts";
import { STAFF_IDLE_MS, STAFF_MS } from "../../src/features/staff/staff.ts";
import { EXPIRED_THREAD_DAYS, THREAD_BYTES } from "../../src/features/threads/thread.ts";
import { IDEMPOTENCY_MS } from "../../src/http/idempotency.ts";
import { AT_ONCE_MS } from "../../src/stores/memory/tables.ts";
import { createDatabase } from "../support/stack.ts";

test("numbers and rules that the database and TypeScript both have are the same", async () => {
  const { url } = await createDatabase();
  const sql = sqlDriver(url, { max: 1, onnotice: () => {} });
  const [row] = await sql`select hub.constants() as constants`;
  await sql.end();
  const { identity_ranks, ...constants } = row!.constants;
  expect(constants).toEqual({
    status_ladder: STATUS_LADDER,
    histogram_bounds_ms: HISTOGRAM_BOUNDS_MS,
    document_bytes: DOCUMENT_BYTES,
    patch_keys: PATCH_KEYS,
    patch_objects: PATCH_OBJECTS,
    patch_depth: PATCH_DEPTH,
    fresh_ms: FRESH_MS,
    code_ms: CODE_MS,
    link_ms: LINK_MS,
    code_tries: CODE_TRIES,
    erased_days: ERASED_DAYS,
    dead_letter_days: DEAD_LETTER_DAYS,
    window_margin_ms: WINDOW_MARGIN_MS,
    hold_ms: HOLD_MS,
    dispatch_ms: 90 * 86_400_000,
    found_sessions: MOST_FOUND,
    rating_changes_ms: RATING_CHANGES_MS,
    goodbye_ms: GOODBYE_MS,
    idempotency_ms: IDEMPOTENCY_MS,
    thread_bytes: THREAD_BYTES,
    expired_thread_days: EXPIRED_THREAD_DAYS,
    staff_ms: STAFF_MS,
    staff_idle_ms: STAFF_IDLE_MS,
    most_endpoints: MOST_ENDPOINTS,
    resting_after: RESTING_AFTER,
    at_once_ms: AT_ONCE_MS,
  });
  expect(Object.keys(identity_ranks)).toContain("telegram_chat_id");
  for (const [kind, rank] of Object.entries(identity_ranks))
    expect([kind, strengthOf(kind as IdentityKind)]).toEqual([kind, rank]);
});
