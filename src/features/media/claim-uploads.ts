import { HubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { Content } from "../../core/messages/content.ts";
import type { InboundMessage } from "../../core/messages/message.ts";
import type { InboundEvent } from "../../core/receive/conversations.ts";
import { isSessionRef } from "../../core/sessions/session.ts";
import { featuresOf } from "../features.ts";

/** The beginnings of the media types that a kind of message may hold. A document may be anything. */
const TYPES: Readonly<Record<string, RegExp>> = {
  image: /^image\//,
  sticker: /^image\/(webp|png|gif)$/,
  video: /^video\//,
  audio: /^audio\//,
};

/**
 * Takes the uploads that these messages name, so that they are kept, and puts in what the hub knows of them: what a page says of a file does
 * not count. Throws `malformed` for a kind that does not suit the file, and for an upload without its session, and `not_found`.
 */
export async function claimUploads(hub: Hub, events: InboundEvent[]): Promise<void> {
  for (const [i, event] of events.entries()) {
    const upload = event.type === "message" ? uploadIn(event.message.content) : undefined;
    if (event.type === "message" && upload !== undefined)
      events[i] = { ...event, message: await claimed(hub, event.message, upload) };
  }
}

async function claimed(hub: Hub, message: InboundMessage, upload: string): Promise<InboundMessage> {
  const { from, content } = message;
  if (!isSessionRef(from))
    throw new HubError(
      "malformed",
      "content.media.upload: name the customer by token or session, not by phone",
    );
  const file = await featuresOf(hub).media.claim(upload.toLowerCase(), from, hub.now());
  if (TYPES[content.kind] && !TYPES[content.kind]!.test(file.mime_type))
    throw new HubError("malformed", `content.kind: the upload is no ${content.kind}`);
  return { ...message, content: { ...content, media: file } as Content };
}

function uploadIn(content: Content): string | undefined {
  return "media" in content ? content.media.upload : undefined;
}
