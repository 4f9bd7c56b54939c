import { z } from "zod";
import type { Channel } from "../core/channel.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { apiKeys, callerChannel, country } from "./caller.ts";

const settingsSchema = z.object({
  WEB_API_KEY: apiKeys,
  ADMIN_API_KEY: apiKeys,
  DEFAULT_COUNTRY: country,
});

/** Chats on web pages. Always on, because a session token needs no setting. */
export default function web(env: Env): Channel {
  const settings = settingsOf("web", settingsSchema, env);
  const trusted = [...(settings?.WEB_API_KEY ?? []), ...(settings?.ADMIN_API_KEY ?? [])];
  return callerChannel("web", { trusted }, settings?.DEFAULT_COUNTRY);
}
