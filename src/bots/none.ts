import type { Bot } from "../core/answer/bot.ts";
import { HubError } from "../core/errors.ts";

/** The wait between two attempts. All attempts together last two hours, in which a bot may still be configured. */
const WAIT_MS = 15 * 60_000;

/**
 * The bot of a hub without a configured one. Every turn fails with the reason `no_bot` and is tried again, so messages
 * are answered if a bot is configured in time. After the last attempt the turn is a dead letter.
 */
export function noBot(): Bot {
  return {
    history: 0,
    async reply() {
      throw new HubError("unavailable", "no bot is configured: set BOT_WEBHOOK_URL and BOT_WEBHOOK_SECRET", {
        reason: "no_bot",
        retryAfterMs: WAIT_MS,
      });
    },
  };
}
