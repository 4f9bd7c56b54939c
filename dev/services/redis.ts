import { join } from "node:path";
import { type Log, startProcess } from "./process.ts";

export interface RedisOptions {
  readonly redisPort: number;
  readonly upstashPort: number;
  /** The bearer token that the REST API asks for. */
  readonly token: string;
  /** The directory in which every write is on disk before its answer. Without it nothing is written to disk. */
  readonly dir?: string;
  readonly log?: Log;
}

export interface Redis {
  /** The Upstash REST API. */
  readonly url: string;
  readonly token: string;
  readonly redisUrl: string;
  stop(): Promise<void>;
  /** Kills it at any moment (`kill -9`). With a directory, every answered write is there at the next start. */
  kill(): Promise<void>;
}

const file = join(import.meta.dirname, "redis-process.ts");

/** Starts a real Valkey with the Upstash REST API before it. Both end with this process. Throws if a port is in use. */
export async function startRedis({ log, ...options }: RedisOptions): Promise<Redis> {
  const server = await startProcess(file, options, log);
  return {
    url: `http://127.0.0.1:${options.upstashPort}`,
    token: options.token,
    redisUrl: `redis://127.0.0.1:${options.redisPort}`,
    stop: server.stop,
    kill: server.kill,
  };
}
