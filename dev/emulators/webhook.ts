import { Agent } from "node:http";
import type { Keep } from "./keep.ts";
import { type Outcome, post } from "./post.ts";
import type { Watch } from "./watch.ts";

/**
 * `copies` deliveries of each webhook, after `delayMs` (shuffled: up to `delayMs`), and how a refused one is repeated.
 */
export interface DeliverySettings {
  copies: number;
  delayMs: number;
  shuffle: boolean;
  /** Whether a webhook waits for earlier ones with the same key, as at Telegram for a chat. Not when shuffled. */
  ordered: boolean;
  retryMs: number;
  maxRetryMs: number;
  maxTries: number;
  timeoutMs: number;
  /** The most undelivered webhooks. Past it a new one is dropped at once. */
  maxPending: number;
}

const defaults: DeliverySettings = {
  copies: 1,
  delayMs: 0,
  shuffle: false,
  ordered: false,
  retryMs: 500,
  maxRetryMs: 10_000,
  maxTries: 12,
  timeoutMs: 20_000,
  maxPending: 50_000,
};

export interface DeliveryStats {
  pending: number;
  attempts: number;
  delivered: number;
  dropped: number;
  last_error_date?: number;
  last_error_message?: string;
}

export interface Deliveries {
  readonly settings: DeliverySettings;
  readonly stats: Readonly<DeliveryStats>;
  /**
   * Resolves with the outcome of the first attempt; redelivery continues later. Only webhooks with a key wait for
   * others.
   */
  deliver(body: string | Uint8Array, how?: { key?: string; afterMs?: number }): Promise<Outcome>;
  /** Drops all pending webhooks. */
  drop(): void;
  /** Delivers the undelivered webhooks of an earlier run. */
  resume(): void;
  stop(): void;
}

export interface Receiver {
  url(): string | undefined;
  headers(body: string | Uint8Array): Record<string, string>;
  accepts(status: number): boolean;
  readonly obeysRetryAfter: boolean;
  readonly watch?: Watch | undefined;
}

interface Undelivered {
  readonly body?: string;
  /** A body of bytes. */
  readonly base64?: string;
  readonly key?: string;
}

/** Delivers webhooks to one receiver, at least once, at most 100 at a time. */
export function createDeliveries(
  receiver: Receiver,
  keep: Keep,
  overrides: Partial<DeliverySettings> = {},
): Deliveries {
  const undelivered = keep.table<Undelivered>("undelivered");
  const left = [...undelivered.entries()];
  let serial = Math.max(0, ...left.map(([id]) => Number(id)));
  const settings = { ...defaults, ...overrides };
  const stats: DeliveryStats = { pending: 0, attempts: 0, delivered: 0, dropped: 0 };
  const agent = new Agent({ keepAlive: true, maxSockets: 100 });
  const tails = new Map<string, Promise<void>>();
  const sleepers = new Set<() => void>();
  let epoch = 0;

  function deliver(
    body: string | Uint8Array,
    { key, afterMs = 0 }: { key?: string; afterMs?: number } = {},
  ): Promise<Outcome> {
    if (stats.pending >= settings.maxPending) {
      stats.dropped++;
      return Promise.resolve({ status: 0, error: "dropped" });
    }
    const first = Promise.withResolvers<Outcome>();
    for (let copy = 0; copy < Math.max(1, settings.copies); copy++) {
      const id = String(++serial);
      const part = typeof body === "string" ? { body } : { base64: Buffer.from(body).toString("base64") };
      undelivered.set(id, { ...part, ...(key !== undefined && { key }) });
      start(id, body, key, afterMs, first.resolve);
    }
    return first.promise;
  }

  function start(
    id: string,
    body: string | Uint8Array,
    key: string | undefined,
    afterMs: number,
    report: (outcome: Outcome) => void,
  ): void {
    stats.pending++;
    const born = epoch;
    const run = () => persist(body, born, afterMs, report).finally(() => undelivered.delete(id));
    if (key === undefined || !settings.ordered || settings.shuffle) void run();
    else enqueue(key, run);
  }

  function resume(): void {
    for (const [id, { body, base64 = "", key }] of left.splice(0))
      start(id, body ?? Buffer.from(base64, "base64"), key, 0, () => {});
  }

  function enqueue(key: string, run: () => Promise<void>): void {
    const before = tails.get(key);
    const tail: Promise<void> = (before ? before.then(run) : run()).then(() => {
      if (tails.get(key) === tail) tails.delete(key);
    });
    tails.set(key, tail);
  }

  /** Only the first call has an effect, because a promise resolves once. */
  async function persist(
    body: string | Uint8Array,
    born: number,
    afterMs: number,
    report: (outcome: Outcome) => void,
  ): Promise<void> {
    const late = afterMs + (settings.shuffle ? Math.random() * (settings.delayMs || 50) : settings.delayMs);
    if (late > 0) await sleep(late);
    for (let failures = 0; born === epoch; ) {
      const outcome = await attempt(body);
      report(outcome);
      if (receiver.accepts(outcome.status)) {
        stats.pending--;
        stats.delivered++;
        return;
      }
      if (++failures >= settings.maxTries || born !== epoch) break;
      const backoff = settings.retryMs * 2 ** (failures - 1);
      await sleep(
        Math.min((receiver.obeysRetryAfter && outcome.retryAfterMs) || backoff, settings.maxRetryMs),
      );
    }
    report({ status: 0, error: "dropped" });
    stats.pending--;
    stats.dropped++;
  }

  async function attempt(body: string | Uint8Array): Promise<Outcome> {
    const url = receiver.url();
    if (!url) return { status: 0, error: "no webhook is set" };
    if (!url.startsWith("http://") || !URL.canParse(url))
      return { status: 0, error: "the emulator delivers to http URLs only" };
    stats.attempts++;
    const born = epoch;
    const seen = show(url, body);
    let outcome = await post(agent, url, receiver.headers(body), body, settings.timeoutMs);
    if (outcome.stale && born === epoch)
      outcome = await post(agent, url, receiver.headers(body), body, settings.timeoutMs);
    seen?.(outcome);
    if (!receiver.accepts(outcome.status)) {
      stats.last_error_date = Math.floor(Date.now() / 1000);
      stats.last_error_message = outcome.error ?? `Wrong response from the webhook: ${outcome.status}`;
    }
    return outcome;
  }

  /** Shows an attempt, and later its answer, to the watcher, if there is one. */
  function show(url: string, body: string | Uint8Array): ((outcome: Outcome) => void) | undefined {
    const { watch } = receiver;
    if (!watch) return undefined;
    const attempt = crypto.randomUUID();
    const began = performance.now();
    const text = typeof body === "string" ? body : Buffer.from(body).toString();
    watch({ what: "webhook", attempt, url, headers: receiver.headers(body), body: text });
    return ({ status, error, body: answer, requestId }) =>
      watch({
        what: "answer",
        attempt,
        status,
        ...(error && { error }),
        ...(answer && { body: answer }),
        ...(requestId && { request_id: requestId }),
        ms: Math.round(performance.now() - began),
      });
  }

  function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      sleepers.add(wake);
    });
  }

  function drop(): void {
    epoch++;
    for (const wake of sleepers) wake();
  }

  return {
    settings,
    stats,
    deliver,
    drop,
    resume,
    stop() {
      drop();
      agent.destroy();
    },
  };
}
