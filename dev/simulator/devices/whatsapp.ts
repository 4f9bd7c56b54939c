import type { ActOf } from "../act.ts";
import type { Bubble, Person } from "../model.ts";
import { tapped } from "./tapped.ts";
import type { Script, Upload } from "./telegram.ts";

/** What a customer does in WhatsApp, through the emulator. `bubble` is the message that the act names. */
export async function onWhatsApp(
  script: Script,
  upload: Upload,
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
      const { id, file } = await upload(act);
      const isVoice = act.kind === "voice";
      const part = {
        id,
        mime_type: isVoice && file.type === "audio/ogg" ? "audio/ogg; codecs=opus" : file.type,
        ...(isVoice && { voice: true }),
        ...(act.kind === "document" && { filename: file.name }),
        ...(act.caption && { caption: act.caption }),
      };
      await say({ [isVoice ? "audio" : act.kind]: part });
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
