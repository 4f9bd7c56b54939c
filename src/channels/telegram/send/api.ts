// `grammy/web` uses the global fetch on Workers and on Node. Node would otherwise pick the build with node-fetch.
import { Api, GrammyError } from "grammy/web";
import { HubError } from "../../../core/errors.ts";
import type { Address } from "../../../core/messages/message.ts";
import { present } from "../present.ts";
import { idOf } from "../read/message.ts";

/** The shortest wait, because Telegram's `retry_after` may be 0 or absent. */
const SHORTEST_WAIT_S = 1;

/** The time limit of the look-up: a webhook waits for it, and must be answered within 5 s. */
const LOOK_UP_MS = 3_000;

/** The hub's reason for each text of a refusal. A reason never changes and holds no part of the message. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/bot was blocked by the user/i, "blocked"],
  [/user is deactivated/i, "user_deactivated"],
  [/can't initiate conversation/i, "conversation_not_started"],
  [/can't send messages to bots/i, "recipient_is_bot"],
  [/chat not found/i, "chat_not_found"],
  [/user not found/i, "user_not_found"],
  [/peer_id_invalid/i, "peer_id_invalid"],
  [/message thread not found/i, "thread_not_found"],
  [/business[ _]connection/i, "business_connection"],
  [/business[ _]peer/i, "business_peer"],
  [/message is too long/i, "message_too_long"],
  [/text (is empty|must be non-empty)/i, "message_empty"],
  [/can't parse entities/i, "entities"],
  [/upgraded to a supergroup/i, "chat_migrated"],
  [/rights to send|write access/i, "no_rights"],
];

/** The calls the hub makes to one bot's API. */
export interface BotApi {
  /** One `sendMessage` as plain text; returns the message's id as the hub knows it. */
  send(to: Address, text: string, signal: AbortSignal): Promise<string>;
  /** For a pressed button: stops its spinner. For a message: shows typing for 5 s. */
  showTyping(to: Address, signal: AbortSignal): Promise<void>;
  /** Telegram's answer about a business connection, unchecked; undefined for an unknown connection. */
  connection(id: string): Promise<unknown>;
}

/**
 * The Bot API of one bot.
 * @see https://core.telegram.org/bots/api#sendmessage
 */
export function botApi(token: string, apiRoot: string): BotApi {
  const api = new Api(token, { apiRoot });
  return {
    async send(to, text, signal) {
      const { chat_id, business_connection_id } = to;
      const place = { chat: { id: Number(chat_id), type: "private" }, business_connection_id };
      try {
        const sent = await api.sendMessage(place.chat.id, text, threadOf(to), forGrammy(signal));
        return idOf(place, sent.message_id);
      } catch (error) {
        return fail(error);
      }
    },

    async showTyping(to, signal) {
      const { chat_id, callback_query_id } = to;
      try {
        if (callback_query_id !== undefined)
          await api.answerCallbackQuery(callback_query_id, {}, forGrammy(signal));
        else await api.sendChatAction(Number(chat_id), "typing", threadOf(to), forGrammy(signal));
      } catch (error) {
        fail(error);
      }
    },

    async connection(id) {
      try {
        return await api.getBusinessConnection(id, forGrammy(AbortSignal.timeout(LOOK_UP_MS)));
      } catch (error) {
        if (error instanceof GrammyError && error.error_code === 400) return undefined;
        return fail(error);
      }
    },
  };
}

function threadOf({ message_thread_id, business_connection_id }: Address) {
  const thread = message_thread_id === undefined ? undefined : Number(message_thread_id);
  return present({ message_thread_id: thread, business_connection_id });
}

/** Converts the type only: grammY's type of a signal comes from a polyfill. */
function forGrammy(signal: AbortSignal) {
  return signal as unknown as Parameters<Api["sendMessage"]>[3];
}

/**
 * Throws the hub's error for one of grammY, without a cause: those hold the text, the chat and the URL with the token.
 */
function fail(error: unknown): never {
  if (!(error instanceof GrammyError) || !Number.isInteger(error.error_code))
    throw new HubError("unavailable", "telegram gave no readable answer", { reason: "network" });
  const { error_code: code, description, parameters } = error;
  const wait = Number(parameters.retry_after) || SHORTEST_WAIT_S;
  if (code === 429)
    throw new HubError("throttled", "telegram wants us to wait", {
      reason: "429",
      retryAfterMs: wait * 1000,
    });
  if (code === 400 || code === 403) {
    const reason = REASONS.find(([words]) => words.test(description))?.[1] ?? String(code);
    throw new HubError("rejected", `telegram refused with ${code}`, { reason });
  }
  throw new HubError("unavailable", `telegram failed with ${code}`, { reason: String(code) });
}
