import { z } from "zod";
import type { Content } from "../../../core/messages/content.ts";
import type { Address, Inbound } from "../../../core/messages/message.ts";
import { anything, messageId, present } from "../fields.ts";
import { CHANNEL, type Receiver } from "./account.ts";
import { contentOf, payloadOf } from "./content.ts";
import { surroundingsOf, withContext } from "./context.ts";
import { ignored } from "./ignored.ts";

const revokeSchema = z.object({ original_message_id: messageId });
const editSchema = z.object({ original_message_id: messageId, message: anything });
const editedSchema = z.object({ type: z.string() });

/** Reads an edited or revoked message. `address` is where a reply to its author goes, if the bot gets edits. */
export function readChange(
  type: "edit" | "revoke",
  payload: unknown,
  at: Date | undefined,
  receiver: Receiver,
  address?: Address,
): Inbound {
  if (type === "revoke") {
    const revoked = revokeSchema.safeParse(payload).data;
    return revoked
      ? edit(revoked.original_message_id, null, at, receiver, address)
      : ignored("unreadable", type);
  }
  const edited = editSchema.safeParse(payload).data;
  const kind = editedSchema.safeParse(edited?.message).data?.type;
  const content = edited && kind !== undefined && contentOf(kind, payloadOf(edited.message, kind));
  if (!content) return ignored("unreadable", type);
  const whole = withContext(content, surroundingsOf(edited.message));
  return edit(edited.original_message_id, whole, at, receiver, address);
}

function edit(
  external_id: string,
  content: Content | null,
  at: Date | undefined,
  receiver: Receiver,
  address?: Address,
): Inbound {
  return {
    type: "edit",
    edit: present({ channel: CHANNEL, account: receiver.account, external_id, content, at, address }),
  };
}
