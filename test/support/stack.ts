import { inject } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { type Redis, startRedis } from "../../dev/services/redis.ts";
import { type Supabase, startSupabase } from "../../dev/services/supabase.ts";

export interface Database {
  /** As user `postgres`, the owner, who is no superuser. */
  readonly url: string;
  /** As the superuser. */
  readonly adminUrl: string;
}

/** A database of your own with every migration applied. */
export function createDatabase(): Promise<Database> {
  return ask("/database");
}

/** A database of your own as a fresh Supabase project has it. */
export function createEmptyDatabase(): Promise<Database> {
  return ask("/empty");
}

/** Supabase's REST API before a database, until the test file ends or you stop it. */
export async function supabase(databaseUrl: string, poolSize?: number): Promise<Supabase> {
  return startSupabase({ port: await freePort(), databaseUrl, ...(poolSize ? { poolSize } : {}) });
}

/** An empty Valkey and Upstash of your own, until the test file ends or you stop it. */
export async function redis(): Promise<Redis> {
  const [redisPort, upstashPort] = await Promise.all([freePort(), freePort()]);
  return startRedis({ redisPort, upstashPort, token: "test-upstash-token" });
}

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`${inject("stack")}${path}`);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
}
