import type { Emulator } from "../../dev/emulators/server.ts";
import { startTelegramEmulator } from "../../dev/emulators/telegram.ts";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { freePort } from "../../dev/services/ports.ts";
import { post } from "../support/http.ts";

/** Both messengers, for a hub that is started afterwards, on `port` and with `vars`. */
export interface Emulated {
  readonly port: number;
  readonly vars: Record<string, string>;
  readonly telegram: Emulator;
  readonly whatsapp: Emulator;
  /** A customer does something at a messenger. */
  act(at: Emulator, path: string, fields: object): Promise<void>;
  /** What the hub has sent to this messenger, as texts. */
  sent(at: Emulator): Promise<readonly string[]>;
  stop(): Promise<void>;
}

export async function startEmulated(): Promise<Emulated> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const telegram = await startTelegramEmulator({
    port: 0,
    token: "1000001:token",
    webhookUrl: `${url}/webhooks/telegram`,
    webhookSecret: "telegram-secret",
  });
  const whatsapp = await startWhatsAppEmulator({
    port: 0,
    accessToken: "access-token",
    appSecret: "app-secret",
    verifyToken: "verify-token",
    phoneNumberId: "100000000000001",
    webhookUrl: `${url}/webhooks/whatsapp`,
  });
  return {
    port,
    telegram,
    whatsapp,
    vars: {
      TELEGRAM_BOT_TOKEN: "1000001:token",
      TELEGRAM_WEBHOOK_SECRET: "telegram-secret",
      TELEGRAM_BOT_USERNAME: "hub_bot",
      TELEGRAM_API_ROOT: telegram.url,
      WHATSAPP_ACCESS_TOKEN: "access-token",
      WHATSAPP_APP_SECRET: "app-secret",
      WHATSAPP_VERIFY_TOKEN: "verify-token",
      WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
      WHATSAPP_DISPLAY_PHONE_NUMBER: "15550001111",
      WHATSAPP_API_ROOT: whatsapp.url,
    },
    async act(at, path, fields) {
      const answer = await fetch(`${at.url}/_customer/${path}`, post(fields));
      const { status, error } = (await answer.json()) as { status: number; error?: string };
      if (status !== 200) throw new Error(`${path}: ${answer.status}, delivered with ${status} ${error}`);
    },
    async sent(at) {
      const { sent } = (await (await fetch(`${at.url}/_sent`)).json()) as { sent: { text?: string }[] };
      return sent.flatMap(({ text }) => text ?? []);
    },
    stop: async () => void (await Promise.all([telegram.stop(), whatsapp.stop()])),
  };
}
