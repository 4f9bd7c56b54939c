/**
 * The lines of a stream of bytes, without their ends and without empty lines. `refuse` makes the error that is thrown past `mostBytes` in all, or
 * `lineBytes` in one line. The stream is cancelled when the reader stops.
 */
export async function* linesOf(
  body: ReadableStream<Uint8Array>,
  { mostBytes, lineBytes }: { readonly mostBytes: number; readonly lineBytes: number },
  refuse: (bytes: number) => Error,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let total = 0;
  let line: Uint8Array[] = [];
  let size = 0;
  const take = (): Uint8Array | undefined => {
    const whole = joined(line, size);
    line = [];
    size = 0;
    return whole.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09) ? undefined : whole;
  };
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      let rest: Uint8Array = read.value;
      total += rest.byteLength;
      if (total > mostBytes) throw refuse(mostBytes);
      for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
        line.push(rest.subarray(0, end));
        size += end;
        rest = rest.subarray(end + 1);
        if (size > lineBytes) throw refuse(lineBytes);
        const whole = take();
        if (whole) yield whole;
      }
      line.push(rest);
      size += rest.byteLength;
      if (size > lineBytes) throw refuse(lineBytes);
    }
    const last = take();
    if (last) yield last;
  } finally {
    await Promise.allSettled([reader.cancel()]);
  }
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
