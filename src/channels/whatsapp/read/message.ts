import { z } from "zod";
import type { Content } from "../../../core/messages/content.ts";
import type { Inbound } from "../../../core/messages/message.ts";
import { anything, instant, messageId, optionalText, present } from "../fields.ts";
import { CHANNEL, type Line } from "./account.ts";
import { ownPhoneIn } from "./card.ts";
import { contentOrRest, payloadOf, typeIn } from "./content.ts";
import { reactedTo, repliedTo, withContext } from "./context.ts";
import { readChange } from "./edit.ts";
import { readSystem } from "./identity-change.ts";
import { ignored } from "./ignored.ts";
import { addressKind, addressOf, personOf, saysWho } from "./person.ts";

const messageSchema = z.object({
  id: messageId,
  type: optionalText,
  timestamp: instant,
  group_id: optionalText,
  from: anything,
  from_user_id: anything,
  to: anything,
  to_user_id: anything,
});

/** From whom the sample message in Meta's dashboard comes. */
const SAMPLE_SENDER = "16315551181";

/** What a customer's message says: something new, a change of what they said, or a change of who they are. */
export function readMessage(raw: unknown, line: Line): Inbound {
  const message = messageSchema.safeParse(raw).data;
  if (!message) return ignored("unreadable", "message");
  if (message.group_id !== undefined) return ignored("group", "message");
  const { id, type = typeIn(raw), from, from_user_id, timestamp } = message;
  if (line.isSample && from === SAMPLE_SENDER) return ignored("test", "message");
  const payload = payloadOf(raw, type);
  if (type === "system")
    return line.isOurs ? readSystem(from, payload, timestamp) : ignored("not_ours", "system");
  const sender = personOf(from, from_user_id, line.contacts, ownPhoneIn(type, payload));
  if (type === "edit" || type === "revoke") {
    const address = saysWho(sender.identities) ? addressOf(line.account, sender) : undefined;
    return readChange(type, payload, timestamp, line, address);
  }
  if (!saysWho(sender.identities)) return ignored("no_sender", type);
  const content = contentOrRest(type, payload);
  const address = addressOf(line.account, sender);
  return {
    type: "message",
    message: present({
      channel: CHANNEL,
      account: line.account,
      external_id: id,
      from: sender.identities,
      profile: sender.profile,
      address,
      address_of: line.isOurs ? addressKind(address, sender) : null,
      content: withContext(content, raw),
      reply_to: content.kind === "reaction" ? reactedTo(payload) : repliedTo(raw),
      sent_at: timestamp,
      wakes: wakes(content),
    }),
  };
}

/** What a person of ours wrote, changed or took back in the WhatsApp Business app. */
export function readEcho(raw: unknown, line: Line): Inbound {
  const message = messageSchema.safeParse(raw).data;
  if (!message) return ignored("unreadable", "echo");
  if (message.group_id !== undefined) return ignored("group", "echo");
  if (!line.isOurs) return ignored("not_ours", "echo");
  const { id, type = typeIn(raw), to, to_user_id, timestamp } = message;
  const payload = payloadOf(raw, type);
  if (type === "edit" || type === "revoke") return readChange(type, payload, timestamp, line);
  const content = contentOrRest(type, payload);
  const { identities } = personOf(to, to_user_id, line.contacts);
  if (!saysWho(identities)) return ignored("no_sender", type);
  return {
    type: "echo",
    echo: present({
      channel: CHANNEL,
      account: line.account,
      external_id: id,
      to: identities,
      content: withContext(content, raw),
      sent_at: timestamp,
    }),
  };
}

/** Reactions and permissions are kept; there is nothing in them to answer. */
function wakes(content: Content): boolean {
  return (
    content.kind !== "reaction" &&
    !(content.kind === "unsupported" && content.type === "reaction") &&
    !(content.kind === "interaction" && content.interaction === "permission")
  );
}
