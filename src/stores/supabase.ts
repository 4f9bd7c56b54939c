import { createClient } from "@supabase/supabase-js";
import { HubError } from "../core/errors.ts";
import type { Row } from "./rows.ts";
import { raisedRefusal } from "./sql/refusals.ts";
import type { SqlCall } from "./sql.ts";

interface SupabaseOptions {
  readonly url: string;
  /** The service role's key. No other key may call the hub's functions. */
  readonly key: string;
  /** Time limit of a call, in ms. */
  readonly timeoutMs?: number;
}

/** Calls through Supabase's REST API. */
export function supabaseCalls({ url, key, timeoutMs = 4_000 }: SupabaseOptions): SqlCall {
  const client = createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(timeoutMs) }) },
  });
  return async (name, argument) => {
    const { data, error, status } = await client.rpc(name, { p: argument });
    if (error) {
      const refused = raisedRefusal(error.code, error.message, error.details);
      if (refused) throw refused;
      const reason = error.code || (status ? `http_${status}` : "unreachable");
      const cause = { status, message: error.message };
      throw new HubError("unavailable", "the database did not answer", { reason, cause });
    }
    return data as Row;
  };
}
