import type { Log } from "../core/log.ts";

/** The Worker's log: one line of JSON each, on the console. */
export function log(...[level, event, fields]: Parameters<Log>): void {
  console[level](JSON.stringify({ level, event, ...fields }));
}
