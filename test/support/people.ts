import { hmacHex } from "../../src/core/signature.ts";
import type { AppOptions } from "../../src/http/request.ts";
import { ENV, post, type TestHub, testHub } from "./http.ts";

export const keys = {
  kiosk: { "x-api-key": "kiosk-key-1" },
  web: { "x-api-key": "web-key" },
  admin: { "x-api-key": "admin-key" },
};

/** A hub that does not trust kiosks and has links to both messengers, with the codes that it has sent. */
export function strictHub(options: Partial<AppOptions> = {}, parts: Parameters<typeof testHub>[0] = {}) {
  const hub = testHub(parts, {
    kioskPhones: "verify",
    ...options,
  });
  const codes: { channel: string; code: string }[] = [];
  const sent: { channel: string; to: Readonly<Record<string, string>>; text: string }[] = [];
  for (const [channel, one] of Object.entries(hub.hub.channels))
    Object.assign(one, {
      sendCode: async (_to: unknown, code: string) => void codes.push({ channel, code }),
      ...(one.challenge || channel === "telegram"
        ? {
            send: async (to: Record<string, string>, { text }: { text: string }) => {
              sent.push({ channel, to, text });
              return `sent-${sent.length}`;
            },
            showTyping: async () => {},
          }
        : {}),
    });
  return { ...hub, codes, sent };
}

export type StrictHub = ReturnType<typeof strictHub>;

let updates = 0;

/** Lets a customer write in their private chat with the bot. */
export async function onTelegram(hub: TestHub, chat_id: number, text: string): Promise<void> {
  await telegram(hub, chat_id, { text });
}

/** Lets a customer share their own contact card there. */
export async function sharesPhone(hub: TestHub, chat_id: number, phone: string): Promise<void> {
  await telegram(hub, chat_id, {
    contact: { phone_number: phone.slice(1), first_name: "A", user_id: chat_id },
  });
}

async function telegram(hub: TestHub, id: number, what: object): Promise<void> {
  const message_id = ++updates;
  const from = { id, is_bot: false, first_name: "A" };
  const message = { message_id, date: 1781000000, chat: { id, type: "private" }, from, ...what };
  const headers = { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET };
  await accepted(hub, "telegram", { update_id: message_id, message }, headers);
}

/** Lets a customer write to the shop's WhatsApp number, now or at another time. */
export async function onWhatsApp(hub: TestHub, phone: string, text: string, at = new Date()): Promise<void> {
  const from = phone.slice(1);
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550001111", phone_number_id: "103" },
    contacts: [{ profile: { name: "A" }, wa_id: from }],
    messages: [
      {
        id: `wamid.${++updates}`,
        timestamp: `${Math.floor(at.getTime() / 1000)}`,
        type: "text",
        from,
        text: { body: text },
      },
    ],
  };
  const body = {
    object: "whatsapp_business_account",
    entry: [{ id: "1", changes: [{ field: "messages", value }] }],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const signature = `sha256=${await hmacHex(ENV.WHATSAPP_APP_SECRET, bytes)}`;
  await accepted(hub, "whatsapp", body, { "x-hub-signature-256": signature });
}

async function accepted(hub: TestHub, channel: string, body: object, headers: Record<string, string>) {
  const { status } = await hub.request(`/webhooks/${channel}`, post(body, headers));
  if (status !== 200) throw new Error(`${channel} was answered ${status}`);
  await hub.idle();
}

/** A route's status and answer. */
export async function call(hub: TestHub, path: string, init?: RequestInit) {
  const response = await hub.request(path, init);
  const text = await response.text();
  const body = text === "" ? undefined : (JSON.parse(text) as any);
  await hub.idle();
  return { status: response.status, body, headers: response.headers, code: body?.error?.code as string };
}

/** Requests a code, and returns it if one was sent. */
export async function askCode(
  hub: StrictHub,
  phone: string,
  headers: Record<string, string> = {},
): Promise<string | undefined> {
  const before = hub.codes.length;
  const { status, body } = await call(hub, "/session/verify", post({ phone }, headers));
  if (status !== 202) throw new Error(`/session/verify answered ${status} ${JSON.stringify(body)}`);
  return hub.codes[before]?.code;
}

/** A code other than this one. */
export function otherThan(code: string): string {
  return code === "000000" ? "000001" : "000000";
}
