import { z } from "zod";
import { normalisePhone, phoneFromDigits } from "../../../core/identity/phone.ts";
import type { ContentOf } from "../../../core/messages/content.ts";
import { anything, lenient, optionalText, present } from "../fields.ts";

const cardSchema = z.object({
  name: lenient(
    z.object({ formatted_name: optionalText, first_name: optionalText, last_name: optionalText }),
  ),
  phones: z.array(z.object({ phone: optionalText, wa_id: optionalText })).catch([]),
  origin: anything,
});

type Card = z.infer<typeof cardSchema>;

const cardsSchema = z.array(cardSchema).min(1);

/** Contact cards as content. Their email addresses, postal addresses and vcards are not read. */
export const cards = cardsSchema.transform(
  (list): ContentOf<"contact"> => ({
    kind: "contact",
    contacts: list.map((card) =>
      present({
        name: nameOf(card),
        phones: card.phones.flatMap(({ phone, wa_id }) => phone ?? (wa_id ? `+${wa_id}` : [])),
      }),
    ),
    own: isOwn(list),
  }),
);

/**
 * The sender's own phone, if the message is a contact card that the hub's request produced. WhatsApp fills in such a
 * card; the sender can write anything into any other card.
 */
export function ownPhoneIn(type: string, payload: unknown): string | undefined {
  const list = type === "contacts" ? cardsSchema.safeParse(payload).data : undefined;
  if (!list || !isOwn(list)) return undefined;
  const phones = list.flatMap((card) => card.phones);
  const known = phones.find(({ wa_id }) => wa_id !== undefined) ?? phones[0];
  if (known?.wa_id !== undefined) return phoneFromDigits(known.wa_id);
  return known?.phone === undefined ? undefined : normalisePhone(known.phone);
}

function isOwn(list: readonly Card[]): boolean {
  return list.every((card) => card.origin === "contact_request");
}

function nameOf({ name }: Card): string | undefined {
  return name?.formatted_name ?? ([name?.first_name, name?.last_name].filter(Boolean).join(" ") || undefined);
}
