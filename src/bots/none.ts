import type { Bot } from "../core/answer/bot.ts";
import { HubError } from "../core/errors.ts";

/** The longest wait between two attempts: all of them last two hours, in which a bot may still be configured. */
const WAIT_MS = 15 * 60_000;

/**
 * Stands in where no bot is configured. Every turn fails with the reason `no_bot` and is tried again: messages are
 * kept, and are answered once there is a bot.
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
