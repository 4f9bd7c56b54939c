import type { Fields } from "./fields.ts";
import type { Outcome } from "./post.ts";
import type { Telegram } from "./telegram-state.ts";

// Telegram sends these only if `allowed_updates` names them.
const ON_REQUEST_ONLY = new Set(["chat_member", "message_reaction", "message_reaction_count"]);

/** Delivers an update of one kind after those with the same key, if the bot wants that kind. */
export async function update(telegram: Telegram, fields: Fields, key: string): Promise<Fields> {
  const update_id = telegram.nextUpdateId();
  const [kind = ""] = Object.keys(fields);
  const { allowed } = telegram.webhook;
  if (allowed ? !allowed.includes(kind) : ON_REQUEST_ONLY.has(kind))
    return answer(update_id, { status: 0, error: `${kind} is not in allowed_updates` });
  const body = JSON.stringify({ update_id, ...fields });
  return answer(update_id, await telegram.deliveries.deliver(body, { key }));
}

/** The answer to a script about the delivery of an update. */
export function answer(update_id: unknown, { status, error }: Outcome): Fields {
  return { update_id, status, ...(error && { error }) };
}

/** Telegram's time now, in Unix seconds. */
export function seconds({ settings }: Telegram): number {
  return Math.floor((Date.now() + settings.aheadMs) / 1000);
}
