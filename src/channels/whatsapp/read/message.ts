import type { Content } from "../../../core/messages/content.ts";
import type { Inbound } from "../../../core/messages/message.ts";
import { fieldsIn, instantIn, messageIdIn, present, textIn } from "../fields.ts";
import { CHANNEL, type Receiver } from "./account.ts";
import { ownPhoneIn } from "./card.ts";
import { contentOrRest, payloadOf, typeIn } from "./content.ts";
import { reactedTo, surroundingsOf, withContext } from "./context.ts";
import { readChange } from "./edit.ts";
import { readSystem } from "./identity-change.ts";
import { ignored } from "./ignored.ts";
import { addressKind, addressOf, personOf, saysWho } from "./person.ts";

/** The sender of the sample message from Meta's dashboard. */
const SAMPLE_SENDER = "16315551181";

/** Reads a customer's message: a new one, an edit of an old one, or a change of the customer's identity. */
export function readMessage(raw: unknown, receiver: Receiver): Inbound {
  const message = messageOf(raw);
  if (!message) return ignored("unreadable", "message");
  if (message.group_id !== undefined) return ignored("group", "message");
  const { id, type = typeIn(raw), from, from_user_id, timestamp } = message;
  if (receiver.isSample && from === SAMPLE_SENDER) return ignored("test", "message");
  const payload = payloadOf(raw, type);
  if (type === "system")
    return receiver.isOurs ? readSystem(from, payload, timestamp) : ignored("not_ours", "system");
  const sender = personOf(from, from_user_id, receiver.contacts, ownPhoneIn(type, payload));
  if (type === "edit" || type === "revoke") {
    const address = saysWho(sender.identities) ? addressOf(receiver.account, sender) : undefined;
    return readChange(type, payload, timestamp, receiver, address);
  }
  if (!saysWho(sender.identities)) return ignored("no_sender", type);
  const content = contentOrRest(type, payload);
  const address = addressOf(receiver.account, sender);
  const surroundings = surroundingsOf(raw);
  return {
    type: "message",
    message: present({
      channel: CHANNEL,
      account: receiver.account,
      external_id: id,
      from: sender.identities,
      profile: sender.profile,
      address,
      address_of: receiver.isOurs ? addressKind(address, sender) : null,
      content: withContext(content, surroundings),
      reply_to: content.kind === "reaction" ? reactedTo(payload) : surroundings.context?.id,
      sent_at: timestamp,
      wakes: wakes(content),
    }),
  };
}

/** Reads a message that an operator wrote, edited or revoked in the WhatsApp Business app. */
export function readEcho(raw: unknown, receiver: Receiver): Inbound {
  const message = messageOf(raw);
  if (!message) return ignored("unreadable", "echo");
  if (message.group_id !== undefined) return ignored("group", "echo");
  if (!receiver.isOurs) return ignored("not_ours", "echo");
  const { id, type = typeIn(raw), to, to_user_id, timestamp } = message;
  const payload = payloadOf(raw, type);
  if (type === "edit" || type === "revoke") return readChange(type, payload, timestamp, receiver);
  const content = contentOrRest(type, payload);
  const { identities } = personOf(to, to_user_id, receiver.contacts);
  if (!saysWho(identities)) return ignored("no_sender", type);
  return {
    type: "echo",
    echo: present({
      channel: CHANNEL,
      account: receiver.account,
      external_id: id,
      to: identities,
      content: withContext(content, surroundingsOf(raw)),
      sent_at: timestamp,
    }),
  };
}

/** The fields of every message; undefined without an id. */
function messageOf(raw: unknown) {
  const { from, from_user_id, to, to_user_id, ...said } = fieldsIn(raw) ?? {};
  const id = messageIdIn(said.id);
  if (id === undefined) return undefined;
  const people = { from, from_user_id, to, to_user_id };
  const group_id = textIn(said.group_id);
  return { id, type: textIn(said.type), timestamp: instantIn(said.timestamp), group_id, ...people };
}

/** Whether the bot gets a turn for the content. Reactions and permissions are only saved: they need no answer. */
function wakes(content: Content): boolean {
  return (
    content.kind !== "reaction" &&
    !(content.kind === "unsupported" && content.type === "reaction") &&
    !(content.kind === "interaction" && content.interaction === "permission")
  );
}
