import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Hono } from "hono";
import { badControl } from "./control.ts";
import type { OnNode, OnNodeContext } from "./server.ts";

/** A file of a platform: its bytes, or a size, of which the bytes are made when they are read. */
export interface KeptFile {
  readonly size: number;
  readonly type: string;
  readonly name?: string;
  /** Absent: made. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** The bytes of a platform's files, by id. With a directory they survive restarts. */
export interface Files {
  get(id: string): KeptFile | undefined;
  set(id: string, file: KeptFile): void;
  delete(id: string): void;
}

const CHUNK = 65_536;
/** In memory the oldest files are forgotten past this many bytes. */
const MOST_BYTES = 512 * 1024 * 1024;

export function createFiles(dir?: string): Files {
  const found = new Map<string, KeptFile>();
  let size = 0;
  const folder = dir === undefined ? undefined : join(dir, "files");
  if (folder) mkdirSync(folder, { recursive: true });
  const path = (id: string) => join(folder!, Buffer.from(id).toString("hex").slice(0, 200));
  return {
    get(id) {
      const known = found.get(id);
      if (known || !folder || !existsSync(`${path(id)}.json`)) return known;
      const file = JSON.parse(readFileSync(`${path(id)}.json`, "utf8")) as KeptFile;
      return existsSync(path(id)) ? { ...file, bytes: new Uint8Array(readFileSync(path(id))) } : file;
    },
    set(id, file) {
      if (folder) {
        const { bytes, ...rest } = file;
        if (bytes) writeFileSync(path(id), bytes);
        writeFileSync(`${path(id)}.json`, JSON.stringify(rest));
        if (bytes) return;
      }
      found.set(id, file);
      size += file.bytes?.byteLength ?? 0;
      for (const [old, { bytes }] of found) {
        if (size <= MOST_BYTES || old === id) break;
        found.delete(old);
        size -= bytes?.byteLength ?? 0;
      }
    },
    delete(id) {
      found.delete(id);
      if (folder) for (const file of [path(id), `${path(id)}.json`]) rmSync(file, { force: true });
    },
  };
}

/** The control route with which a script gives a customer a file to send. */
export const fileRoutes: Record<string, string> = {
  "POST /_customer/file":
    "?type= &name= &size= and the bytes as body, or with size as many made bytes -> {id, size}; a message then names the id",
  "DELETE /_customer/file": "?id= the platform forgets the file -> {}",
};

/** Mounts the control routes of files. `keep` stores one, and returns its id. */
export function mountFiles(
  app: Hono<OnNode>,
  keep: (file: KeptFile) => string,
  forget: (id: string) => void,
): void {
  app.post("/_customer/file", async (c) => {
    const { type = "application/octet-stream", name, size } = c.req.query();
    const made = size === undefined ? undefined : Number(size);
    if (made !== undefined && !Number.isSafeInteger(made)) badControl("size is not a number");
    const bytes = made === undefined ? new Uint8Array(await c.req.arrayBuffer()) : undefined;
    const file = { size: made ?? bytes!.byteLength, type, ...(name && { name }), ...(bytes && { bytes }) };
    return c.json({ id: keep(file), size: file.size });
  });
  app.delete("/_customer/file", (c) => {
    forget(c.req.query("id") ?? "");
    return c.json({});
  });
}

/** The bytes of a file without stored ones, from `start` on. */
export function madeBytes(start: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (start + i) % 251;
  return bytes;
}

/** Answers a download, with one range. With `breakAfter` the connection closes after that many bytes. */
export function serveFile(
  c: OnNodeContext,
  { size, bytes, type }: KeptFile,
  { breakAfter, contentType = type }: { breakAfter?: number | undefined; contentType?: string } = {},
): Response {
  const [, first = "", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(c.req.header("range") ?? "") ?? [];
  const start = first === "" ? 0 : Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (start > 0 && start >= size) return c.body(null, 416, { "content-range": `bytes */${size}` });
  const until = breakAfter === undefined ? end + 1 : Math.min(end + 1, start + breakAfter);
  let at = start;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at >= until) {
          if (until > end) return controller.close();
          // Node sends what it has first.
          setTimeout(() => c.env.incoming.socket.destroy(), 20);
          return new Promise<void>(() => {});
        }
        const length = Math.min(CHUNK, until - at);
        controller.enqueue(bytes ? bytes.subarray(at, at + length) : madeBytes(at, length));
        at += length;
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    status: first === "" ? 200 : 206,
    headers: {
      "content-type": contentType,
      "content-length": String(end - start + 1),
      "accept-ranges": "bytes",
      ...(first !== "" && { "content-range": `bytes ${start}-${end}/${size}` }),
    },
  });
}
