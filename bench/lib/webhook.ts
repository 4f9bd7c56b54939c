import { createHmac, randomBytes } from "node:crypto";

/** Values that are used only in benchmarks. */
export const SECRETS = {
  WHATSAPP_ACCESS_TOKEN: "bench-whatsapp-token",
  WHATSAPP_APP_SECRET: "bench-app-secret",
  WHATSAPP_VERIFY_TOKEN: "bench-verify-token",
  WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
} as const;

/** What a customer sends: a text, which is answered, or a reaction, which is saved and does not wake the bot. */
export type Kind = "text" | "reaction";

/** The text of every customer. It is so long that the body of a reply is longer than that of a read mark. */
export const TEXT = "Hello, is my order ready, and may I pick it up at the station this afternoon?";

/** Among the calls to `/messages` only a reply has a body this long. */
export const SHORTEST_REPLY_BYTES = 180;

export interface SignedWebhook {
  readonly body: string;
  /** The signature as a header line. */
  readonly header: string;
}

/** The phone of one of up to 10,000 customers, in WhatsApp's spelling. */
export function phoneOf(customer: number): string {
  return `44770090${String(customer).padStart(4, "0")}`;
}

/** A new, signed message of this customer, as WhatsApp delivers it. */
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

/** An id in WhatsApp's form. */
export function wamid(): string {
  return `wamid.HBgL${randomBytes(27).toString("base64url")}`;
}
