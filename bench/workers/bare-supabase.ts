import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { readWebhook } from "./webhook.ts";

interface Env {
  readonly WHATSAPP_APP_SECRET: string;
  readonly SUPABASE_URL: string;
  readonly SUPABASE_SERVICE_ROLE_KEY: string;
}

let client: SupabaseClient | undefined;

/** Checks the signature, parses the JSON, makes one empty call through supabase-js, and answers 200. */
export default {
  async fetch(request, env) {
    const webhook = await readWebhook(request, env.WHATSAPP_APP_SECRET);
    if (!webhook) return new Response(null, { status: 401 });
    client ??= createClient(env.SUPABASE_URL, env.SUPABASE_SERVICE_ROLE_KEY, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    });
    const { error } = await client.rpc("bench_nothing", { p: {} });
    return error ? new Response(null, { status: 503 }) : Response.json({});
  },
} satisfies ExportedHandler<Env>;
