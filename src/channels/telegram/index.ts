import { z } from "zod";
import type { Channel } from "../../core/channel.ts";
import { HubError } from "../../core/errors.ts";
import { codeText } from "../../core/identity/notices.ts";
import { parseJson } from "../../core/json.ts";
import type { Address } from "../../core/messages/message.ts";
import { splitText } from "../../core/messages/split.ts";
import { type Env, settingsOf } from "../../core/settings.ts";
import { sameSecret } from "../../core/signature.ts";
import { businessConnections } from "./business.ts";
import { LIMITS, telegramContent } from "./content.ts";
import { findFile } from "./files.ts";
import { readUpdate } from "./read/update.ts";
import { botApi } from "./send/api.ts";
import { renderRaw } from "./send/raw.ts";
import { render } from "./send/render.ts";

const SECRET_HEADER = "x-telegram-bot-api-secret-token";
/**
 * The messages per second of one bot, and the least time between two messages in one chat: core.telegram.org/bots/faq.
 */
const PER_SECOND = 30;
const SPACING_MS = 1_000;
/** How many drafts of one isolate go out per second: they may not take the messages' share of the bot's rate. */
const DRAFTS_PER_SECOND = 10;

const settings = z.object({
  TELEGRAM_BOT_TOKEN: z.string().regex(/^\d+:[\w-]+$/, "is not a bot's token"),
  TELEGRAM_WEBHOOK_SECRET: z.string().regex(/^[\w-]{1,256}$/, "must be 1 to 256 of A-Z, a-z, 0-9, _ and -"),
  TELEGRAM_API_ROOT: z
    .url({ protocol: /^https?$/, error: "is not an http address" })
    .default("https://api.telegram.org")
    .transform((url) => url.replace(/\/+$/, "")),
  TELEGRAM_BOT_USERNAME: z
    .string()
    .transform((name) => name.replace(/^@/, ""))
    .refine((name) => /^[A-Za-z]\w{3,31}$/.test(name), "must be a bot's username")
    .optional(),
  TELEGRAM_BUSINESS_OWNERS: z
    .string()
    .regex(/^\s*\d{1,16}(\s*,\s*\d{1,16})*\s*,?\s*$/, "must be user ids, separated by commas")
    .transform(
      (list) =>
        new Set(
          list
            .split(",")
            .map((id) => id.trim())
            .filter(Boolean)
            .map(Number),
        ),
    )
    .default(new Set<number>()),
});

const object = z.record(z.string(), z.unknown());

/**
 * Telegram's Bot API: private chats with the bot, and the chats of the shop's own business accounts. `undefined`
 * without its settings, `misconfigured` with some of them. @see https://core.telegram.org/bots/api
 */
export default function telegram(env: Env): Channel | undefined {
  const given = settingsOf("telegram", settings, env);
  if (!given) return undefined;
  const { TELEGRAM_BOT_TOKEN: token, TELEGRAM_WEBHOOK_SECRET: secret, TELEGRAM_API_ROOT: apiRoot } = given;
  const [account = ""] = token.split(":");
  const api = botApi(token, apiRoot);
  const { TELEGRAM_BOT_USERNAME: username, TELEGRAM_BUSINESS_OWNERS: owners } = given;
  const connections = businessConnections(owners, api.connection);
  const mayDraft = perSecond(DRAFTS_PER_SECOND);
  return {
    async verify({ headers }) {
      if (!(await sameSecret(headers.get(SECRET_HEADER) ?? "", secret)))
        throw new HubError("unauthorized", "the webhook's secret is missing or wrong");
    },

    async parse({ body }) {
      const update = object.safeParse(parseJson(body));
      if (!update.success) throw new HubError("malformed", "the body is not an update");
      return readUpdate(update.data, account, connections);
    },

    findFile: (id, signal) => findFile({ token, apiRoot }, id, signal),

    split: ({ text }) => splitText(text, LIMITS.text).map((part) => ({ kind: "text", text: part })),
    content: telegramContent,
    render,
    renderRaw,

    async send(to, part, signal, files) {
      await refuseWithoutRights(to);
      return api.send(to, part, signal, files);
    },

    async sendCode({ address, language }, code, _now, signal) {
      // The owner of the business account can read this chat.
      if (address.business_connection_id !== undefined)
        throw new HubError("rejected", "a business account's chat is no place for a code", {
          reason: "business_connection",
        });
      await api.send(address, { kind: "text", text: codeText(code, language) }, signal);
    },

    addressOf: ({ telegram_chat_id: chat_id }) =>
      chat_id === undefined ? undefined : { account, address: { chat_id } },

    async showTyping(to, _external_id, signal) {
      await refuseWithoutRights(to);
      await api.showTyping(to, signal);
    },

    async showDraft(to, draft, signal) {
      // Telegram shows drafts only in the bot's own private chats.
      if (to.business_connection_id !== undefined || Number(to.chat_id) < 0 || !mayDraft()) return;
      await api.showDraft(to, draft, signal);
    },

    scanLink: (link) => username && `https://t.me/${username}?start=${link}`,

    perSecond: PER_SECOND,
    spacingMs: SPACING_MS,
  };

  /** Throws `rejected` for a chat of a business account that is not the shop's, or in which the bot may not write. */
  async function refuseWithoutRights({ business_connection_id: id }: Address): Promise<void> {
    if (id !== undefined && !(await connections.find(id))?.mayReply)
      throw new HubError("rejected", "the business connection does not let us reply", {
        reason: "business_connection",
      });
  }
}

/** Whether one more is allowed in the current second. */
function perSecond(most: number, now: () => number = Date.now): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    const current = Math.floor(now() / 1_000);
    if (current !== second) [second, count] = [current, 0];
    count += 1;
    return count <= most;
  };
}
