import type { Fields } from "./fields.ts";
import { hangUp, type OnNodeContext, pause } from "./server.ts";

const KINDS = ["status", "timeout", "cut", "accept-then-cut", "accept-then-status", "slow", "break"] as const;

/**
 * A fault for the next `times` calls that match; -1: for all calls until it is deleted. With `every` only each such call is hit:
 * 3 for the third, the sixth and so on.
 * - `status`: answers `status` (with `retry_after`, `code` or a whole `body`) and does nothing
 * - `timeout`: never answers, and closes the connection after `ms`
 * - `cut`: closes the connection and does nothing
 * - `accept-then-cut`: does the work, and closes the connection without an answer
 * - `accept-then-status`: does the work, and answers as `status` does
 * - `slow`: waits `ms`, then does the work
 * - `break`: of a file sends `bytes` bytes, and closes the connection
 */
export interface Fault {
  readonly kind: (typeof KINDS)[number];
  readonly method?: string;
  readonly chat_id?: number | string;
  readonly status?: number;
  readonly retry_after?: number;
  readonly code?: number;
  readonly body?: Fields;
  readonly ms?: number;
  readonly bytes?: number;
  /** The type that a download then has. */
  readonly type?: string;
  /** The caller's own name for it, to delete it alone. */
  readonly id?: string;
  readonly every?: number;
  times: number;
  /** How many calls matched, if only some are hit. */
  matched?: number;
}

export interface Faults {
  add(fault: Fields): void;
  list(): readonly Fault[];
  /** Deletes one by its `id`, or all. */
  clear(id?: string): void;
  /** The first fault that matches the call. One of its `times` is used up. */
  take(method: string, chat: unknown): Fault | undefined;
}

export function createFaults(): Faults {
  let faults: Fault[] = [];
  return {
    add(fields) {
      if (!KINDS.includes(fields.kind as Fault["kind"]))
        throw new RangeError(`kind must be one of ${KINDS.join(", ")}`);
      faults.push({ times: 1, ...fields } as Fault);
    },
    list: () => faults,
    clear(id) {
      faults = id === undefined ? [] : faults.filter((fault) => fault.id !== id);
    },
    take(method, chat) {
      if (faults.length === 0) return undefined;
      const fault = faults.find(
        (f) =>
          (f.method === undefined || f.method.toLowerCase() === method.toLowerCase()) &&
          (f.chat_id === undefined || String(f.chat_id) === String(chat)) &&
          isTurn(f),
      );
      if (fault && fault.times > 0 && --fault.times === 0) faults = faults.filter((f) => f !== fault);
      return fault;
    },
  };
}

/** Whether this call is one that the fault hits. Counts the call. */
function isTurn(fault: Fault): boolean {
  if (fault.every === undefined) return true;
  fault.matched = (fault.matched ?? 0) + 1;
  return fault.matched % fault.every === 0;
}

/** Answers a call as its fault says. `proceed` does the call's work; its argument says whether the answer is lost. */
export async function applyFault(
  c: OnNodeContext,
  fault: Fault,
  proceed: (cut: boolean) => Response,
  refuse: () => Response,
): Promise<Response> {
  switch (fault.kind) {
    case "status":
      return refuse();
    case "slow":
      await pause(c, fault.ms ?? 1_000);
      return proceed(false);
    case "timeout":
      await pause(c, fault.ms ?? 60_000);
      return hangUp(c);
    case "accept-then-cut":
      proceed(true);
      return hangUp(c);
    case "accept-then-status":
      proceed(true);
      return refuse();
    case "cut":
      return hangUp(c);
    case "break":
      return proceed(false);
  }
}
