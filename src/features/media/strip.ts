import { HubError } from "../../core/errors.ts";
import { blankHeif } from "./strip-heif.ts";

/**
 * A picture without what its camera says besides the picture: place, time, device, name. The orientation stays, or the picture would lie
 * on its side. The bytes given are overwritten, and the result is a part of them. Other files stay as they are. Throws
 * `media_type_refused` for a picture whose parts cannot be read: what cannot be read cannot be taken out.
 */
export function withoutPosition(bytes: Uint8Array, type: string): Uint8Array {
  switch (type) {
    case "image/jpeg":
      return jpeg(bytes);
    case "image/png":
      return png(bytes);
    case "image/webp":
      return webp(bytes);
    case "image/heic":
    case "image/heif":
    case "image/avif":
      return blankHeif(bytes);
    default:
      return bytes;
  }
}

/** The error of a picture that cannot be read. */
export function unreadable(): HubError {
  return new HubError(
    "media_type_refused",
    "the picture cannot be read, so its position cannot be taken out",
  );
}

/** Moves parts of a file to its beginning, one behind the other. */
function compactor(bytes: Uint8Array) {
  let length = 0;
  return {
    keep(start: number, end: number) {
      if (length !== start) bytes.copyWithin(length, start, end);
      length += end - start;
    },
    add(part: Uint8Array) {
      bytes.set(part, length);
      length += part.byteLength;
    },
    result: () => bytes.subarray(0, length),
  };
}

const ascii = (bytes: Uint8Array, start: number, length: number) =>
  String.fromCharCode(...bytes.subarray(start, start + length));

/**
 * The segments of a JPEG file without APP1 (EXIF and XMP), APP13 (IPTC), comments, and other applications' segments. What follows the
 * picture (a second picture, a film) goes too. @see ITU-T T.81, annex B
 */
function jpeg(bytes: Uint8Array): Uint8Array {
  const out = compactor(bytes);
  let at = 2;
  let orientation: Uint8Array | undefined;
  out.keep(0, 2);
  while (at + 4 <= bytes.byteLength) {
    if (bytes[at] !== 0xff) throw unreadable();
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    if (end < at + 4 || end > bytes.byteLength) throw unreadable();
    if (marker === 0xda) {
      const last = endOfScan(bytes, end);
      out.keep(at, last);
      at = last;
      if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) {
        out.keep(at, at + 2);
        return out.result();
      }
      continue;
    }
    const isOfApplication = marker >= 0xe0 && marker <= 0xef;
    const isExif = marker === 0xe1 && ascii(bytes, at + 4, 6) === "Exif\0\0";
    if (isExif && !orientation) {
      orientation = orientationSegment(bytes.subarray(at + 10, end));
      if (orientation && orientation.byteLength <= end - at) out.add(orientation);
    } else if (
      marker === 0xe0 ||
      marker === 0xe2 ||
      marker === 0xee ||
      (!isOfApplication && marker !== 0xfe)
    ) {
      // JFIF, colours (ICC; but no further pictures), Adobe's colour transform, and the picture itself.
      if (marker !== 0xe2 || ascii(bytes, at + 4, 11) === "ICC_PROFILE") out.keep(at, end);
    }
    at = end;
  }
  throw unreadable();
}

/** Where the data of a scan end: at a marker that is neither a stuffed byte nor a restart. */
function endOfScan(bytes: Uint8Array, start: number): number {
  for (let at = start; ; ) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.byteLength) throw unreadable();
    const next = bytes[at + 1]!;
    if (next === 0 || (next >= 0xd0 && next <= 0xd7)) at += 2;
    else if (next === 0xff) at += 1;
    else return at;
  }
}

/** An APP1 segment that holds the orientation alone; undefined for a picture that stands upright, or names none. */
function orientationSegment(tiff: Uint8Array): Uint8Array | undefined {
  const value = orientationIn(tiff);
  if (value === undefined || value < 2 || value > 8) return undefined;
  // APP1, its length, Exif, big-endian TIFF, one entry: tag 0x0112, SHORT, one value; no further directory.
  return Uint8Array.of(
    ...[0xff, 0xe1, 0, 34, 0x45, 0x78, 0x69, 0x66, 0, 0],
    ...[0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1],
    ...[1, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0],
  );
}

function orientationIn(tiff: Uint8Array): number | undefined {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const isLittle = ascii(tiff, 0, 2) === "II";
  if (tiff.byteLength < 14 || (!isLittle && ascii(tiff, 0, 2) !== "MM")) return undefined;
  const first = view.getUint32(4, isLittle);
  if (first + 2 > tiff.byteLength) return undefined;
  const count = view.getUint16(first, isLittle);
  for (let at = first + 2; at + 12 <= Math.min(tiff.byteLength, first + 2 + count * 12); at += 12)
    if (view.getUint16(at, isLittle) === 0x0112) return view.getUint16(at + 8, isLittle);
  return undefined;
}

/** Chunks of PNG files that show the picture. The others hold texts, EXIF, times, or nobody knows what. */
const PNG_KEPT =
  /^(IHDR|PLTE|IDAT|IEND|tRNS|cHRM|gAMA|iCCP|sBIT|sRGB|cICP|mDCV|cLLI|bKGD|pHYs|acTL|fcTL|fdAT)$/;

function png(bytes: Uint8Array): Uint8Array {
  const out = compactor(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 8;
  out.keep(0, 8);
  while (at + 12 <= bytes.byteLength) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.byteLength) throw unreadable();
    const type = ascii(bytes, at + 4, 4);
    if (PNG_KEPT.test(type)) out.keep(at, end);
    if (type === "IEND") return out.result();
    at = end;
  }
  throw unreadable();
}

/** Chunks of WebP files that show the picture. @see https://developers.google.com/speed/webp/docs/riff_container */
const WEBP_KEPT = /^(VP8 |VP8L|VP8X|ALPH|ANIM|ANMF|ICCP)$/;

function webp(bytes: Uint8Array): Uint8Array {
  const out = compactor(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = Math.min(bytes.byteLength, 8 + view.getUint32(4, true));
  let at = 12;
  out.keep(0, 12);
  while (at + 8 <= whole) {
    const size = view.getUint32(at + 4, true);
    const end = at + 8 + size + (size % 2);
    if (at + 8 + size > whole) throw unreadable();
    const type = ascii(bytes, at, 4);
    // The flags say which chunks there are: EXIF is bit 3, XMP is bit 2.
    if (type === "VP8X") bytes[at + 8]! &= ~0x0c;
    if (WEBP_KEPT.test(type)) out.keep(at, Math.min(end, whole));
    at = end;
  }
  const kept = out.result();
  if (kept.byteLength < 20) throw unreadable();
  view.setUint32(4, kept.byteLength - 8, true);
  return kept;
}
