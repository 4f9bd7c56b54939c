import { HubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Row } from "./rows.ts";
import { isFailure } from "./sql/refusals.ts";
import { COLLISIONS, type SqlCall, type SqlFunction } from "./sql.ts";

/** The fields of a call's argument that are logged: ids of the hub, and counts. */
const IDS = ["turn_id", "session_id", "id", "attempt", "limit"];

/** What an operator can do about an error, by its SQLSTATE, PostgREST code or HTTP status. */
const ADVICE: Readonly<Record<string, string>> = {
  "25006": "the database is read-only: is its disk full?",
  "28000": "the connection string's user or password is wrong",
  "28P01": "the connection string's user or password is wrong",
  "3D000": "the connection string names a database that is not there",
  "42501": "this user may not: use the service role's key, or the owner's connection string",
  "42703": "the schema and the Worker differ: run npm run migrate",
  "42P01": "the schema and the Worker differ: run npm run migrate",
  "53100": "the database's disk is full",
  "53300": "the database has too many connections",
  "57014": "the call took too long: look for locks and for a database too small",
  PGRST003: "Supabase's REST API found no free connection in time",
  PGRST301: "SUPABASE_SERVICE_ROLE_KEY is not a key of this project",
  http_401: "SUPABASE_SERVICE_ROLE_KEY is not a key of this project",
};

/**
 * The same calls, with a log line for each that fails. A refusal is an answer and is not logged. The line holds the
 * function, the codes, the ids in the argument and, for a schema that does not match, the database's message. It never
 * holds content of rows.
 */
export function loggedCall(call: SqlCall, log: Log): SqlCall {
  return async (name, argument) => {
    const began = Date.now();
    try {
      return await call(name, argument);
    } catch (error) {
      if (!isFailure(error)) throw error;
      const collided = error instanceof HubError && COLLISIONS.has(error.reason ?? "");
      log(collided ? "info" : "error", collided ? "store.collided" : "store.failed", {
        function: name,
        ...notified(error, name),
        ...idsOf(argument),
        duration_ms: Date.now() - began,
      });
      throw error;
    }
  };
}

function notified(error: unknown, name: SqlFunction): Row {
  if (!(error instanceof HubError)) return { code: "internal" };
  const { code, reason = code } = error;
  const database = (error.cause ?? {}) as Row;
  const words = aboutSchema(reason) && typeof database.message === "string" ? database.message : undefined;
  const missing = /^(42883|PGRST202)$/.test(reason)
    ? `${/\bfunction (?:public\.|hub\.)?(\w+)/.exec(words ?? "")?.[1] ?? name} is missing: run npm run migrate`
    : undefined;
  return {
    code,
    reason,
    status: database.status,
    table: database.table_name,
    column: database.column_name,
    constraint: database.constraint_name,
    at: placesIn(database.where),
    schema: words?.slice(0, 200),
    advice: missing ?? ADVICE[reason],
  };
}

/**
 * Whether an error's message names only tables, columns and functions. The message of another error may quote a row.
 */
function aboutSchema(reason: string): boolean {
  return /^(42|3F)|^PGRST2/.test(reason);
}

/** The functions and line numbers in Postgres' error context. The rest of the context may quote a row. */
function placesIn(where: unknown): string[] | undefined {
  if (typeof where !== "string") return undefined;
  return [...where.matchAll(/function (?:public\.|hub\.)?(\w+)\([^)]*\)(?: line (\d+))?/g)].map(
    ([, name, line]) => (line ? `${name}:${line}` : String(name)),
  );
}

function idsOf(argument: Row): Row {
  const ids: Row = Object.fromEntries(IDS.flatMap((key) => (key in argument ? [[key, argument[key]]] : [])));
  if (Array.isArray(argument.items)) ids.items = argument.items.map(({ type }: Row) => type);
  if (Array.isArray(argument.outcomes))
    ids.delivery_ids = argument.outcomes.map(({ delivery_id }: Row) => delivery_id);
  if (Array.isArray(argument.replies)) ids.replies = argument.replies.length;
  return ids;
}
