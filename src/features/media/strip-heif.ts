import { unreadable } from "./strip.ts";

/** A box of an ISO media file: its type, and where its content lies. */
interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/**
 * A HEIF picture (HEIC, AVIF) whose EXIF and XMP items are overwritten with zeros. They lie anywhere in the file, at places that other
 * parts name, so they are emptied and not cut out. Orientation is a property of the picture itself, and stays.
 * @see ISO/IEC 14496-12 and 23008-12
 */
export function blankHeif(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const meta = boxesIn(view, 0, bytes.byteLength).find(({ type }) => type === "meta");
  if (!meta) throw unreadable();
  // `meta` begins with version and flags.
  const parts = boxesIn(view, meta.start + 4, meta.end);
  const named = (type: string) => parts.find((box) => box.type === type);
  const [infos, places, data] = [named("iinf"), named("iloc"), named("idat")];
  if (!infos || !places) throw unreadable();
  const private_ = new Set(itemsToEmpty(view, infos));
  for (const { item, from, length, inData } of extentsIn(view, places)) {
    if (!private_.has(item)) continue;
    const start = inData ? (data?.start ?? Number.NaN) + from : from;
    if (!(start >= 0 && length > 0 && start + length <= bytes.byteLength)) throw unreadable();
    bytes.fill(0, start, start + length);
  }
  // An item that is described and lies nowhere holds nothing.
  return bytes;
}

function boxesIn(view: DataView, from: number, end: number): Box[] {
  const boxes: Box[] = [];
  for (let at = from; at + 8 <= end; ) {
    let size = view.getUint32(at);
    let header = 8;
    if (size === 1) {
      if (at + 16 > end) throw unreadable();
      size = Number(view.getBigUint64(at + 8));
      header = 16;
    } else if (size === 0) size = end - at;
    if (size < header || at + size > end) throw unreadable();
    boxes.push({ type: textAt(view, at + 4), start: at + header, end: at + size });
    at += size;
  }
  return boxes;
}

/** The ids of the items that hold EXIF, XMP or other texts. */
function itemsToEmpty(view: DataView, { start, end }: Box): number[] {
  const version = view.getUint8(start);
  const entries = boxesIn(view, start + (version === 0 ? 6 : 8), end);
  return entries.flatMap((entry) => {
    const kind = view.getUint8(entry.start);
    // Older versions name no type: nothing is known of such an item.
    if (kind < 2) throw unreadable();
    const wide = kind >= 3;
    const id = wide ? view.getUint32(entry.start + 4) : view.getUint16(entry.start + 4);
    const type = textAt(view, entry.start + (wide ? 10 : 8));
    return type === "Exif" || type === "mime" || type === "uri " ? [id] : [];
  });
}

interface Extent {
  readonly item: number;
  readonly from: number;
  readonly length: number;
  /** Whether `from` counts within the box `idat`, not within the file. */
  readonly inData: boolean;
}

function extentsIn(view: DataView, { start, end }: Box): Extent[] {
  const version = view.getUint8(start);
  const sizes = view.getUint16(start + 4);
  const [offsetSize, lengthSize, baseSize] = [(sizes >> 12) & 15, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  let at = start + 6;
  const read = (size: number): number => {
    if (size !== 0 && size !== 2 && size !== 4 && size !== 8) throw unreadable();
    if (at + size > end) throw unreadable();
    const value =
      size === 0
        ? 0
        : size === 2
          ? view.getUint16(at)
          : size === 4
            ? view.getUint32(at)
            : Number(view.getBigUint64(at));
    at += size;
    return value;
  };
  const extents: Extent[] = [];
  for (let left = read(version < 2 ? 2 : 4); left > 0; left--) {
    const item = read(version < 2 ? 2 : 4);
    const method = version > 0 ? read(2) & 15 : 0;
    read(2);
    const base = read(baseSize);
    for (let more = read(2); more > 0; more--) {
      read(indexSize);
      const from = base + read(offsetSize);
      const length = read(lengthSize);
      if (method < 2) extents.push({ item, from, length, inData: method === 1 });
    }
  }
  return extents;
}

function textAt(view: DataView, at: number): string {
  if (at + 4 > view.byteLength) throw unreadable();
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}
