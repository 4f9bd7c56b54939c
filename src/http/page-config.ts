import { createRoute, z } from "@hono/zod-openapi";
import { languagesFor } from "../core/language/policy.ts";
import { UPLOAD_BYTES } from "../features/media/limits.ts";
import { mediaOf } from "../features/media/options.ts";
import { json, security } from "./describe.ts";
import { problems } from "./errors.ts";
import type { App, AppOptions } from "./request.ts";

/** Registers `GET /api/config`: what the hub's own pages must know before anybody has signed in. Nothing of it is secret. */
export function addPageConfig(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/config",
    tags: ["Operation"],
    summary: "What pages must know of the hub",
    description:
      "For the web chat and the kiosk. It names no customer and no secret, and may be cached for a minute.",
    security: security.nobody,
    responses: {
      200: json(
        "The settings that a page shows.",
        z.object({
          country: z.string().nullable().openapi({
            description: "The country of phones without a prefix, as two capital letters: `DEFAULT_COUNTRY`.",
          }),
          languages: z
            .array(z.string())
            .openapi({ description: "Those to offer. A customer's plan may allow only the first." }),
          messengers: z
            .array(z.string())
            .openapi({ description: "The messengers to which `/session/link` makes links." }),
          uploads: z
            .object({
              max_bytes: z.int().openapi({ description: "The most bytes that one file may have." }),
            })
            .nullable()
            .openapi({
              description: "Whether `POST /api/media` takes files: null without a storage for them.",
            }),
          kiosk: z.object({
            needs_key: z
              .boolean()
              .openapi({ description: "Whether a kiosk opens no session without an API key." }),
            phones: z.enum(["trust", "verify"]).openapi({
              description: "`verify`: a phone that is typed is only claimed, and a known one must be proven.",
            }),
          }),
        }),
      ),
      ...problems(),
    },
  });
  app.openapi(route, (c) => {
    const hub = c.var.exchange.hub();
    const { channels } = hub;
    c.header("Cache-Control", "public, max-age=60");
    return c.json(
      {
        country: options.country ?? null,
        languages: [...languagesFor(options.languages, "premium")],
        messengers: Object.keys(channels).filter((name) => channels[name]!.scanLink?.("link_") !== undefined),
        uploads: hub.store.features && mediaOf(hub).storage ? { max_bytes: UPLOAD_BYTES } : null,
        kiosk: { needs_key: options.publicPages !== undefined, phones: options.kioskPhones ?? "verify" },
      },
      200,
    );
  });
}
