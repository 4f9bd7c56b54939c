import { z } from "zod";
import { type Content, mediaId } from "../../../core/messages/content.ts";
import { lenient, optionalText, present } from "../fields.ts";
import { cards } from "./card.ts";
import { interactionOf } from "./interaction.ts";

const mediaSchema = z.object({
  id: mediaId,
  mime_type: optionalText,
  sha256: optionalText,
  filename: optionalText,
  caption: optionalText,
  voice: lenient(z.boolean()),
  animated: lenient(z.boolean()),
});

const text = z.object({ body: z.string() }).transform(({ body }): Content => ({ kind: "text", text: body }));

/** A coordinate in degrees. Some clients send it as text. */
const degrees = z.union([
  z.number(),
  z
    .string()
    .regex(/^\s*[+-]?\d{1,3}(\.\d{1,20})?\s*$/)
    .transform(Number),
]);

const location = z
  .object({
    latitude: degrees,
    longitude: degrees,
    name: optionalText,
    address: optionalText,
  })
  .transform((place): Content => ({ kind: "location", ...present(place) }));

const reaction = z
  .object({ emoji: optionalText })
  .transform(({ emoji = null }): Content => ({ kind: "reaction", emoji }));

const quickReply = z.object({ payload: optionalText, text: optionalText }).transform(
  (button): Content =>
    present({
      kind: "interaction" as const,
      interaction: "quick_reply" as const,
      id: button.payload,
      title: button.text,
    }),
);

/** A quantity or a price. Some catalogues send it as text. */
const amount = z.union([
  z.number(),
  z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number),
]);

const order = z
  .object({
    catalog_id: optionalText,
    text: optionalText,
    product_items: z.array(
      z.object({
        product_retailer_id: z.string(),
        quantity: amount,
        item_price: lenient(amount),
        currency: optionalText,
      }),
    ),
  })
  .transform(
    ({ catalog_id, text, product_items }): Content =>
      present({
        kind: "order" as const,
        catalog_id,
        items: product_items.map(({ product_retailer_id, quantity, item_price, currency }) =>
          present({ product_id: product_retailer_id, quantity, price: item_price, currency }),
        ),
        note: text,
      }),
  );

/** Reads the object of a type; undefined if it breaks the type's own rules. */
type Reader = (payload: unknown) => Content | undefined;

const READERS: Readonly<Record<string, Reader>> = {
  text: read(text),
  image: read(media((file) => ({ kind: "image", ...captioned(file) }))),
  video: read(media((file) => ({ kind: "video", ...captioned(file) }))),
  audio: read(media((file) => present({ kind: "audio" as const, ...captioned(file), voice: file.voice }))),
  voice: read(media((file) => ({ kind: "audio", ...captioned(file), voice: true }))),
  document: read(media((file) => ({ kind: "document", ...captioned(file) }))),
  sticker: read(
    media((file) => present({ kind: "sticker" as const, media: fileOf(file), animated: file.animated })),
  ),
  location: read(location),
  contacts: read(cards),
  reaction: read(reaction),
  button: read(quickReply),
  order: read(order),
  interactive: interactionOf,
};

/** The type of a message without `type`: the name of the object in it. */
export function typeIn(message: unknown): string {
  return Object.keys(READERS).find((type) => isObject(payloadOf(message, type))) ?? "untyped";
}

const captionSchema = z.object({ caption: z.string().min(1) });
const namedSchema = z.object({ type: z.string().min(1) });

/** The content of a message. One that cannot be read becomes `unsupported`, with its type and its caption. */
export function contentOrRest(type: string, payload: unknown): Content {
  const content = contentOf(type, payload);
  if (content) return content;
  const note = captionSchema.safeParse(payload).data?.caption;
  return present({ kind: "unsupported" as const, type: type.slice(0, 64), note });
}

/**
 * The content of a message, from the object that its type names. An unknown type, or a type without its object (a
 * failure of the platform), becomes `unsupported`. Undefined if the object cannot be read.
 */
export function contentOf(type: string, payload: unknown): Content | undefined {
  const reader = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (reader && payload !== undefined && payload !== null) return reader(payload);
  const named = namedSchema.safeParse(payload).data?.type;
  return { kind: "unsupported", type: ((type === "unsupported" && named) || type).slice(0, 64) };
}

/** The object in the field that has the name of the type; never an inherited property. */
export function payloadOf(message: unknown, type: string): unknown {
  return Object.getOwnPropertyDescriptor(Object(message), type)?.value;
}

type File = z.infer<typeof mediaSchema>;

function media(make: (file: File) => Content) {
  return mediaSchema.transform(make);
}

function read(schema: z.ZodType<Content>): Reader {
  return (payload) => schema.safeParse(payload).data;
}

function fileOf({ id, mime_type, sha256, filename }: File) {
  return present({ id, mime_type, sha256, file_name: filename });
}

function captioned(file: File) {
  return present({ media: fileOf(file), caption: file.caption });
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
