import { z } from "@hono/zod-openapi";
import { instant } from "../../http/shapes.ts";
import { PURPOSES } from "../opt-outs/opt-out.ts";
import type { Dispatch } from "./dispatch.ts";

const failureSchema = z.object({ code: z.string(), reason: z.string() });

export const dispatchSchema = z
  .object({
    id: z.uuid(),
    state: z.enum(["waiting", "placed", "failed"]).openapi({
      description:
        "`waiting`: for `not_before`, or for the next channel. `placed`: `message_id` is in the outbox of `channel` or was sent; `status` " +
        "says how far. `failed`: no channel is left.",
    }),
    purpose: z.enum(PURPOSES),
    channel: z.string().nullable(),
    session_id: z.uuid().nullable(),
    message_id: z.uuid().nullable(),
    status: z
      .string()
      .nullable()
      .openapi({ description: "The message's: pending, sent, delivered, read, played, failed." }),
    failure: failureSchema.nullable().openapi({
      description:
        "Why it failed: the platform's reason, or `opted_out`, `blocked`, `no_address`, `window_closed`, `no_channel`, `expired`, `cancelled`, `erased`.",
    }),
    tried: z
      .array(failureSchema.extend({ channel: z.string() }))
      .openapi({ description: "The channels that refused it for good." }),
    due_at: instant,
    expires_at: instant.nullable(),
    created_at: instant,
    updated_at: instant,
  })
  .openapi("SentMessage");

/** A message that the shop sent first, as the API shows it. */
export function viewDispatch({
  dispatch_id,
  code,
  reason,
  ...rest
}: Dispatch): z.infer<typeof dispatchSchema> {
  const { channel = null, session_id = null, message_id = null, status = null, expires_at } = rest;
  const failed =
    rest.state === "failed" && reason !== undefined ? { code: code ?? "rejected", reason } : null;
  return {
    id: dispatch_id,
    state: rest.state,
    purpose: rest.purpose,
    channel,
    session_id,
    message_id,
    status,
    failure: failed ?? (status === "failed" ? (rest.failure ?? null) : null),
    tried: rest.tried.map((one) => ({ ...one })),
    due_at: rest.due_at.toISOString(),
    expires_at: expires_at?.toISOString() ?? null,
    created_at: rest.created_at.toISOString(),
    updated_at: rest.updated_at.toISOString(),
  };
}
