import { z } from "zod";
import type { Inbound } from "../../../core/messages/message.ts";
import { instant, lenient, messageId, optionalText, present } from "../fields.ts";
import { CHANNEL, type Receiver } from "./account.ts";
import { ignored } from "./ignored.ts";

const STATUSES = ["sent", "delivered", "read", "played", "failed"] as const;

const statusSchema = z.object({
  id: messageId,
  status: z.string(),
  timestamp: instant,
  /** Absent or `message` for messages. Calls and payments have statuses too, with ids of their own. */
  type: optionalText,
  recipient_type: optionalText,
  errors: lenient(z.array(z.object({ code: z.number() }))),
});

/** Reads the status of an outbound message. The reason of a failure is the platform's code. */
export function readStatus(raw: unknown, receiver: Receiver): Inbound {
  const news = statusSchema.safeParse(raw).data;
  if (!news) return ignored("unreadable", "status");
  if (news.recipient_type === "group") return ignored("group", "status");
  if (news.type === "call") return ignored("call", "status");
  if (news.type !== undefined && news.type !== "message") return ignored("unknown", `status ${news.type}`);
  const status = STATUSES.find((known) => known === news.status);
  if (!status) return ignored("unknown", `status ${news.status}`);
  const code = news.errors?.[0]?.code;
  return {
    type: "receipt",
    receipt: present({
      channel: CHANNEL,
      account: receiver.account,
      external_id: news.id,
      status,
      at: news.timestamp,
      reason: status === "failed" && code !== undefined ? String(code) : undefined,
    }),
  };
}
