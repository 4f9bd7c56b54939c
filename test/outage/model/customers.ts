import type { Identities } from "../../../src/core/identity/identity.ts";
import type { InboundMessage } from "../../../src/core/messages/message.ts";
import type { InboundEvent } from "../../../src/core/receive/conversations.ts";
import { ACCOUNTS } from "../../contracts/given.ts";
import type { Platform } from "./steps.ts";

/** The customers of a run. */
export const PEOPLE: readonly Required<Pick<Identities, "phone" | "telegram_chat_id">>[] = [1, 2, 3].map(
  (n) => ({ phone: `+491511234560${n}`, telegram_chat_id: `700${n}` }),
);
/** The identities that a platform verifies for its sender. */
export function identityOn(channel: Platform, who: number): Identities {
  const { phone, telegram_chat_id } = PEOPLE[who]!;
  return channel === "whatsapp" ? { phone } : { telegram_chat_id };
}

/** A text on a channel, which wakes the bot. */
export function said(channel: string, from: InboundMessage["from"], external_id: string) {
  const account = ACCOUNTS[channel];
  return {
    type: "message",
    message: {
      channel,
      ...(account !== undefined && { account }),
      external_id,
      from,
      address: account === undefined ? {} : { to: "there" },
      content: { kind: "text", text: external_id },
      wakes: true,
    },
  } as const satisfies InboundEvent;
}
