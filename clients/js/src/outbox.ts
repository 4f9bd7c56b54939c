import type { Box } from "./box.ts";
import { type Device, randomId } from "./device.ts";
import { HubError, isPassing } from "./error.ts";
import { type Pauses, pause, pauseAfter } from "./pause.ts";
import type { Call, Message, Outgoing, Sent } from "./types.ts";

/** A message that the hub does not have yet. */
interface Entry {
  readonly line: string;
  readonly body: Outgoing;
  readonly signal?: AbortSignal | undefined;
  readonly settle?: (sent: Sent | undefined, error?: unknown) => void;
}

/** Messages on their way to the hub, in order, each once. */
export interface Outbox {
  /** Those that the hub does not have yet, the oldest first. */
  readonly pending: readonly Outgoing[];
  send(body: Omit<Outgoing, "external_id"> & Partial<Outgoing>, call?: Call): Promise<Sent>;
  /** Resolves once nothing is pending. */
  drained(): Promise<unknown>;
}

const NAME = "outbox";
/** How often a message is tried again at which the hub fails with a bug. */
const MOST_BUGS = 5;

/** `closing` ends the sending; what is pending stays in the box. */
export function outboxOf(
  device: Device,
  box: Box,
  path: string,
  pauses: Pauses,
  closing: AbortSignal,
): Outbox {
  let flushing: Promise<void> | undefined;
  // Another tab may send these too. The hub takes each id once.
  const queue = stored().filter(isOurs);

  function stored(): Entry[] {
    return box.get<Entry[]>(NAME) ?? [];
  }

  function store(entries: readonly Entry[]): void {
    box.set(NAME, entries.length > 0 ? entries : undefined);
  }

  /** What was written in one session never goes to another one. */
  function isOurs({ line }: Entry): boolean {
    return line === device.held?.line;
  }

  function settle(entry: Entry, sent: Sent | undefined, error?: unknown): void {
    const at = queue.indexOf(entry);
    if (at < 0) return;
    queue.splice(at, 1);
    const id = entry.body.external_id;
    store(stored().filter(({ body }) => body.external_id !== id));
    entry.settle?.(sent, error);
  }

  async function flush(): Promise<void> {
    let failures = 0;
    for (let entry = queue[0]; entry && !closing.aborted; entry = queue[0]) {
      const { body, signal } = entry;
      try {
        const both = signal ? AbortSignal.any([signal, closing]) : closing;
        const { message } = await device.ask<{ message?: Message }>(path, { body, signal: both });
        settle(entry, { external_id: body.external_id, ...(message && { message }) });
        failures = 0;
      } catch (error) {
        if (closing.aborted) return;
        if (isPassing(error) && !(error.code === "internal" && failures >= MOST_BUGS)) {
          await pause(Math.max(error.retryAfterMs ?? 0, pauseAfter(failures++, pauses)), signal, closing);
        } else {
          settle(entry, undefined, error);
          failures = 0;
        }
      }
    }
  }

  function start(): void {
    flushing ??= flush().finally(() => {
      flushing = undefined;
      if (queue.length > 0 && !closing.aborted) start();
    });
  }

  device.watch((_change, code = "session_not_found") => {
    for (const entry of queue.filter((one) => !isOurs(one)))
      settle(entry, undefined, new HubError(code, "the session is over"));
  });
  closing.addEventListener("abort", () => {
    for (const entry of queue) entry.settle?.(undefined, closing.reason);
  });
  if (queue.length > 0) start();

  return {
    get pending() {
      return queue.map(({ body }) => body);
    },
    send(given, { signal } = {}) {
      return new Promise<Sent>((resolve, reject) => {
        signal?.throwIfAborted();
        const line = device.held?.line;
        if (!line) throw new HubError("no_session", "start or restore a session first");
        const abort = () => settle(entry, undefined, signal!.reason);
        const entry: Entry = {
          line,
          body: { external_id: randomId(), ...given },
          signal,
          settle(sent, error) {
            signal?.removeEventListener("abort", abort);
            if (sent) resolve(sent);
            else reject(error);
          },
        };
        signal?.addEventListener("abort", abort);
        queue.push(entry);
        store([...stored(), { line, body: entry.body }]);
        start();
      });
    },
    drained: async () => {
      while (queue.length > 0 && flushing) await flushing;
    },
  };
}
