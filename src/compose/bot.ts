import { bots } from "../bots/index.ts";
import type { Bot } from "../core/answer/bot.ts";
import { HubError } from "../core/errors.ts";
import type { Env } from "../core/settings.ts";
import type { Config } from "./config.ts";

/** The bot that the settings name. Throws `misconfigured`. */
export function botOf({ bot }: Config, env: Env): Bot {
  const make = Object.hasOwn(bots, bot) ? bots[bot] : undefined;
  if (!make) throw new HubError("misconfigured", `BOT must be one of ${Object.keys(bots).join(", ")}`);
  return make(env);
}
