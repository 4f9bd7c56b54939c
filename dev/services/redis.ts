import { join } from "node:path";
import { type Log, startProcess } from "./process.ts";

export interface RedisOptions {
  readonly redisPort: number;
  readonly upstashPort: number;
  /** The bearer token that the REST API asks for. */
  readonly token: string;
  /** Where every write rests before it is answered; without it, nowhere. */
  readonly dir?: string;
  readonly log?: Log;
}

export interface Redis {
  /** The Upstash REST API. */
  readonly url: string;
  readonly token: string;
  readonly redisUrl: string;
  stop(): Promise<void>;
  /** Ends it between any two lines (`kill -9`). What it answered is there at the next start, given a directory. */
  kill(): Promise<void>;
}

const file = join(import.meta.dirname, "redis-process.ts");

/** Starts a real Valkey, and the Upstash REST API before it, until this process ends. Throws when a port is taken. */
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
