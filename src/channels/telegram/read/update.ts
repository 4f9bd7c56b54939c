import type { Update } from "@grammyjs/types";
import { z } from "zod";
import type { Content } from "../../../core/messages/content.ts";
import type { Inbound } from "../../../core/messages/message.ts";
import type { Connections } from "../business.ts";
import { present } from "../present.ts";
import {
  type About,
  addressOf,
  businessMessage,
  businessOf,
  CHANNEL,
  chat,
  customer,
  idOf,
  ignored,
  instant,
  message,
  profileOfUser,
  readEdit,
  readMessage,
  user,
} from "./message.ts";

const deletion = z.object({ business_connection_id: z.string().min(1), chat, message_ids: z.array(z.int()) });

const callbackQuery = z.object({
  id: z.string().min(1),
  from: user,
  message: message
    .pick({
      chat: true,
      message_id: true,
      business_connection_id: true,
      message_thread_id: true,
      guest_query_id: true,
    })
    .optional()
    .catch(undefined),
  data: z.string().optional().catch(undefined),
  game_short_name: z.string().optional().catch(undefined),
});

const reactionType = z
  .object({
    type: z.string(),
    emoji: z.string().optional().catch(undefined),
    custom_emoji_id: z.string().optional().catch(undefined),
  })
  .transform((reaction) => reaction.emoji ?? reaction.custom_emoji_id ?? reaction.type);

const reactions = z.object({
  chat,
  message_id: z.int(),
  user: user.optional().catch(undefined),
  date: instant,
  old_reaction: z.array(reactionType).catch([]),
  new_reaction: z.array(reactionType).optional().catch(undefined),
});

const membership = z.object({ chat, date: instant, new_chat_member: z.object({ status: z.string() }) });

const connection = z.object({ id: z.string(), user });

type Reader = (value: unknown, about: About) => Inbound[] | Promise<Inbound[]>;

const readers = {
  message: reader(message, readMessage),
  edited_message: reader(message, readEdit),
  channel_post: (_value, about) => ignored("group", about.kind),
  edited_channel_post: (_value, about) => ignored("group", about.kind),
  business_connection: reader(connection, readConnection),
  business_message: reader(businessMessage, readMessage),
  edited_business_message: reader(businessMessage, readEdit),
  deleted_business_messages: reader(deletion, readDeletion),
  callback_query: reader(callbackQuery, readCallback),
  message_reaction: reader(reactions, readReaction),
  my_chat_member: reader(membership, readMembership),
} satisfies { [K in keyof Update]?: Reader };

/** The updates to ask Telegram for: all that are read, without those of channels, which are ignored. */
export const UPDATE_KINDS = Object.keys(readers).filter((kind) => !kind.endsWith("channel_post"));

/**
 * Reads one update into inbound events.
 * @see https://core.telegram.org/bots/api#update
 */
export async function readUpdate(
  update: Readonly<Record<string, unknown>>,
  account: string,
  connections: Connections,
): Promise<Inbound[]> {
  const { update_id, ...kinds } = update;
  if (!Number.isSafeInteger(update_id) || Object.keys(kinds).length === 0)
    return ignored("unreadable", "update");
  const said: Inbound[] = [];
  for (const [kind, value] of Object.entries(kinds)) {
    const read: Reader | undefined = Object.hasOwn(readers, kind)
      ? readers[kind as keyof typeof readers]
      : undefined;
    const about = { kind, update_id: update_id as number, account, connections };
    said.push(...(read ? await read(value, about) : ignored("unknown", kind)));
  }
  return said;
}

function reader<S extends z.ZodType>(
  schema: S,
  read: (value: z.infer<S>, about: About) => Inbound[] | Promise<Inbound[]>,
): Reader {
  return (value, about) => {
    const parsed = schema.safeParse(value);
    return parsed.success ? read(parsed.data, about) : ignored("unreadable", about.kind);
  };
}

/**
 * A business connection was made, changed or withdrawn. Its content is not used, because updates may come late or
 * twice.
 */
function readConnection({ id, user }: z.infer<typeof connection>, about: About): Inbound[] {
  about.connections.forget(id);
  return ignored(about.connections.isOwner(user.id) ? "account" : "not_ours", about.kind);
}

async function readDeletion(deleted: z.infer<typeof deletion>, about: About): Promise<Inbound[]> {
  if (deleted.chat.type !== "private") return ignored("group", about.kind);
  if ((await businessOf(deleted, about)) === "not_ours") return ignored("not_ours", about.kind);
  return deleted.message_ids.map((message_id) => ({
    type: "edit",
    edit: { channel: CHANNEL, account: about.account, external_id: idOf(deleted, message_id), content: null },
  }));
}

/**
 * Reads a pressed button. A query without a message belongs to an inline message: it is answered in the person's own
 * chat.
 */
async function readCallback(query: z.infer<typeof callbackQuery>, about: About): Promise<Inbound[]> {
  const place = query.message ?? { chat: { id: query.from.id, type: "private" } };
  if (query.message?.guest_query_id !== undefined) return ignored("not_ours", about.kind);
  const external_id = `callback:${query.id}`;
  const address = { ...addressOf(place), callback_query_id: query.id };
  if (place.chat.type !== "private")
    return [{ type: "ignored", reason: "group", what: about.kind, seen: { address, external_id } }];
  const business = query.message && (await businessOf(query.message, about));
  if (business === "not_ours") return ignored("not_ours", about.kind);
  if (query.from.is_bot || query.from.id === business?.owner) return ignored("own", about.kind);
  if (business && query.from.id !== place.chat.id) return ignored("not_ours", about.kind);
  const id = query.data ?? query.game_short_name;
  const content: Content = { kind: "interaction", interaction: "button", ...present({ id }) };
  const pressed = {
    channel: CHANNEL,
    account: about.account,
    external_id,
    from: customer(place),
    profile: profileOfUser(query.from),
    address,
    address_of: business ? null : undefined,
    content,
    reply_to: query.message?.message_id ? idOf(query.message, query.message.message_id) : undefined,
    wakes: business?.mayReply ?? true,
  };
  return [{ type: "message", message: present(pressed) }];
}

/** Reads a changed reaction: the new one; if one of several was only removed, one that is left. */
function readReaction(reaction: z.infer<typeof reactions>, about: About): Inbound[] {
  if (reaction.chat.type !== "private") return ignored("group", about.kind);
  if (reaction.user?.is_bot) return ignored("own", about.kind);
  const { old_reaction: before, new_reaction: after } = reaction;
  const emoji = after?.find((one) => !before.includes(one)) ?? after?.[0] ?? null;
  const content: Content = after ? { kind: "reaction", emoji } : { kind: "unsupported", type: about.kind };
  const given = {
    channel: CHANNEL,
    account: about.account,
    external_id: `update:${about.update_id}`,
    from: customer(reaction),
    profile: reaction.user && profileOfUser(reaction.user),
    address: addressOf(reaction),
    content,
    reply_to: idOf(reaction, reaction.message_id),
    sent_at: reaction.date,
    wakes: false,
  };
  return [{ type: "message", message: present(given) }];
}

/** Reads a change of the bot's membership: in a private chat it shows whether the person has blocked the bot. */
function readMembership(
  { chat, date, new_chat_member }: z.infer<typeof membership>,
  about: About,
): Inbound[] {
  if (chat.type !== "private") return ignored("group", about.kind);
  const { status } = new_chat_member;
  if (status !== "kicked" && status !== "member") return ignored("unknown", about.kind);
  const reachability = {
    channel: CHANNEL,
    who: customer({ chat }),
    reachable: status === "member",
    at: date,
  };
  return [{ type: "reachability", reachability: present(reachability) }];
}
