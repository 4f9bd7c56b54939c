import type { Reply } from "../../core/content/reply.ts";
import type { Content } from "../../core/messages/content.ts";
import type { Message } from "../../core/messages/message.ts";
import type { HttpContext } from "../../http/request.ts";
import type { MediaLinks } from "./links.ts";
import { mediaOf } from "./options.ts";

/** What the links of a message's files are made with. */
export interface FileLinks {
  readonly links: MediaLinks;
  readonly now: Date;
}

/** What a request's answer makes links with. */
export function filesOf(c: HttpContext): FileLinks {
  const hub = c.var.exchange.hub();
  return { links: mediaOf(hub).links, now: hub.now() };
}

/** The link to a message's file; undefined without one that the hub can read. */
export function fileLinkOf({ message_id, content }: Message, { links, now }: FileLinks): string | undefined {
  return hasFile(content) ? links.link(message_id, now).url : undefined;
}

/** As `fileLinkOf`, for a program outside: absolute and signed. Undefined without the settings for that. */
export function outsideLinkOf(
  { message_id, content }: Message,
  { links, now }: FileLinks,
): { readonly url: string; readonly expires_at: Date } | undefined {
  return hasFile(content) ? links.linkOutside(message_id, now) : undefined;
}

function hasFile(content: Content | Reply): boolean {
  if (!("media" in content)) return false;
  const { media } = content as { media: { id?: string; upload?: string } };
  return media.id !== undefined || media.upload !== undefined;
}

/** The message's content, with a `url` beside each `upload` that its reply names. Of a customer's file the message has the link. */
export function withFileLinks(message: Message, files: FileLinks): Content | Reply {
  const { content, direction } = message;
  if (direction !== "outbound") return content;
  if (content.kind === "carousel")
    return {
      ...content,
      cards: content.cards.map((card, i) =>
        isUpload(card.image)
          ? {
              ...card,
              image: { ...card.image, url: files.links.link(message.message_id, files.now, i + 1).url },
            }
          : card,
      ),
    };
  if (!("media" in content) || !isUpload(content.media)) return content;
  const url = files.links.link(message.message_id, files.now).url;
  return { ...content, media: { ...content.media, url } } as Reply;
}

/** Whether a reply sends a file that was uploaded to the hub. */
export function namesUpload(reply: Reply): boolean {
  if (reply.kind === "carousel") return reply.cards.some(({ image }) => isUpload(image));
  return "media" in reply && isUpload(reply.media);
}

function isUpload(media: object | undefined): media is { readonly upload: string } {
  return media !== undefined && "upload" in media && media.upload !== undefined;
}
