import { createRoute, z } from "@hono/zod-openapi";
import { answer } from "../core/answer/answer.ts";
import type { DeadLetter } from "../core/answer/turn.ts";
import { deliver } from "../core/deliver/deliver.ts";
import { ERROR_CODES, type ErrorCode, HubError } from "../core/errors.ts";
import { operatorOf, operatorSecurity } from "../features/staff/operator.ts";
import { json } from "./describe.ts";
import { problems } from "./errors.ts";
import type { App, AppOptions } from "./request.ts";

export const deadLetterSchema = z
  .object({
    id: z.uuid(),
    type: z.enum(["turn", "delivery"]).openapi({
      description: "A message that the bot could not answer, or a reply that the platform did not take.",
    }),
    session_id: z.uuid(),
    message_id: z.uuid().openapi({ description: "The inbound message of a turn, the reply of a delivery." }),
    channel: z.string(),
    attempt: z.int().openapi({ description: "How often it was tried." }),
    code: z
      .enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]])
      .openapi({ description: "The hub's code of the last failure." }),
    reason: z.string().openapi({ description: "The platform's or the bot's own code, or the hub's." }),
    created_at: z.string().openapi({ format: "date-time" }),
  })
  .openapi("DeadLetter");

/** Registers the list of dead letters and their retry, for operators. */
export function addDeadLetters(app: App, options: AppOptions): void {
  const shared = { tags: ["Operation"], security: operatorSecurity };
  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/dead-letters",
    summary: "List dead letters",
    description:
      "Turns and deliveries that the hub stopped trying, oldest first, with the reason. Holds no content. With an admin key, or a token of the staff.",
    request: {
      query: z.object({
        after: z.uuid().optional().openapi({ description: "The cursor of the previous page." }),
        limit: z.coerce.number().int().min(1).max(200).default(50),
        session_id: z.uuid().optional().openapi({ description: "Only those of this session." }),
      }),
    },
    responses: {
      200: json(
        "A page of dead letters.",
        z.object({
          dead_letters: z.array(deadLetterSchema),
          cursor: z
            .string()
            .nullable()
            .openapi({ description: "Opaque: pass it as `after`. `null` if there are no dead letters." }),
          more: z.boolean().openapi({ description: "Whether there is a next page now." }),
        }),
      ),
      ...problems("malformed", "unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(list, async (c) => {
    await operatorOf(c, options);
    const { after, limit, session_id } = c.req.valid("query");
    const { operations } = c.var.exchange.hub().store;
    const found = await operations.deadLetters(after?.toLowerCase(), limit + 1, session_id?.toLowerCase());
    const page = found.slice(0, limit);
    const cursor = page.at(-1)?.id ?? after ?? null;
    return c.json({ dead_letters: page.map(viewDeadLetter), cursor, more: found.length > limit }, 200);
  });

  const retry = createRoute({
    ...shared,
    method: "post",
    path: "/api/dead-letters/{id}/retry",
    summary: "Try a dead letter again",
    description:
      "Sets its attempts to zero. It is tried right after this answer, or after its session's running turn or delivery.",
    request: { params: z.object({ id: z.uuid() }) },
    responses: {
      200: json("It is due again.", z.object({ retried: z.literal(true) })),
      ...problems(
        "malformed",
        "unauthorized",
        "forbidden",
        "not_found",
        "conversation_held",
        "conversation_taken",
        "not_retryable",
        "needs_database",
      ),
    },
  });
  app.openapi(retry, async (c) => {
    const { actor, staff } = await operatorOf(c, options);
    const id = c.req.valid("param").id.toLowerCase();
    const { exchange } = c.var;
    exchange.facts.dead_letter_id = id;
    const hub = exchange.hub();
    const retried = await hub.store.operations.retry(
      id,
      staff ? { staff: staff.token_hash } : { actor },
      hub.now(),
    );
    if (!retried.found) throw new HubError("not_found", "there is no such dead letter");
    for (const turn of retried.turns) void exchange.later(answer(hub, turn));
    void exchange.later(deliver(hub, retried.deliveries));
    return c.json({ retried: true as const }, 200);
  });
}

export function viewDeadLetter({ created_at, ...letter }: DeadLetter): z.infer<typeof deadLetterSchema> {
  return { ...letter, created_at: created_at.toISOString() };
}
