import postgres from "postgres";
import { readWebhook } from "./webhook.ts";

interface Env {
  readonly WHATSAPP_APP_SECRET: string;
  readonly HYPERDRIVE: Hyperdrive;
}

/** Checks the signature, parses the JSON, makes one empty call over a connection of its own, and answers 200. */
export default {
  async fetch(request, env, context) {
    const webhook = await readWebhook(request, env.WHATSAPP_APP_SECRET);
    if (!webhook) return new Response(null, { status: 401 });
    // The same options as in src/stores/postgres.ts.
    const sql = postgres(env.HYPERDRIVE.connectionString, {
      max: 1,
      fetch_types: false,
      connect_timeout: 5,
      idle_timeout: 60,
      onnotice: () => {},
      connection: { application_name: "bench-bare", statement_timeout: 4_500 },
    });
    await sql.unsafe("select public.bench_nothing($1::text::jsonb) as answer", ["{}"], { prepare: true });
    context.waitUntil(sql.end({ timeout: 5 }));
    return Response.json({});
  },
} satisfies ExportedHandler<Env>;
