import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeBytes } from "../../dev/emulators/files.ts";
import { mediaLinks } from "../../src/features/media/links.ts";
import { ENV, post, testHub } from "../support/http.ts";
import { admin, LINK_SECRET, type MediaHub, startMediaHub, web } from "../support/media-hub.ts";

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const CHAT = { id: 7100200300, first_name: "Ana" };
const PHONE = "5511987654321";
/** What must never leave the hub. */
const SECRETS = [ENV.TELEGRAM_BOT_TOKEN, ENV.WHATSAPP_ACCESS_TOKEN, "/file/bot", "attachments/?mid"];

let hub: MediaHub;
beforeAll(async () => {
  hub = await startMediaHub();
});
afterAll(() => hub.stop());

/** Lets a Telegram customer send a file, and returns the message. */
async function onTelegram(kind: string, file: string, more: object = {}, fields: object = {}) {
  const media = { file_id: file, file_unique_id: `u${file.slice(-8)}`, ...more };
  const content = kind === "photo" ? [{ ...media, width: 1, height: 1 }] : media;
  const { status } = await hub.control(hub.telegram, "/_customer/message", {
    chat: CHAT,
    [kind]: content,
    ...fields,
  });
  expect(status).toBe(200);
  return hub.newest(NAMES[kind] ?? kind);
}
const NAMES: Record<string, string> = { photo: "image", voice: "audio" };

/** Lets a WhatsApp customer send a file, and returns the message. */
async function onWhatsApp(kind: string, id: string, more: object = {}) {
  const { status } = await hub.control(hub.whatsapp, "/_customer/message", {
    from: PHONE,
    type: kind,
    [kind]: { id, ...more },
  });
  expect(status).toBe(200);
  return hub.newest(kind);
}

const path = ({ message_id }: { message_id: string }) => `/api/media/${message_id}`;
const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

describe("a customer's file", () => {
  test("is read by its message, from Telegram and from WhatsApp", async () => {
    const photo = await onTelegram("photo", await hub.give(hub.telegram, "type=image/png", PIXEL));
    const document = await onWhatsApp(
      "document",
      await hub.give(hub.whatsapp, "type=application/pdf&name=a.pdf", "%PDF-1.7 hello"),
      { mime_type: "application/pdf", filename: "Übersicht 2026.pdf" },
    );
    const picture = await hub.get(path(photo), admin);
    expect([picture.status, await bytesOf(picture)]).toEqual([200, PIXEL]);
    expect(Object.fromEntries(picture.headers)).toMatchObject({
      "content-type": "image/jpeg",
      "content-length": String(PIXEL.byteLength),
      "content-disposition": "inline",
      "x-content-type-options": "nosniff",
      "accept-ranges": "bytes",
      "cache-control": "private, no-cache",
      "cross-origin-resource-policy": "cross-origin",
      "content-security-policy": "default-src 'none'; sandbox",
    });
    const file = await hub.get(path(document), admin);
    expect([file.status, String(await bytesOf(file))]).toEqual([200, "%PDF-1.7 hello"]);
    expect(file.headers.get("content-type")).toBe("application/pdf");
    expect(file.headers.get("content-disposition")).toBe(
      `attachment; filename="_bersicht 2026.pdf"; filename*=UTF-8''%C3%9Cbersicht%202026.pdf`,
    );
  });

  test("is read in ranges, by its headers alone, and not again if it is known", async () => {
    for (const [platform, said] of [
      [hub.telegram, (id: string) => onTelegram("document", id, { mime_type: "text/plain" })],
      [hub.whatsapp, (id: string) => onWhatsApp("document", id, { mime_type: "text/plain" })],
    ] as const) {
      const id = await hub.give(platform, "type=text/plain", "0123456789");
      const message = await said(id);
      const range = async (header: string, more: Record<string, string> = {}) => {
        const answer = await hub.get(path(message), { ...admin, range: header, ...more });
        return [answer.status, answer.headers.get("content-range"), String(await bytesOf(answer))];
      };
      expect(await range("bytes=2-4")).toEqual([206, "bytes 2-4/10", "234"]);
      expect(await range("bytes=7-")).toEqual([206, "bytes 7-9/10", "789"]);
      expect(await range("bytes=-3")).toEqual([206, "bytes 7-9/10", "789"]);
      expect(await range("bytes=8-100")).toEqual([206, "bytes 8-9/10", "89"]);
      expect(await range("bytes=10-")).toEqual([416, "bytes */10", ""]);
      for (const whole of ["bytes=5-2", "bytes=0-1,4-5", "items=1-2", "bytes=-", "bytes=a-b"])
        expect(await range(whole)).toEqual([200, null, "0123456789"]);
      const head = await hub.get(path(message), admin, "HEAD");
      expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""]);
      const etag = head.headers.get("etag")!;
      expect(etag).toMatch(/^"[0-9a-f]{22}"$/);
      expect((await hub.get(path(message), { ...admin, "if-none-match": etag })).status).toBe(304);
      expect(await range("bytes=2-4", { "if-range": etag })).toEqual([206, "bytes 2-4/10", "234"]);
      expect(await range("bytes=2-4", { "if-range": '"other"' })).toEqual([200, null, "0123456789"]);
    }
  });

  test("has a link in the history, which opens it without credentials until it ends", async () => {
    const message = await onTelegram("voice", await hub.give(hub.telegram, "type=audio/ogg", "OggS sound"));
    expect(message.media_url).toMatch(
      new RegExp(`^${hub.url}/api/media/${message.message_id}\\?expires=\\d{10}&signature=[0-9a-f]{32}$`),
    );
    const answer = await hub.get(message.media_url);
    expect([answer.status, answer.headers.get("content-type"), String(await bytesOf(answer))]).toEqual([
      200,
      "audio/ogg",
      "OggS sound",
    ]);
    const link = new URL(message.media_url);
    const changed = (name: string, value: string) => {
      const other = new URL(link);
      other.searchParams.set(name, value);
      return other.href;
    };
    const other = await onTelegram("voice", await hub.give(hub.telegram, "type=audio/ogg", "OggS else"));
    const hours = (count: number) => new Date(Date.now() + count * 3_600_000);
    const links = mediaLinks([LINK_SECRET], hub.url);
    for (const wrong of [
      changed("expires", String(Number(link.searchParams.get("expires")) + 1)),
      changed("signature", "0".repeat(32)),
      changed("signature", ""),
      changed("card", "1"),
      `${hub.url}/api/media/${other.message_id}${link.search}`,
      `${hub.url}${link.pathname}?expires=9999999999`,
      links.link(message.message_id, hours(-3)).url,
      links.link(message.message_id, hours(3)).url,
      mediaLinks(["another secret, which is long enough too"], hub.url).link(message.message_id, hours(0))
        .url,
    ])
      expect([wrong, (await hub.get(wrong)).status]).toEqual([wrong, 401]);
    // A link replaces no key: a wrong one is refused beside a right key too.
    expect((await hub.get(changed("signature", "0".repeat(32)), admin)).status).toBe(401);
  });

  test("is nobody else's: another token is 404, a web or kiosk key 403, none 401", async () => {
    const { token, id, bearer } = await hub.visitor({ channel: "web", phone: "+5511987650001" });
    await hub.control(hub.whatsapp, "/_customer/message", {
      from: "5511987650001",
      type: "image",
      image: { id: await hub.give(hub.whatsapp, "type=image/png", PIXEL), mime_type: "image/png" },
    });
    const page = (await (await hub.get("/session/messages", bearer)).json()) as any;
    const message = page.messages.find((one: any) => one.kind === "image");
    expect(message.session_id).toBe(id);
    expect((await hub.get(path(message), bearer)).status).toBe(200);
    expect((await hub.get(path(message), { "x-session-token": token })).status).toBe(200);
    const stranger = await hub.visitor();
    const refused = await hub.get(path(message), stranger.bearer);
    const missing = await hub.get("/api/media/0190a1b2-0000-7000-8000-000000000001", stranger.bearer);
    const said = async (answer: Response) => {
      const { error } = (await answer.json()) as any;
      return [answer.status, error.code, error.message];
    };
    expect(await said(refused)).toEqual(await said(missing));
    expect(refused.status).toBe(404);
    expect((await hub.get(path(message))).status).toBe(401);
    expect((await hub.get(path(message), { authorization: "Bearer hst_none" })).status).toBe(404);
    expect((await hub.get(path(message), web)).status).toBe(403);
    expect((await hub.get(path(message), { "x-api-key": "nonsense" })).status).toBe(401);
    // A dead token reads nothing more, and an erased message has no file.
    await fetch(`${hub.url}/session/signout`, { method: "POST", headers: bearer });
    expect((await hub.get(path(message), bearer)).status).toBe(404);
    await fetch(`${hub.url}/api/sessions/${id}`, { method: "DELETE", headers: admin });
    expect((await hub.get(path(message), admin)).status).toBe(404);
    expect((await hub.get(message.media_url)).status).toBe(404);
  });

  test("is none of a text, and none of a page's own", async () => {
    const { bearer } = await hub.visitor();
    const said = async (body: object) =>
      ((await (await fetch(`${hub.url}/webhooks/web`, post(body, bearer))).json()) as any).message;
    const text = await said({ external_id: "1", text: "Hello" });
    expect(text.media_url).toBeNull();
    expect((await hub.get(path(text), bearer)).status).toBe(404);
    const own = await said({ external_id: "2", content: { kind: "image", media: { id: "page-7" } } });
    expect((await hub.get(path(own), bearer)).status).toBe(404);
  });

  test("keeps the platforms' addresses and tokens inside, whatever happens", async () => {
    const photo = await onTelegram("photo", await hub.give(hub.telegram, "type=image/png", PIXEL));
    const picture = await onWhatsApp("image", await hub.give(hub.whatsapp, "type=image/png", PIXEL), {
      mime_type: "image/png",
      url: "https://lookaside.example/?token=secret",
    });
    const seen: string[] = [];
    const look = async (message: any, method = "GET") => {
      const answer = await hub.get(path(message), admin, method);
      seen.push(
        JSON.stringify([...answer.headers]),
        answer.url,
        await answer.text().catch((error) => String(error)),
      );
      return answer.status;
    };
    const fault = (platform: typeof hub.telegram, fields: object) =>
      hub.control(platform, "/_faults", fields);
    const expected: [() => Promise<unknown>, any, number][] = [
      [() => fault(hub.telegram, { kind: "status", method: "getFile", status: 500 }), photo, 503],
      [
        () => fault(hub.telegram, { kind: "status", method: "getFile", status: 429, retry_after: 3 }),
        photo,
        503,
      ],
      [() => fault(hub.telegram, { kind: "status", method: "getFile", status: 400 }), photo, 410],
      [() => fault(hub.telegram, { kind: "cut", method: "getFile" }), photo, 503],
      [() => fault(hub.telegram, { kind: "status", method: "file", status: 404 }), photo, 410],
      [() => fault(hub.telegram, { kind: "status", method: "file", status: 502 }), photo, 503],
      [() => fault(hub.telegram, { kind: "cut", method: "file" }), photo, 503],
      [() => fault(hub.telegram, { kind: "slow", method: "file", ms: 4_000 }), photo, 503],
      [() => fault(hub.telegram, { kind: "slow", method: "file", type: "text/html" }), photo, 503],
      [() => fault(hub.whatsapp, { kind: "status", method: "media", status: 500 }), picture, 503],
      [() => fault(hub.whatsapp, { kind: "status", method: "media", status: 400 }), picture, 410],
      [() => fault(hub.whatsapp, { kind: "status", method: "media", status: 401 }), picture, 503],
      [() => fault(hub.whatsapp, { kind: "cut", method: "media" }), picture, 503],
      [() => fault(hub.whatsapp, { kind: "status", method: "download", status: 404 }), picture, 410],
      [() => fault(hub.whatsapp, { kind: "slow", method: "download", type: "text/html" }), picture, 503],
      [() => fault(hub.whatsapp, { kind: "slow", method: "download", ms: 4_000 }), picture, 503],
    ];
    for (const [arrange, message, status] of expected) {
      await arrange();
      expect([String(arrange), await look(message)]).toEqual([String(arrange), status]);
      for (const platform of [hub.telegram, hub.whatsapp])
        await hub.control(platform, "/_faults", undefined, "DELETE");
    }
    for (const message of [photo, picture]) for (const method of ["GET", "HEAD"]) await look(message, method);
    const all = [...seen, JSON.stringify(hub.lines), JSON.stringify([photo, picture])].join("\n");
    for (const secret of SECRETS) expect(all).not.toContain(secret);
    expect(all).not.toContain(encodeURIComponent(ENV.TELEGRAM_BOT_TOKEN));
  });

  test("of an address that is not Meta's is not fetched: our token stays here", async () => {
    const picture = await onWhatsApp("image", await hub.give(hub.whatsapp, "type=image/png", PIXEL), {
      mime_type: "image/png",
    });
    const calls: string[] = [];
    const { createServer } = await import("node:http");
    const server = createServer((request, response) => {
      calls.push(String(request.headers.authorization));
      response.end("mine");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    for (const url of [
      `http://127.0.0.1:${port}/`,
      `http://localhost:${port}/`,
      "https://lookaside.fbsbx.com.evil.example/",
      "http://lookaside.fbsbx.com/",
      "https://user@lookaside.fbsbx.com/",
      "https://evil-fbsbx.com/",
      "file:///etc/passwd",
      "nonsense",
    ]) {
      await hub.control(hub.whatsapp, "/_faults", {
        kind: "status",
        method: "media",
        status: 200,
        body: { url, mime_type: "image/png", file_size: 4, id: "1" },
      });
      const answer = await hub.get(path(picture), admin);
      expect([url, answer.status]).toEqual([url, 503]);
      expect(await answer.text()).not.toContain(url);
    }
    expect(calls).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
  });

  test("that the platform has deleted is 410, one that is too large 413", async () => {
    const gone = await hub.give(hub.whatsapp, "type=image/png", PIXEL);
    const message = await onWhatsApp("image", gone, { mime_type: "image/png" });
    await hub.control(hub.whatsapp, `/_customer/file?id=${gone}`, undefined, "DELETE");
    const answer = await hub.get(path(message), admin);
    expect([answer.status, ((await answer.json()) as any).error.code]).toEqual([410, "media_expired"]);
    const large = await onTelegram(
      "document",
      await hub.give(hub.telegram, `size=${21 * 1024 * 1024}&type=video/mp4`),
    );
    const refused = await hub.get(path(large), admin);
    expect([refused.status, ((await refused.json()) as any).error.code]).toEqual([413, "media_too_large"]);
    const larger = await onWhatsApp(
      "video",
      await hub.give(hub.whatsapp, `size=${201 * 1024 * 1024}&type=video/mp4`),
    );
    expect((await hub.get(path(larger), admin)).status).toBe(413);
    expect((await hub.get(path(larger), admin, "HEAD")).status).toBe(413);
  });

  test("that breaks off half-way is continued where it ended, and never passed off as whole", async () => {
    const size = 3_000_000;
    const said = {
      telegram: async () =>
        onTelegram("document", await hub.give(hub.telegram, `size=${size}&type=video/mp4`)),
      whatsapp: async () => onWhatsApp("video", await hub.give(hub.whatsapp, `size=${size}&type=video/mp4`)),
    };
    const wanted = Buffer.from(madeBytes(0, size));
    for (const [name, method] of [
      ["telegram", "file"],
      ["whatsapp", "download"],
    ] as const) {
      const message = await said[name]();
      const breaking = (times: number) =>
        hub.control(hub[name], "/_faults", { kind: "break", method, bytes: 700_000, times });
      await breaking(2);
      expect((await bytesOf(await hub.get(path(message), admin))).equals(wanted)).toBe(true);
      await breaking(1);
      const part = await hub.get(path(message), { ...admin, range: "bytes=100-1999999" });
      expect((await bytesOf(part)).equals(wanted.subarray(100, 2_000_000))).toBe(true);
      await breaking(-1);
      const broken = await hub.get(path(message), admin);
      expect([broken.status, broken.headers.get("content-length")]).toEqual([200, String(size)]);
      await expect(broken.arrayBuffer()).rejects.toThrow();
      await hub.control(hub[name], "/_faults", undefined, "DELETE");
      expect(hub.lines.findLast(({ event }) => event === "media.broken")?.fields).toMatchObject({
        id: message.message_id,
        channel: name,
        code: "unavailable",
      });
    }
  });

  test("whose reader goes away is not read on", async () => {
    const message = await onWhatsApp(
      "video",
      await hub.give(hub.whatsapp, `size=${90_000_000}&type=video/mp4`),
    );
    const controller = new AbortController();
    const answer = await fetch(hub.url + path(message), { headers: admin, signal: controller.signal });
    await answer.body!.getReader().read();
    controller.abort();
    expect((await hub.get(path(message), { ...admin, range: "bytes=0-9" })).status).toBe(206);
  });
});

test("without a secret, the link names the file and needs credentials; without a database there are none", async () => {
  const hub = testHub();
  expect(
    (await hub.request("/api/media/0190a1b2-0000-7000-8000-000000000001", { headers: admin })).status,
  ).toBe(501);
  const links = mediaLinks([], undefined);
  expect(links.link("0190a1b2", new Date())).toEqual({ url: "/api/media/0190a1b2" });
  expect(links.linkOutside("0190a1b2", new Date())).toBeUndefined();
  expect(links.opens({ id: "x", expires: 1, signature: "" }, new Date(0))).toBe(false);
});
