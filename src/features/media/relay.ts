import { HubError, toHubError } from "../../core/errors.ts";
import type { ByteRange, OpenFile, RemoteFile } from "../../core/files.ts";

export interface RelayLimits {
  /** How long the first byte's answer may take, in ms. */
  readonly openMs: number;
  /** How long the next bytes may take, in ms. */
  readonly idleMs: number;
  /** The most bytes of a file. */
  readonly maxBytes: number;
  /** How often a file that breaks off is opened again. */
  readonly reopenings: number;
}

/** A file that is open, with its bytes from the asked place on. */
export interface Relayed {
  readonly body: ReadableStream<Uint8Array>;
  /** The size of the whole file, where it is known. */
  readonly size?: number;
  readonly type?: string;
}

interface Opened extends OpenFile {
  readonly abort: () => void;
}

/**
 * Opens a file and passes its bytes on, one piece at a time and only when the reader wants one, so that a large file takes no more memory
 * than a small one. A file that breaks off half-way is looked up and opened again at the place where it ended. If that fails
 * too, the stream ends with an error, so that the reader never takes a part for the whole; `broken` learns why. Throws the errors of `find` and `open`,
 * `media_too_large`, and `unavailable` for a place that answers too slowly.
 */
export async function relay(
  find: (signal: AbortSignal) => Promise<RemoteFile>,
  range: ByteRange,
  limits: RelayLimits,
  broken: (failure: { code: string; reason: string | undefined }) => void = () => {},
): Promise<Relayed> {
  const found = await within(limits.openMs, (signal) => find(signal));
  refuseSize(found.size, limits);
  let file: Opened = await open(found, range, limits);
  const size = file.size ?? found.size;
  try {
    refuseSize(size, limits);
  } catch (error) {
    file.abort();
    throw error;
  }
  const type = file.type ?? found.type;
  const end = range.end ?? (size === undefined ? undefined : size - 1);
  let reader = file.body.getReader();
  /** The place of the next byte that comes, and of the next that is passed on. */
  let at = file.start;
  let next = range.start;
  let reopened = 0;

  async function again(): Promise<void> {
    file.abort();
    file = await open(
      await within(limits.openMs, (signal) => find(signal)),
      { ...range, start: next },
      limits,
    );
    // Another file has taken its place.
    if (size !== undefined && file.size !== undefined && file.size !== size) throw changed();
    reader = file.body.getReader();
    at = file.start;
  }

  /** The next piece; undefined at the end of the range. */
  async function piece(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (end !== undefined && next > end) return undefined;
      let read: { done: boolean; value?: Uint8Array | undefined };
      try {
        read = await within(limits.idleMs, () => reader.read());
        if (read.done && end !== undefined) throw new HubError("unavailable", "the file broke off");
      } catch (error) {
        if (reopened++ >= limits.reopenings) throw error;
        await again();
        continue;
      }
      if (read.done) return undefined;
      const value = read.value!;
      const from = Math.max(0, next - at);
      const to = end === undefined ? value.byteLength : Math.min(value.byteLength, end + 1 - at);
      at += value.byteLength;
      if (from >= to) continue;
      next += to - from;
      if (next > limits.maxBytes) throw tooLarge(limits);
      return value.subarray(from, to);
    }
  }

  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const value = await piece();
          if (value) return controller.enqueue(value);
          file.abort();
          controller.close();
        } catch (error) {
          file.abort();
          // Without the cause: a runtime's error may quote the address.
          const { code, reason } = toHubError(error);
          const failure =
            code === "internal" ? { code: "unavailable" as const, reason: "network" } : { code, reason };
          broken(failure);
          controller.error(
            new HubError(failure.code, "the file broke off", {
              ...(failure.reason && { reason: failure.reason }),
            }),
          );
        }
      },
      cancel() {
        file.abort();
      },
    },
    { highWaterMark: 0 },
  );
  return { body, ...(size !== undefined && { size }), ...(type !== undefined && { type }) };
}

async function open(found: RemoteFile, range: ByteRange, { openMs }: RelayLimits): Promise<Opened> {
  // Its own signal: that of `within` ends with the answer's headers, and this one breaks the body off.
  const controller = new AbortController();
  const abort = () => controller.abort();
  try {
    const file = await within(openMs, () => found.open(range, controller.signal));
    return { ...file, abort };
  } catch (error) {
    abort();
    throw error;
  }
}

async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new HubError("unavailable", "the place of the file answers too slowly", { reason: "media_slow" }),
      );
      controller.abort();
    }, ms);
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

function refuseSize(size: number | undefined, limits: RelayLimits): void {
  if (size !== undefined && size > limits.maxBytes) throw tooLarge(limits);
}

function tooLarge({ maxBytes }: RelayLimits): HubError {
  return new HubError("media_too_large", `the file is larger than ${maxBytes} bytes`, {
    reason: "max_bytes",
  });
}

function changed(): HubError {
  return new HubError("unavailable", "the file changed while it was read", { reason: "media_changed" });
}
