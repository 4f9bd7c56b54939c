import { createRoute, z } from "@hono/zod-openapi";
import { prepare } from "../../core/content/prepare.ts";
import type { Reply } from "../../core/content/reply.ts";
import { deliver } from "../../core/deliver/deliver.ts";
import { HubError, toHubError } from "../../core/errors.ts";
import { jsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions, HttpContext } from "../../http/request.ts";
import { messageSchema, viewMessage } from "../../http/shapes.ts";
import { featuresOf } from "../features.ts";
import { filesOf } from "../media/of-message.ts";
import { operatorOf, operatorSecurity } from "../staff/operator.ts";

const BODY_BYTES = 262_144;
const LONGEST_EMOJI = 16;

const params = z.object({ id: z.uuid().openapi({ description: "The `message_id`." }) });

const textSchema = z
  .strictObject({
    text: z.string().refine((text) => text.trim() !== "", "must be a text that is not blank"),
    format: z.enum(["plain", "markdown"]).optional(),
  })
  .openapi({ example: { text: "We open at **ten** tomorrow.", format: "markdown" } });

const emojiSchema = z
  .strictObject({ emoji: z.string().min(1).max(LONGEST_EMOJI) })
  .openapi({ example: { emoji: "👍" } });

const changedSchema = z
  .object({
    message: messageSchema,
    changed: z
      .boolean()
      .openapi({ description: "Whether this call has changed it; `false` if it was so before." }),
  })
  .openapi("ChangedMessage");

const WHAT =
  "With an admin key, or a token of the staff: an agent edits and deletes own messages only, an admin those of every person and of the bot. " +
  "A colleague's conversation must be taken first. The change is saved before the answer: on the message, in the history as a message of its own, and in the audit. " +
  "It is then sent as every reply is, and tried again if the platform does not answer. The same call again changes nothing. " +
  "docs/content.md says which channel has which change.";

/** Registers the routes with which an operator changes earlier messages: edits, deletions, reactions and pins. */
export function addMessageChanges(app: App, options: AppOptions): void {
  const shared = { tags: ["Messages"], security: operatorSecurity };
  const refusals = [
    "malformed",
    "unauthorized",
    "forbidden",
    "not_found",
    "not_changeable",
    "conversation_taken",
  ] as const;
  const responses = { 200: json("The message as it is now.", changedSchema), ...problems(...refusals) };
  const withBody = {
    200: responses[200],
    ...problems(...refusals, "payload_too_large", "unsupported_media_type"),
  };
  const bodyOf = <S extends z.ZodType>(schema: S) => ({
    required: true,
    content: { "application/json": { schema } },
  });

  const edit = createRoute({
    ...shared,
    method: "patch",
    path: "/api/messages/{id}",
    summary: "Edit a message",
    description: `${WHAT} Only messages of the shop; what it said before is kept as a revision.`,
    middleware: jsonBody(BODY_BYTES),
    request: { params, body: bodyOf(textSchema) },
    responses: withBody,
  });
  app.openapi(edit, async (c) => {
    const change = (message_id: string): Reply => {
      const { text, format } = c.req.valid("json");
      return { kind: "edit", message_id, text, ...(format && { format }) };
    };
    return c.json(await changed(c, options, c.req.valid("param").id, change), 200);
  });

  const remove = createRoute({
    ...shared,
    method: "delete",
    path: "/api/messages/{id}",
    summary: "Delete a message",
    description: `${WHAT} Only messages of the shop; what it said is kept as a revision.`,
    request: { params },
    responses,
  });
  app.openapi(remove, async (c) => {
    const change = (message_id: string): Reply => ({ kind: "delete", message_id });
    return c.json(await changed(c, options, c.req.valid("param").id, change), 200);
  });

  const reaction = { ...shared, path: "/api/messages/{id}/reaction" };
  const react = createRoute({
    ...reaction,
    method: "put",
    summary: "React to a message",
    description: `${WHAT} Any message may be reacted to, once: another emoji takes the place of the first.`,
    middleware: jsonBody(BODY_BYTES),
    request: { params, body: bodyOf(emojiSchema) },
    responses: withBody,
  });
  app.openapi(react, async (c) => {
    const { emoji } = c.req.valid("json");
    const change = (message_id: string): Reply => ({ kind: "reaction", message_id, emoji });
    return c.json(await changed(c, options, c.req.valid("param").id, change), 200);
  });
  const unreact = createRoute({
    ...reaction,
    method: "delete",
    summary: "Take a reaction back",
    description: WHAT,
    request: { params },
    responses,
  });
  app.openapi(unreact, async (c) => {
    const change = (message_id: string): Reply => ({ kind: "reaction", message_id, emoji: null });
    return c.json(await changed(c, options, c.req.valid("param").id, change), 200);
  });

  const pinning = { ...shared, path: "/api/messages/{id}/pin" };
  const pin = createRoute({
    ...pinning,
    method: "put",
    summary: "Pin a message",
    description: WHAT,
    request: { params },
    responses,
  });
  app.openapi(pin, async (c) => {
    const change = (message_id: string): Reply => ({ kind: "pin", message_id });
    return c.json(await changed(c, options, c.req.valid("param").id, change), 200);
  });
  const unpin = createRoute({
    ...pinning,
    method: "delete",
    summary: "Unpin a message",
    description: WHAT,
    request: { params },
    responses,
  });
  app.openapi(unpin, async (c) => {
    const change = (message_id: string): Reply => ({ kind: "pin", message_id, pinned: false });
    return c.json(await changed(c, options, c.req.valid("param").id, change), 200);
  });
}

/** Renders the change for the message's channel, saves it, and starts to send it. Throws as the routes describe. */
async function changed(
  c: HttpContext,
  options: AppOptions,
  id: string,
  changeOf: (message_id: string) => Reply,
): Promise<z.infer<typeof changedSchema>> {
  const { exchange } = c.var;
  const { actor, staff } = await operatorOf(c, options);
  const message_id = id.toLowerCase();
  exchange.facts.actor = actor;
  exchange.facts.message_id = message_id;
  const hub = exchange.hub();
  const { messageChanges } = featuresOf(hub);
  const name = await messageChanges.channelOf(message_id);
  const channel = hub.channels[name];
  if (!channel)
    throw new HubError("not_changeable", `channel ${name} is not configured`, {
      details: { why: "channel" },
    });
  const reply = changeOf(message_id);
  const { content, parts } = rendered(() => prepare(name, channel, reply, {}));
  const { message, changed, deliveries } = await messageChanges.change(
    message_id,
    { content, parts },
    staff ? { staff: staff.token_hash } : { actor },
    hub.now(),
  );
  if (changed) {
    const { session_id } = message;
    exchange.facts.session_id = session_id;
    hub.live.publish(session_id, { type: "messages" });
    hub.live.publish(session_id, { type: "message", message });
    if (deliveries.length > 0) void exchange.later(deliver(hub, deliveries));
  }
  return { message: viewMessage(message, filesOf(c)), changed };
}

/** What a channel refuses to render is the operator's error, with the field and the limit in its message. */
function rendered<T>(render: () => T): T {
  try {
    return render();
  } catch (thrown) {
    const { reason, message } = toHubError(thrown);
    if (reason !== "bot_bad_reply") throw thrown;
    throw new HubError("not_changeable", message, { details: { why: "channel" } });
  }
}
