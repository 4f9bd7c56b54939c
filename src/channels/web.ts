import { z } from "zod";
import type { Channel } from "../core/channel.ts";
import type { ContentTable } from "../core/content/table.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { apiKeys, callerChannel, country } from "./caller.ts";

const settingsSchema = z.object({
  WEB_API_KEY: apiKeys,
  ADMIN_API_KEY: apiKeys,
  DEFAULT_COUNTRY: country,
});

const file = { media: "by `url` or `upload`; a platform's id is refused" };

/** What the page makes of each kind of reply: it gets them in the neutral form, as `content` of a message. */
export const webContent: ContentTable = {
  text: { as: "native" },
  image: { as: "native", limits: file },
  video: { as: "native", limits: file },
  audio: { as: "native", limits: file },
  voice: { as: "native", limits: file },
  document: { as: "native", limits: file },
  sticker: { as: "native", limits: file },
  location: { as: "native" },
  contact: { as: "native" },
  buttons: { as: "native" },
  list: { as: "native" },
  carousel: { as: "native" },
  product: { as: "native" },
  order: { as: "native" },
  template: { as: "text", to: "`fallback`; refused without it" },
  reaction: { as: "native" },
  edit: { as: "native" },
  delete: { as: "native" },
  pin: { as: "native" },
  typing: { as: "native", to: "an event of the live connection; nothing is saved" },
};

/** Chats on web pages. Always on, because a session token needs no setting. */
export default function web(env: Env): Channel {
  const settings = settingsOf("web", settingsSchema, env);
  const trusted = [...(settings?.WEB_API_KEY ?? []), ...(settings?.ADMIN_API_KEY ?? [])];
  return callerChannel("web", { trusted }, settings?.DEFAULT_COUNTRY, webContent);
}
