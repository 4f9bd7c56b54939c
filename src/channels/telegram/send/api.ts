// `grammy/web` uses the global fetch on Workers and on Node. Node would otherwise pick the build with node-fetch.
import { Api, GrammyError } from "grammy/web";
import { z } from "zod";
import type { Part } from "../../../core/answer/turn.ts";
import { HubError } from "../../../core/errors.ts";
import type { FilesToSend } from "../../../core/files.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Address } from "../../../core/messages/message.ts";
import { present } from "../present.ts";
import { idOf } from "../read/message.ts";
import { draftCall, type ShownDraft } from "./draft.ts";
import { withUpload } from "./upload.ts";

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
  [/(message|caption) is too long/i, "message_too_long"],
  [/message to (edit|delete|react|pin|unpin) not found/i, "message_not_found"],
  [/message can't be (edited|deleted)/i, "too_late"],
  [/text (is empty|must be non-empty)/i, "message_empty"],
  [/can't parse entities/i, "entities"],
  [/upgraded to a supergroup/i, "chat_migrated"],
  [/rights to send|write access/i, "no_rights"],
];

/** The message is a file: what is edited is its caption. */
const NO_TEXT = /there is no text in the message to edit/i;

/** The calls the hub makes to one bot's API. */
export interface BotApi {
  /** Sends one part; returns the message's id as the hub knows it, or a made-up one of a call that sends no message. */
  send(to: Address, part: Part, signal: AbortSignal, files?: FilesToSend): Promise<string>;
  /** For a pressed button: stops its spinner. For a message: shows typing for 5 s. */
  showTyping(to: Address, signal: AbortSignal): Promise<void>;
  /** Shows a bot's answer so far, for up to 30 s; an empty text shows that it is thinking. Private chats with the bot only. */
  showDraft(to: Address, draft: ShownDraft, signal: AbortSignal): Promise<void>;
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
    async send(to, part, signal, files) {
      const { chat_id, business_connection_id } = to;
      const place = { chat: { id: Number(chat_id), type: "private" }, business_connection_id };
      const { method, params } = methodIn(to, callOf(part));
      try {
        const call = (api.raw as unknown as Record<string, RawCall>)[method]!;
        const rest = { chat_id: place.chat.id, ...threadOf(to), ...aboutTargets(method, part.targets) };
        const post = (filled: JsonObject) => call({ ...rest, ...filled }, forGrammy(signal));
        const sent = await withUpload(params as JsonObject, files, signal, post).catch((error: unknown) => {
          if (!(error instanceof GrammyError) || !NO_TEXT.test(error.description)) throw error;
          return api.raw.editMessageCaption({ ...rest, ...captionOf(params) }, forGrammy(signal));
        });
        // An edit answers with the message that it changed, whose id belongs to another delivery.
        return part.targets ? unnamed() : idOf(place, sentSchema.parse(sent).message_id);
      } catch (error) {
        // A repeated edit or pin changes nothing: the first one was taken, and its answer was lost.
        if (
          error instanceof GrammyError &&
          /message is not modified|CHAT_NOT_MODIFIED/i.test(error.description)
        )
          return unnamed();
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

    async showDraft(to, draft, signal) {
      const { method, params } = draftCall(draft);
      try {
        const call = (api.raw as unknown as Record<string, RawCall>)[method]!;
        await call({ chat_id: Number(to.chat_id), ...threadOf(to), ...params }, forGrammy(signal));
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

type RawCall = (params: object, signal: Parameters<Api["sendMessage"]>[3]) => Promise<unknown>;

const sentSchema = z.object({ message_id: z.int() });
const callSchema = z.object({ method: z.string(), params: z.record(z.string(), z.unknown()) });

function callOf({ text, call }: Part): z.infer<typeof callSchema> {
  return call === undefined ? { method: "sendMessage", params: { text } } : callSchema.parse(call);
}

/** The call in this chat. In a business account's chat messages are deleted by another method, and get no reactions. */
function methodIn({ business_connection_id }: Address, call: z.infer<typeof callSchema>): typeof call {
  if (business_connection_id === undefined) return call;
  if (call.method === "setMessageReaction")
    throw new HubError("rejected", "a business chat takes no reactions", { reason: "business_connection" });
  return call.method === "deleteMessages" ? { ...call, method: "deleteBusinessMessages" } : call;
}

/** An edited text as a caption, which has no headings and lists of its own. */
function captionOf({ text, entities, rich_message }: Readonly<Record<string, unknown>>): object {
  if (rich_message !== undefined)
    throw new HubError("rejected", "a caption has no such text", { reason: "message_too_long" });
  return { caption: text, ...(entities !== undefined && { caption_entities: entities }) };
}

function unnamed(): string {
  return `unnamed:${crypto.randomUUID()}`;
}

/** The parameters that name the message a call is about. Its id ends with Telegram's number. */
function aboutTargets(method: string, targets: readonly string[] | undefined): object {
  if (!targets) return {};
  const numbers = targets.map((id) => Number(id.slice(id.lastIndexOf(":") + 1)));
  if (/^delete.*Messages$/.test(method)) return { message_ids: numbers };
  return { message_id: /pinChatMessage$/i.test(method) ? numbers[0] : numbers.at(-1) };
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
  if (error instanceof HubError) throw error;
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
