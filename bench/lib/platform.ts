import { join } from "node:path";
import { freePort } from "../../dev/services/ports.ts";
import { startProcess } from "../../dev/services/process.ts";
import type { Kind } from "./webhook.ts";

/** Where webhooks go, and who writes them: so many customers from number `from` on, in turn, beginning with the `first`. */
interface Customers {
  readonly port: number;
  readonly path: string;
  readonly from: number;
  readonly customers: number;
  readonly first: number;
  /** Whether each message is over only when its reply has reached the emulator, or already when it is acknowledged. */
  readonly answered: boolean;
}

export interface SequenceOptions extends Customers {
  readonly count: number;
  /** Between a message's end and the next message, so that what the server still does disturbs nobody. */
  readonly pauseMs: number;
}

/** Milliseconds from the webhook's first byte, one for each message. */
export interface Sequence {
  /** To the whole 200. */
  readonly acks: readonly number[];
  /** To the head of the reply at the emulator. */
  readonly answers: readonly number[];
}

export interface LoadOptions extends Customers {
  readonly kind: Kind;
  readonly inFlight: number;
  /** Exactly one of the two says when it ends. */
  readonly seconds?: number;
  readonly messages?: number;
}

export interface Load {
  readonly sent: number;
  /** Those that were over within `seconds`. */
  readonly done: number;
  /** Messages that were acknowledged and never answered. */
  readonly unanswered: number;
  /** Deliveries that were refused with 503 and made again. */
  readonly again: number;
  readonly seconds: number;
}

/** The emulator and its customers. */
export interface Platform {
  /** The Graph API's root. */
  readonly url: string;
  sequence(options: SequenceOptions): Promise<Sequence>;
  load(options: LoadOptions): Promise<Load>;
  /** Throws unless the emulator has taken exactly so many well-formed replies since the last call; waits a moment for the last. */
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
