import type { Message } from "@grammyjs/types";
import { z } from "zod";
import type { Identities } from "../../../core/identity/identity.ts";
import { phoneFromCard } from "../../../core/identity/phone.ts";
import type { Content } from "../../../core/messages/content.ts";
import type { Address, IgnoredReason, Inbound } from "../../../core/messages/message.ts";
import { type Profile, profileOf } from "../../../core/messages/profile.ts";
import type { Connection, Connections } from "../business.ts";
import { present } from "../present.ts";
import { contactCard, contentOf } from "./content.ts";
import { serviceOf } from "./service.ts";

/** The update that is read, and the bot that received it. */
export interface About {
  readonly kind: string;
  readonly update_id: number;
  readonly account: string;
  readonly connections: Connections;
}

/** The channel's name in core and in the database. */
export const CHANNEL = "telegram";
const END_OF_9999 = 253_402_300_799;

/** A person or a bot. */
export const user = z.object({
  id: z.int(),
  is_bot: z.boolean().optional().catch(undefined),
  first_name: z.string().optional().catch(undefined),
  last_name: z.string().optional().catch(undefined),
  username: z.string().optional().catch(undefined),
  language_code: z.string().optional().catch(undefined),
});
/** A chat. Its id has up to 52 bits. */
export const chat = z.object({ id: z.int(), type: z.string() });
/** A time in Unix seconds. 0 means unknown. */
export const instant = z
  .int()
  .min(1)
  .max(END_OF_9999)
  .transform((seconds) => new Date(seconds * 1000))
  .optional()
  .catch(undefined);

const fields = {
  message_id: z.int(),
  chat,
  from: user.optional().catch(undefined),
  date: instant,
  edit_date: instant,
  message_thread_id: z.int().optional().catch(undefined),
  business_connection_id: z.string().optional(),
  sender_business_bot: z.unknown().optional(),
  via_bot: z.unknown().optional(),
  guest_query_id: z.unknown().optional(),
  forward_origin: z.unknown().optional(),
  media_group_id: z.string().optional().catch(undefined),
  reply_to_message: z.object({ message_id: z.int() }).optional().catch(undefined),
} satisfies { [K in keyof Message]?: z.ZodType };

/** The fields around a message's content. All other fields stay in the object, for `contentOf`. */
export const message = z.looseObject(fields);
/** A message in a chat of a business account. */
export const businessMessage = message.extend({ business_connection_id: z.string().min(1) });

type Said = z.infer<typeof message>;
type Place = Pick<Said, "chat" | "business_connection_id" | "message_thread_id">;

/** Reads a new message: a customer's, or an echo of a message from the business account's owner to the customer. */
export async function readMessage(said: Said, about: About): Promise<Inbound[]> {
  const refused = refuse(said, about);
  if (refused) return refused;
  const { account } = about;
  const business = await businessOf(said, about);
  if (business === "not_ours") return ignored("not_ours", about.kind);
  if (business && !said.from) return ignored("no_sender", about.kind);
  const card = business ? undefined : ownCard(said);
  const content = read(said, card !== undefined);
  const external_id = said.message_id === 0 ? `update:${about.update_id}` : idOf(said, said.message_id);
  if (business && said.from?.id === business.owner) {
    if (said.chat.id === business.owner) return ignored("own", about.kind);
    const echo = { channel: CHANNEL, account, external_id, to: customer(said), content, sent_at: said.date };
    return [{ type: "echo", echo: present(echo) }];
  }
  if (business && said.from?.id !== said.chat.id) return ignored("not_ours", about.kind);
  const inbound = {
    channel: CHANNEL,
    account,
    external_id,
    from: present({ ...customer(said), phone: card && phoneFromCard(card.phone_number) }),
    profile: said.from && profileOfUser(said.from),
    address: addressOf(said),
    // The owner of the business account can read this chat.
    address_of: business ? null : undefined,
    content,
    reply_to: said.reply_to_message?.message_id ? idOf(said, said.reply_to_message.message_id) : undefined,
    sent_at: said.date,
    wakes: business?.mayReply ?? true,
  };
  return [{ type: "message", message: present(inbound) }];
}

/** Reads an edited message, of the customer or the owner. Each new position of a live location is an edit too. */
export async function readEdit(said: Said, about: About): Promise<Inbound[]> {
  const refused = refuse(said, about);
  if (refused) return refused;
  const business = await businessOf(said, about);
  if (business === "not_ours") return ignored("not_ours", about.kind);
  if (said.message_id === 0) return ignored("unknown", about.kind);
  const edit = {
    channel: CHANNEL,
    account: about.account,
    external_id: idOf(said, said.message_id),
    content: read(said, false),
    at: said.edit_date ?? said.date,
    address: business?.mayReply === false ? undefined : addressOf(said),
  };
  return [{ type: "edit", edit: present(edit) }];
}

/**
 * The `external_id` of a message. It includes the chat and the account, because Telegram's ids are unique only there.
 */
export function idOf(place: Place, message_id: number): string {
  const id = `${place.chat.id}:${message_id}`;
  return place.business_connection_id === undefined ? id : `${place.business_connection_id}:${id}`;
}

/** The address of a reply: the chat, its topic, and the business connection. */
export function addressOf(place: Place): Address {
  return present({
    chat_id: String(place.chat.id),
    message_thread_id: place.message_thread_id?.toString(),
    business_connection_id: place.business_connection_id,
  });
}

/** The profile of a user at Telegram. */
export function profileOfUser(sender: z.infer<typeof user>): Profile | undefined {
  const { first_name, last_name, username, language_code: language } = sender;
  return profileOf({ names: [first_name, last_name], username, language });
}

/** The identity of the person in a private chat. */
export function customer(place: Pick<Place, "chat">): Identities {
  return { telegram_chat_id: String(place.chat.id) };
}

/** The business connection of a message; undefined for a message to the bot itself. */
export async function businessOf(
  place: Pick<Place, "business_connection_id">,
  { connections }: About,
): Promise<Connection | "not_ours" | undefined> {
  const { business_connection_id: id } = place;
  return id === undefined ? undefined : ((await connections.find(id)) ?? "not_ours");
}

/** An event that is not saved: its name, and the reason. */
export function ignored(reason: IgnoredReason, what: string): Inbound[] {
  return [{ type: "ignored", reason, what }];
}

function refuse(said: Said, about: About): Inbound[] | undefined {
  if (said.chat.type !== "private") return ignored("group", about.kind);
  // A guest chat, into which a user calls the bot, may have the same id as another person's private chat with the bot.
  if (said.guest_query_id !== undefined) return ignored("not_ours", about.kind);
  if (said.from?.is_bot || said.sender_business_bot !== undefined) return ignored("own", about.kind);
  const service = serviceOf(said);
  return service === undefined ? undefined : ignored("unknown", service);
}

function read(said: Said, own: boolean): Content {
  const context = present({
    // A message written with the help of another bot (`via_bot`) is not the sender's own text either.
    forwarded: said.forward_origin === undefined && said.via_bot === undefined ? undefined : true,
    album_id: said.media_group_id,
  });
  const content = contentOf(said, own) ?? { kind: "unsupported", type: unknownFieldsOf(said) };
  return Object.keys(context).length > 0 ? { ...content, context } : content;
}

function unknownFieldsOf(said: Said): string {
  return (
    Object.keys(said)
      .filter((field) => !Object.hasOwn(fields, field))
      .join(", ") || "empty"
  );
}

/**
 * The sender's own contact card: Telegram sets its `user_id`, so the phone is verified. A forwarded card and a card
 * made by another bot do not count. The caller leaves out cards in chats of business accounts.
 */
function ownCard(said: Said): z.infer<typeof contactCard> | undefined {
  const card = contactCard.safeParse(said.contact).data;
  const own = card?.user_id !== undefined && card.user_id === said.from?.id;
  return own && said.forward_origin === undefined && said.via_bot === undefined ? card : undefined;
}
