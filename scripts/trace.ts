/**
 * `npm run trace -- --phone +55… | --session <id> | --message <id>`: why did this customer get no answer? Prints one timeline
 * from webhook to receipt. `--limit 200` reads more than 50 messages, `--before <cursor>` what was before, `--json` prints the
 * answer of `GET /api/trace`.
 *
 * It asks the first of these that is set: the hub (`HUB_URL` with `ADMIN_API_KEY`), the database (`DATABASE_URL`), Supabase
 * (`SUPABASE_URL` with `SUPABASE_SERVICE_ROLE_KEY`), each but the hub with the journal (`UPSTASH_REDIS_REST_URL` and `…_TOKEN`).
 * Without any, it asks the local stack of `npm run dev`.
 */
import { parseArgs, styleText } from "node:util";
import { localSettings } from "../dev/settings.ts";
import { databaseUrlOf } from "../src/compose/database-url.ts";
import { toHubError } from "../src/core/errors.ts";
import { phoneOf } from "../src/core/identity/phone.ts";
import type { TraceOf } from "../src/features/trace/trace.ts";
import type { Trace } from "../src/features/trace/traced.ts";
import { traced } from "../src/features/trace/traced.ts";
import { upstashJournal } from "../src/stores/journal.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../src/stores/sql.ts";
import { supabaseCalls } from "../src/stores/supabase.ts";

const USAGE =
  "npm run trace -- --phone +55… | --session <id> | --message <id> [--limit 50] [--before <cursor>] [--json]";
const TIMEOUT_MS = 15_000;
/** Steps that explain a missing answer. */
const TROUBLE = /dead_letter|failed|blocked|quarantined|journaled|waits|erased|early/;

interface Asked {
  readonly phone?: string;
  readonly session?: string;
  readonly message?: string;
  readonly after?: string;
  readonly limit: number;
}
/** The route's answer. */
type Answer = Omit<Trace, "steps"> & {
  readonly steps: readonly (Omit<Trace["steps"][number], "at"> & { at: string })[];
};

try {
  const { json, ...asked } = readArguments();
  const answer = await find(asked);
  if (json) console.log(JSON.stringify(answer, null, 2));
  else print(answer);
  process.exitCode = answer.found || answer.steps.length > 0 ? 0 : 2;
} catch (error) {
  // No more than the message: other properties may hold addresses with keys.
  console.error(styleText("red", error instanceof Error ? error.message : String(error)));
  process.exitCode = 1;
}

function readArguments(): Asked & { json: boolean } {
  const text = { type: "string" } as const;
  let given: {
    phone?: string;
    session?: string;
    message?: string;
    before?: string;
    limit?: string;
    json?: boolean;
  };
  try {
    given = parseArgs({
      options: {
        phone: text,
        session: text,
        message: text,
        before: text,
        limit: text,
        json: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${USAGE}`);
  }
  const { phone, session, message, before, limit = "50", json = false } = given;
  if ([phone, session, message].filter((one) => one !== undefined).length !== 1)
    throw new Error(`exactly one of --phone, --session and --message is needed\n${USAGE}`);
  const count = Number(limit);
  if (!Number.isInteger(count) || count < 1 || count > 200) throw new Error("--limit must be 1 to 200");
  return {
    ...(phone !== undefined && { phone }),
    ...(session !== undefined && { session }),
    ...(message !== undefined && { message }),
    ...(before !== undefined && { after: before }),
    limit: count,
    json,
  };
}

async function find(asked: Asked): Promise<Answer> {
  const { HUB_URL, DATABASE_URL, SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY: key = "" } = process.env;
  if (HUB_URL) return fromHub(HUB_URL, process.env.ADMIN_API_KEY ?? "", asked);
  if (DATABASE_URL) {
    const url = databaseUrlOf(DATABASE_URL);
    if (!url) throw new Error("DATABASE_URL is not a postgres:// URL");
    const { call, close } = postgresCalls(url, { max: 1, timeoutMs: TIMEOUT_MS });
    return fromDatabase(call, asked).finally(close);
  }
  if (SUPABASE_URL)
    return fromDatabase(supabaseCalls({ url: SUPABASE_URL, key, timeoutMs: TIMEOUT_MS }), asked);
  const { ports, vars } = localSettings(process.env);
  return fromHub(`http://127.0.0.1:${ports.PORT}`, vars.ADMIN_API_KEY!, asked);
}

async function fromHub(url: string, keys: string, { limit, ...asked }: Asked): Promise<Answer> {
  const query = new URLSearchParams({ ...asked, limit: String(limit) });
  const headers = { "x-api-key": keys.split(",")[0]!.trim() };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(`${url.replace(/\/+$/, "")}/api/trace?${query}`, { headers, signal }).catch(
    () => undefined,
  );
  if (!response)
    throw new Error(
      `${url} does not answer; set HUB_URL, DATABASE_URL or SUPABASE_URL, or start npm run dev`,
    );
  const body = (await response.json().catch(() => ({}))) as Answer & {
    error?: { code: string; message: string };
  };
  if (!response.ok)
    throw new Error(body.error ? `${body.error.code}: ${body.error.message}` : `HTTP ${response.status}`);
  return body;
}

async function fromDatabase(
  call: SqlCall,
  { phone, session, message, after, limit }: Asked,
): Promise<Answer> {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env;
  const { features } = sqlStore(call, { sessionTtlMs: 0, leaseMs: 0, history: 0 });
  const of: TraceOf =
    phone !== undefined
      ? { identities: { phone: phoneOf(phone, process.env.DEFAULT_COUNTRY) } }
      : session !== undefined
        ? { session_id: session }
        : { message: message! };
  const store = {
    features: features!,
    ...(url && token && { journal: upstashJournal({ url, token, timeoutMs: TIMEOUT_MS }) }),
  };
  try {
    const trace = await traced(store, of, after, limit, new Date());
    return { ...trace, steps: trace.steps.map(({ at, ...step }) => ({ at: at.toISOString(), ...step })) };
  } catch (error) {
    const { code, reason, message } = toHubError(error);
    const advice = reason === "42883" || reason === "PGRST202" ? ": run npm run migrate first" : "";
    throw new Error(`${code}${reason ? ` (${reason})` : ""}: ${message}${advice}`);
  }
}

function print({ verdict, found, steps, journal, cursor }: Answer): void {
  for (const { at, what, words, message_id } of steps) {
    const line = `${at}  ${what.padEnd(16)} ${words}`;
    const shown = TROUBLE.test(what) ? styleText("yellow", line) : line;
    console.log(message_id ? `${shown}  ${styleText("dim", message_id)}` : shown);
  }
  if (steps.length > 0) console.log("");
  if (journal === "unreachable")
    console.log(styleText("yellow", "the journal did not answer: messages may wait there"));
  if (cursor) console.log(styleText("dim", `there is more before: --before ${cursor}`));
  console.log(styleText(found ? "bold" : "yellow", verdict));
}
