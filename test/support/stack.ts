import { inject } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { type Redis, startRedis } from "../../dev/services/redis.ts";
import { type Supabase, startSupabase } from "../../dev/services/supabase.ts";

export interface Database {
  /** The address for the user `postgres`, the owner, who is no superuser. */
  readonly url: string;
  /** The address for the superuser. */
  readonly adminUrl: string;
}

/** A new database with all migrations applied. */
export function createDatabase(): Promise<Database> {
  return ask("/database");
}

/** A new database as in a new Supabase project. */
export function createEmptyDatabase(): Promise<Database> {
  return ask("/empty");
}

/** The folder of the built pages, those for development among them. They are built if a source is newer. */
export function builtPages(): Promise<string> {
  return ask("/pages");
}

/** Supabase's REST API before a database, until the test file ends or the caller stops it. */
export async function supabase(databaseUrl: string, poolSize?: number): Promise<Supabase> {
  return startSupabase({ port: await freePort(), databaseUrl, ...(poolSize ? { poolSize } : {}) });
}

/** A new, empty Valkey with the Upstash API, until the test file ends or the caller stops it. */
export async function redis(): Promise<Redis> {
  const [redisPort, upstashPort] = await Promise.all([freePort(), freePort()]);
  return startRedis({ redisPort, upstashPort, token: "test-upstash-token" });
}

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`${inject("stack")}${path}`);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
}
