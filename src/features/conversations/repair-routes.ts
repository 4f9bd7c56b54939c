import { createRoute, z } from "@hono/zod-openapi";
import { answer } from "../../core/answer/answer.ts";
import { deliver } from "../../core/deliver/deliver.ts";
import { HubError } from "../../core/errors.ts";
import { adminOf } from "../../http/auth.ts";
import { deadLetterSchema, viewDeadLetter } from "../../http/dead-letters.ts";
import { json, security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions } from "../../http/request.ts";
import { featuresOf } from "../features.ts";
import { staffSecurity } from "../staff/shape.ts";
import { hasStaffToken, staffTokenOf } from "../staff/staff-token.ts";
import { atDesk, conversationParams, refusals, shared } from "./at-desk.ts";
import { figuresSchema } from "./shape.ts";

const DAYS_MS = 30 * 86_400_000;
const moment = z.union(
  [z.iso.datetime({ offset: true }), z.iso.date()],
  "must be an instant such as 2026-11-21T18:00:00Z, or a day",
);

/** Registers the dead letters of a conversation, and the figures of handoffs. */
export function addRepairs(app: App, options: AppOptions): void {
  const list = createRoute({
    ...shared,
    method: "get",
    path: "/api/conversations/{id}/dead-letters",
    summary: "What could not be answered or sent in a conversation",
    request: { params: conversationParams },
    responses: {
      200: json("The newest hundred.", z.object({ dead_letters: z.array(deadLetterSchema) })),
      ...problems(...refusals, "not_found"),
    },
  });
  app.openapi(list, async (c) => {
    const { conversations, at } = await atDesk(c);
    const letters = await conversations.deadLetters(at, c.req.valid("param").id);
    return c.json({ dead_letters: letters.map(viewDeadLetter) }, 200);
  });

  const retry = createRoute({
    ...shared,
    method: "post",
    path: "/api/conversations/{id}/dead-letters/{letter_id}/retry",
    summary: "Try a dead letter of a conversation again",
    description: "A message that the bot could not answer only while the bot has the conversation.",
    request: { params: conversationParams.extend({ letter_id: z.uuid() }) },
    responses: {
      200: json("It is due again.", z.object({ retried: z.literal(true) })),
      ...problems(...refusals, "not_found", "conversation_held", "conversation_taken", "not_retryable"),
    },
  });
  app.openapi(retry, async (c) => {
    const { conversations, at } = await atDesk(c);
    const { id, letter_id } = c.req.valid("param");
    const letters = await conversations.deadLetters(at, id);
    const letter = letters.find((one) => one.id === letter_id.toLowerCase());
    const { exchange } = c.var;
    const hub = exchange.hub();
    const retried = letter && (await hub.store.operations.retry(letter.id, { staff: at.staff }, hub.now()));
    if (!retried?.found) throw new HubError("not_found", "there is no such dead letter here");
    for (const turn of retried.turns) void exchange.later(answer(hub, turn));
    void exchange.later(deliver(hub, retried.deliveries));
    return c.json({ retried: true as const }, 200);
  });

  const figures = createRoute({
    method: "get",
    path: "/api/stats/handoffs",
    tags: ["Statistics"],
    summary: "Figures of handoffs",
    description:
      "Of those that were requested in a time: the last thirty days, unless `from` and `to` say otherwise.",
    security: [...staffSecurity, ...security.key],
    request: { query: z.object({ from: moment.optional(), to: moment.optional() }) },
    responses: { 200: json("The figures.", figuresSchema), ...problems(...refusals, "forbidden") },
  });
  app.openapi(figures, async (c) => {
    const { headers } = c.req.raw;
    const by = hasStaffToken(headers)
      ? { staff: await staffTokenOf(headers) }
      : { actor: await adminOf(headers, options.keys) };
    const { from, to } = c.req.valid("query");
    const hub = c.var.exchange.hub();
    const end = to === undefined ? hub.now() : new Date(to);
    const begin = from === undefined ? new Date(end.getTime() - DAYS_MS) : new Date(from);
    return c.json(await featuresOf(hub).conversations.figures(by, begin, end, hub.now()), 200);
  });
}
