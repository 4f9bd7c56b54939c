import { z } from "zod";

const messenger = z.enum(["telegram", "whatsapp"]);
const page = z.enum(["kiosk", "web"]);
const device = z.enum(["telegram", "whatsapp", "kiosk", "web"]);
const words = z.string().min(1).max(16_384);
/** A message on the device: its id, or whose it is and how many of theirs are newer. */
const message = z.union([
  z.string().min(1).max(600),
  z.strictObject({ by: z.enum(["customer", "hub"]), back: z.int().min(0).max(500) }),
]);
const phone = z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a phone such as +5511987654321");
const when = z.union([
  z.literal("always"),
  z.strictObject({ next: z.int().min(1).max(1_000) }),
  z.strictObject({ every: z.int().min(2).max(1_000) }),
]);

/** A rule about what fails, and when: always, the next n times, or every nth time. */
export const ruleSchema = z
  .discriminatedUnion("target", [
    z.strictObject({ target: messenger, effect: z.enum(["429", "500", "500-after", "silent"]), when }),
    z.strictObject({ target: z.literal("bot"), effect: z.enum(["slow", "throws"]), when }),
    z.strictObject({
      target: z.enum(["database", "cache"]),
      effect: z.enum(["down", "silent"]),
      when: z.literal("always"),
    }),
  ])
  .describe("the database and the cache fail until they are disarmed");

/** One thing that a customer, the shop or a bad day does. */
export const actSchema = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("write"), device, text: words, reply_to: message.optional() }),
  z.strictObject({
    do: z.literal("media"),
    device,
    kind: z.enum(["image", "video", "audio", "voice", "document"]),
    caption: words.optional(),
    /** The id of a file that was given to the simulator; absent: a small one of that kind. */
    file: z.string().max(100).optional(),
    /** Of a small one: what it is called. */
    name: z.string().min(1).max(240).optional(),
  }),
  z.strictObject({ do: z.literal("contact"), device, own: z.boolean() }),
  z.strictObject({ do: z.literal("location"), device }),
  z.strictObject({ do: z.literal("edit"), device: messenger, message, text: words }),
  z.strictObject({ do: z.literal("unsend"), device: z.literal("whatsapp"), message }),
  z.strictObject({ do: z.literal("react"), device, message, emoji: z.string().max(16).nullable() }),
  z.strictObject({ do: z.literal("tap"), device, title: words, message: message.optional() }),
  z.strictObject({ do: z.literal("read"), device: z.literal("whatsapp") }),
  z.strictObject({ do: z.enum(["block", "unblock"]), device: z.literal("telegram") }),
  z.strictObject({ do: z.literal("number"), device: z.enum(["telegram", "whatsapp", "kiosk"]), phone }),
  z.strictObject({
    do: z.literal("open"),
    device: page,
    as: z.enum(["customer", "guest"]).default("customer"),
    data: z.record(z.string(), z.json()).optional(),
  }),
  z.strictObject({ do: z.literal("leave"), device: page }),
  z.strictObject({
    do: z.literal("later"),
    hours: z
      .number()
      .positive()
      .max(24 * 400),
  }),
  z.strictObject({ do: z.literal("arm"), rule: ruleSchema }),
  z.strictObject({ do: z.literal("disarm"), id: z.string().optional() }),
  z.strictObject({
    do: z.literal("deliver"),
    copies: z.int().min(1).max(10).optional(),
    delay_ms: z.int().min(0).max(60_000).optional(),
    shuffle: z.boolean().optional(),
  }),
  z.strictObject({ do: z.literal("redeliver"), device: messenger }),
  z.strictObject({ do: z.literal("kill") }),
  z.strictObject({ do: z.literal("sweep") }),
  /** A call of the shop's own server, with an admin key. `{customer_id}`, `{session_id}`, `{phone}` and `{tomorrow}` are filled in. */
  z.strictObject({
    do: z.literal("shop"),
    method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path: z.string().regex(/^\/(api|session)\/\S*$/, "must be a path of the hub's API"),
    body: z.record(z.string(), z.json()).optional(),
  }),
]);

export type Act = z.infer<typeof actSchema>;
export type ActOf<D extends Act["do"]> = Extract<Act, { do: D }>;
export type Rule = z.infer<typeof ruleSchema>;
