import { createHmac, randomBytes } from "node:crypto";

/** Values that only a benchmark ever sees. */
export const SECRETS = {
  WHATSAPP_ACCESS_TOKEN: "bench-whatsapp-token",
  WHATSAPP_APP_SECRET: "bench-app-secret",
  WHATSAPP_VERIFY_TOKEN: "bench-verify-token",
  WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
} as const;

/** What a customer says: a text, which is answered, or a reaction, which is kept and wakes nobody. */
export type Kind = "text" | "reaction";

/** What every customer writes: long enough that a reply is longer than the mark that it was read. */
export const TEXT = "Hello, is my order ready, and may I pick it up at the station this afternoon?";

/** No call to `/messages` but a reply has a body this long. */
export const SHORTEST_REPLY_BYTES = 180;

export interface SignedWebhook {
  readonly body: string;
  /** The signature as a header line. */
  readonly header: string;
}

/** The phone of one of up to 10,000 customers, as WhatsApp writes it. */
export function phoneOf(customer: number): string {
  return `44770090${String(customer).padStart(4, "0")}`;
}

/** A new message of this customer as WhatsApp delivers it, signed. */
export function webhookOf(customer: number, kind: Kind): SignedWebhook {
  const from = phoneOf(customer);
  const id = wamid();
  const said =
    kind === "text" ? { text: { body: TEXT } } : { reaction: { message_id: wamid(), emoji: "\u{1f44d}" } };
  const timestamp = String(Math.floor(Date.now() / 1000));
  const value = {
    messaging_product: "whatsapp",
    metadata: { display_phone_number: "15550001111", phone_number_id: SECRETS.WHATSAPP_PHONE_NUMBER_ID },
    contacts: [{ profile: { name: "Customer" }, wa_id: from }],
    messages: [{ from, id, timestamp, ...said, type: kind }],
  };
  const body = JSON.stringify({
    object: "whatsapp_business_account",
    entry: [{ id: "102290129340398", changes: [{ value, field: "messages" }] }],
  });
  const signature = createHmac("sha256", SECRETS.WHATSAPP_APP_SECRET).update(body).digest("hex");
  return { body, header: `x-hub-signature-256: sha256=${signature}\r\n` };
}

/** An id as WhatsApp gives them. */
export function wamid(): string {
  return `wamid.HBgL${randomBytes(27).toString("base64url")}`;
}
