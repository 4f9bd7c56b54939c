import { z } from "zod";
import { longerThan } from "./characters.ts";

/** A text of `least` to `most` characters, as Meta counts them. */
const text = (most: number, least = 1) =>
  z
    .string()
    .min(least)
    .refine((value) => !longerThan(value, most), `must be at most ${most} characters long`)
    .refine((value) => value.isWellFormed(), "must be valid UTF-8");

const id = z.string().regex(/^\d{1,32}$|^[\w.-]{1,128}$/, "must be a media id");
const link = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/\S+$/, "must be a URL");
const either = (value: { id?: unknown; link?: unknown }) =>
  (value.id === undefined) !== (value.link === undefined);
const media = z
  .strictObject({ id: id.optional(), link: link.optional() })
  .refine(either, "needs either id or link");
const captioned = z
  .strictObject({ id: id.optional(), link: link.optional(), caption: text(1024).optional() })
  .refine(either, "needs either id or link");

const header = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: text(60), sub_text: text(60).optional() }),
  z.strictObject({ type: z.literal("image"), image: media }),
  z.strictObject({ type: z.literal("video"), video: media }),
  z.strictObject({ type: z.literal("document"), document: media }),
]);
const textHeader = z.strictObject({ type: z.literal("text"), text: text(60) });
const body = z.strictObject({ text: text(1024) });
const footer = z.strictObject({ text: text(60) });
const around = { header: header.optional(), body, footer: footer.optional() };

const button = z.strictObject({
  type: z.literal("reply"),
  reply: z.strictObject({
    id: text(256).refine(isTrimmed, "must have no spaces at its edges"),
    title: text(20),
  }),
});
const row = z.strictObject({
  id: text(200).refine(isTrimmed, "must have no spaces at its edges"),
  title: text(24),
  description: text(72).optional(),
});
const section = z.strictObject({ title: text(24).optional(), rows: z.array(row).min(1).max(10) });
const productSection = z.strictObject({
  title: text(24).optional(),
  product_items: z
    .array(z.strictObject({ product_retailer_id: text(128) }))
    .min(1)
    .max(30),
});

const interactive = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("button"),
    ...around,
    action: z.strictObject({
      buttons: z
        .array(button)
        .min(1)
        .max(3)
        .refine((all) => apart(all.map(({ reply }) => reply.id)), "Button ids must be unique")
        .refine((all) => apart(all.map(({ reply }) => reply.title)), "Button titles must be unique"),
    }),
  }),
  z.strictObject({
    type: z.literal("list"),
    header: textHeader.optional(),
    body,
    footer: footer.optional(),
    action: z.strictObject({
      button: text(20),
      sections: z
        .array(section)
        .min(1)
        .max(10)
        .refine((all) => all.flatMap(({ rows }) => rows).length <= 10, "has more than 10 rows")
        .refine(
          (all) => all.length === 1 || all.every(({ title }) => title !== undefined),
          "needs titles of sections",
        )
        .refine((all) => apart(all.flatMap(({ rows }) => rows.map((each) => each.id))), "Duplicated row id"),
    }),
  }),
  z.strictObject({
    type: z.literal("cta_url"),
    ...around,
    action: z.strictObject({
      name: z.literal("cta_url"),
      parameters: z.strictObject({ display_text: text(20), url: link }),
    }),
  }),
  z.strictObject({
    type: z.literal("product"),
    body: body.optional(),
    footer: footer.optional(),
    action: z.strictObject({ catalog_id: text(128), product_retailer_id: text(128) }),
  }),
  z.strictObject({
    type: z.literal("product_list"),
    header: textHeader,
    body,
    footer: footer.optional(),
    action: z.strictObject({ catalog_id: text(128), sections: z.array(productSection).min(1).max(10) }),
  }),
  z.strictObject({
    type: z.literal("catalog_message"),
    body,
    footer: footer.optional(),
    action: z.strictObject({
      name: z.literal("catalog_message"),
      parameters: z.strictObject({ thumbnail_product_retailer_id: text(128) }).optional(),
    }),
  }),
  z.strictObject({
    type: z.literal("flow"),
    ...around,
    action: z.strictObject({
      name: z.literal("flow"),
      parameters: z
        .strictObject({
          flow_message_version: z.literal("3"),
          flow_id: z.string().min(1).optional(),
          flow_name: z.string().min(1).optional(),
          flow_cta: text(30),
          mode: z.enum(["draft", "published"]).optional(),
          flow_token: z.string().optional(),
          flow_action: z.enum(["navigate", "data_exchange"]).optional(),
          flow_action_payload: z
            .strictObject({ screen: z.string().optional(), data: z.looseObject({}).optional() })
            .optional(),
        })
        .refine(
          ({ flow_id, flow_name }) => (flow_id === undefined) !== (flow_name === undefined),
          "needs either flow_id or flow_name",
        ),
    }),
  }),
  z.strictObject({
    type: z.literal("location_request_message"),
    body,
    action: z.strictObject({ name: z.literal("send_location") }),
  }),
  z.strictObject({
    type: z.literal("call_permission_request"),
    body: body.optional(),
    action: z.strictObject({ name: z.literal("call_permission_request") }),
  }),
  z.looseObject({ type: z.literal("address_message"), body }),
]);

const parameter = z.looseObject({ type: z.string(), text: text(32_768).optional() });
const template = z.strictObject({
  name: z.string().regex(/^[a-z0-9_]{1,512}$/),
  language: z.strictObject({
    code: z.string().regex(/^[a-z]{2,3}(_[A-Z]{2})?$/),
    policy: z.string().optional(),
  }),
  components: z
    .array(
      z.strictObject({
        type: z.enum(["header", "body", "button", "carousel"]),
        sub_type: z.string().optional(),
        index: z.union([z.string(), z.number()]).optional(),
        parameters: z.array(parameter).min(1).optional(),
        cards: z.array(z.unknown()).min(2).max(10).optional(),
      }),
    )
    .optional(),
});

const contact = z.looseObject({
  name: z.looseObject({ formatted_name: text(1024), first_name: text(1024).optional() }),
  phones: z.array(z.looseObject({ phone: text(64) })).optional(),
});

/** The object of each type of message. */
const OBJECTS: Readonly<Record<string, z.ZodType>> = {
  text: z.strictObject({ body: text(4096), preview_url: z.boolean().optional() }),
  image: captioned,
  video: captioned,
  audio: z
    .strictObject({ id: id.optional(), link: link.optional(), voice: z.boolean().optional() })
    .refine(either),
  document: z
    .strictObject({
      id: id.optional(),
      link: link.optional(),
      caption: text(1024).optional(),
      filename: text(240).optional(),
    })
    .refine(either, "needs either id or link"),
  sticker: media,
  location: z.strictObject({
    latitude: z.coerce.number().min(-90).max(90),
    longitude: z.coerce.number().min(-180).max(180),
    name: text(1024).optional(),
    address: text(1024).optional(),
  }),
  contacts: z.array(contact).min(1).max(5),
  reaction: z.strictObject({ message_id: z.string().min(1), emoji: z.string().max(16) }),
  interactive,
  template,
};

const envelope = z.looseObject({
  messaging_product: z.literal("whatsapp"),
  recipient_type: z.enum(["individual", "group"]).optional(),
  to: z.string().optional(),
  recipient: z.string().optional(),
  type: z.string().optional(),
  context: z.strictObject({ message_id: z.string().min(1) }).optional(),
  biz_opaque_callback_data: text(512).optional(),
  category: z.literal("utility").optional(),
});
const ENVELOPE = new Set(Object.keys(envelope.shape));

/**
 * What the Cloud API refuses in the body of a message, as `field: why`; undefined for a valid one. The lengths and counts
 * are facts of github.com/facebook/openapi, `business-messaging-api_v23.0.yaml`; where other sources conflict, the smaller. Of its 116 limits
 * these are all that concern messages. The others are of profiles, QR codes, groups, partners, schedules and lists, none of which the hub
 * calls.
 */
export function wrongInMessage(payload: Readonly<Record<string, unknown>>): string | undefined {
  const { type = "text" } = payload;
  const rest = Object.keys(payload).find((key) => !ENVELOPE.has(key) && !Object.hasOwn(OBJECTS, key));
  if (rest !== undefined) return `${rest}: unexpected key`;
  const object = OBJECTS[String(type)];
  if (!object) return undefined;
  const issues = [
    ...(envelope.safeParse(payload).error?.issues ?? []),
    ...(object.safeParse(payload[String(type)]).error?.issues ?? []).map((issue) => ({
      ...issue,
      path: [String(type), ...issue.path],
    })),
  ];
  return issues[0] && `${issues[0].path.join(".")}: ${issues[0].message}`;
}

function isTrimmed(value: string): boolean {
  return value.trim() === value;
}

function apart(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}
