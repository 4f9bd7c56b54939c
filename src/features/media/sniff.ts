/**
 * The types that an upload may have, as the first bytes of a file show them. What a name or a header says does not count. The table is
 * our own, because the libraries for it need a newer Node than the hub, or read files that they were not asked about.
 */
type Test = (bytes: Uint8Array) => string | undefined;

const text = (bytes: Uint8Array, start: number, length: number) =>
  String.fromCharCode(...bytes.subarray(start, start + length));
const begins = (type: string, ...signature: number[]): Test => {
  return (bytes) => (signature.every((byte, i) => bytes[i] === byte) ? type : undefined);
};

/** The brands of ISO media files. @see https://mp4ra.org/registered-types/brands */
const BRANDS: readonly (readonly [RegExp, string])[] = [
  [/^(heic|heix|heim|heis)$/, "image/heic"],
  [/^(hevc|hevx|mif1|msf1)$/, "image/heif"],
  [/^(avif|avis)$/, "image/avif"],
  [/^(M4A |M4B )$/, "audio/mp4"],
  [/^qt {2}$/, "video/quicktime"],
  [/^(3g[2-9a-z]|3gp|3ge|3gg)/, "video/3gpp"],
  [/^(isom|iso[2-9]|mp4[12]|avc1|M4V |dash|MSNV|f4v )/, "video/mp4"],
];

const TESTS: readonly Test[] = [
  begins("image/jpeg", 0xff, 0xd8, 0xff),
  begins("image/png", 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
  (bytes) => (/^GIF8[79]a$/.test(text(bytes, 0, 6)) ? "image/gif" : undefined),
  riff,
  (bytes) => {
    if (text(bytes, 4, 4) !== "ftyp") return undefined;
    const brand = text(bytes, 8, 4);
    return BRANDS.find(([name]) => name.test(brand))?.[1];
  },
  begins("video/webm", 0x1a, 0x45, 0xdf, 0xa3),
  (bytes) => (text(bytes, 0, 4) === "OggS" ? "audio/ogg" : undefined),
  (bytes) => (text(bytes, 0, 5) === "#!AMR" ? "audio/amr" : undefined),
  (bytes) => (text(bytes, 0, 4) === "fLaC" ? "audio/flac" : undefined),
  (bytes) => (text(bytes, 0, 3) === "ID3" ? "audio/mpeg" : undefined),
  // A frame's 11 bits of sync; layer 0 is AAC in ADTS, the others are MPEG.
  ([first = 0, second = 0, third = 0]) => {
    if (first !== 0xff || (second & 0xe0) !== 0xe0) return undefined;
    if ((second & 0xf6) === 0xf0) return "audio/aac";
    const isThirdLayer = (second & 0x06) === 0x02 && (second & 0x18) !== 0x08;
    return isThirdLayer && (third & 0xf0) !== 0xf0 ? "audio/mpeg" : undefined;
  },
  (bytes) => (text(bytes, 0, 5) === "%PDF-" ? "application/pdf" : undefined),
  zip,
];

function riff(bytes: Uint8Array): string | undefined {
  if (text(bytes, 0, 4) !== "RIFF") return undefined;
  const form = text(bytes, 8, 4);
  return form === "WEBP" ? "image/webp" : form === "WAVE" ? "audio/wav" : undefined;
}

const OFFICE = "application/vnd.openxmlformats-officedocument";
/** Office documents are ZIP files; the names of their first entries tell them apart. */
function zip(bytes: Uint8Array): string | undefined {
  if (text(bytes, 0, 4) !== "PK\u0003\u0004") return undefined;
  const start = text(bytes, 0, Math.min(bytes.byteLength, 4_096));
  const open = /^mimetype(application\/vnd\.oasis\.opendocument\.(text|spreadsheet|presentation))/.exec(
    start.slice(30),
  );
  if (open) return open[1];
  if (!/\[Content_Types\]\.xml|_rels\//.test(start)) return undefined;
  if (/vbaProject/i.test(text(bytes, 0, Math.min(bytes.byteLength, 65_536)))) return undefined;
  const names = namesIn(bytes);
  if (names.includes("word/")) return `${OFFICE}.wordprocessingml.document`;
  if (names.includes("xl/")) return `${OFFICE}.spreadsheetml.sheet`;
  return names.includes("ppt/") ? `${OFFICE}.presentationml.presentation` : undefined;
}

/** The folders of the entries of a ZIP file, from its directory at the end. */
function namesIn(bytes: Uint8Array): string[] {
  const folders = new Set<string>();
  for (let at = 0; at + 46 < bytes.byteLength; at++) {
    at = bytes.indexOf(0x50, at);
    if (at < 0) break;
    if (bytes[at + 1] !== 0x4b || bytes[at + 2] !== 1 || bytes[at + 3] !== 2) continue;
    const length = bytes[at + 28]! | (bytes[at + 29]! << 8);
    folders.add(/^[^/]*\//.exec(text(bytes, at + 46, Math.min(length, 64)))?.[0] ?? "");
  }
  return [...folders];
}

/**
 * The type of a file; undefined for one that the hub does not take. `said` is what the uploader calls it: it only decides
 * whether a file of a format for both is sound or film.
 */
export function sniff(bytes: Uint8Array, said: string | undefined): string | undefined {
  for (const test of TESTS) {
    const type = test(bytes);
    if (type === undefined) continue;
    if (/^video\/(webm|mp4|3gpp)$/.test(type) && said?.startsWith("audio/"))
      return type.replace("video/", "audio/");
    return type === "audio/ogg" && said?.startsWith("video/") ? "video/ogg" : type;
  }
  return isPlainText(bytes) ? (said?.startsWith("text/csv") ? "text/csv" : "text/plain") : undefined;
}

/** Whether it is text in UTF-8 that no program takes for a page or a script. */
function isPlainText(bytes: Uint8Array): boolean {
  // Control characters, but for tabs, line ends and escapes.
  const isBinary = (byte: number) => byte < 32 && !(byte >= 9 && byte <= 13) && byte !== 27;
  if (bytes.byteLength === 0 || bytes.some(isBinary)) return false;
  try {
    const whole = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
    return !/^\s*(<|#!|%!|\{\\rtf)/.test(whole);
  } catch {
    return false;
  }
}
