import { z } from "zod";

const LONGEST_MEDIA_ID = 512;

/**
 * A file's id at its platform: letters, digits, `_`, `-`, `.` and `:`. It must not be usable as a URL or a path by the
 * program that fetches the file, so a colon after something like a scheme (`https:127.0.0.1`, `vbscript:x`) is refused.
 */
export const mediaId = z
  .string()
  .min(1)
  .max(LONGEST_MEDIA_ID)
  .regex(/^(?![A-Za-z][A-Za-z0-9.-]*:)[A-Za-z0-9_-][\w.:-]*$/, "must be an id, not a URL");

/**
 * A file at the platform, by its id there, or an upload, by its id here; never a URL. URLs expire, and Telegram's contain the bot's token.
 */
const media = z
  .strictObject({
    id: mediaId.optional(),
    upload: z.uuid().optional(),
    mime_type: z.string().optional(),
    sha256: z.string().optional(),
    file_name: z.string().optional(),
    size: z.number().optional(),
  })
  .refine(({ id, upload }) => (id === undefined) !== (upload === undefined), {
    message: "must be an id, or an upload",
    path: ["id"],
  });

const captioned = { media, caption: z.string().optional() };

/** What the platform says about a message besides its content. */
const context = z.strictObject({
  forwarded: z.boolean().optional(),
  /** All messages of one album have the same id. */
  album_id: z.string().optional(),
  /** The catalogue product the customer asks about. */
  product: z.strictObject({ catalog_id: z.string().optional(), product_id: z.string() }).optional(),
  /** The ad or post that brought the customer here. */
  referral: z.record(z.string(), z.string()).optional(),
});

const shared = { context: context.optional() };

/** The content of a message, by kind. Every store saves it unchanged. `textOf` turns every kind into text for a bot. */
export const contentSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), text: z.string(), ...shared }),
  z.strictObject({ kind: z.literal("image"), ...captioned, ...shared }),
  z.strictObject({ kind: z.literal("video"), ...captioned, note: z.boolean().optional(), ...shared }),
  z.strictObject({ kind: z.literal("audio"), ...captioned, voice: z.boolean().optional(), ...shared }),
  z.strictObject({ kind: z.literal("document"), ...captioned, ...shared }),
  z.strictObject({
    kind: z.literal("sticker"),
    media,
    emoji: z.string().optional(),
    animated: z.boolean().optional(),
    ...shared,
  }),
  z.strictObject({
    kind: z.literal("location"),
    latitude: z.number(),
    longitude: z.number(),
    name: z.string().optional(),
    address: z.string().optional(),
    live: z.boolean().optional(),
    ...shared,
  }),
  z.strictObject({
    kind: z.literal("contact"),
    contacts: z.array(z.strictObject({ name: z.string().optional(), phones: z.array(z.string()) })),
    /** Whether the platform verified that this is the sender's own card. */
    own: z.boolean(),
    ...shared,
  }),
  z.strictObject({
    kind: z.literal("interaction"),
    /**
     * The control that the customer used: a button, a list row, a form, a template's quick reply, a permission prompt.
     */
    interaction: z.enum(["button", "list", "form", "quick_reply", "permission"]),
    id: z.string().optional(),
    title: z.string().optional(),
    description: z.string().optional(),
    /** A form's answers; the plain text if the platform sent no JSON. */
    data: z.union([z.record(z.string(), z.unknown()), z.string()]).optional(),
    ...shared,
  }),
  z.strictObject({
    kind: z.literal("reaction"),
    /** `null` takes the reaction back. */
    emoji: z.string().nullable(),
    ...shared,
  }),
  z.strictObject({
    kind: z.literal("order"),
    catalog_id: z.string().optional(),
    items: z.array(
      z.strictObject({
        product_id: z.string(),
        quantity: z.number(),
        price: z.number().optional(),
        currency: z.string().optional(),
      }),
    ),
    note: z.string().optional(),
    ...shared,
  }),
  z.strictObject({
    kind: z.literal("system"),
    /** The platform's name for the event. */
    event: z.string(),
    note: z.string().optional(),
    /** The reservation or order that the hub's own event is about, and its status then. */
    reservation_id: z.string().optional(),
    order_id: z.string().optional(),
    status: z.string().optional(),
    ...shared,
  }),
  z.strictObject({
    kind: z.literal("unsupported"),
    /** The platform's name for the kind of message that the hub does not support. */
    type: z.string(),
    note: z.string().optional(),
    ...shared,
  }),
]);

export type Content = z.infer<typeof contentSchema>;
export type ContentKind = Content["kind"];
export type ContentOf<K extends ContentKind> = Extract<Content, { kind: K }>;

/** The text of any kind of content, for bots. */
export function textOf(content: Content): string {
  switch (content.kind) {
    case "text":
      return content.text;
    case "image":
    case "video":
    case "audio":
    case "document":
      return content.caption || placeholder(content.kind, content.media.file_name);
    case "sticker":
      return content.emoji || placeholder("sticker");
    case "location":
      return [content.name, content.address, `${content.latitude}, ${content.longitude}`]
        .filter(Boolean)
        .join("\n");
    case "contact":
      return (
        content.contacts.map((card) => [card.name, ...card.phones].filter(Boolean).join(" ")).join("\n") ||
        placeholder("contact")
      );
    case "interaction":
      return content.title || formText(content.data) || content.id || placeholder(content.interaction);
    case "reaction":
      return content.emoji ?? "";
    case "order":
      return (
        [content.note, ...content.items.map((item) => `${item.quantity} x ${item.product_id}`)]
          .filter(Boolean)
          .join("\n") || placeholder("order")
      );
    case "system":
      return content.note || content.event;
    case "unsupported":
      return placeholder("unsupported", content.note || content.type);
  }
}

function formText(data: ContentOf<"interaction">["data"]): string | undefined {
  if (data === undefined || typeof data === "string") return data;
  return Object.entries(data)
    .filter(([key]) => key !== "flow_token")
    .map(([key, value]) => `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("\n");
}

function placeholder(kind: string, detail?: string): string {
  return detail ? `[${kind}: ${detail}]` : `[${kind}]`;
}
