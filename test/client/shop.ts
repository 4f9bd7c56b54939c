import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createHub,
  type HubClient,
  type HubEvent,
  type HubOptions,
  type KeptIn,
} from "../../clients/js/src/index.ts";
import { freePort } from "../../dev/services/ports.ts";
import { type LocalWorker, startWorker } from "../../dev/worker.ts";
import { createDatabase } from "../support/stack.ts";

/** A hub under workerd with its database, which a test may kill. */
export interface Shop {
  readonly url: string;
  readonly databaseUrl: string;
  /** Kills the hub at once, and starts it again on the same port. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a hub with a bot that echoes, on Postgres directly; with `pages`, the folder of the built ones, it serves these.
 * `at` is its port, if emulators must know it before.
 */
export async function startShop(
  vars: Record<string, string> = {},
  pages?: string,
  at?: number,
): Promise<Shop> {
  const [{ url: databaseUrl }, port] = await Promise.all([createDatabase(), at ?? freePort()]);
  const dir = await mkdtemp(join(tmpdir(), "hub-client-"));
  const start = () =>
    startWorker({
      port,
      dir,
      databaseUrl,
      ...(pages && { pages }),
      vars: {
        ENVIRONMENT: "development",
        WEB_API_KEY: "web-key",
        KIOSK_API_KEY: "kiosk-key",
        ADMIN_API_KEY: "admin-key",
        CONVERSATION_STORAGE_BACKEND: "postgres",
        BOT: "echo",
        ...vars,
      },
    });
  let worker: LocalWorker = await start();
  return {
    url: worker.url,
    databaseUrl,
    async crash() {
      await worker.kill();
      worker = await start();
    },
    async stop() {
      await worker.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A device with quick pauses, and what its subscription has said. */
export interface Device {
  readonly hub: HubClient;
  readonly events: HubEvent[];
  /** The texts of the messages, in the order in which they came. */
  texts(): string[];
  of<Type extends HubEvent["type"]>(type: Type): Extract<HubEvent, { type: Type }>[];
  /** Subscribes, and keeps the events. */
  listen(after?: string): void;
  /** Resolves once `check` is true. */
  until(check: (device: Device) => boolean, ms?: number): Promise<void>;
}

/** A device of the web, in a program that holds no key. */
export function device(url: string, options: Partial<HubOptions> = {}): Device {
  const hub = createHub({ url, pauses: [50, 1_000], ...options });
  const events: HubEvent[] = [];
  const watchers = new Set<() => void>();
  const self: Device = {
    hub,
    events,
    texts: () => self.of("message").map(({ message }) => message.text),
    of: (type) => events.filter((event): event is never => event.type === type),
    listen(after) {
      hub.subscribe(
        (event) => {
          events.push(event);
          for (const look of watchers) look();
        },
        after === undefined ? {} : { after },
      );
    },
    until: (check, ms = 15_000) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          watchers.delete(look);
          reject(new Error(`not within ${ms} ms; got ${events.map(inShort).join(", ")}`));
        }, ms);
        function look() {
          if (!check(self)) return;
          clearTimeout(late);
          watchers.delete(look);
          resolve();
        }
        watchers.add(look);
        look();
      }),
  };
  return self;
}

/** `localStorage` of one browser. */
export function browserStorage(): KeptIn {
  const kept = new Map<string, string>();
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, text) => void kept.set(name, text),
    removeItem: (name) => void kept.delete(name),
  };
}

function inShort(event: HubEvent): string {
  if (event.type === "message") return `message ${event.message.text}`;
  return event.type === "ended" ? `ended ${event.code}` : event.type;
}
