/** A picture of one pixel. */
export const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const segment = (marker: number, content: Buffer) =>
  Buffer.concat([
    Buffer.from([0xff, marker, (content.length + 2) >> 8, (content.length + 2) & 255]),
    content,
  ]);

/** A JPEG file with an orientation, and a secret in each place that cameras and programs write to. */
export function jpegWith({ orientation, secret }: { orientation: number; secret: string }): Buffer {
  const tiff = Buffer.concat([
    // Little-endian; two entries: orientation, and a text behind the directory.
    Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0, 2, 0]),
    Buffer.from([0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]),
    Buffer.from([0x0e, 1, 2, 0, secret.length, 0, 0, 0, 38, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0]),
    Buffer.from(secret),
  ]);
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, Buffer.from("JFIF\0\x01\x01\0\0\x01\0\x01\0\0", "latin1")),
    segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), tiff])),
    segment(0xe1, Buffer.from(`http://ns.adobe.com/xap/1.0/\0<x>${secret}</x>`)),
    segment(0xe2, Buffer.from(`MPF\0${secret}`)),
    segment(0xe2, Buffer.from("ICC_PROFILE\0\x01\x01 colours", "latin1")),
    segment(0xed, Buffer.from(`Photoshop 3.0\0${secret}`)),
    segment(0xfe, Buffer.from(secret)),
    segment(0xdb, Buffer.alloc(65, 1)),
    segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
    Buffer.from([0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0xff, 0xd9]),
    // A film behind the picture, as some phones write it.
    Buffer.from(`\0\0\0\x18ftypmp42${secret}`, "latin1"),
  ]);
}

const chunk = (type: string, content: Buffer) => {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(content.length);
  // The check sum is not looked at.
  return Buffer.concat([size, Buffer.from(type, "latin1"), content, Buffer.alloc(4)]);
};

/** A PNG file with a secret in each kind of chunk for texts, and behind its end. */
export function pngWith(secret: string): Buffer {
  const said = ["eXIf", "tEXt", "zTXt", "iTXt", "tIME", "prVt"].map((type) =>
    chunk(type, Buffer.from(secret)),
  );
  const end = PNG.length - 12;
  return Buffer.concat([
    PNG.subarray(0, 33),
    ...said,
    PNG.subarray(33, end),
    PNG.subarray(end),
    Buffer.from(secret),
  ]);
}

const riffChunk = (type: string, content: Buffer) => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(content.length);
  return Buffer.concat([Buffer.from(type), size, content, Buffer.alloc(content.length % 2)]);
};

/** A WebP file with a secret in its EXIF, its XMP and a chunk of nobody's, and behind its end. */
export function webpWith(secret: string): Buffer {
  const chunks = Buffer.concat([
    riffChunk("VP8X", Buffer.from([0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    riffChunk("VP8 ", Buffer.from("the picture")),
    riffChunk("EXIF", Buffer.from(secret)),
    riffChunk("XMP ", Buffer.from(`<x>${secret}</x>`)),
    riffChunk("prvt", Buffer.from(secret)),
  ]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(chunks.length + 4);
  return Buffer.concat([Buffer.from("RIFF"), size, Buffer.from("WEBP"), chunks, Buffer.from(secret)]);
}

const box = (type: string, ...content: Buffer[]) => {
  const inside = Buffer.concat(content);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(inside.length + 8);
  return Buffer.concat([size, Buffer.from(type, "latin1"), inside]);
};
const uint = (bytes: number, value: number) => {
  const out = Buffer.alloc(bytes);
  out.writeUIntBE(value, 0, bytes);
  return out;
};

/** A HEIF file with three items: the picture, EXIF in the file's data, and XMP in the box `idat`; a secret is in the latter two. */
export function heicWith(secret: string): Buffer {
  const xmp = Buffer.from(`<x>${secret}</x>`);
  const exif = Buffer.concat([uint(4, 0), Buffer.from(secret)]);
  const info = (id: number, type: string, more = Buffer.alloc(0)) =>
    box("infe", uint(4, 0x02000000), uint(2, id), uint(2, 0), Buffer.from(type), Buffer.from("\0"), more);
  const infos = box(
    "iinf",
    uint(4, 0),
    uint(2, 3),
    info(1, "hvc1"),
    info(2, "Exif"),
    info(3, "mime", Buffer.from("application/rdf+xml\0")),
  );
  const file = box("ftyp", Buffer.from("heic\0\0\0\0mif1heic", "latin1"));
  const item = (id: number, method: number, from: number, length: number) =>
    Buffer.concat([uint(2, id), uint(2, method), uint(2, 0), uint(2, 1), uint(4, from), uint(4, length)]);
  const make = (start: number) =>
    box(
      "meta",
      uint(4, 0),
      infos,
      box(
        "iloc",
        uint(4, 0x01000000),
        uint(2, 0x4400),
        uint(2, 3),
        item(1, 0, start, 7),
        item(2, 0, start + 7, exif.length),
        item(3, 1, 0, xmp.length),
      ),
      box("idat", xmp),
    );
  const start = file.length + make(0).length + 8;
  return Buffer.concat([file, make(start), box("mdat", Buffer.from("picture"), exif)]);
}
