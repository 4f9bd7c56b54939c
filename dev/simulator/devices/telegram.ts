import type { ActOf } from "../act.ts";
import type { FileKind, SentFile } from "../files.ts";
import type { Bubble, Person } from "../model.ts";
import { tapped } from "./tapped.ts";

/** A call of an emulator's script route. */
export type Script = (path: string, body: object) => Promise<unknown>;

/** Gives the platform the file that an act sends, and returns it with its id there. */
export type Upload = (act: ActOf<"media">) => Promise<{ id: string; file: SentFile }>;

function mediaOf(kind: FileKind, id: string, { type, name, bytes, seconds = 3 }: SentFile): object {
  const file = { file_id: id, file_unique_id: `AQ${id.slice(-12)}`, file_size: bytes.byteLength };
  switch (kind) {
    case "image":
      return { photo: [{ ...file, width: 240, height: 180 }] };
    case "video":
      return { video: { ...file, mime_type: type, file_name: name, width: 640, height: 480, duration: 4 } };
    case "audio":
      return { audio: { ...file, mime_type: type, file_name: name, duration: seconds } };
    case "voice":
      return { voice: { ...file, mime_type: type, duration: seconds } };
    case "document":
      return { document: { ...file, mime_type: type, file_name: name } };
  }
}

/** What a customer does in Telegram, through the emulator. `bubble` is the message that the act names. */
export async function onTelegram(
  script: Script,
  upload: Upload,
  person: Person,
  act: ActOf<"write" | "media" | "contact" | "location" | "edit" | "react" | "tap" | "block" | "unblock">,
  bubble: Bubble | undefined,
): Promise<void> {
  const chat = { id: person.telegram, type: "private", first_name: person.name };
  switch (act.do) {
    case "write": {
      const answered = bubble && {
        reply_to_message: {
          message_id: Number(bubble.id),
          date: Math.floor(bubble.at / 1000),
          chat,
          text: bubble.text,
        },
      };
      await script("/_customer/message", { chat, text: act.text, ...answered });
      return;
    }
    case "media": {
      const { id, file } = await upload(act);
      await script("/_customer/message", {
        chat,
        ...mediaOf(act.kind, id, file),
        ...(act.caption && { caption: act.caption }),
      });
      return;
    }
    case "contact":
      await script("/_customer/contact", {
        chat,
        own: act.own,
        phone_number: act.own ? person.phone.slice(1) : "4930123456",
        first_name: act.own ? person.name : "Somebody else",
      });
      return;
    case "location":
      await script("/_customer/message", { chat, location: { latitude: -23.5614, longitude: -46.6559 } });
      return;
    case "edit":
      await script("/_customer/edit", { chat, message_id: Number(bubble!.id), text: act.text });
      return;
    case "react":
      await script("/_customer/update", {
        message_reaction: {
          chat,
          message_id: Number(bubble!.id),
          user: { id: person.telegram, is_bot: false, first_name: person.name },
          date: Math.floor(Date.now() / 1000),
          old_reaction: [],
          new_reaction: act.emoji ? [{ type: "emoji", emoji: act.emoji }] : [],
        },
      });
      return;
    case "tap": {
      const { choice, on } = tapped(bubble, act.title);
      await script("/_customer/callback", { chat, data: choice.tap, message_id: Number(on.id) });
      return;
    }
    case "block":
    case "unblock":
      await script(`/_customer/${act.do}`, { chat });
  }
}
