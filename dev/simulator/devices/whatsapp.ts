import type { ActOf } from "../act.ts";
import type { Bubble, Person } from "../model.ts";
import { tapped } from "./tapped.ts";
import type { Script } from "./telegram.ts";

const FILES = {
  image: { image: { mime_type: "image/jpeg" } },
  video: { video: { mime_type: "video/mp4" } },
  audio: { audio: { mime_type: "audio/mpeg" } },
  voice: { audio: { mime_type: "audio/ogg; codecs=opus", voice: true } },
  document: { document: { mime_type: "application/pdf", filename: "order.pdf" } },
} as const;

/** What a customer does in WhatsApp, through the emulator. `bubble` is the message that the act names. */
export async function onWhatsApp(
  script: Script,
  person: Person,
  act: ActOf<"write" | "media" | "contact" | "location" | "edit" | "unsend" | "react" | "tap" | "read">,
  bubble: Bubble | undefined,
): Promise<void> {
  const say = (message: object) =>
    script("/_customer/message", { from: person.whatsapp, name: person.name, ...message });
  const context = bubble && { context: { from: "15550001111", id: bubble.id } };
  switch (act.do) {
    case "write":
      await say({ text: act.text, ...context });
      return;
    case "media": {
      const [[kind, file]] = Object.entries(FILES[act.kind]) as [[string, object]];
      const id = String(Math.floor(Math.random() * 1e15));
      await say({ [kind]: { ...file, id, ...(act.caption && { caption: act.caption }) } });
      return;
    }
    case "contact": {
      const phone = act.own ? `+${person.whatsapp}` : "+4930123456";
      const formatted_name = act.own ? person.name : "Somebody else";
      await say({
        contacts: [
          {
            name: { formatted_name, first_name: formatted_name },
            phones: [{ phone, wa_id: phone.slice(1), type: "CELL" }],
          },
        ],
      });
      return;
    }
    case "location":
      await say({ location: { latitude: -23.5614, longitude: -46.6559, name: "Avenida Paulista" } });
      return;
    case "edit":
      await say({
        edit: { original_message_id: bubble!.id, message: { type: "text", text: { body: act.text } } },
      });
      return;
    case "unsend":
      await say({ revoke: { original_message_id: bubble!.id } });
      return;
    case "react":
      await say({ reaction: { message_id: bubble!.id, ...(act.emoji && { emoji: act.emoji }) } });
      return;
    case "tap": {
      const { choice, on } = tapped(bubble, act.title);
      const { tap: id, title, description } = choice;
      const reply = on.list
        ? { type: "list_reply", list_reply: { id, title, ...(description && { description }) } }
        : { type: "button_reply", button_reply: { id, title } };
      await say({ interactive: reply, context: { from: "15550001111", id: on.id } });
      return;
    }
    case "read":
      await script("/_customer/read", { from: person.whatsapp });
  }
}
