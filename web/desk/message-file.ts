import { type Signal, signal } from "@preact/signals";
import { words as contentWords } from "../kit/content/words.ts";
import { authorization, type Message } from "./api.ts";

/** The addresses of files that were loaded, by their messages. */
const loaded = new Map<string, Signal<string | undefined>>();
/** The messages whose files are being loaded, or were. */
const asked = new Set<string>();
/** As many are kept; the oldest are let go. */
const MOST = 200;
/** What is loaded without being asked for: the others may be large. */
const AT_ONCE = ["image", "sticker", "voice", "audio"];

/** Forgets all files, as when somebody signs out. */
export function forgetFiles(): void {
  for (const url of loaded.values()) if (url.value) URL.revokeObjectURL(url.value);
  loaded.clear();
  asked.clear();
}

/** Reading its value makes a component follow it. */
function addressOf(message_id: string): Signal<string | undefined> {
  const known = loaded.get(message_id) ?? signal<string | undefined>(undefined);
  loaded.set(message_id, known);
  return known;
}

const isSigned = (url: URL) => url.searchParams.has("signature");
/** The hub names its files by its public address; the page asks the host that it came from. */
const here = (url: string) => {
  const given = new URL(url, location.origin);
  return new URL(given.pathname + given.search, location.origin);
};

/** Whether the file of a message is loaded only when somebody asks for it. */
export function waitsForClick({ kind, media_url, message_id }: Message): boolean {
  if (!media_url || isSigned(here(media_url)) || AT_ONCE.includes(kind)) return false;
  return addressOf(message_id).value === undefined;
}

/** The address from which the page loads a message's file. Null without one, or until it is loaded. */
export function fileOf({ message_id, media_url, kind }: Message): string | null {
  if (!media_url) return null;
  const url = here(media_url);
  if (isSigned(url)) return url.href;
  if (AT_ONCE.includes(kind)) void loadFile({ message_id, media_url, kind });
  return addressOf(message_id).value ?? null;
}

/** Loads a file with the caller's token. */
export async function loadFile({
  message_id,
  media_url,
  kind,
}: Pick<Message, "message_id" | "media_url" | "kind">): Promise<void> {
  if (!media_url || asked.has(message_id)) return;
  asked.add(message_id);
  try {
    const answer = await fetch(here(media_url), { headers: authorization() });
    if (!answer.ok) return;
    const bytes = await answer.blob();
    // A document is saved, never opened as a page of this host.
    const file = kind === "document" ? bytes.slice(0, bytes.size, "application/octet-stream") : bytes;
    addressOf(message_id).value = URL.createObjectURL(file);
  } catch {
    asked.delete(message_id);
  }
  for (const [id, old] of loaded) {
    if (loaded.size <= MOST) break;
    if (old.value) URL.revokeObjectURL(old.value);
    loaded.delete(id);
    asked.delete(id);
  }
}

/** The message as the page shows it: a file of another host is a link, for the page asks no other host. */
export function shownMessage(message: Message): Message {
  const { content } = message;
  const media_url = fileOf(message);
  if (media_url !== null || message.media_url || !("media" in content)) return { ...message, media_url };
  const media = content.media as { url?: string; file_name?: string };
  if (media.url === undefined || content.kind === "document") return message;
  const file_name = media.file_name ?? contentWords.say(content.kind as "image");
  return { ...message, content: { ...content, kind: "document", media: { ...media, file_name } } as never };
}
