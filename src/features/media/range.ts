import type { ByteRange } from "../../core/files.ts";

/** A range whose both ends are known. */
export type WholeRange = Required<ByteRange>;

/**
 * The one range that a `Range` header asks for, in a file of `size` bytes. `undefined`: the whole file is sent, as for a header that
 * cannot be read, or several ranges. `"none"`: the range lies outside the file.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function rangeOf(header: string | undefined, size: number): WholeRange | "none" | undefined {
  const [, first, last] = /^bytes *= *(\d{0,15})-(\d{0,15}) *$/i.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first === "") {
    const count = Math.min(Number(last), size);
    return count === 0 ? "none" : { start: size - count, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "none" : { start, end };
}
