import type { HubEvent, Message } from "../../../clients/js/src/index.ts";
import type { Bubble, Choice, DeviceName } from "../model.ts";
import { amend, put, react, type Screens } from "./screens.ts";

const TYPING_MS = 8_000;

/** Shows what the live connection of a page or kiosk says, as its page does. */
export function showEvent(screens: Screens, device: DeviceName, address: string, event: HubEvent): void {
  screens.change(device, address, (screen) => {
    switch (event.type) {
      case "message":
        if (event.message.role !== "user") delete screen.typing_until;
        return showMessage(screens, device, address, event.message);
      case "changed":
        return showMessage(screens, device, address, event.message);
      case "typing":
        screen.typing_until = Date.now() + TYPING_MS;
        return;
      case "switched":
        screen.bubbles = [];
        return;
      case "ended":
        screen.open = false;
        screen.ended = event.code;
        return;
    }
  });
}

function showMessage(screens: Screens, device: DeviceName, address: string, message: Message): void {
  const screen = screens.at(device, address);
  const { reply_to, external_id, message_id } = message;
  const content = (message.content ?? {}) as Record<string, unknown>;
  if (message.kind === "reaction") {
    const emoji = typeof content.emoji === "string" ? content.emoji : null;
    const target =
      screen.bubbles.find(({ id }) => id === reply_to)?.id ?? idOf(screens, device, address, reply_to);
    if (target) react(screen, target, message.role === "user" ? "customer" : "hub", emoji);
    return;
  }
  const isOwn = message.role === "user" && message.channel === device;
  const id = isOwn && external_id ? external_id : message_id;
  if (message.deleted_at) {
    amend(screen, id, { deleted: true });
    return;
  }
  put(screen, {
    id,
    by: message.role === "user" ? "customer" : "hub",
    at: Date.parse(message.created_at),
    ...(message.role === "user" && { tick: "delivered" as const }),
    ...contentOf(message.kind, message.text, content),
    ...(message.channel !== device && { from: message.channel }),
    ...(reply_to && { reply_to }),
    ...(message.edited_at && { edited: true }),
  });
}

/** The newest message of the customer: what a bot reacts to without a name. */
function idOf(
  screens: Screens,
  device: DeviceName,
  address: string,
  reply_to: string | null | undefined,
): string | undefined {
  if (!reply_to) return undefined;
  return screens.at(device, address).bubbles.findLast(({ by }) => by === "customer")?.id;
}

interface Titled {
  readonly id?: string;
  readonly url?: string;
  readonly title: string;
  readonly description?: string;
}

const choice =
  (section?: string) =>
  ({ id, url, title, description }: Titled): Choice => ({
    title,
    ...(id !== undefined && { tap: id }),
    ...(url !== undefined && { url }),
    ...(description && { description }),
    ...(section && { section }),
  });

/** A message in the hub's neutral form. */
function contentOf(
  kind: string,
  text: string,
  content: Record<string, unknown>,
): Pick<Bubble, "kind"> & Partial<Bubble> {
  const { header, footer, media, caption } = content as { header?: string; footer?: string } & {
    media?: { url?: string; file_name?: string; mime_type?: string };
    caption?: string;
  };
  const around = { ...(header && { header }), ...(footer && { footer }) };
  if (media)
    return {
      kind: content.voice === true ? "voice" : kind,
      ...(caption && { text: caption }),
      media: {
        ...(media.url && { url: media.url }),
        ...(media.file_name && { name: media.file_name }),
        ...(media.mime_type && { type: media.mime_type }),
      },
    };
  switch (kind) {
    case "buttons": {
      const { text, buttons } = content as { text: string; buttons: Titled[] };
      return { kind, text, ...around, buttons: buttons.map(choice()).map((one) => [one]) };
    }
    case "list": {
      const { text, button, sections } = content as {
        text: string;
        button?: string;
        sections: { title?: string; rows: Titled[] }[];
      };
      const rows = sections.flatMap(({ title, rows }) => rows.map(choice(title)));
      return { kind, text, ...around, list: { button: button ?? "☰", rows } };
    }
    case "carousel": {
      const { cards } = content as { cards: { title: string; text?: string; buttons?: Titled[] }[] };
      return {
        kind,
        ...(typeof content.text === "string" && { text: content.text }),
        cards: cards.map(({ title, text, buttons = [] }) => ({
          title,
          ...(text && { text }),
          buttons: buttons.map(choice()),
        })),
      };
    }
    case "location":
      return { kind, location: content as unknown as NonNullable<Bubble["location"]> };
    case "contact": {
      const { contacts } = content as { contacts: { name?: string; phones: string[] }[] };
      return { kind, contacts: contacts.map(({ name = "", phones }) => ({ name, phones })) };
    }
    default:
      return { kind: kind === "interaction" ? "text" : kind, text };
  }
}
