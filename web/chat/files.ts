import { type Signal, signal } from "@preact/signals";
import { type HubClient, HubError, type Message } from "@session-hub/client";
import { randomId, type Waiting } from "../kit/conversation.ts";
import { type KeptFile, keptFiles } from "./kept-files.ts";
import { isPassing, oneTab, pause } from "./tries.ts";

/** The most bytes that the hub takes. */
const MOST_BYTES = 16 * 1024 * 1024;
/** A wait that is longer than this is a refusal: the day's files are used up. */
const LONGEST_WAIT_MS = 120_000;

/** The visitor's files on their way to the hub, in order, each once. */
export interface Files {
  readonly waiting: Signal<readonly Waiting[]>;
  /** Sends a file as soon as there is a session and a line. */
  add(file: Blob, name: string, isVoice?: boolean): void;
  /** Takes back one that was refused. */
  remove(externalId: string): void;
  /** Goes on with those that this browser has kept from another page. False if there are none. */
  resume(): Promise<boolean>;
  /** Forgets all: they belong to another customer. */
  clear(): void;
}

/** `ready` resolves once there is a session, and rejects when the hub refuses one. */
export function filesOf(
  hub: HubClient,
  name: string,
  ready: () => Promise<void>,
  onSent: (message: Message) => void,
): Files {
  const kept = keptFiles(`${name} files`);
  const waiting = signal<readonly Waiting[]>([]);
  const queue: KeptFile[] = [];
  /** The ids of those that other tabs have too. */
  const shared = new Set<string>();
  let isSending = false;

  function show(externalId: string, change: { part?: number; failed?: string }): void {
    const { part, failed } = change;
    waiting.value = waiting.value.map((one) =>
      one.external_id === externalId
        ? {
            ...one,
            ...(failed && { failed }),
            ...(part !== undefined && one.file && { file: { ...one.file, part } }),
          }
        : one,
    );
  }

  function drop(externalId: string): void {
    const one = waiting.value.find(({ external_id }) => external_id === externalId);
    if (one?.file) URL.revokeObjectURL(one.file.url);
    waiting.value = waiting.value.filter((other) => other !== one);
  }

  function put({ externalId, kind, name: fileName, blob }: KeptFile): void {
    const file = { kind, name: fileName, url: URL.createObjectURL(blob), part: 0 };
    waiting.value = [...waiting.value, { external_id: externalId, text: fileName, file }];
  }

  async function send(entry: KeptFile): Promise<void> {
    const { externalId, blob, name: fileName, isVoice } = entry;
    for (let failures = 0; queue.includes(entry); failures++) {
      try {
        await ready();
        const onProgress = (part: number) => show(externalId, { part });
        const { upload, kind } = await hub.upload(blob, { name: fileName, onProgress });
        if (!queue.includes(entry)) return;
        const media = { upload };
        const content = isVoice && kind === "audio" ? { kind, media, voice: true } : { kind, media };
        const { message } = await hub.send(content, { externalId });
        if (message) onSent(message);
        await kept.remove(externalId);
        drop(externalId);
        return;
      } catch (error) {
        if (isPassing(error) && (error.retryAfterMs ?? 0) <= LONGEST_WAIT_MS) {
          await pause(error, failures);
          continue;
        }
        await kept.remove(externalId);
        show(externalId, { failed: error instanceof HubError ? error.code : "internal" });
        return;
      }
    }
  }

  async function start(): Promise<void> {
    if (isSending) return;
    isSending = true;
    for (let entry = queue[0]; entry; entry = queue[0]) {
      const { externalId } = entry;
      // Another tab may have the same file. The hub takes each id once; the upload need not be made twice either.
      await oneTab(`${name} ${externalId}`, async () => {
        const isSent =
          shared.has(externalId) && !(await kept.all()).some((one) => one.externalId === externalId);
        if (isSent) drop(externalId);
        else await send(entry);
      });
      if (queue[0] === entry) queue.shift();
    }
    isSending = false;
  }

  return {
    waiting,
    add(blob, fileName, isVoice = false) {
      const entry: KeptFile = {
        externalId: randomId(),
        kind: kindOf(blob.type),
        isVoice,
        name: fileName,
        blob,
      };
      const refusal =
        blob.size > MOST_BYTES ? "payload_too_large" : blob.size === 0 ? "media_type_refused" : undefined;
      if (refusal) {
        put(entry);
        show(entry.externalId, { failed: refusal });
        return;
      }
      // What is shown as waiting has been kept: the visitor may leave the page at once.
      void kept.put(entry).then((isKept) => {
        if (isKept) shared.add(entry.externalId);
        put(entry);
        queue.push(entry);
        void start();
      });
    },
    remove: drop,
    async resume() {
      const entries = (await kept.all()).filter(
        ({ externalId }) => !queue.some((one) => one.externalId === externalId),
      );
      for (const entry of entries) {
        shared.add(entry.externalId);
        put(entry);
      }
      queue.push(...entries);
      if (entries.length > 0) void start();
      return entries.length > 0;
    },
    clear() {
      queue.length = 0;
      for (const { external_id } of waiting.value) drop(external_id);
      void kept.clear();
    },
  };
}

function kindOf(type: string): KeptFile["kind"] {
  const [top] = type.split("/");
  return top === "image" || top === "audio" || top === "video" ? top : "document";
}
