import type { Emulator } from "../../dev/emulators/server.ts";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { freePort } from "../../dev/services/ports.ts";
import type { Bot } from "../../src/core/answer/bot.ts";
import { mediaLinks } from "../../src/features/media/links.ts";
import type { MediaOptions } from "../../src/features/media/options.ts";
import { ENV, post } from "./http.ts";
import { type NodeHub, startNodeHub } from "./node-hub.ts";
import { createDatabase } from "./stack.ts";

export const LINK_SECRET = "a secret for links, long enough to be one";
export const admin = { "x-api-key": "admin-key" };
export const web = { "x-api-key": "web-key" };

/** A hub on Node with its database, and the platforms with their files. */
export interface MediaHub extends NodeHub {
  readonly url: string;
  readonly databaseUrl: string;
  readonly telegram: Emulator;
  readonly whatsapp: Emulator;
  /** Gives a customer a file; returns the platform's id of it. */
  give(platform: Emulator, query: string, bytes?: Uint8Array | string): Promise<string>;
  /** Calls a control of an emulator. */
  control(platform: Emulator, path: string, fields?: object, method?: string): Promise<any>;
  /** The session's token and id of a new visitor. */
  visitor(body?: object): Promise<{ token: string; id: string; bearer: { authorization: string } }>;
  /** The newest message of this kind, with an admin's eyes. */
  newest(kind: string): Promise<any>;
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Response>;
}

export async function startMediaHub(
  media: Partial<MediaOptions> = {},
  bot: Bot = { history: 0, reply: async () => [] },
): Promise<MediaHub> {
  const { url: databaseUrl } = await createDatabase();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const telegram = await startTelegramEmulator({
    port: 0,
    token: ENV.TELEGRAM_BOT_TOKEN,
    webhookUrl: `${url}/webhooks/telegram`,
    webhookSecret: ENV.TELEGRAM_WEBHOOK_SECRET,
    limits: false,
  });
  const whatsapp = await startWhatsAppEmulator({
    port: 0,
    accessToken: ENV.WHATSAPP_ACCESS_TOKEN,
    appSecret: ENV.WHATSAPP_APP_SECRET,
    verifyToken: ENV.WHATSAPP_VERIFY_TOKEN,
    phoneNumberId: ENV.WHATSAPP_PHONE_NUMBER_ID,
    webhookUrl: `${url}/webhooks/whatsapp`,
    limits: false,
  });
  const links = mediaLinks([LINK_SECRET], url);
  const hub = await startNodeHub({
    port,
    databaseUrl,
    telegramUrl: telegram.url,
    whatsappUrl: whatsapp.url,
    bot,
    paced: false,
    media: { links, maxBytes: 200 * 1024 * 1024, ...media },
  });
  const json = async (answer: Response) => {
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()) as any;
  };
  const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(path.startsWith("http") ? path : url + path, { headers, method });
  return {
    ...hub,
    url,
    databaseUrl,
    telegram,
    whatsapp,
    get,
    async give(platform, query, bytes = "") {
      const answer = await fetch(`${platform.url}/_customer/file?${query}`, {
        method: "POST",
        body: bytes as string,
      });
      return (await json(answer)).id;
    },
    async control(platform, path, fields, method = "POST") {
      const body = fields ? { body: JSON.stringify(fields) } : {};
      return json(await fetch(platform.url + path, { method, ...body }));
    },
    async visitor(body = { channel: "web" }) {
      const { session_token: token, session } = await json(
        await fetch(`${url}/session/start`, post(body, web)),
      );
      return { token, id: session.session_id, bearer: { authorization: `Bearer ${token}` } };
    },
    async newest(kind) {
      const { sessions } = await json(await get("/api/sessions?limit=50", admin));
      const pages = await Promise.all(
        sessions.map(async (session: any) =>
          json(await get(`/api/sessions/${session.session_id}/messages?limit=200`, admin)),
        ),
      );
      const all = pages.flatMap((page) => page.messages).filter((one) => one.kind === kind);
      return all.toSorted((a, b) => a.seq - b.seq).at(-1);
    },
    async stop() {
      await hub.stop();
      await Promise.all([telegram.stop(), whatsapp.stop()]);
    },
  };
}
