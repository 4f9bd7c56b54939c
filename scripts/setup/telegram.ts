import { UPDATE_KINDS } from "../../src/channels/telegram/read/update.ts";
import { call, form } from "./call.ts";
import { fail, type Outcome, ok, warn } from "./outcome.ts";

interface Answer<T> {
  readonly ok?: boolean;
  readonly result?: T;
  readonly description?: string;
}
interface WebhookInfo {
  readonly url: string;
  readonly pending_update_count: number;
  readonly last_error_date?: number;
  readonly last_error_message?: string;
  readonly allowed_updates?: readonly string[];
}

/** More waiting updates than a minute's outage leaves. */
const MANY_PENDING = 100;
/** An error that is older is over. */
const RECENT_S = 3_600;

/** What setup and doctor ask of Telegram. https://core.telegram.org/bots/api#setwebhook */
export function telegramOf(token: string, root = "https://api.telegram.org") {
  async function ask<T>(method: string, fields: Record<string, string> = {}): Promise<T> {
    const { status, body } = await call<Answer<T>>(
      `${root.replace(/\/+$/, "")}/bot${token}/${method}`,
      form(fields),
    );
    if (body.ok && body.result !== undefined) return body.result;
    if (status === 401 || status === 404)
      throw new Error("Telegram does not know this token: copy it again from @BotFather");
    throw new Error(`Telegram refuses ${method}: ${status} ${body.description ?? ""}`.trim());
  }

  return {
    /** The bot's username. */
    async whoami(): Promise<string> {
      return (await ask<{ username: string }>("getMe")).username;
    },

    /** Sets the webhook, with every kind of update that the hub reads. */
    async setWebhook(url: string, secret: string): Promise<void> {
      await ask("setWebhook", { url, secret_token: secret, allowed_updates: JSON.stringify(UPDATE_KINDS) });
    },

    /** Reads the webhook back, and what Telegram says of its deliveries. */
    async webhook(url: string, now: Date): Promise<Outcome[]> {
      const info = await ask<WebhookInfo>("getWebhookInfo");
      const name = "telegram webhook";
      const mend = "npm run setup";
      if (info.url !== url)
        return [fail(name, info.url ? `it is set to ${info.url}, not to ${url}` : "it is not set", mend)];
      const missing = UPDATE_KINDS.filter((kind) => !info.allowed_updates?.includes(kind));
      const age = now.getTime() / 1_000 - (info.last_error_date ?? 0);
      const pending = info.pending_update_count;
      return [
        missing.length > 0
          ? fail(name, `it does not bring ${missing.join(", ")}`, mend)
          : ok(name, `set to ${url}, with ${UPDATE_KINDS.length} kinds of updates`),
        pending > MANY_PENDING
          ? warn("telegram pending", `${pending} updates wait`, "look at the hub's log and /health")
          : ok("telegram pending", `${pending} updates wait`),
        info.last_error_date !== undefined && age < RECENT_S
          ? warn(
              "telegram last error",
              `${Math.round(age / 60)} minutes ago: ${info.last_error_message ?? "no text"}`,
              "look at the hub's log; 401 means another TELEGRAM_WEBHOOK_SECRET: npm run setup",
            )
          : ok("telegram last error", "none within the hour"),
      ];
    },
  };
}
