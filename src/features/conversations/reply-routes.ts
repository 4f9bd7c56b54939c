import { createRoute, z } from "@hono/zod-openapi";
import type { OutboundReply } from "../../core/answer/turn.ts";
import { prepare } from "../../core/content/prepare.ts";
import { type Reply, strictReplySchema } from "../../core/content/reply.ts";
import { deliver } from "../../core/deliver/deliver.ts";
import { HubError, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import { jsonBody } from "../../http/body.ts";
import { json } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import { idempotencyKey, tellReplayed } from "../../http/idempotency.ts";
import { type App, type AppOptions, channelName } from "../../http/request.ts";
import { messageSchema, viewMessage } from "../../http/shapes.ts";
import { filesOf } from "../media/of-message.ts";
import { atDesk, BODY_BYTES, conversationParams, refusals, shared } from "./at-desk.ts";
import type { ReplyTarget } from "./conversation.ts";
import { publishHolder } from "./hold-routes.ts";
import { conversationSchema, viewConversation } from "./shape.ts";

const MOST_REPLIES = 10;
/** They change earlier messages, or are nothing to send. */
const NOT_SENT: readonly Reply["kind"][] = ["typing", "edit", "delete", "reaction"];

/** Registers what people of the shop send. */
export function addOperatorReplies(app: App, options: AppOptions): void {
  const route = createRoute({
    ...shared,
    method: "post",
    path: "/api/conversations/{id}/messages",
    summary: "Answer a customer",
    description:
      "With all kinds of replies that bots have. It goes where the customer wrote last, or to `channel`. Whoever answers has the " +
      "conversation; a colleague's must be taken first. With `seen`, the newest `seq` that was read, it is refused if somebody else has " +
      "answered since. The answer comes once the replies are durable: they are sent after it, and again if that is cut off.",
    middleware: jsonBody(BODY_BYTES),
    request: {
      params: conversationParams,
      headers: idempotencyKey,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z
              .strictObject({
                replies: z.array(strictReplySchema.clone()).min(1).max(MOST_REPLIES),
                channel: channelName(options).optional(),
                seen: z.int().min(0).optional(),
              })
              .openapi({ example: { replies: [{ kind: "text", text: "I am looking into it." }] } }),
          },
        },
      },
    },
    responses: {
      200: json(
        "Saved, and on its way.",
        z.object({ conversation: conversationSchema, messages: z.array(messageSchema) }),
      ),
      ...problems(
        ...refusals,
        "not_found",
        "conversation_taken",
        "answered_since",
        "idempotency_conflict",
        "unsupported_media_type",
        "payload_too_large",
      ),
    },
  });
  app.openapi(route, async (c) => {
    const { conversations, at } = await atDesk(c);
    const { id } = c.req.valid("param");
    const fields = c.req.valid("json");
    const key = c.req.valid("header")["Idempotency-Key"];
    const { exchange } = c.var;
    const hub = exchange.hub();
    const target = await conversations.target(at, id, fields.channel);
    const sent = await conversations.reply(at, id, {
      channel: target.channel,
      ...(target.account !== undefined && { account: target.account }),
      address: target.address ?? unreachable(target.channel),
      replies: rendered(hub, target, fields.replies),
      ...(fields.seen !== undefined && { seen: fields.seen }),
      ...(key !== undefined && { idempotency_key: key }),
      fields: { id, ...fields },
    });
    if (sent.session_id !== undefined) {
      exchange.facts.session_id = sent.session_id;
      hub.live.publish(sent.session_id, { type: "messages" });
      publishHolder(c, sent.session_id);
    }
    void exchange.later(deliver(hub, sent.deliveries));
    tellReplayed(c, sent.replayed);
    return c.json(
      {
        conversation: viewConversation(sent.conversation),
        messages: sent.messages.map((one) => viewMessage(one, filesOf(c))),
      },
      200,
    );
  });
}

function unreachable(channel: string): never {
  throw new HubError("malformed", `body.channel: the customer cannot be reached on ${channel}`);
}

/** The replies as their channel sends them. Throws `malformed` for what it cannot send. */
function rendered({ channels }: Hub, target: ReplyTarget, replies: readonly Reply[]): OutboundReply[] {
  const channel = channels[target.channel];
  if (!channel) throw new HubError("malformed", `body.channel: ${target.channel} is not configured`);
  return replies.map((reply, place) => {
    if (NOT_SENT.includes(reply.kind))
      throw new HubError("malformed", `body.replies.${place}.kind: ${reply.kind} is nothing to send here`);
    try {
      const { content, parts } = prepare(target.channel, channel, reply, {
        external_id: target.external_id,
      });
      return { content, parts };
    } catch (thrown) {
      const error = toHubError(thrown);
      if (error.reason !== "bot_bad_reply") throw thrown;
      throw new HubError("malformed", `body.replies.${place}: ${error.message}`);
    }
  });
}
