import { z } from "zod";
import type { Content } from "../../../core/messages/content.ts";
import type { Inbound } from "../../../core/messages/message.ts";
import { anything, instant, messageId, optionalText, present } from "../fields.ts";
import { CHANNEL, type Line } from "./account.ts";
import { ownPhoneIn } from "./card.ts";
import { contentOf, payloadOf } from "./content.ts";
import { reactedTo, repliedTo, withContext } from "./context.ts";
import { readChange } from "./edit.ts";
import { readSystem } from "./identity-change.ts";
import { ignored } from "./ignored.ts";
import { addressOf, personOf, saysWho } from "./person.ts";

const messageSchema = z.object({
  id: messageId,
  type: z.string().min(1),
  timestamp: instant,
  group_id: optionalText,
  from: anything,
  from_user_id: anything,
  to: anything,
  to_user_id: anything,
});

/** What a customer's message says: something new, a change of what they said, or a change of who they are. */
export function readMessage(raw: unknown, line: Line): Inbound {
  const message = messageSchema.safeParse(raw).data;
  if (!message) return ignored("unreadable", "message");
  if (message.group_id !== undefined) return ignored("group", "message");
  const { id, type, from, from_user_id, timestamp } = message;
  const payload = payloadOf(raw, type);
  if (type === "system") return readSystem(from, payload);
  const sender = personOf(from, from_user_id, line.contacts, ownPhoneIn(type, payload));
  if (type === "edit" || type === "revoke") {
    const address = saysWho(sender.identities) ? addressOf(line.account, sender) : undefined;
    return readChange(type, payload, timestamp, line, address);
  }
  const content = contentOf(type, payload);
  if (!content) return ignored("unreadable", type);
  if (!saysWho(sender.identities)) return ignored("no_sender", type);
  return {
    type: "message",
    message: present({
      channel: CHANNEL,
      account: line.account,
      external_id: id,
      from: sender.identities,
      address: addressOf(line.account, sender),
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
  const { id, type, to, to_user_id, timestamp } = message;
  const payload = payloadOf(raw, type);
  if (type === "edit" || type === "revoke") return readChange(type, payload, timestamp, line);
  const content = contentOf(type, payload);
  if (!content) return ignored("unreadable", type);
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
    content.kind !== "reaction" && !(content.kind === "interaction" && content.interaction === "permission")
  );
}
