import type { Fields } from "./fields.ts";
import { hangUp, type OnNodeContext, pause } from "./server.ts";

const KINDS = ["status", "timeout", "cut", "accept-then-cut", "slow"] as const;

/**
 * What goes wrong with the next `times` calls that fit; -1 is until deleted.
 * `status` answers `status` (with `retry_after`, `code` or a whole `body`) and does nothing; `timeout` never answers, and hangs
 * up after `ms`; `cut` hangs up and does nothing; `accept-then-cut` does the work and hangs up; `slow` waits `ms` first.
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
  times: number;
}

export interface Faults {
  add(fault: Fields): void;
  list(): readonly Fault[];
  clear(): void;
  /** The first fault that fits the call, used up once. */
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
    clear() {
      faults = [];
    },
    take(method, chat) {
      if (faults.length === 0) return undefined;
      const fault = faults.find(
        (f) =>
          (f.method === undefined || f.method.toLowerCase() === method.toLowerCase()) &&
          (f.chat_id === undefined || String(f.chat_id) === String(chat)),
      );
      if (fault && fault.times > 0 && --fault.times === 0) faults = faults.filter((f) => f !== fault);
      return fault;
    },
  };
}

/** Answers a call as its fault says; `proceed` does the call's work, told whether its answer will be cut. */
export async function suffer(
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
    case "cut":
      return hangUp(c);
  }
}
