import { z } from "zod";
import type { Channel } from "../core/channel.ts";
import type { ContentTable } from "../core/content/table.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { apiKeys, callerChannel, country, phonePolicy } from "./caller.ts";

const settingsSchema = z.object({
  KIOSK_API_KEY: apiKeys,
  ADMIN_API_KEY: apiKeys,
  DEFAULT_COUNTRY: country,
  KIOSK_PHONE_POLICY: phonePolicy,
  KIOSK_IDLE_SECONDS: z.coerce.number().int().min(10).max(86_400).default(120),
});

const file = { media: "by `url` or `upload`; a platform's id is refused" };

/** What the page makes of each kind of reply: it gets them in the neutral form, as `content` of a message. */
export const kioskContent: ContentTable = {
  text: { as: "native" },
  image: { as: "native", limits: file },
  video: { as: "native", limits: file },
  audio: { as: "native", limits: file },
  voice: { as: "native", limits: file },
  document: { as: "native", limits: file },
  sticker: { as: "native", limits: file },
  location: { as: "native" },
  contact: { as: "native" },
  buttons: { as: "native", limits: { links: "the kiosk shows them as text: it opens no page" } },
  list: { as: "native" },
  carousel: { as: "native", limits: { links: "the kiosk shows them as text: it opens no page" } },
  product: { as: "native" },
  order: { as: "native" },
  template: { as: "text", to: "`fallback`; refused without it" },
  reaction: { as: "native" },
  edit: { as: "native" },
  delete: { as: "native" },
  pin: { as: "native" },
  typing: { as: "native", to: "an event of the live connection; nothing is saved" },
};

/** Kiosks in shops. Always on, because a session token needs no setting. */
export default function kiosk(env: Env): Channel {
  const settings = settingsOf("kiosk", settingsSchema, env);
  const { KIOSK_API_KEY: kiosks = [], ADMIN_API_KEY: admins = [] } = settings ?? {};
  const keys =
    settings?.KIOSK_PHONE_POLICY === "trust"
      ? { trusted: [...kiosks, ...admins] }
      : { trusted: admins, claiming: kiosks };
  const channel = callerChannel("kiosk", keys, settings?.DEFAULT_COUNTRY, kioskContent);
  return settings ? { ...channel, tokenIdleMs: settings.KIOSK_IDLE_SECONDS * 1_000 } : channel;
}
