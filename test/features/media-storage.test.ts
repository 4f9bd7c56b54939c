import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mediaOptionsOf } from "../../src/compose/media.ts";
import type { FileStorage } from "../../src/features/media/storage.ts";
import { supabaseStorage } from "../../src/stores/files/supabase.ts";
import { folderStorage, memoryFiles } from "../support/folder.ts";

const KEY = "service-role-key";
const signal = new AbortController().signal;

/** Supabase Storage's routes for objects of one bucket, as its API answers. `down` makes all of them fail. */
const supabase = { down: false, calls: [] as string[] };
const objects = new Map<string, Buffer>();
let server: Server;
let folder: Awaited<ReturnType<typeof folderStorage>>;
const storages: Record<string, FileStorage> = {};

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url = "", headers } = request;
    supabase.calls.push(`${method} ${url}`);
    const json = (status: number, body: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (supabase.down) return json(503, { message: "down" });
    if (headers.authorization !== `Bearer ${KEY}`) return json(403, { statusCode: "403", message: "no" });
    const [, name = ""] = /^\/storage\/v1\/object\/(?:authenticated\/)?files\/?(.*)$/.exec(url) ?? [];
    if (method === "POST") {
      objects.set(name, Buffer.concat(chunks));
      return json(200, { Id: "1", Key: `files/${name}` });
    }
    if (method === "DELETE") {
      for (const prefix of JSON.parse(String(Buffer.concat(chunks))).prefixes) objects.delete(prefix);
      return json(200, []);
    }
    const bytes = objects.get(name);
    if (!bytes) return json(400, { statusCode: "404", error: "not_found", message: "Object not found" });
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    if (first === undefined) return response.writeHead(200, { "content-length": bytes.length }).end(bytes);
    const end = last ? Number(last) : bytes.length - 1;
    const range = `bytes ${first}-${end}/${bytes.length}`;
    response.writeHead(206, { "content-range": range }).end(bytes.subarray(Number(first), end + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await folderStorage();
  storages.supabase = supabaseStorage({ url, key: KEY, bucket: "files" });
  storages.folder = folder.storage;
  storages.memory = memoryFiles();
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await folder.remove();
});

const text = async (storage: FileStorage, name: string, start = 0, end?: number) => {
  const found = await storage.find(name, signal);
  const file = await found.open({ start, ...(end !== undefined && { end }) }, signal);
  return [file.start, file.size ?? found.size, await new Response(file.body).text()];
};

describe.each(["folder", "supabase", "memory"])("%s", (name) => {
  test("keeps files, gives parts of them, and deletes them, twice too", async () => {
    const storage = storages[name]!;
    const id = crypto.randomUUID();
    await storage.put(id, new TextEncoder().encode("0123456789"), "text/plain");
    expect(await text(storage, id)).toEqual([0, 10, "0123456789"]);
    expect(await text(storage, id, 3)).toEqual([3, 10, "3456789"]);
    expect(await text(storage, id, 3, 5)).toEqual([3, 10, "345"]);
    await storage.put(id, new TextEncoder().encode("other"), "text/plain");
    expect(await text(storage, id)).toEqual([0, 5, "other"]);
    await storage.delete([id, crypto.randomUUID()]);
    await storage.delete([id]);
    await expect(text(storage, id)).rejects.toMatchObject({ code: "media_expired" });
  });
});

test("a storage that is down is unavailable, and shows neither its key nor its answer", async () => {
  supabase.down = true;
  const storage = storages.supabase!;
  for (const work of [
    () => storage.put("a", new Uint8Array(1), "text/plain"),
    () => text(storage, "a"),
    () => storage.delete(["a"]),
  ]) {
    const error = await work().then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error).toMatchObject({ code: "unavailable", reason: "file_storage" });
    expect(error!.message).not.toContain(KEY);
  }
  supabase.down = false;
});

test("the settings choose the storage, the links and the scanner, and name what is wrong", () => {
  expect(mediaOptionsOf({})).toMatchObject({ maxBytes: 100 * 1024 * 1024 });
  expect(mediaOptionsOf({}).storage).toBeUndefined();
  expect(mediaOptionsOf({}).links.signs).toBe(false);
  const whole = mediaOptionsOf({
    MEDIA_LINK_SECRET: `${"a".repeat(32)}, ${"b".repeat(32)}`,
    PUBLIC_URL: "https://hub.example/",
    MEDIA_BUCKET: "files",
    SUPABASE_URL: "https://x.supabase.co",
    SUPABASE_SERVICE_ROLE_KEY: KEY,
    MEDIA_SCAN_URL: "http://127.0.0.1:9/scan",
    MEDIA_SCAN_TOKEN: "t",
  });
  expect(whole.storage).toBeDefined();
  expect(whole.scanner).toEqual({ url: "http://127.0.0.1:9/scan", token: "t" });
  const now = new Date("2026-11-02T10:30:00Z");
  const { url } = whole.links.linkOutside("0190a1b2-0000-7000-8000-000000000001", now)!;
  expect(url).toMatch(/^https:\/\/hub\.example\/api\/media\/0190/);
  for (const [env, wrong] of [
    [{ MEDIA_LINK_SECRET: "short" }, "MEDIA_LINK_SECRET must have at least 32 characters"],
    [{ PUBLIC_URL: "hub.example" }, "PUBLIC_URL must be the hub's own address"],
    [{ PUBLIC_URL: "https://user@hub.example" }, "PUBLIC_URL must be without credentials"],
    [{ MEDIA_BUCKET: "files" }, "SUPABASE_URL"],
    [{ MEDIA_BUCKET: "../files" }, "MEDIA_BUCKET must be a bucket's name"],
    [{ MEDIA_SCAN_URL: "http://10.0.0.1/scan" }, "MEDIA_SCAN_URL must be an https URL"],
    [{ MEDIA_SCAN_URL: "https://u:p@scan.example" }, "MEDIA_SCAN_URL must be an https URL"],
    [{ MEDIA: "text" }, "MEDIA is no bucket"],
    [{ MEDIA_MAX_MB: "0" }, "MEDIA_MAX_MB must be at least 1"],
  ] as const)
    expect(() => mediaOptionsOf(env)).toThrow(wrong);
});
