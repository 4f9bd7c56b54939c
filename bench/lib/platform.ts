import { join } from "node:path";
import { freePort } from "../../dev/services/ports.ts";
import { startProcess } from "../../dev/services/process.ts";
import type { Kind } from "./webhook.ts";

/**
 * The target of webhooks, and their customers: `customers` of them from the number `from` on, in turn, starting with
 * `first`.
 */
interface Customers {
  readonly port: number;
  readonly path: string;
  readonly from: number;
  readonly customers: number;
  readonly first: number;
  /** Whether a message ends when its reply has reached the emulator. If not, it ends when it is acknowledged. */
  readonly answered: boolean;
}

export interface SequenceOptions extends Customers {
  readonly count: number;
  /** The pause in ms after a message's end, so that the server's remaining work does not disturb the next message. */
  readonly pauseMs: number;
}

/** Times in ms from the webhook's first byte, one for each message. */
export interface Sequence {
  /** Until the whole 200. */
  readonly acks: readonly number[];
  /** Until the head of the reply at the emulator. */
  readonly answers: readonly number[];
}

export interface LoadOptions extends Customers {
  readonly kind: Kind;
  readonly inFlight: number;
  /** When it ends: exactly one of the two is given. */
  readonly seconds?: number;
  readonly messages?: number;
}

export interface Load {
  readonly sent: number;
  /** How many messages ended within `seconds`. */
  readonly done: number;
  /** How many messages were acknowledged and never answered. */
  readonly unanswered: number;
  /** How many webhooks were refused with 503 and delivered again. */
  readonly again: number;
  readonly seconds: number;
}

/** The emulator and its customers. */
export interface Platform {
  /** The Graph API's root. */
  readonly url: string;
  sequence(options: SequenceOptions): Promise<Sequence>;
  load(options: LoadOptions): Promise<Load>;
  /**
   * Throws unless the emulator has taken exactly this many well-formed replies since the last call. It waits shortly
   * for the last one.
   */
  expectTaken(replies: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the WhatsApp emulator and its customers in a process of their own. */
export async function startPlatform(): Promise<Platform> {
  const control = await freePort();
  const file = join(import.meta.dirname, "platform-process.ts");
  const { facts, stop } = await startProcess<{ url: string }>(file, { control });
  const ask = async <T>(work: string, options: unknown): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${control}/${work}`, {
      method: "POST",
      body: JSON.stringify(options),
    });
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as T;
  };
  return {
    url: facts.url,
    sequence: (options) => ask("sequence", options),
    load: (options) => ask("load", options),
    expectTaken: async (replies) => {
      const sent = `${facts.url}/_sent`;
      const response = await fetch(`${sent}?method=text&count=${replies}&wait=2`);
      const { sent: taken } = (await response.json()) as { sent: unknown[] };
      await fetch(sent, { method: "DELETE" });
      if (taken.length !== replies)
        throw new Error(`${replies} replies were due, the emulator took ${taken.length}`);
    },
    stop,
  };
}
