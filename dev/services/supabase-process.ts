import { serve } from "@hono/node-server";
import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import postgres from "postgres";
import { assertPortFree } from "./ports.ts";
import { postgrestError } from "./postgrest-error.ts";
import { runService } from "./process.ts";
import { localKeys, type SupabaseOptions } from "./supabase.ts";

// When a connection is cut between two ticks, postgres 3.4 writes into the closed socket, outside of any promise
// (nextWrite in its connection.js). The call itself has already failed, so this process ignores the error, as the real
// service does.
process.on("uncaughtException", (error) => {
  console.error(error);
  if (!error.stack?.includes("nextWrite")) process.exit(1);
});

runService(async ({ port, databaseUrl, poolSize = 30 }: Omit<SupabaseOptions, "log">) => {
  await assertPortFree(port, "SUPABASE_PORT");
  const connection = createPostgresConnection({
    url: databaseUrl,
    postgresOptions: {
      max: poolSize,
      backoff: false, // the next call connects at once, even after a long outage
      onnotice: () => {},
      types: {
        json: { to: 114, from: [114], serialize: toJson, parse: JSON.parse },
        jsonb: { to: 3802, from: [3802], serialize: toJson, parse: JSON.parse },
      },
    },
  });
  // When the server sees row level security, it grants every table to the API roles. Supabase leaves the rights as the
  // migrations set them. And simultaneous first calls would fail, because their grants conflict.
  (connection as unknown as { rlsState: string }).rlsState = "active"; // private to the library
  const normalize = connection.normalizeDbError.bind(connection);
  connection.normalizeDbError = (error) => postgrestError(normalize(error));

  const app = await new App({
    connection,
    auth: { enabled: false, publishable_key: localKeys.anonKey, secret_key: localKeys.serviceRoleKey },
    options: { server: { admin: false } },
  }).init();
  const server = serve({ fetch: (request) => app.fetch(request), port, hostname: "127.0.0.1" });
  await new Promise<void>((resolve) => server.once("listening", resolve));

  // The notification with which Supabase announces a changed schema.
  const listener = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const reload = () => void connection.clearSchemaCache();
  await listener.listen("pgrst", reload, reload);
  await assertAnswers(port);
  return {
    facts: {},
    stop: async () => {
      server.close();
      await Promise.all([listener.end({ timeout: 1 }), connection.driver.end({ timeout: 1 })]);
    },
  };
});

/**
 * A value as JSON. The server has already written objects and arrays as JSON; the driver must not do it a second time.
 */
function toJson(value: unknown): string {
  if (typeof value !== "string" || !/^[[{]/.test(value)) return JSON.stringify(value);
  try {
    JSON.parse(value);
    return value;
  } catch {
    return JSON.stringify(value); // a text that only looks like JSON at its start
  }
}

/** Throws unless a call reaches the database's list of functions. */
async function assertAnswers(port: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/rest/v1/rpc/a_function_nobody_wrote`, {
    method: "POST",
    headers: { apikey: localKeys.serviceRoleKey, "content-type": "application/json" },
    body: "{}",
  });
  const { code, message } = (await response.json()) as { code?: string; message?: string };
  if (code !== "PGRST202") throw new Error(`the Supabase API does not answer: ${response.status} ${message}`);
}
