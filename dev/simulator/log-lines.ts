import type { LogLine } from "./model.ts";

const MOST = 500;

/** The hub's log lines, the newest last. */
export interface LogLines {
  readonly list: readonly LogLine[];
  /** Adds a line of the Worker's output, if the hub wrote it. */
  add(line: string): void;
}

export function createLogLines(added: (line: LogLine) => void): LogLines {
  const list: LogLine[] = [];
  return {
    list,
    add(text) {
      const written = objectIn(text);
      if (typeof written?.event !== "string") return;
      const { level, event, request_id, ...fields } = written;
      const line: LogLine = {
        n: (list.at(-1)?.n ?? 0) + 1,
        at: Date.now(),
        level: String(level),
        event,
        ...(typeof request_id === "string" && { request_id }),
        fields,
      };
      list.push(line);
      if (list.length > MOST) list.shift();
      added(line);
    },
  };
}

function objectIn(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined; // a line of another program that begins the same way
  }
}
