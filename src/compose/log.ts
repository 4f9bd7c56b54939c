import type { Log } from "../core/log.ts";

/** Writes a log line as one line of JSON to the console. */
export function log(...[level, event, fields]: Parameters<Log>): void {
  console[level](JSON.stringify({ level, event, ...fields }));
}
