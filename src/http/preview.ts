import { createRoute, z } from "@hono/zod-openapi";
import type { Part } from "../core/answer/turn.ts";
import type { Channel } from "../core/channel.ts";
import { type Prepared, prepare } from "../core/content/prepare.ts";
import { type Reply, strictReplySchema } from "../core/content/reply.ts";
import type { ReplyWindow } from "../core/deliver/window.ts";
import { HubError } from "../core/errors.ts";
import { programOf } from "./auth.ts";
import { jsonBody } from "./body.ts";
import { json, security } from "./describe.ts";
import { problems } from "./errors.ts";
import type { App, AppOptions } from "./request.ts";

const BODY_BYTES = 262_144;
/** The id of a customer's message that a preview answers, in a form to which every platform can react. */
const ANSWERED = "1:1";

const bodySchema = z
  .strictObject({
    content: strictReplySchema.clone().openapi("StrictReply"),
    channels: z
      .array(z.string())
      .min(1)
      .max(20)
      .optional()
      .openapi({ description: "The channels to show. Absent: all that are configured." }),
  })
  .openapi({
    example: {
      content: {
        kind: "buttons",
        text: "Which size?",
        buttons: ["S", "M", "L", "XL"].map((size) => ({ id: `size-${size}`, title: `Size ${size}` })),
      },
      channels: ["web"],
    },
  });

const previewSchema = z
  .object({
    as: z.enum(["native", "degraded", "text", "refused", "raw"]).openapi({
      description:
        "`native`: as its own kind. `degraded`: as something else of the platform. `text`: as its text. `raw`: as the call " +
        "in `raw`. `refused`: not at all; a bot's turn would fail.",
    }),
    parts: z
      .array(
        z.object({
          text: z.string().openapi({ description: "What it says, in plain text." }),
          call: z.record(z.string(), z.unknown()).nullable().openapi({
            description: "The platform's call, without its recipient. `null`: `text` is sent as it is.",
          }),
          outside_window: z
            .object({
              as: z.enum(["same", "held", "call", "dead"]),
              call: z.record(z.string(), z.unknown()).nullable(),
            })
            .nullable()
            .openapi({
              description:
                "What becomes of it while the platform takes no free replies: it is sent all the same, waits for the customer, is " +
                "replaced by `call`, or is a dead letter. `null`: the platform always takes them.",
            }),
        }),
      )
      .openapi({
        description:
          "The calls to the platform, in order. Empty on a channel whose pages get the reply as it is.",
      }),
    numbered: z
      .boolean()
      .openapi({ description: "The choices are numbered text; a number is accepted as an answer." }),
    billed: z.int().openapi({ description: "How many of the calls the platform bills." }),
    notes: z.array(z.string()).openapi({ description: "The limits that change the reply." }),
    error: z
      .object({ reason: z.string(), message: z.string() })
      .nullable()
      .openapi({ description: "Why it is refused: the field and the limit." }),
  })
  .openapi("Preview");

/** Registers `POST /api/messages/preview`: what each channel would send, and which limits it meets. Sends nothing. */
export function addPreview(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/api/messages/preview",
    tags: ["Messages"],
    security: security.key,
    summary: "Show what each channel would send",
    description:
      "With a bot's, a web or an admin key. Renders a reply for every channel and sends nothing. docs/content.md has the tables.",
    middleware: jsonBody(BODY_BYTES),
    request: { body: { required: true, content: { "application/json": { schema: bodySchema } } } },
    responses: {
      200: json("By channel.", z.object({ channels: z.record(z.string(), previewSchema) })),
      ...problems("malformed", "unauthorized", "forbidden", "payload_too_large", "unsupported_media_type"),
    },
  });
  app.openapi(route, async (c) => {
    await programOf(c.req.raw.headers, options.keys);
    const { content, channels: names } = c.req.valid("json");
    const { channels } = c.var.exchange.hub();
    const unknown = names?.find((name) => !Object.hasOwn(channels, name));
    if (unknown !== undefined)
      throw new HubError("malformed", "channels: names a channel that is not configured");
    const shown = (names ?? Object.keys(channels)).map((name) => [
      name,
      preview(name, channels[name]!, content),
    ]);
    return c.json({ channels: Object.fromEntries(shown) }, 200);
  });
}

function preview(name: string, channel: Channel, reply: Reply): z.infer<typeof previewSchema> {
  try {
    return view(channel, prepare(name, channel, reply, { external_id: ANSWERED }));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const { reason = error.code, message } = error;
    return { as: "refused", parts: [], numbered: false, billed: 0, notes: [], error: { reason, message } };
  }
}

function view(channel: Channel, { as, parts, content, notes }: Prepared): z.infer<typeof previewSchema> {
  return {
    as,
    parts: parts.map((part) => ({
      text: part.text,
      call: part.call ?? null,
      outside_window: channel.window ? outsideOf(channel.window, part) : null,
    })),
    numbered: "numbered" in content && content.numbered === true,
    billed: parts.filter((part) => channel.billedAs?.(part) !== undefined).length,
    notes: [...notes],
    error: null,
  };
}

type Outside = z.infer<typeof previewSchema>["parts"][number]["outside_window"];

function outsideOf(window: ReplyWindow, part: Part): Outside {
  if (!window.needs(part)) return { as: "same", call: null };
  if (part.outside === undefined) return { as: "dead", call: null };
  return part.outside === "hold" ? { as: "held", call: null } : { as: "call", call: part.outside.call };
}
