import type { Fields } from "./fields.ts";
import type { Done } from "./telegram-methods.ts";
import { structured } from "./telegram-params.ts";
import { badRequest } from "./telegram-refusal.ts";
import type { Telegram } from "./telegram-state.ts";

/**
 * Sets the webhook. Unlike Telegram it also takes an http URL on this machine.
 * https://core.telegram.org/bots/api#setwebhook
 */
export function setWebhook(telegram: Telegram, params: Fields): Done {
  const url = String(params.url ?? "");
  if (url === "") return deleteWebhook(telegram, params);
  if (!URL.canParse(url) || new URL(url).protocol !== "http:")
    badRequest("bad webhook: the emulator delivers to http URLs only");
  const secret = String(params.secret_token ?? "");
  if (!/^[\w-]{0,256}$/.test(secret)) badRequest("secret token contains unallowed characters");
  if (String(params.drop_pending_updates) === "true") telegram.deliveries.drop();
  const allowed = structured<string[]>(params, "allowed_updates");
  const { webhook } = telegram;
  const description = webhook.url === url ? "Webhook is already set" : "Webhook was set";
  webhook.url = url;
  webhook.secret = secret;
  if (allowed) webhook.allowed = allowed.length > 0 ? allowed : undefined;
  return { result: true, description };
}

export function deleteWebhook({ webhook, deliveries }: Telegram, params: Fields): Done {
  if (String(params.drop_pending_updates) === "true") deliveries.drop();
  const description = webhook.url ? "Webhook was deleted" : "Webhook is already deleted";
  webhook.url = "";
  webhook.secret = "";
  return { result: true, description };
}

export function getWebhookInfo({ webhook, deliveries }: Telegram): Done {
  const { pending, last_error_date, last_error_message } = deliveries.stats;
  return {
    result: {
      url: webhook.url,
      has_custom_certificate: false,
      pending_update_count: pending,
      ...(last_error_date && { last_error_date, last_error_message }),
      max_connections: 100,
      ...(webhook.allowed && { allowed_updates: webhook.allowed }),
    },
  };
}
