export type Reply = Buffer | number | null | Reply[];

/** One command in Valkey's protocol. */
export function command(...args: readonly (string | number | Buffer)[]): Buffer {
  const parts = args.map((arg) => (Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))));
  const head = Buffer.from(`*${parts.length}\r\n`);
  return Buffer.concat([
    head,
    ...parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n")]),
  ]);
}

/**
 * The reply or command at the position `at`, and the position of the next one; undefined if its end has not arrived. A
 * status is returned as its text. Throws the text of an error. https://valkey.io/topics/protocol/
 */
export function readReply(bytes: Buffer, at = 0): { value: Reply; next: number } | undefined {
  const end = bytes.indexOf("\r\n", at);
  if (end < 0) return undefined;
  const line = bytes.toString("latin1", at + 1, end);
  const next = end + 2;
  const size = Number(line);
  switch (String.fromCharCode(bytes[at]!)) {
    case "+":
      return { value: Buffer.from(line), next };
    case ":":
      return { value: size, next };
    case "$":
      if (size < 0) return { value: null, next };
      if (bytes.length < next + size + 2) return undefined;
      return { value: bytes.subarray(next, next + size), next: next + size + 2 };
    case "*":
      return readList(bytes, next, size);
    case "-":
      throw new Error(line);
    default:
      throw new Error(`not Valkey's protocol at byte ${at}`);
  }
}

function readList(bytes: Buffer, from: number, size: number): { value: Reply[]; next: number } | undefined {
  const value: Reply[] = [];
  let at = from;
  while (value.length < size) {
    const item = readReply(bytes, at);
    if (!item) return undefined;
    value.push(item.value);
    at = item.next;
  }
  return { value, next: at };
}
