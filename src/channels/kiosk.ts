import { z } from "zod";
import type { Channel } from "../core/ports.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { apiKeys, callerChannel, country } from "./caller.ts";

const settingsSchema = z.object({
  KIOSK_API_KEY: apiKeys,
  ADMIN_API_KEY: apiKeys,
  DEFAULT_COUNTRY: country,
});

/** Kiosks in shops: always on, since a session token needs no setting. */
export default function kiosk(env: Env): Channel {
  const settings = settingsOf("kiosk", settingsSchema, env);
  const keys = [...(settings?.KIOSK_API_KEY ?? []), ...(settings?.ADMIN_API_KEY ?? [])];
  return callerChannel("kiosk", keys, settings?.DEFAULT_COUNTRY);
}
