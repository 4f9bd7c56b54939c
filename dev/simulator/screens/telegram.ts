import { type Fields, fieldsIn } from "../../emulators/fields.ts";
import type { Sent } from "../../emulators/sent.ts";
import type { Bubble, Choice, Mark, Screen } from "../model.ts";
import { amend, dropDraft, put, react, type Screens, showDraft } from "./screens.ts";

const TYPING_MS = 5_000;
const TOAST_MS = 4_000;
const MEDIA: Readonly<Record<string, string>> = {
  photo: "image",
  video: "video",
  animation: "video",
  video_note: "video",
  audio: "audio",
  voice: "voice",
  document: "document",
  sticker: "sticker",
};

/** Shows a call of the bot in its chat, as the app does. */
export function showSent(screens: Screens, sent: Sent): void {
  const { method, chat_id } = sent;
  if (chat_id === undefined) return;
  const id = String(sent.message_id ?? "");
  screens.change("telegram", String(chat_id), (screen) => {
    switch (method) {
      case "sendChatAction":
        screen.typing_until = Date.now() + TYPING_MS;
        return;
      case "sendMessageDraft":
      case "sendRichMessageDraft":
        return showDraft(screen, contentOf(screens, sent), screens.now());
      case "pinChatMessage":
      case "unpinChatMessage":
        return amend(screen, id, { pinned: method === "pinChatMessage" });
      case "answerCallbackQuery":
        if (sent.text) toast(screen, String(sent.text));
        return;
      case "setMessageReaction": {
        const [first] = fieldsIn(json(sent.reaction));
        return react(screen, id, "hub", first ? String(first.emoji ?? "⭐") : null);
      }
      case "editMessageText":
      case "editMessageCaption":
      case "editMessageReplyMarkup":
        return amend(screen, id, { ...contentOf(screens, sent), ...buttonsOf(sent), edited: true });
      case "deleteMessage":
        return amend(screen, id, { deleted: true });
      case "deleteMessages":
      case "deleteBusinessMessages":
        for (const one of json(sent.message_ids) as unknown[]) amend(screen, String(one), { deleted: true });
        return;
    }
    if (!method.startsWith("send") || id === "") return;
    delete screen.typing_until;
    dropDraft(screen);
    put(screen, {
      id,
      by: "hub",
      at: screens.now(),
      kind: "text",
      ...contentOf(screens, sent),
      ...buttonsOf(sent),
      ...repliesTo((json(sent.reply_parameters) as Fields | undefined)?.message_id),
    });
  });
}

/** Shows what the customer did, from the update that tells the hub. Returns where its tick belongs. */
export function showUpdate(screens: Screens, update: Fields): { address: string; id: string } | undefined {
  const message = (update.message ?? update.edited_message) as Fields | undefined;
  if (message) {
    const address = String((message.chat as Fields).id);
    const id = String(message.message_id);
    screens.change("telegram", address, (screen) => {
      const bubble = {
        id,
        by: "customer" as const,
        at: screens.now(),
        kind: "text",
        ...contentOf(screens, message),
      };
      if (update.edited_message) amend(screen, id, { ...contentOf(screens, message), edited: true });
      else
        put(screen, {
          tick: "sent",
          ...bubble,
          ...repliesTo((message.reply_to_message as Fields | undefined)?.message_id),
        });
    });
    return { address, id };
  }
  const reaction = update.message_reaction as Fields | undefined;
  if (reaction) {
    const [first] = fieldsIn(reaction.new_reaction);
    screens.change("telegram", String((reaction.chat as Fields).id), (screen) =>
      react(screen, String(reaction.message_id), "customer", first ? String(first.emoji) : null),
    );
  }
  const member = update.my_chat_member as Fields | undefined;
  if (member)
    screens.change("telegram", String((member.chat as Fields).id), (screen) => {
      screen.blocked = (member.new_chat_member as Fields).status === "kicked";
    });
  return undefined;
}

function toast(screen: Screen, text: string): void {
  screen.toast = text;
  setTimeout(() => {
    if (screen.toast === text) delete screen.toast;
  }, TOAST_MS).unref();
}

/** What a message says, in the form of the Bot API's messages and calls. */
function contentOf(screens: Screens, fields: Fields): Partial<Bubble> {
  const text = String(fields.text || fields.caption || "");
  const marks = (fields.entities ?? fields.caption_entities) as readonly Mark[] | undefined;
  const words = { ...(text && { text }), ...(Array.isArray(marks) && { marks }) };
  for (const [name, kind] of Object.entries(MEDIA)) {
    const file = [fields[name]].flat().at(-1) as Fields | string | undefined;
    if (file === undefined) continue;
    const { file_id, file_name, mime_type } = typeof file === "string" ? ({} as Fields) : file;
    const source = screens.urlOf(file_id) ?? (typeof fields.source === "string" ? fields.source : undefined);
    const seconds = screens.secondsOf(file_id);
    return {
      kind,
      ...words,
      media: {
        ...(source && { url: source }),
        ...(seconds !== undefined && { seconds }),
        ...(typeof file_name === "string" && { name: file_name }),
        ...(typeof mime_type === "string" && { type: mime_type }),
      },
    };
  }
  if (fields.contact) {
    const { phone_number, first_name } = fields.contact as Fields;
    return {
      kind: "contact",
      contacts: [{ name: String(first_name ?? ""), phones: [String(phone_number)] }],
    };
  }
  if (fields.location) {
    const { latitude, longitude } = fields.location as Fields;
    const { title, address } = (fields.venue ?? {}) as Fields;
    return {
      kind: "location",
      location: {
        latitude: Number(latitude),
        longitude: Number(longitude),
        ...(title !== undefined && { name: String(title) }),
        ...(address !== undefined && { address: String(address) }),
      },
    };
  }
  return { kind: "text", ...words };
}

function buttonsOf(sent: Fields): Partial<Bubble> {
  const markup = json(sent.reply_markup) as Fields | undefined;
  if (!markup || !Array.isArray(markup.inline_keyboard)) return {};
  const rows = (markup.inline_keyboard as unknown[]).map((row) =>
    fieldsIn(row).map(
      ({ text, callback_data, url }): Choice => ({
        title: String(text),
        ...(callback_data !== undefined && { tap: String(callback_data) }),
        ...(url !== undefined && { url: String(url) }),
      }),
    ),
  );
  return { buttons: rows };
}

function repliesTo(id: unknown): Partial<Bubble> {
  return id === undefined ? {} : { reply_to: String(id) };
}

/** A parameter that is an object, or JSON text of one. */
function json(value: unknown): unknown {
  return typeof value === "string" ? JSON.parse(value) : value;
}
