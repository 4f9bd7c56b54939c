import { z } from "zod";
import type { Channel } from "../core/channel.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { apiKeys, callerChannel, country, phonePolicy } from "./caller.ts";

const settingsSchema = z.object({
  KIOSK_API_KEY: apiKeys,
  ADMIN_API_KEY: apiKeys,
  DEFAULT_COUNTRY: country,
  KIOSK_PHONE_POLICY: phonePolicy,
  KIOSK_IDLE_SECONDS: z.coerce.number().int().min(10).max(86_400).default(120),
});

/** Kiosks in shops. Always on, because a session token needs no setting. */
export default function kiosk(env: Env): Channel {
  const settings = settingsOf("kiosk", settingsSchema, env);
  const { KIOSK_API_KEY: kiosks = [], ADMIN_API_KEY: admins = [] } = settings ?? {};
  const keys =
    settings?.KIOSK_PHONE_POLICY === "trust"
      ? { trusted: [...kiosks, ...admins] }
      : { trusted: admins, claiming: kiosks };
  const channel = callerChannel("kiosk", keys, settings?.DEFAULT_COUNTRY);
  return settings ? { ...channel, tokenIdleMs: settings.KIOSK_IDLE_SECONDS * 1_000 } : channel;
}
