import { z } from "zod";
import type { Bot } from "../core/answer/bot.ts";
import { HubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { type Env, isDevelopment, settingsOf } from "../core/settings.ts";
import echo from "./echo/index.ts";
import llm from "./llm/index.ts";
import { noBot } from "./none.ts";
import webhook from "./webhook.ts";

type Make = (env: Env, parts: { readonly log: Log }) => Bot;

/** All bots, by their names in `BOT`. Each function makes its bot from the settings, or throws `misconfigured`. */
export const bots: Readonly<Record<string, Make>> = { echo, llm, webhook };

const settingsSchema = z.object({
  BOT: z.string().optional(),
});

/** The chosen bot, and its name for operators: `none` if no bot is configured. */
export interface ChosenBot {
  readonly name: string;
  readonly bot: Bot;
}

/**
 * The bot that `BOT` names; without `BOT` the one whose settings are there. Only in development the default is `echo`:
 * customers of a shop must not get their own words back. Throws `misconfigured`, naming the variable.
 */
export function botOf(env: Env, log: Log): ChosenBot {
  const name = settingsOf("the bot", settingsSchema, env)?.BOT ?? unnamed(env);
  if (name === undefined) return { name: "none", bot: noBot() };
  const make = Object.hasOwn(bots, name) ? bots[name] : undefined;
  if (!make) throw new HubError("misconfigured", `BOT must be one of ${Object.keys(bots).join(", ")}`);
  return { name, bot: make(env, { log }) };
}

function unnamed(env: Env): string | undefined {
  if (env.BOT_WEBHOOK_URL || env.BOT_WEBHOOK_SECRET) return "webhook";
  if (env.LLM_BASE_URL || env.LLM_MODEL) return "llm";
  return isDevelopment(env) ? "echo" : undefined;
}
