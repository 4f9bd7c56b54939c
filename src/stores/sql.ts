import { type ErrorCode, HubError } from "../core/errors.ts";
import { NOTICES } from "../core/notices.ts";
import type {
  Completed,
  Conversations,
  Due,
  Housekeeping,
  Kept,
  Operations,
  Received,
  Sessions,
  Settled,
  Store,
  StoreSettings,
} from "../core/ports.ts";
import type { OutboundReply } from "../core/turn.ts";
import {
  type Row,
  toColumns,
  toDeadLetter,
  toDelivery,
  toEffects,
  toMessage,
  toMetrics,
  toOpened,
  toSession,
  toTurn,
} from "./rows.ts";
import { sqlPrivacy } from "./sql/privacy.ts";
import { sqlProofs } from "./sql/proofs.ts";

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
  version_conflict: "the session has moved on from that version",
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
      await ask("hub_sign_out", { token_hash: "" });
    },
  };
}

function sqlConversations(ask: SqlCall, lease: Row, people: Row): Conversations {
  return {
    async receive(kept, now) {
      const { results } = await ask("hub_receive", { now, ...people, items: kept.map(toItem) });
      return (results as Row[]).map(toReceived);
    },
    async complete({ turn_id, attempt }, replies, now) {
      return toCompleted(
        await ask("hub_complete", { now, ...lease, turn_id, attempt, replies: replies.map(toReply) }),
      );
    },
    async fail({ turn_id, attempt }, failure, retry_at, now) {
      return toCompleted(await ask("hub_fail", { now, ...lease, turn_id, attempt, ...failure, retry_at }));
    },
    async settle(outcomes, now) {
      const { deliveries, changed } = await ask("hub_settle", { now, ...lease, outcomes });
      return { deliveries: (deliveries as Row[]).map(toDelivery), changed: changed as Settled["changed"] };
    },
    async due(now, limit) {
      return toDue(await ask("hub_due", { now, ...lease, limit }));
    },
  };
}

function sqlSessions(ask: SqlCall, people: Row): Sessions {
  const { ttl_ms, kiosk_idle_ms } = people;
  return {
    async start(start, now) {
      return toOpened(await ask("hub_start", { now, ...people, ...start }));
    },
    async restore(who, channel, now) {
      return toOpened(await ask("hub_restore", { now, ...people, ...who, channel }));
    },
    async update(token_hash, { message, ...changes }, now) {
      const kept = message && {
        ...toColumns({ kind: "text", text: message.text }),
        external_id: message.external_id,
        role: message.role,
        ...(message.role === "user" ? { direction: "inbound" } : { direction: "outbound", status: "sent" }),
      };
      return toSession(
        (await ask("hub_update", { now, ttl_ms, kiosk_idle_ms, token_hash, ...changes, message: kept }))
          .session as Row,
      );
    },
    async end(token_hash, now) {
      const { session, token_hashes } = await ask("hub_end", { now, kiosk_idle_ms, token_hash });
      return { session: toSession(session as Row), token_hashes: token_hashes as string[] };
    },
    async signOut(token_hash) {
      return (await ask("hub_sign_out", { token_hash })).signed_out as boolean;
    },
    async messages(of, after, limit, now) {
      const row = await ask("hub_messages", { now, kiosk_idle_ms, ...of, after, limit });
      const messages = (row.messages as Row[]).map(toMessage);
      return {
        session_id: row.session_id as string,
        messages,
        cursor: messages.at(-1)?.seq ?? after,
        more: row.more as boolean,
      };
    },
  };
}

function sqlOperations(ask: SqlCall, lease: Row): Operations {
  return {
    async deadLetters(after, limit) {
      return ((await ask("hub_dead_letters", { after, limit })).dead_letters as Row[]).map(toDeadLetter);
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

function toDue({ turns, deliveries }: Row): Due {
  return { turns: (turns as Row[]).map(toTurn), deliveries: (deliveries as Row[]).map(toDelivery) };
}

function sqlHousekeeping(ask: SqlCall): Housekeeping {
  return {
    expire: async (now, limit) => (await ask("hub_expire", { now, limit })).expired as number,
    purge: async (before, limit, retention) =>
      (await ask("hub_purge", { before, limit, ...retention })).purged as number,
  };
}

function toItem(kept: Kept): Row {
  switch (kept.type) {
    case "message": {
      const { from, content, ...message } = kept.message;
      const sender = "token_hash" in from || "session_id" in from ? from : { identities: from };
      return { type: kept.type, ...message, ...sender, ...toColumns(content) };
    }
    case "echo": {
      const { to, content, ...echo } = kept.echo;
      return { type: kept.type, ...echo, identities: to, ...toColumns(content) };
    }
    case "receipt":
      return { type: kept.type, ...kept.receipt };
    case "edit": {
      const { content, ...edit } = kept.edit;
      return { type: kept.type, ...edit, ...(content && toColumns(content)) };
    }
    case "identity_change":
      return { type: kept.type, identities: kept.change.from, to: kept.change.to };
    case "reachability": {
      const { who, ...rest } = kept.reachability;
      return { type: kept.type, ...rest, identities: who };
    }
  }
}

function toReply({ content, parts }: OutboundReply): Row {
  const whole = parts.length === 1 && JSON.stringify(parts[0]) === JSON.stringify(content);
  return { ...toColumns(content), parts: whole ? [null] : parts.map(({ kind, ...part }) => part) };
}

function toReceived(row: Row): Received {
  const message = row.message ? { message: toMessage(row.message as Row) } : {};
  const turn = row.turn ? { turn: toTurn(row.turn as Row) } : {};
  const effects = toEffects(row);
  if (row.type !== "message")
    return { type: row.type, applied: row.applied, ...message, ...turn, ...effects } as Received;
  return {
    type: "message",
    session: toSession(row.session as Row),
    duplicate: row.duplicate as boolean,
    ...message,
    ...turn,
    ...effects,
  } as Received;
}

function toCompleted(row: Row): Completed {
  return {
    stale: row.stale as boolean,
    messages: (row.messages as Row[]).map(toMessage),
    deliveries: (row.deliveries as Row[]).map(toDelivery),
    ...(row.next != null && { next: toTurn(row.next as Row) }),
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
