import { z } from "zod";
import { OUTSIDE_WINDOW } from "../deliver/window.ts";
import { mediaId } from "../messages/content.ts";

/** The limits of a reply on every channel. A channel with smaller ones degrades the reply, as its table says. */
export const REPLY_LIMITS = {
  caption: 4_096,
  choices: 100,
  id: 1_000,
  title: 80,
  description: 200,
  header: 60,
  footer: 60,
  cards: 10,
  contacts: 20,
  products: 30,
  url: 2_048,
  rawBytes: 16_384,
} as const;

/** How the text of a reply is read: unchanged, or with the marks that docs/content.md lists. */
const format = z.enum(["plain", "markdown"]).optional();

const words = z.string().refine((text) => text.trim() !== "", "must be a text that is not blank");
const short = (most: number) => words.max(most);

const url = z
  .string()
  .max(REPLY_LIMITS.url)
  .refine((text) => {
    const parsed = URL.parse(text);
    return parsed?.protocol === "https:" && parsed.username === "" && parsed.password === "";
  }, "must be an https URL without credentials");

/** Variables of a template by their names. */
const byName = (value: z.ZodString | z.ZodType<string>, most: number) =>
  z.record(z.string(), value).refine((given) => {
    const names = Object.keys(given);
    return names.length > 0 && names.length <= most && names.every((name) => /^[a-z0-9_]{1,64}$/.test(name));
  }, `must have at most ${most} names of lower-case letters, digits and _`);

/** Two builders of objects: one drops unknown fields, the other refuses them. */
type MakeObject = <T extends z.ZodRawShape>(shape: T) => z.ZodObject<T>;

function schemasWith(object: MakeObject) {
  const media = object({
    /** The file's id at the platform of this channel. */
    id: mediaId.optional(),
    /** Where the platform, or the customer's browser, fetches the file. The hub does not fetch it. */
    url: url.optional(),
    /** A file that was uploaded to the hub: the shop's, or one of this customer's. */
    upload: z.uuid().optional(),
    mime_type: z.string().max(127).optional(),
    file_name: short(240).optional(),
  }).refine(
    ({ id, url, upload }) => [id, url, upload].filter((one) => one !== undefined).length === 1,
    "must have one of id, url and upload",
  );

  const captioned = { media, caption: short(REPLY_LIMITS.caption).optional(), format };
  const id = z.string().min(1).max(REPLY_LIMITS.id);
  const title = short(REPLY_LIMITS.title);
  const button = z.union(
    [object({ id, title }), object({ url, title })],
    "must be {id, title}, or {url, title} for a link",
  );
  const row = object({ id, title, description: short(REPLY_LIMITS.description).optional() });
  const around = {
    header: short(REPLY_LIMITS.header).optional(),
    footer: short(REPLY_LIMITS.footer).optional(),
  };
  /** Set by the hub: the customer got the choices as numbered text, so a number is an answer. */
  const numbered = z.boolean().optional();
  /** A platform's own call for a channel, by the channel's name. It is sent there instead of the neutral content. */
  const raw = z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .refine((value) => JSON.stringify(value).length <= REPLY_LIMITS.rawBytes, "is too large")
    .optional();
  /** What happens if the platform takes free replies no longer when it would be sent. Absent: `WHATSAPP_OUTSIDE_WINDOW`. */
  const outside_window = z.enum(OUTSIDE_WINDOW).optional();
  const sending = { raw, outside_window };
  /** The hub's id of an earlier message of the same session and channel. */
  const message_id = z.uuid();
  /** A button of a template, by its place from 0. */
  const at = z.number().int().min(0).max(9);
  const price = {
    price: z.number().nonnegative().optional(),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .optional(),
  };

  return z.discriminatedUnion("kind", [
    object({ kind: z.literal("text"), text: words, format, ...sending }),
    object({ kind: z.literal("image"), ...captioned, ...sending }),
    object({ kind: z.literal("video"), ...captioned, ...sending }),
    object({ kind: z.literal("audio"), ...captioned, ...sending }),
    object({ kind: z.literal("voice"), media, ...sending }),
    object({ kind: z.literal("document"), ...captioned, ...sending }),
    object({ kind: z.literal("sticker"), media, ...sending }),
    object({
      kind: z.literal("location"),
      latitude: z.number().min(-90).max(90),
      longitude: z.number().min(-180).max(180),
      name: short(256).optional(),
      address: short(256).optional(),
      ...sending,
    }),
    object({
      kind: z.literal("contact"),
      contacts: z
        .array(object({ name: short(128), phones: z.array(short(32)).min(1).max(5) }))
        .min(1)
        .max(REPLY_LIMITS.contacts),
      ...sending,
    }),
    object({
      kind: z.literal("buttons"),
      text: words,
      format,
      ...around,
      buttons: z
        .array(button)
        .min(1)
        .max(REPLY_LIMITS.choices)
        .refine(hasOwnIds, "each button must have an id of its own"),
      numbered,
      ...sending,
    }),
    object({
      kind: z.literal("list"),
      text: words,
      format,
      ...around,
      /** What opens the list, where the platform hides it behind a button. */
      button: short(REPLY_LIMITS.title).optional(),
      sections: z
        .array(object({ title: short(REPLY_LIMITS.title).optional(), rows: z.array(row).min(1) }))
        .min(1)
        .refine(
          (sections) => hasOwnIds(sections.flatMap(({ rows }) => rows)),
          "each row must have an id of its own",
        )
        .refine(
          (sections) => sections.flatMap(({ rows }) => rows).length <= REPLY_LIMITS.choices,
          `must have at most ${REPLY_LIMITS.choices} rows in all`,
        ),
      numbered,
      ...sending,
    }),
    object({
      kind: z.literal("carousel"),
      text: words.optional(),
      format,
      cards: z
        .array(
          object({
            title: title,
            text: short(1_000).optional(),
            image: media.optional(),
            buttons: z.array(button).max(3).optional(),
          }),
        )
        .min(1)
        .max(REPLY_LIMITS.cards)
        .refine(
          (cards) => hasOwnIds(cards.flatMap(({ buttons = [] }) => buttons)),
          "each button must have an id of its own",
        ),
      numbered,
      ...sending,
    }),
    object({
      kind: z.literal("product"),
      text: words,
      catalog_id: short(128).optional(),
      product_ids: z.array(short(128)).min(1).max(REPLY_LIMITS.products),
      /** Where the product is shown, for channels without a catalogue. */
      url: url.optional(),
      ...sending,
    }),
    object({
      kind: z.literal("order"),
      text: words.optional(),
      items: z
        .array(object({ name: short(128), quantity: z.number().positive(), ...price }))
        .min(1)
        .max(50),
      total: z.number().nonnegative().optional(),
      currency: price.currency,
      ...sending,
    }),
    object({
      kind: z.literal("template"),
      name: z.string().regex(/^[a-z0-9_]{1,512}$/),
      language: z.string().regex(/^[a-z]{2,3}(_[A-Z]{2})?$/),
      category: z.enum(["utility", "marketing", "authentication"]).optional(),
      /** The variable of a text header; by its name where the template's variables have names. */
      header: z.union([short(REPLY_LIMITS.header), byName(short(REPLY_LIMITS.header), 1)]).optional(),
      /** The file of a header that shows one. */
      header_media: object({ kind: z.enum(["image", "video", "document"]), media }).optional(),
      /** The body's variables in order; by their names where they have names. */
      body: z.union([z.array(short(1_024)).max(30), byName(short(1_024), 30)]).optional(),
      /** What the buttons at these places carry: the end of a link, the id of a tap, a code to copy. */
      buttons: z
        .array(
          z.union(
            [
              object({ at, url: short(REPLY_LIMITS.url) }),
              object({ at, id: short(128) }),
              object({ at, code: short(15) }),
            ],
            "must be {at, url}, {at, id} or {at, code}",
          ),
        )
        .max(10)
        .refine(
          (all) => new Set(all.map((one) => one.at)).size === all.length,
          "each must be of another button",
        )
        .optional(),
      /** Sent on channels without templates. */
      fallback: words.optional(),
      ...sending,
    }),
    object({
      kind: z.literal("reaction"),
      /** `null` takes the reaction back. */
      emoji: z.string().min(1).max(16).nullable(),
      /** Absent: the customer's message that is answered. */
      message_id: message_id.optional(),
    }),
    object({ kind: z.literal("edit"), message_id, text: words, format }),
    object({ kind: z.literal("delete"), message_id }),
    /** `pinned: false` takes the pin back. */
    object({ kind: z.literal("pin"), message_id, pinned: z.boolean().optional() }),
    object({ kind: z.literal("typing") }),
  ]);
}

function hasOwnIds(choices: readonly object[]): boolean {
  const ids = choices.flatMap((choice) => ("id" in choice ? [choice.id] : []));
  return new Set(ids).size === ids.length;
}

/** What a bot, an operator or a back office wants said, in the hub's own form. Drops unknown fields. */
export const replySchema = schemasWith(z.object as MakeObject);
/** As `replySchema`, and refuses unknown fields. */
export const strictReplySchema = schemasWith(z.strictObject as MakeObject);

export type Reply = z.infer<typeof replySchema>;
export type ReplyKind = Reply["kind"];
export type ReplyOf<K extends ReplyKind> = Extract<Reply, { kind: K }>;
export type ReplyMedia = ReplyOf<"image">["media"];
export type Button = ReplyOf<"buttons">["buttons"][number];

/** Every kind, in the order of the documentation. */
export const REPLY_KINDS: readonly ReplyKind[] = replySchema.options.map(({ shape }) => shape.kind.value);
