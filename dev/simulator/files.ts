import { crc32, deflateSync } from "node:zlib";

/** A file that a customer sends. */
export interface SentFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly name: string;
  /** How long a recording lasts. */
  readonly seconds?: number;
}

export type FileKind = "image" | "video" | "audio" | "voice" | "document";

/** The files of the simulator's customers: those that a page gave, and a small one of each kind. */
export interface SentFiles {
  /** Keeps a file, and returns its id. */
  add(file: SentFile): string;
  /** The file with this id; without one the small one of that kind, by this name. */
  find(act: { kind: FileKind; file?: string | undefined; name?: string | undefined }): SentFile;
  /** Notes that a platform knows the file by this id. */
  link(platformId: string, file: SentFile): void;
  /** The file that a platform, or a page, knows by this id. */
  get(id: string): SentFile | undefined;
}

/** The most files that are kept; each may have some MB. */
const MOST = 200;

/** A small file of each kind, which the hub and a browser take for what it says. The video has no pictures. */
const SMALL: Readonly<Record<FileKind, () => SentFile>> = {
  image: () => ({ type: "image/png", name: "picture.png", bytes: picture() }),
  video: () => ({
    type: "video/mp4",
    name: "clip.mp4",
    bytes: bytesOf("\0\0\0\x18ftypisom\0\0\x02\0isomiso2"),
  }),
  audio: () => ({ type: "audio/wav", name: "song.wav", bytes: tone(4), seconds: 4 }),
  voice: () => ({ type: "audio/wav", name: "voice.wav", bytes: tone(2), seconds: 2 }),
  document: () => ({ type: "application/pdf", name: "order.pdf", bytes: bytesOf(PDF) }),
};
const PDF = `%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
trailer<</Root 1 0 R>>
%%EOF
`;

export function createSentFiles(): SentFiles {
  const files = new Map<string, SentFile>();
  const link = (id: string, file: SentFile) => {
    files.set(id, file);
    if (files.size > MOST) files.delete(files.keys().next().value!);
  };
  return {
    link,
    add(file) {
      const id = crypto.randomUUID();
      link(id, file);
      return id;
    },
    get: (id) => files.get(id),
    find({ kind, file, name }) {
      const found = file === undefined ? undefined : files.get(file);
      return found ?? { ...SMALL[kind](), ...(name && { name }) };
    },
  };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

const SAMPLES_PER_S = 8_000;

/** A soft tone that rises and falls, as a WAV file. */
function tone(seconds: number): Uint8Array<ArrayBuffer> {
  const samples = seconds * SAMPLES_PER_S;
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLES_PER_S, 24);
  header.writeUInt32LE(SAMPLES_PER_S, 28);
  header.writeUInt16LE(1, 32);
  header.writeUInt16LE(8, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples, 40);
  const wave = Array.from({ length: samples }, (_, i) =>
    Math.round(128 + 40 * Math.sin(i / 4 + 3 * Math.sin(i / 900)) * Math.sin(i / 500) ** 2),
  );
  return new Uint8Array(Buffer.concat([header, Buffer.from(wave)]));
}

/** A small picture: a sun over hills. */
function picture(width = 240, height = 180): Uint8Array<ArrayBuffer> {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const hill = height * 0.68 - 18 * Math.sin(x / 31) - 9 * Math.sin(x / 13);
      const isSun = (x - width * 0.72) ** 2 + (y - height * 0.26) ** 2 < 22 ** 2;
      const colour = y > hill ? [84, 140, 84 - y / 6] : isSun ? [247, 205, 96] : [120 + y / 2, 186, 232];
      rows.set(colour.map(Math.round), y * (1 + width * 3) + 1 + x * 3);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
      chunk("IHDR", header),
      chunk("IDAT", deflateSync(rows)),
      chunk("IEND", Buffer.alloc(0)),
    ]),
  );
}

/** A part of a PNG file. @see https://www.w3.org/TR/png/#5Chunk-layout */
function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
