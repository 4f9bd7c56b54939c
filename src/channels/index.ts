import type { Channel } from "../core/channel.ts";
import type { Env } from "../core/settings.ts";
import kiosk from "./kiosk.ts";
import telegram from "./telegram/index.ts";
import web from "./web.ts";
import whatsapp from "./whatsapp/index.ts";

/** All channels. Each function makes its channel from the settings; without its settings a channel is off. */
export const channels: Readonly<Record<string, (env: Env) => Channel | undefined>> = {
  telegram,
  whatsapp,
  kiosk,
  web,
};
