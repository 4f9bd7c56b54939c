import { type Fields, fieldsIn } from "../../emulators/fields.ts";
import type { Sent } from "../../emulators/sent.ts";
import type { Bubble, Choice } from "../model.ts";
import { amend, put, react, type Screens } from "./screens.ts";

const TYPING_MS = 25_000;
const MEDIA = ["image", "video", "audio", "document", "sticker"];

/** Shows a call of the business to one number, as the app does. */
export function showSent(screens: Screens, sent: Sent): void {
  const { method, chat_id } = sent;
  if (chat_id === undefined) return;
  const id = String(sent.message_id ?? "");
  screens.change("whatsapp", String(chat_id), (screen) => {
    if (method === "read" || method === "typing") {
      if (method === "typing") screen.typing_until = Date.now() + TYPING_MS;
      const upTo = screen.bubbles.findIndex((bubble) => bubble.id === id);
      for (const { id, by, tick } of screen.bubbles.slice(0, upTo + 1))
        if (by === "customer" && tick !== "failed") amend(screen, id, { tick: "read" });
      return;
    }
    delete screen.typing_until;
    if (method === "reaction") {
      const { message_id, emoji } = sent.reaction as Fields;
      return react(screen, String(message_id), "hub", emoji ? String(emoji) : null);
    }
    const to = (sent.context as Fields | undefined)?.message_id;
    put(screen, {
      id,
      by: "hub",
      at: screens.now(),
      ...contentOf(screens, sent, String(sent.type ?? "text")),
      ...(to !== undefined && { reply_to: String(to) }),
    });
  });
}

/** Shows what customers did, from the webhook that tells the hub. Returns where its ticks belong. */
export function showWebhook(screens: Screens, body: Fields): { address: string; id: string }[] {
  const values = fieldsIn(body.entry)
    .flatMap(({ changes }) => fieldsIn(changes))
    .map(({ value }) => value as Fields);
  return values.flatMap((value) => fieldsIn(value.messages)).flatMap((message) => said(screens, message));
}

function said(screens: Screens, message: Fields): { address: string; id: string }[] {
  const address = String(message.from ?? message.from_user_id ?? "");
  const id = String(message.id);
  const type = String(message.type);
  screens.change("whatsapp", address, (screen) => {
    if (type === "reaction") {
      const { message_id, emoji } = message.reaction as Fields;
      return react(screen, String(message_id), "customer", emoji ? String(emoji) : null);
    }
    if (type === "edit") {
      const { original_message_id, message: edited } = message.edit as Fields;
      return amend(screen, String(original_message_id), {
        ...contentOf(screens, edited as Fields, String((edited as Fields)?.type ?? "text")),
        edited: true,
      });
    }
    if (type === "revoke") {
      const { original_message_id } = message.revoke as Fields;
      return amend(screen, String(original_message_id), { deleted: true });
    }
    if (type === "system") return;
    const to = (message.context as Fields | undefined)?.id;
    put(screen, {
      id,
      by: "customer",
      at: screens.now(),
      tick: "sent",
      ...contentOf(screens, message, type),
      ...(to !== undefined && { reply_to: String(to) }),
    });
  });
  return [{ address, id }];
}

/** What a message says, in the form of the Cloud API's webhooks and calls. */
function contentOf(screens: Screens, fields: Fields, type: string): Pick<Bubble, "kind"> & Partial<Bubble> {
  const part = (fields[type] ?? {}) as Fields;
  // The log of calls has the text alone.
  if (type === "text")
    return { kind: "text", text: String(typeof fields.text === "string" ? fields.text : (part.body ?? "")) };
  if (MEDIA.includes(type)) {
    const { id, caption, filename, mime_type, link: source, voice } = part;
    const link = screens.urlOf(id) ?? source;
    const seconds = screens.secondsOf(id);
    return {
      kind: voice === true ? "voice" : type,
      ...(caption !== undefined && { text: String(caption) }),
      media: {
        ...(link !== undefined && { url: String(link) }),
        ...(seconds !== undefined && { seconds }),
        ...(filename !== undefined && { name: String(filename) }),
        ...(mime_type !== undefined && { type: String(mime_type) }),
      },
    };
  }
  switch (type) {
    case "location": {
      const { latitude, longitude, name, address } = part;
      const place = { latitude: Number(latitude), longitude: Number(longitude) };
      return {
        kind: "location",
        location: {
          ...place,
          ...(name !== undefined && { name: String(name) }),
          ...(address !== undefined && { address: String(address) }),
        },
      };
    }
    case "contacts":
      return {
        kind: "contact",
        contacts: fieldsIn(fields.contacts).map(({ name, phones }) => ({
          name: String((name as Fields | undefined)?.formatted_name ?? ""),
          phones: fieldsIn(phones).map(({ phone }) => String(phone)),
        })),
      };
    case "interactive":
      return interactiveOf(part);
    case "button":
      return { kind: "text", text: String(part.text ?? "") };
    case "template":
      return templateOf(part);
    default:
      return { kind: "other", text: type };
  }
}

function interactiveOf(part: Fields): Pick<Bubble, "kind"> & Partial<Bubble> {
  const chosen = (part.button_reply ?? part.list_reply) as Fields | undefined;
  if (chosen) return { kind: "text", text: String(chosen.title) };
  const action = (part.action ?? {}) as Fields;
  const texts = {
    ...textIn(part.body, "text"),
    ...(textIn(part.header, "header") as { header?: string }),
    ...(textIn(part.footer, "footer") as { footer?: string }),
  };
  switch (part.type) {
    case "button":
      return { kind: "buttons", ...texts, buttons: replies(action.buttons).map((one) => [one]) };
    case "cta_url": {
      const { display_text, url } = action.parameters as Fields;
      return { kind: "buttons", ...texts, buttons: [[{ title: String(display_text), url: String(url) }]] };
    }
    case "list":
      return {
        kind: "list",
        ...texts,
        list: { button: String(action.button ?? ""), rows: fieldsIn(action.sections).flatMap(rowsOf) },
      };
    case "carousel":
      return {
        kind: "carousel",
        ...texts,
        cards: fieldsIn(action.cards).map((card) => ({
          title: String((card.body as Fields | undefined)?.text ?? ""),
          ...linkIn(card.header),
          buttons: replies((card.action as Fields | undefined)?.buttons),
        })),
      };
    default:
      return { kind: "other", ...texts };
  }
}

function replies(buttons: unknown): Choice[] {
  return fieldsIn(buttons).map(({ reply, quick_reply }) => {
    const { id, title } = (reply ?? quick_reply ?? {}) as Fields;
    return { title: String(title), tap: String(id) };
  });
}

function rowsOf({ title: section, rows }: Fields): Choice[] {
  return fieldsIn(rows).map(({ id, title, description }) => ({
    title: String(title),
    tap: String(id),
    ...(description !== undefined && { description: String(description) }),
    ...(section !== undefined && { section: String(section) }),
  }));
}

function linkIn(header: unknown): { image?: string } {
  const link = ((header as Fields | undefined)?.image as Fields | undefined)?.link;
  return link === undefined ? {} : { image: String(link) };
}

function textIn(part: unknown, name: string): Record<string, string> {
  const text = (part as Fields | undefined)?.text;
  return text === undefined ? {} : { [name]: String(text) };
}

function templateOf({ name, components }: Fields): Pick<Bubble, "kind"> & Partial<Bubble> {
  const values = fieldsIn(components).flatMap(({ parameters }) =>
    fieldsIn(parameters).map(({ text }) => String(text ?? "")),
  );
  return { kind: "template", header: String(name), text: values.join(" · ") };
}
