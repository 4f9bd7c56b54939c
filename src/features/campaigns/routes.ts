import { createRoute, z } from "@hono/zod-openapi";
import type { Channel } from "../../core/channel.ts";
import { strictReplySchema } from "../../core/content/reply.ts";
import { HubError } from "../../core/errors.ts";
import { runInBackground } from "../../core/receive/effects.ts";
import { sha256Hex } from "../../core/signature.ts";
import { adminOf } from "../../http/auth.ts";
import { jsonBody } from "../../http/body.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { tellReplayed } from "../../http/idempotency.ts";
import { type App, type AppOptions, channelName } from "../../http/request.ts";
import { instant } from "../../http/shapes.ts";
import { cursorField, limitParam } from "../customers/describe.ts";
import { renderEverywhere } from "../dispatches/render.ts";
import { featuresOf } from "../features.ts";
import { PURPOSES } from "../opt-outs/opt-out.ts";
import { segmentFields, segmentFilterOf } from "../segments/filter.ts";
import type { Campaign, NewCampaign, Progress } from "./campaign.ts";
import { runCampaigns } from "./run.ts";

const BODY_BYTES = 1_048_576;
/** How long a new campaign runs beside the request's end. The sweep goes on. */
const AT_ONCE_MS = 10_000;
const RATE = 20;
/** WhatsApp's for one number, which is the most of all platforms. */
const MOST_RATE = 80;

const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day such as 21:00");
const zone = z
  .string()
  .max(64)
  .refine(isZone, "must be a time zone such as Asia/Kolkata")
  .openapi({ example: "Europe/Berlin" });
const when = z.iso
  .datetime({ offset: true, error: "must be an instant such as 2026-11-21T18:00:00Z" })
  .optional()
  .openapi({ type: "string", format: "date-time" });
const tag = /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/;

function bodySchema(options: AppOptions) {
  return z
    .strictObject({
      name: z.string().trim().min(1).max(128),
      segment: z.strictObject(segmentFields(options)).optional().openapi({
        description: "Who gets it, as in `GET /api/segments`; without a field all customers.",
      }),
      customers: z
        .array(z.string().min(1).max(128))
        .min(1)
        .max(10_000)
        .optional()
        .openapi({ description: "Or: who gets it, by `customer_id` or `customer_key`." }),
      content: z
        .record(z.string(), strictReplySchema.clone().openapi("StrictReply"))
        .refine((given) => {
          const tags = Object.keys(given);
          return tags.length > 0 && tags.length <= 20 && tags.every((one) => tag.test(one));
        }, "must be contents by language tag")
        .openapi({ description: "By language tag." }),
      language: z
        .string()
        .regex(tag)
        .openapi({ description: "Which of them customers of other languages get." }),
      channel: z.union([z.literal("best"), channelName(options)]).default("best"),
      purpose: z.enum(PURPOSES).default("marketing"),
      rate: z.int().min(1).max(MOST_RATE).default(RATE).openapi({
        description: "The most messages in a second. A platform's pace counts too, and replies come before.",
      }),
      quiet_hours: z.strictObject({ from: clock, to: clock, timezone: zone }).optional().openapi({
        description:
          "Nobody is written to between these times of their day: in the zone of `attributes.timezone`, else in this one.",
      }),
      starts_at: when,
      expires_at: when,
      idempotency_key: z
        .string()
        .regex(/^[!-~]{1,255}$/, "must be 1 to 255 visible ASCII characters")
        .optional()
        .openapi({
          description:
            "The same key of the same API key with the same body is the same campaign, so that a call may be sent again.",
        }),
    })
    .refine(
      ({ segment, customers }) => (segment === undefined) !== (customers === undefined),
      "must have either segment or customers",
    )
    .refine(({ content, language }) => Object.hasOwn(content, language), "content must have the language")
    .openapi({
      example: {
        name: "Autumn",
        segment: { tag: "vip" },
        content: { en: { kind: "text", text: "Our new menu is here." } },
        language: "en",
        idempotency_key: "autumn-2026",
        quiet_hours: { from: "21:00", to: "08:00", timezone: "Europe/Berlin" },
      },
    });
}

const campaignSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    state: z.enum(["preparing", "running", "paused", "cancelled", "done"]),
    reason: z.string().nullable().openapi({
      description:
        "Why it has paused itself: a platform's reason for which every later message would fail, such as 132015.",
    }),
    purpose: z.enum(PURPOSES),
    rate: z.int(),
    starts_at: instant,
    expires_at: instant.nullable(),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("Campaign");

const count = z.int();
const progressSchema = z
  .object({
    recipients: count.openapi({ description: "Those found so far." }),
    queued: count,
    sending: count,
    sent: count.openapi({ description: "Those that were delivered and read too." }),
    delivered: count,
    read: count,
    replied: count.openapi({ description: "Who has written within three days." }),
    failed: z.record(z.string(), count).openapi({
      description:
        "By reason; `maybe_sent` are those whose platform did not answer: they are not sent again.",
    }),
  })
  .openapi("CampaignProgress");

/** Registers `/api/campaigns`: one content for many customers. */
export function addCampaigns(app: App, options: AppOptions): void {
  const shared = { tags: ["Messages"], security: security.key };
  const refusals = ["malformed", "unauthorized", "forbidden", "needs_database"] as const;
  const params = z.object({ id: z.uuid() });

  const create = createRoute({
    ...shared,
    method: "post",
    path: "/api/campaigns",
    summary: "Start a campaign",
    description:
      "With an admin key. Each recipient gets it once, over the channel where they can be reached, and nobody who has opted out. " +
      "docs/messages.md.",
    middleware: jsonBody(BODY_BYTES),
    request: { body: { required: true, content: { "application/json": { schema: bodySchema(options) } } } },
    responses: {
      201: json("It is saved, and begins.", campaignSchema),
      ...problems(...refusals, "idempotency_conflict", "payload_too_large", "unsupported_media_type"),
    },
  });
  app.openapi(create, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const body = c.req.valid("json");
    const hub = c.var.exchange.hub();
    const { campaigns } = featuresOf(hub);
    const { name, language, purpose, rate, channel, segment, customers, quiet_hours: quiet } = body;
    const channels = channel === "best" ? undefined : [channel];
    const renderings: Record<string, NewCampaign["renderings"][string]> = {};
    for (const [spoken, content] of Object.entries(body.content))
      renderings[spoken] = await renderEverywhere(hub, content, channels, {});
    const starts_at = body.starts_at === undefined ? undefined : new Date(body.starts_at);
    const expires_at = body.expires_at === undefined ? undefined : new Date(body.expires_at);
    if (expires_at && expires_at <= (starts_at ?? hub.now()))
      throw new HubError("malformed", "expires_at: must be after the start");
    const pausing = hopelessOn(hub.channels);
    const { idempotency_key } = body;
    const once = idempotency_key !== undefined && {
      idempotency_key,
      body_hash: await sha256Hex(JSON.stringify(body)),
    };
    const { campaign, replayed } = await campaigns.create(
      {
        name,
        language,
        purpose,
        rate,
        renderings,
        pausing,
        ...(channels && { channels }),
        ...(segment && { segment: segmentFilterOf(segment) }),
        ...(customers && { customers }),
        ...(quiet && { quiet }),
        ...(starts_at && { starts_at }),
        ...(expires_at && { expires_at }),
      },
      { actor, now: hub.now(), ...once },
    );
    runInBackground(hub, "campaign.not_begun", runCampaigns(hub, AT_ONCE_MS));
    tellReplayed(c, replayed);
    return c.json(viewCampaign(campaign), 201);
  });

  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/campaigns",
    summary: "List campaigns",
    description: "With an admin key, newest first.",
    request: {
      query: z.object({ after: z.uuid("must be a cursor of this hub").optional(), limit: limitParam }),
    },
    responses: {
      200: json(
        "A page of campaigns.",
        z.object({ campaigns: z.array(campaignSchema), cursor: cursorField }),
      ),
      ...problems(...refusals),
    },
  });
  app.openapi(list, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { after, limit } = c.req.valid("query");
    const page = await featuresOf(c.var.exchange.hub()).campaigns.list(after?.toLowerCase(), limit);
    return c.json({ campaigns: page.campaigns.map(viewCampaign), cursor: page.after ?? null }, 200);
  });

  const get = createRoute({
    ...shared,
    method: "get",
    path: "/api/campaigns/{id}",
    summary: "How far a campaign is",
    description: "With an admin key: its state, progress and results.",
    request: { params },
    responses: {
      200: json("The campaign.", z.object({ campaign: campaignSchema, progress: progressSchema })),
      ...problems(...refusals, "not_found"),
    },
  });
  app.openapi(get, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { id } = c.req.valid("param");
    const found = await featuresOf(c.var.exchange.hub()).campaigns.get(id.toLowerCase());
    return c.json({ campaign: viewCampaign(found.campaign), progress: viewProgress(found.progress) }, 200);
  });

  const steer = createRoute({
    ...shared,
    method: "post",
    path: "/api/campaigns/{id}/{action}",
    summary: "Pause, resume or cancel a campaign",
    description:
      "With an admin key. What is on its way when it is paused or cancelled still arrives. A campaign that has paused itself goes on where it was.",
    request: { params: params.extend({ action: z.enum(["pause", "resume", "cancel"]) }) },
    responses: {
      200: json("The campaign.", campaignSchema),
      ...problems(...refusals, "not_found", "illegal_transition"),
    },
  });
  app.openapi(steer, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const { id, action } = c.req.valid("param");
    const hub = c.var.exchange.hub();
    const campaign = await featuresOf(hub).campaigns.steer(id.toLowerCase(), action, {
      actor,
      now: hub.now(),
    });
    if (action === "resume") runInBackground(hub, "campaign.not_begun", runCampaigns(hub, AT_ONCE_MS));
    return c.json(viewCampaign(campaign), 200);
  });
}

function hopelessOn(channels: Readonly<Record<string, Channel>>): string[] {
  return [...new Set(Object.values(channels).flatMap((channel) => channel.hopeless ?? []))];
}

function viewCampaign(campaign: Campaign): z.infer<typeof campaignSchema> {
  const {
    campaign_id: id,
    name,
    state,
    reason,
    purpose,
    rate,
    starts_at,
    expires_at,
    created_at,
    updated_at,
  } = campaign;
  return {
    id,
    name,
    state,
    reason: reason ?? null,
    purpose,
    rate,
    starts_at: starts_at.toISOString(),
    expires_at: expires_at?.toISOString() ?? null,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}

function viewProgress({ failed, ...counts }: Progress): z.infer<typeof progressSchema> {
  return { ...counts, failed: { ...failed } };
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
