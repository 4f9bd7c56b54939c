import { createRoute, z } from "@hono/zod-openapi";
import { type Template, variablesOf } from "../../core/content/template.ts";
import { programOf } from "../../http/auth.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { type App, type AppOptions, channelName } from "../../http/request.ts";
import { instant } from "../../http/shapes.ts";
import { cursorField } from "../customers/describe.ts";
import { featuresOf } from "../features.ts";
import { operatorSecurity, staffOf } from "../staff/operator.ts";

const templateSchema = z
  .object({
    channel: z.string().openapi({ example: "whatsapp" }),
    account: z.string().openapi({ description: "The business account.", example: "102290129340398" }),
    template_id: z.string(),
    name: z.string().openapi({ example: "order_shipped" }),
    language: z.string().openapi({ example: "en_US" }),
    status: z.string().openapi({
      description: "The platform's word. Only an `APPROVED` one is sent; of any other a bot's turn fails.",
      example: "APPROVED",
    }),
    reason: z.string().nullable().openapi({ description: "Why the platform refuses or pauses it." }),
    category: z.string().openapi({ example: "utility" }),
    variables: z
      .object({
        header: z.array(z.string()).openapi({ description: "The variables of a text header." }),
        body: z.array(z.string()).openapi({ description: "The body's variables.", example: ["1", "2"] }),
        named: z.boolean().openapi({ description: "They have names, and a reply gives them by name." }),
        header_media: z
          .enum(["image", "video", "document"])
          .nullable()
          .openapi({ description: "The file that the header shows." }),
        buttons: z.array(z.enum(["url", "code", "id", "none"])).openapi({
          description:
            "What each button carries: the end of its link or a code, which a reply must give; the id of a tap, which it may give.",
        }),
        other: z
          .array(z.string())
          .openapi({ description: "Parts with variables for which a template is sent by `raw`." }),
      })
      .openapi({ description: "What a reply has to give." }),
    components: z
      .array(z.record(z.string(), z.unknown()))
      .openapi({ description: "The platform's own description of its parts." }),
    updated_at: instant,
  })
  .openapi("Template");

/** Registers `GET /api/templates`: the templates of the shop's accounts, as their platforms told them last. */
export function addTemplates(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/templates",
    tags: ["Messages"],
    security: operatorSecurity,
    summary: "List templates",
    description:
      "With a bot's, a web or an admin key, or a token of the staff. The sweep reads them from the platform every hour, and within a minute after the " +
      "platform has said that one has changed. WhatsApp's are those of `WHATSAPP_BUSINESS_ACCOUNT_ID`.",
    request: {
      query: z.object({
        channel: channelName(options).optional(),
        name: z.string().min(1).max(512).optional(),
        status: z
          .string()
          .regex(/^[A-Z_]{1,64}$/, "must be a status such as APPROVED")
          .optional(),
        after: z.string().min(1).max(2_048).optional(),
        limit: z.coerce.number().int().min(1).max(100).default(50),
      }),
    },
    responses: {
      200: json(
        "A page of templates.",
        z.object({
          templates: z.array(templateSchema),
          synced_at: instant
            .nullable()
            .openapi({ description: "When they were read last; `null`: not yet, or there is no account." }),
          cursor: cursorField,
        }),
      ),
      ...problems("malformed", "unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(route, async (c) => {
    if (!(await staffOf(c))) await programOf(c.req.raw.headers, options.keys);
    const { after, limit, ...query } = c.req.valid("query");
    const { templates } = featuresOf(c.var.exchange.hub());
    const page = await templates.list(query, after, limit);
    return c.json(
      {
        templates: page.templates.map(view),
        synced_at: page.synced_at?.toISOString() ?? null,
        cursor: page.after ?? null,
      },
      200,
    );
  });
}

function view({
  named = false,
  reason,
  components,
  updated_at,
  ...template
}: Template): z.infer<typeof templateSchema> {
  return {
    ...template,
    reason: reason ?? null,
    variables: viewVariables(components, named),
    components: [...components],
    updated_at: updated_at.toISOString(),
  };
}

function viewVariables(components: Template["components"], named: boolean) {
  const { header, body, header_media = null, buttons, other } = variablesOf({ components });
  return {
    header: [...header],
    body: [...body],
    named,
    header_media,
    buttons: [...buttons],
    other: [...other],
  };
}
