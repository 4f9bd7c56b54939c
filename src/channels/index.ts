import type { Channel } from "../core/channel.ts";
import type { Env } from "../core/settings.ts";
import kiosk from "./kiosk.ts";
import telegram from "./telegram/index.ts";
import web from "./web.ts";
import whatsapp from "./whatsapp/index.ts";

/** Every channel there is. Each makes itself from its settings, or is off without them. */
export const channels: Readonly<Record<string, (env: Env) => Channel | undefined>> = {
  telegram,
  whatsapp,
  kiosk,
  web,
};
