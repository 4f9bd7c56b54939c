import type { Bot } from "../core/answer/bot.ts";
import type { Env } from "../core/settings.ts";
import echo from "./echo.ts";
import webhook from "./webhook.ts";

/** Every bot there is, by its name in `BOT`. Each makes itself from its settings or throws `misconfigured`. */
export const bots: Readonly<Record<string, (env: Env) => Bot>> = { echo, webhook };
