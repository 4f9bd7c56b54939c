import type { ActOf } from "../act.ts";
import type { Bubble, Person } from "../model.ts";
import { tapped } from "./tapped.ts";

/** A call of an emulator's script route. */
export type Script = (path: string, body: object) => Promise<unknown>;

const FILES = {
  image: () => ({
    photo: [
      { file_id: newFile(), file_unique_id: unique(), width: 320, height: 240, file_size: 18_432 },
      { file_id: newFile(), file_unique_id: unique(), width: 1280, height: 960, file_size: 184_320 },
    ],
  }),
  video: () => ({
    video: { ...file("video/mp4"), width: 640, height: 480, duration: 4, file_name: "clip.mp4" },
  }),
  audio: () => ({ audio: { ...file("audio/mpeg"), duration: 30, title: "A song", file_name: "song.mp3" } }),
  voice: () => ({ voice: { ...file("audio/ogg"), duration: 3 } }),
  document: () => ({ document: { ...file("application/pdf"), file_name: "order.pdf" } }),
};

const file = (mime_type: string) => ({
  file_id: newFile(),
  file_unique_id: unique(),
  mime_type,
  file_size: 4_096,
});
const newFile = () => `BAAC${crypto.randomUUID().replaceAll("-", "")}`;
const unique = () => `AQ${crypto.randomUUID().slice(0, 12).replaceAll("-", "")}`;

/** What a customer does in Telegram, through the emulator. `bubble` is the message that the act names. */
export async function onTelegram(
  script: Script,
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
    case "media":
      await script("/_customer/message", {
        chat,
        ...FILES[act.kind](),
        ...(act.caption && { caption: act.caption }),
      });
      return;
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
