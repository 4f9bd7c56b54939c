import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import type { Endpoint } from "./endpoint.ts";
import type { DeadEvent } from "./endpoints.ts";
import { EVENT_TYPES } from "./event.ts";

/** An endpoint as operators see it: every field, `null` where there is nothing. Its secret is never among them. */
export const endpointSchema = z
  .object({
    endpoint_id: z.uuid(),
    url: z.string(),
    description: z.string().nullable(),
    types: z.array(z.enum(EVENT_TYPES)),
    channels: z.array(z.string()).nullable().openapi({ description: "`null`: events of all channels." }),
    content: z.boolean().openapi({ description: "Whether events of messages carry the message." }),
    state: z.enum(["enabled", "failing", "disabled"]).openapi({
      description:
        "`failing`: it has not taken anything since `failing_since`. `disabled`: nothing is written for it, nor posted to it.",
    }),
    disabled_reason: z.enum(["operator", "gone", "failing"]).nullable().openapi({
      description: "`gone`: it answered 410. `failing`: it failed for three days.",
    }),
    disabled_at: instant.nullable(),
    failing_since: instant.nullable(),
    last_failure: z.object({ code: z.string(), reason: z.string(), at: instant }).nullable().openapi({
      description:
        "`reason`: `http_500` and such, `redirect`, `timeout`, `unreachable` or `private_address`.",
    }),
    last_success_at: instant.nullable().openapi({ description: "Exact to a minute." }),
    former_secret_until: instant
      .nullable()
      .openapi({ description: "Until when the secret before the last rotation signs too." }),
    waiting: z.boolean().openapi({ description: "Whether events wait for it." }),
    dead: z.boolean().openapi({ description: "Whether it has dead letters." }),
    version: z.int().openapi({ description: "What `If-Match` is compared with; also the ETag." }),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("Endpoint");

/** An endpoint with its new secret, which is shown only once. */
export const withSecretSchema = endpointSchema
  .extend({ secret: z.string().openapi({ description: "Shown only here.", example: "whsec_…" }) })
  .openapi("EndpointWithSecret");

export const deadEventSchema = z
  .object({
    event_id: z.uuid().openapi({ description: "The `webhook-id` of every attempt." }),
    type: z.enum(EVENT_TYPES),
    at: instant,
    attempt: z.int().openapi({ description: "How often it was tried." }),
    code: z.string(),
    reason: z.string(),
  })
  .openapi("DeadEvent");

/** The endpoint in the shape of `endpointSchema`. */
export function viewEndpoint(endpoint: Endpoint): z.infer<typeof endpointSchema> {
  const { last_failure } = endpoint;
  return {
    endpoint_id: endpoint.endpoint_id,
    url: endpoint.url,
    description: endpoint.description ?? null,
    types: [...endpoint.types],
    channels: endpoint.channels ? [...endpoint.channels] : null,
    content: endpoint.content,
    state: endpoint.state,
    disabled_reason: endpoint.disabled_reason ?? null,
    disabled_at: shown(endpoint.disabled_at),
    failing_since: shown(endpoint.failing_since),
    last_failure: last_failure ? { ...last_failure, at: last_failure.at.toISOString() } : null,
    last_success_at: shown(endpoint.last_success_at),
    former_secret_until: shown(endpoint.former_secret_until),
    waiting: endpoint.waiting,
    dead: endpoint.dead,
    version: endpoint.version,
    created_at: endpoint.created_at.toISOString(),
    updated_at: endpoint.updated_at.toISOString(),
  };
}

/** The dead letter in the shape of `deadEventSchema`. */
export function viewDeadEvent({ at, ...event }: DeadEvent): z.infer<typeof deadEventSchema> {
  return { ...event, at: at.toISOString() };
}

function shown(at: Date | undefined): string | null {
  return at?.toISOString() ?? null;
}
