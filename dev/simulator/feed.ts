import type { Change } from "./model.ts";

/** Tells pages what changes, by server-sent events. */
export interface Feed {
  tell(change: Change): void;
  /** A stream that begins with these changes. */
  open(first: () => Promise<Change> | Change): ReadableStream<Uint8Array>;
  readonly readers: number;
  close(): void;
}

export function createFeed(): Feed {
  const encoder = new TextEncoder();
  const readers = new Map<ReadableStreamDefaultController<Uint8Array>, Change[] | undefined>();
  const write = (reader: ReadableStreamDefaultController<Uint8Array>, change: Change) => {
    try {
      reader.enqueue(encoder.encode(`data: ${JSON.stringify(change)}\n\n`));
    } catch {
      readers.delete(reader); // its page has gone
    }
  };

  return {
    get readers() {
      return readers.size;
    },
    tell(change) {
      for (const [reader, waiting] of readers) {
        if (waiting) waiting.push(change);
        else write(reader, change);
      }
    },
    open(first) {
      let own: ReadableStreamDefaultController<Uint8Array>;
      return new ReadableStream({
        async start(controller) {
          own = controller;
          readers.set(own, []);
          const change = await first();
          write(own, change);
          for (const missed of readers.get(own) ?? []) write(own, missed);
          if (readers.has(own)) readers.set(own, undefined);
        },
        cancel() {
          readers.delete(own);
        },
      });
    },
    close() {
      for (const reader of readers.keys()) reader.close();
      readers.clear();
    },
  };
}
