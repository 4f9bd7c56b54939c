/** A part of a file, in bytes: from `start` to `end`, both included. Without `end`: to the file's last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/** The bytes of a file, on their way. */
export interface OpenFile {
  readonly body: ReadableStream<Uint8Array>;
  /** The place of the body's first byte in the file. It is 0, not the range's start, if the range was ignored. */
  readonly start: number;
  /** The size of the whole file, in bytes, where the answer says it. */
  readonly size?: number;
  /** The media type that came with the bytes. */
  readonly type?: string;
}

/**
 * A file that lies elsewhere. Its address, and whatever opens it, stay inside: no caller can pass them on.
 */
export interface RemoteFile {
  /** The size in bytes, where it is known before the file is opened. */
  readonly size?: number;
  /** Its media type, where the place knows one. */
  readonly type?: string;
  /**
   * Opens it. `signal` breaks the answer off, also while its body is read. Throws `media_expired` when the file is no
   * longer there, and `unavailable`.
   */
  open(range: ByteRange, signal: AbortSignal): Promise<OpenFile>;
}

/** The file in an HTTP answer. A missing file is `media_expired`, any other refusal `unavailable`. */
export async function fileIn(response: Response): Promise<OpenFile | { readonly refused: number }> {
  const { status, headers, body } = response;
  if ((status !== 200 && status !== 206) || !body) {
    await Promise.allSettled([body?.cancel()]);
    return { refused: status };
  }
  const [, first, whole] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  const encoded = headers.has("content-encoding");
  const length = encoded ? undefined : headers.get("content-length");
  const size = status === 206 ? whole : length;
  return {
    body,
    start: status === 206 ? Number(first ?? 0) : 0,
    ...(size != null && { size: Number(size) }),
    ...(headers.has("content-type") && { type: headers.get("content-type")! }),
  };
}

/** A range as the value of the header `Range`. */
export function rangeHeader({ start, end }: ByteRange): Record<string, string> {
  return start === 0 && end === undefined ? {} : { range: `bytes=${start}-${end ?? ""}` };
}
