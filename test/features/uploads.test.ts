import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import type { Reply } from "../../src/core/content/reply.ts";
import { folderStorage } from "../support/folder.ts";
import { post } from "../support/http.ts";
import { kill } from "../support/hub-rig.ts";
import { admin, type MediaHub, startMediaHub, web } from "../support/media-hub.ts";
import { jpegWith, PNG } from "../support/pictures.ts";

const CHAT = { id: 7100200300, first_name: "Ana" };
const PHONE = "5511987654321";

let hub: MediaHub;
let folder: Awaited<ReturnType<typeof folderStorage>>;
let sql: postgres.Sql;
let scanner: Server;
/** How the scanner answers. */
let verdict: { status: number; body: string; hang?: boolean };
const scanned: { type: string | undefined; authorization: string | undefined; size: number }[] = [];
/** The bot's next replies. */
let replies: Reply[] = [];

beforeAll(async () => {
  folder = await folderStorage();
  scanner = createServer(async (request, response) => {
    let size = 0;
    for await (const chunk of request) size += chunk.length;
    const { "content-type": type, authorization } = request.headers;
    scanned.push({ type, authorization, size });
    response.writeHead(verdict.status, { location: "/elsewhere" }).end(verdict.body);
  });
  await new Promise<void>((resolve) => scanner.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(scanner.address() as AddressInfo).port}/scan`;
  hub = await startMediaHub(
    { storage: folder.storage, scanner: { url, token: "scan-token" } },
    { history: 0, reply: async () => replies },
  );
  sql = postgres(hub.databaseUrl, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await hub.stop();
  await sql.end();
  await new Promise((resolve) => scanner.close(resolve));
  await folder.remove();
});
beforeEach(() => {
  verdict = { status: 200, body: '{"clean":true}' };
  replies = [];
});

async function upload(
  bytes: Uint8Array | string,
  headers: Record<string, string>,
  query = "",
): Promise<{ status: number; body: any }> {
  const answer = await fetch(`${hub.url}/api/media${query}`, {
    method: "POST",
    headers,
    body: bytes as string,
  });
  return { status: answer.status, body: await answer.json() };
}
const say = async (bearer: Record<string, string>, body: object) => {
  const answer = await fetch(`${hub.url}/webhooks/web`, post(body, bearer));
  return { status: answer.status, body: (await answer.json()) as any };
};
const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

describe("a customer's upload", () => {
  test("is sent with a message, read by its session and by a link, and by nobody else", async () => {
    const ana = await hub.visitor();
    const made = await upload(PNG, { ...ana.bearer, "content-type": "text/html" }, "?name=..%2F%2Fme%0a.png");
    expect(made).toMatchObject({
      status: 201,
      body: { upload: { kind: "image", mime_type: "image/png", file_name: "me.png", size: PNG.byteLength } },
    });
    expect(scanned.at(-1)).toEqual({
      type: "image/png",
      authorization: "Bearer scan-token",
      size: PNG.byteLength,
    });
    const id = made.body.upload.upload;
    const said = await say(ana.bearer, {
      external_id: "1",
      content: { kind: "image", media: { upload: id, mime_type: "text/html", size: 1 }, caption: "Look" },
    });
    expect(said.status).toBe(200);
    const { message } = said.body;
    expect(message.content).toEqual({
      kind: "image",
      caption: "Look",
      media: {
        upload: id,
        mime_type: "image/png",
        file_name: "me.png",
        size: PNG.byteLength,
        sha256: made.body.upload.sha256,
      },
    });
    for (const path of [`/api/media/${message.message_id}`, `/api/media/${id}`]) {
      const own = await hub.get(path, ana.bearer);
      expect([own.status, (await bytesOf(own)).equals(PNG)]).toEqual([200, true]);
      const part = await hub.get(path, { ...ana.bearer, range: "bytes=1-3" });
      expect([part.status, String(await bytesOf(part))]).toEqual([206, "PNG"]);
      expect((await hub.get(path, (await hub.visitor()).bearer)).status).toBe(404);
      expect((await hub.get(path)).status).toBe(401);
      expect((await hub.get(path, admin)).status).toBe(200);
    }
    expect((await hub.get(message.media_url)).status).toBe(200);
    // Sent again, it is the same message and the same file.
    const again = await say(ana.bearer, {
      external_id: "1",
      content: { kind: "image", media: { upload: id } },
    });
    expect(again.body).toMatchObject({ duplicate: true, message: { message_id: message.message_id } });
  });

  test("is nobody else's to send, and of the kind that it is", async () => {
    const [ana, eve] = [await hub.visitor(), await hub.visitor()];
    const { upload: id } = (await upload(PNG, ana.bearer)).body.upload;
    const content = (kind: string, upload = id) => ({
      external_id: kind,
      content: { kind, media: { upload } },
    });
    expect((await say(eve.bearer, content("image"))).status).toBe(404);
    expect((await say(ana.bearer, content("audio"))).body.error).toMatchObject({
      code: "malformed",
      message: "content.kind: the upload is no audio",
    });
    expect((await say(ana.bearer, content("image", crypto.randomUUID()))).status).toBe(404);
    const byPhone = await say(web, { ...content("image"), phone: "+5511987650009" });
    expect(byPhone.body.error).toMatchObject({
      code: "malformed",
      message: expect.stringContaining("token"),
    });
    expect((await say(web, { ...content("image"), session: eve.id })).status).toBe(404);
    expect((await say(web, { ...content("image"), session: ana.id })).status).toBe(200);
    const both = { external_id: "9", content: { kind: "image", media: { upload: id, id: "x" } } };
    expect((await say(ana.bearer, both)).body.error.message).toContain("content.media.id");
    // The shop's own files are no customer's to claim.
    const shops = (await upload(PNG, admin)).body.upload.upload;
    expect((await say(ana.bearer, content("document", shops))).status).toBe(404);
  });

  test("is refused without credentials, with a kiosk's key alone, and for another's session", async () => {
    const { id, bearer } = await hub.visitor();
    const status = async (headers: Record<string, string>, query = "") =>
      (await upload(PNG, headers, query)).status;
    expect(await status({})).toBe(401);
    expect(await status({ authorization: "Bearer hst_none" })).toBe(404);
    expect(await status({ "x-api-key": "kiosk-key-1" })).toBe(403);
    expect(await status({ "x-api-key": "kiosk-key-1" }, `?session=${id}`)).toBe(403);
    expect(await status(bearer, `?session=${id}`)).toBe(400);
    expect(await status(web, `?session=${crypto.randomUUID()}`)).toBe(404);
    expect(await status(web, `?session=${id}`)).toBe(201);
    expect(await status(web, "?other=1")).toBe(400);
  });

  test("is what its bytes show, of a listed type, and not larger than 16 MB", async () => {
    const { bearer } = await hub.visitor();
    const typeOf = async (bytes: Uint8Array | string, said = "application/octet-stream") => {
      const { status, body } = await upload(bytes, { ...bearer, "content-type": said });
      return status === 201 ? body.upload.mime_type : body.error.code;
    };
    const box = (brand: string) => Buffer.from(`\0\0\0\x18ftyp${brand}\0\0\0\0mp42isom`, "latin1");
    expect(await typeOf("%PDF-1.7", "image/png")).toBe("application/pdf");
    expect(await typeOf("OggS\0\x02", "audio/ogg")).toBe("audio/ogg");
    expect(await typeOf(box("isom"))).toBe("video/mp4");
    expect(await typeOf(box("M4A "))).toBe("audio/mp4");
    const webm = Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 1, 2, 3]);
    expect(await typeOf(webm, "audio/webm;codecs=opus")).toBe("audio/webm");
    expect(await typeOf(webm)).toBe("video/webm");
    expect(await typeOf("GIF89a....")).toBe("image/gif");
    expect(await typeOf("Olá, só texto\n", "text/html")).toBe("text/plain");
    for (const bad of [
      "<html><script>alert(1)</script>",
      "  <svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
      "#!/bin/sh\nrm",
      "MZ\x90\0\x03",
      "\x7fELF\x02",
      "PK\u0003\u0004 any archive",
      Buffer.from([0xff, 0xfe, 0, 1]),
      "",
    ])
      expect([bad, await typeOf(bad, "image/png")]).toEqual([bad, "media_type_refused"]);
    const large = new Uint8Array(16 * 1024 * 1024 + 1).fill(65);
    expect(await typeOf(large)).toBe("payload_too_large");
    const chunked = await fetch(`${hub.url}/api/media`, {
      method: "POST",
      headers: bearer,
      body: new Blob([large]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(chunked.status).toBe(413);
  });

  test("loses the place where it was taken, and keeps which side is up", async () => {
    const { bearer } = await hub.visitor();
    const secret = "GPS-52.5200N-13.4050E";
    const given = jpegWith({ orientation: 6, secret });
    expect(String(given)).toContain(secret);
    const { body } = await upload(given, bearer);
    const stored = await bytesOf(await hub.get(`/api/media/${body.upload.upload}`, bearer));
    expect(stored.toString("latin1")).not.toContain(secret);
    expect(body.upload.size).toBe(stored.byteLength);
    expect(stored.includes(Buffer.from([1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6]))).toBe(true);
    // A picture that breaks off cannot be cleaned, so it is not taken.
    expect((await upload(given.subarray(0, 60), bearer)).body.error.code).toBe("media_type_refused");
  });

  test("that the scanner refuses is not stored, and none is while it does not answer", async () => {
    const { bearer } = await hub.visitor();
    const before = (await folder.files()).length;
    for (const [answer, status, code] of [
      [{ status: 200, body: '{"clean":false,"name":"EICAR"}' }, 422, "media_infected"],
      [{ status: 200, body: '{"clean":"true"}' }, 503, "scan_unavailable"],
      [{ status: 200, body: "OK" }, 503, "scan_unavailable"],
      [{ status: 204, body: "" }, 503, "scan_unavailable"],
      [{ status: 302, body: '{"clean":true}' }, 503, "scan_unavailable"],
      [{ status: 500, body: '{"clean":true}' }, 503, "scan_unavailable"],
    ] as const) {
      verdict = answer;
      const { status: given, body } = await upload(PNG, bearer);
      expect([answer, given, body.error.code]).toEqual([answer, status, code]);
      expect(JSON.stringify(body)).not.toContain("EICAR");
    }
    expect(await folder.files()).toHaveLength(before);
  });

  test("is deleted if no message names it, with its session's erasure, and with its message", async () => {
    const [ana, bob] = [await hub.visitor(), await hub.visitor()];
    const fileOf = async (bearer: Record<string, string>) =>
      (await upload(PNG, bearer)).body.upload.upload as string;
    const [unused, used, others] = [
      await fileOf(ana.bearer),
      await fileOf(ana.bearer),
      await fileOf(bob.bearer),
    ];
    const told = await say(ana.bearer, {
      external_id: "1",
      content: { kind: "image", media: { upload: used } },
    });
    await say(bob.bearer, { external_id: "1", content: { kind: "image", media: { upload: others } } });
    await hub.sweep();
    expect(await folder.files()).toEqual(expect.arrayContaining([unused, used, others]));
    await sql`update uploads set delete_at = now() - interval '1 second' where upload_id = ${unused}`;
    await hub.sweep();
    const rest = await folder.files();
    expect([rest.includes(unused), rest.includes(used)]).toEqual([false, true]);
    await fetch(`${hub.url}/api/sessions/${ana.id}`, { method: "DELETE", headers: admin });
    expect((await hub.get(told.body.message.media_url)).status).toBe(404);
    expect((await hub.get(`/api/media/${used}`, admin)).status).toBe(404);
    await hub.sweep();
    const left = await folder.files();
    expect([left.includes(used), left.includes(others)]).toEqual([false, true]);
    expect(await sql`select upload_id from uploads where upload_id in (${unused}, ${used})`).toEqual([]);
    // With the session's retention.
    await sql`update sessions set status = 'logged_out', ended_at = now() - interval '2 days' where session_id = ${bob.id}`;
    await hub.sweep();
    await hub.sweep();
    expect((await folder.files()).includes(others)).toBe(false);
  });

  test("moves with its session when two customers become one", async () => {
    const [ana, anna] = [
      await hub.visitor({ channel: "web", customer_id: "up-1" }),
      await hub.visitor({ channel: "web", customer_id: "up-2" }),
    ];
    const said = await Promise.all(
      [ana, anna].map(async ({ bearer }, i) => {
        const id = (await upload(PNG, bearer)).body.upload.upload;
        const { body } = await say(bearer, {
          external_id: `m${i}`,
          content: { kind: "image", media: { upload: id } },
        });
        return { id, message: body.message };
      }),
    );
    const merged = await fetch(
      `${hub.url}/api/customers/up-2/merge`,
      post({ into: "up-1", give_up: ["customer_id"] }, admin),
    );
    expect(merged.status).toBe(200);
    const rows =
      await sql`select distinct session_id from uploads where upload_id in ${sql(said.map(({ id }) => id))}`;
    expect(rows).toHaveLength(1);
    for (const { message } of said) expect((await hub.get(message.media_url)).status).toBe(200);
  });

  test("is limited: a hundred within a day for a session", async () => {
    const { bearer, id } = await hub.visitor();
    await sql`insert into uploads (upload_id, session_id, created_at, delete_at)
      select gen_random_uuid(), ${id}, now(), now() + interval '1 hour' from generate_series(1, 99)`;
    const [first, second] = await Promise.all([upload(PNG, bearer), upload(PNG, bearer)]);
    expect([first.status, second.status].toSorted()).toEqual([201, 429]);
  });

  test("whose session is erased while the bytes come is not kept", async () => {
    const { bearer, id } = await hub.visitor();
    const { port } = new URL(hub.url);
    const slow = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(PNG.subarray(0, 20));
        await new Promise((later) => setTimeout(later, 300));
        await fetch(`http://127.0.0.1:${port}/api/sessions/${id}`, { method: "DELETE", headers: admin });
        controller.enqueue(PNG.subarray(20));
        controller.close();
      },
    });
    const answer = await fetch(`${hub.url}/api/media`, {
      method: "POST",
      headers: bearer,
      body: slow,
      duplex: "half",
    } as RequestInit);
    expect(answer.status).toBe(404);
    await hub.sweep();
    expect(await sql`select upload_id from uploads where session_id = ${id}`).toEqual([]);
  });
});

test("an upload of a hub that is killed between the bytes and their row is deleted by a later sweep", async () => {
  const port = await freePort();
  const options = {
    port,
    databaseUrl: hub.databaseUrl,
    telegramUrl: hub.telegram.url,
    whatsappUrl: hub.whatsapp.url,
    botUrl: "http://127.0.0.1:9",
    folder: folder.folder,
  };
  const script = new URL("../support/hub-process.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => kill(child));
  await once(child.stdout, "data");
  child.stdout.resume();
  const { bearer, id } = await hub.visitor();
  const before = await folder.files();
  const bytes = Promise.withResolvers<void>();
  const slow = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(PNG.subarray(0, 20));
      await bytes.promise;
      controller.enqueue(PNG.subarray(20));
      controller.close();
    },
  });
  const answer = fetch(`http://127.0.0.1:${port}/api/media`, {
    method: "POST",
    headers: bearer,
    body: slow,
    duplex: "half",
  } as RequestInit).catch(() => undefined);
  const row = () => sql`select upload_id, mime_type from uploads where session_id = ${id}`;
  await expect.poll(row, { timeout: 10_000 }).toHaveLength(1);
  const [{ upload_id }] = (await row()) as any;
  // The hub stores the bytes, and then waits for the row.
  await sql.begin(async (tx) => {
    await tx`select from uploads where session_id = ${id} for update`;
    bytes.resolve();
    await expect.poll(folder.files, { timeout: 3_500, interval: 20 }).toHaveLength(before.length + 1);
    await kill(child);
    // Postgres ends a call whose client is gone only when it writes its answer.
    await tx`select pg_terminate_backend(pid) from pg_stat_activity where query like '%hub_finish_upload%' and wait_event_type = 'Lock'`;
  });
  await answer;
  expect(await folder.files()).toContain(upload_id);
  expect(await row()).toMatchObject([{ mime_type: null }]);
  expect((await hub.get(`/api/media/${upload_id}`, admin)).status).toBe(404);
  await hub.sweep();
  expect(await folder.files()).toContain(upload_id);
  await sql`update uploads set delete_at = delete_at - interval '1 hour' where session_id = ${id}`;
  await hub.sweep();
  expect(await folder.files()).not.toContain(upload_id);
  expect(await row()).toEqual([]);
});

describe("a reply with an upload", () => {
  const sentOn = async (platform: "telegram" | "whatsapp", method: string) =>
    (await hub.control(hub[platform], `/_sent?method=${method}&wait=10`, undefined, "GET")).sent;
  const clear = () =>
    Promise.all([hub.telegram, hub.whatsapp].map((one) => hub.control(one, "/_sent", undefined, "DELETE")));

  test("is uploaded once to WhatsApp and to Telegram, and again when they no longer know it", async () => {
    await clear();
    const shops = (await upload(PNG, admin, "?name=menu.png")).body.upload.upload;
    replies = [{ kind: "image", media: { upload: shops }, caption: "Our menu" }];
    const onTelegram = () => hub.control(hub.telegram, "/_customer/message", { chat: CHAT, text: "menu?" });
    const onWhatsApp = () =>
      hub.control(hub.whatsapp, "/_customer/message", { from: PHONE, text: { body: "menu?" } });
    const sent = async (platform: "telegram" | "whatsapp", count: number) => {
      const method = platform === "telegram" ? "sendPhoto" : "image";
      const { sent } = await hub.control(
        hub[platform],
        `/_sent?method=${method}&wait=10&count=${count}`,
        undefined,
        "GET",
      );
      expect(sent).toHaveLength(count);
      return sent;
    };
    await onTelegram();
    const [first] = await sent("telegram", 1);
    const file_id = first.photo.at(-1).file_id;
    expect(first).toMatchObject({ text: "Our menu" });
    expect(
      await (
        await fetch(`${hub.telegram.url}/file/bot${"103:secret-of-the-bot"}/photos/${file_id}`)
      ).arrayBuffer(),
    ).toEqual(new Uint8Array(PNG).buffer);
    await expect.poll(() => kept(shops)).toHaveLength(1);
    await onTelegram();
    expect((await sent("telegram", 2))[1].photo.at(-1).file_id).toBe(file_id);
    await hub.control(hub.telegram, `/_customer/file?id=${file_id}`, undefined, "DELETE");
    await onTelegram();
    expect((await sent("telegram", 3))[2].photo.at(-1).file_id).not.toBe(file_id);

    await onWhatsApp();
    const [message] = await sent("whatsapp", 1);
    expect(message.image).toEqual({ id: expect.stringMatching(/^\d{16}$/), caption: "Our menu" });
    expect((await sentOn("whatsapp", "upload"))[0]).toMatchObject({ type: "image/png", name: "menu.png" });
    await expect.poll(() => kept(shops)).toHaveLength(2);
    await onWhatsApp();
    expect((await sent("whatsapp", 2))[1].image.id).toBe(message.image.id);
    expect(await sentOn("whatsapp", "upload")).toHaveLength(1);
    await hub.control(hub.whatsapp, `/_customer/file?id=${message.image.id}`, undefined, "DELETE");
    await onWhatsApp();
    expect((await sent("whatsapp", 3))[2].image.id).not.toBe(message.image.id);
    expect(await sentOn("whatsapp", "upload")).toHaveLength(2);
    // The id ends before Meta forgets the file.
    const [row] = await sql`select platform_ids from uploads where upload_id = ${shops}`;
    const days =
      (Date.parse(Object.values<any>(row!.platform_ids).find((one) => one.until).until) - Date.now()) /
      86_400_000;
    expect(days).toBeGreaterThan(28);
    expect(days).toBeLessThan(30);
  });

  const kept = async (upload: string) => {
    const [row] = await sql`select platform_ids from uploads where upload_id = ${upload}`;
    return Object.keys(row!.platform_ids);
  };

  test("reaches a page as a link, also in a carousel, and in the card's place only", async () => {
    const ana = await hub.visitor();
    const [one, two] = [
      (await upload(PNG, admin)).body.upload.upload,
      (await upload("%PDF-1.4 menu", admin, "?name=menu.pdf")).body.upload.upload,
    ];
    replies = [
      { kind: "document", media: { upload: two } },
      { kind: "carousel", cards: [{ title: "A" }, { title: "B", image: { upload: one } }] },
    ];
    const answer = await fetch(
      `${hub.url}/webhooks/web?wait=5`,
      post({ external_id: "1", text: "hi" }, ana.bearer),
    );
    const said = ((await answer.json()) as any).replies;
    expect(said).toHaveLength(2);
    const [document, carousel] = said;
    expect(document.content.media).toEqual({ upload: two, url: document.media_url });
    const file = await hub.get(document.media_url);
    expect([file.status, file.headers.get("content-disposition"), String(await bytesOf(file))]).toEqual([
      200,
      'attachment; filename="menu.pdf"',
      "%PDF-1.4 menu",
    ]);
    const { url } = carousel.content.cards[1].image;
    expect(carousel.media_url).toBeNull();
    expect((await bytesOf(await hub.get(url))).equals(PNG)).toBe(true);
    expect((await hub.get(url.replace("card=2", "card=1"))).status).toBe(401);
    expect((await hub.get(`/api/media/${carousel.message_id}?card=2`, ana.bearer)).status).toBe(200);
    expect((await hub.get(`/api/media/${carousel.message_id}?card=1`, ana.bearer)).status).toBe(404);
    expect(
      (await hub.get(`/api/media/${carousel.message_id}?card=2`, (await hub.visitor()).bearer)).status,
    ).toBe(404);
    // Without being named to her it is not hers.
    expect((await hub.get(`/api/media/${two}`, ana.bearer)).status).toBe(404);
    // Deleted by the shop.
    const gone = await fetch(`${hub.url}/api/media/${two}`, { method: "DELETE", headers: admin });
    expect(await gone.json()).toEqual({ deleted: true });
    expect((await hub.get(document.media_url)).status).toBe(410);
  });

  test("by URL is not fetched by the hub, wherever the URL leads", async () => {
    const calls: string[] = [];
    const inside = createServer((request, response) => {
      calls.push(request.url!);
      response.end("inside");
    });
    inside.on("connection", () => calls.push("connection"));
    await new Promise<void>((resolve) => inside.listen(0, "127.0.0.1", resolve));
    const { port } = inside.address() as AddressInfo;
    await clear();
    const hosts = [
      "127.0.0.1",
      "localhost",
      "2130706433",
      "0177.0.0.1",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "0.0.0.0",
    ];
    for (const host of hosts) {
      replies = [{ kind: "image", media: { url: `https://${host}:${port}/secrets` } }];
      await hub.control(hub.telegram, "/_customer/message", { chat: CHAT, text: host });
      const ana = await hub.visitor();
      const said = await fetch(
        `${hub.url}/webhooks/web?wait=5`,
        post({ external_id: "1", text: "hi" }, ana.bearer),
      );
      const [image] = ((await said.json()) as any).replies;
      expect(image.media_url).toBeNull();
      expect((await hub.get(`/api/media/${image.message_id}`, admin)).status).toBe(404);
    }
    const query = `/_sent?method=sendPhoto&wait=10&count=${hosts.length}`;
    expect((await hub.control(hub.telegram, query, undefined, "GET")).sent).toHaveLength(hosts.length);
    expect(calls).toEqual([]);
    await new Promise((resolve) => inside.close(resolve));
  });

  test("of another customer is never sent, however a bot names it", async () => {
    const eve = await hub.visitor();
    const hers = (await upload("%PDF-1.4 private", eve.bearer)).body.upload.upload;
    await clear();
    replies = [{ kind: "document", media: { upload: hers } }];
    await hub.control(hub.telegram, "/_customer/message", { chat: CHAT, text: "give me hers" });
    await expect
      .poll(async () => ((await (await hub.get("/api/dead-letters", admin)).json()) as any).dead_letters, {
        timeout: 10_000,
      })
      .toContainEqual(
        expect.objectContaining({ type: "delivery", code: "rejected", reason: "upload_not_found" }),
      );
    expect((await hub.control(hub.telegram, "/_sent?method=sendDocument", undefined, "GET")).sent).toEqual(
      [],
    );
    const ana = await hub.visitor();
    const answer = await fetch(
      `${hub.url}/webhooks/web?wait=5`,
      post({ external_id: "1", text: "hers" }, ana.bearer),
    );
    const [document] = ((await answer.json()) as any).replies;
    expect((await hub.get(document.media_url)).status).toBe(410);
    expect((await hub.get(document.content.media.url)).status).toBe(410);
  });

  test("is tried again while the file storage or the platform's upload fails", async () => {
    await clear();
    const shops = (await upload(PNG, admin)).body.upload.upload;
    replies = [{ kind: "image", media: { upload: shops } }];
    await hub.control(hub.whatsapp, "/_faults", { kind: "status", method: "upload", status: 500 });
    await hub.control(hub.whatsapp, "/_customer/message", { from: PHONE, text: { body: "menu?" } });
    await expect
      .poll(() => hub.lines.some(({ event }) => event === "delivery.failed"), { timeout: 5_000 })
      .toBe(true);
    await sql`update deliveries set due_at = now() where state = 'pending'`;
    await hub.sweep();
    expect(await sentOn("whatsapp", "image")).toHaveLength(1);
  });
});
