import { createRoute, z } from "@hono/zod-openapi";
import { answer } from "../core/answer/answer.ts";
import type { WebhookRequest } from "../core/channel.ts";
import { HubError, toHubError } from "../core/errors.ts";
import { type Accepted, accept } from "../core/receive/accept.ts";
import { filesOf } from "../features/media/of-message.ts";
import { callerOf } from "./auth.ts";
import { readBody } from "./body.ts";
import { json, security } from "./describe.ts";
import { problems } from "./errors.ts";
import { repliesTo } from "./replies.ts";
import {
  type App,
  type AppOptions,
  boundsOf,
  CHANNEL_ALIASES,
  channelName,
  type HttpContext,
  LONGEST_WAIT_S,
} from "./request.ts";
import { messageSchema, sessionSchema, turnSchema, viewMessage, viewSession } from "./shapes.ts";

const anyObject = { type: "object" as const };

/** How many ids a log line names at most: a webhook may hold hundreds of messages. */
const NAMED = 20;

/**
 * Registers `POST /webhooks/<name>` for each platform in the list of channels. Sources of the calls:
 * https://core.telegram.org/bots/api#setwebhook, and WhatsApp's Cloud API webhooks.
 */
export function addPlatformWebhooks(app: App, options: AppOptions): void {
  const { bodyBytes } = boundsOf(options);
  const platforms = options.channels.filter((name) => !Object.hasOwn(options.postedWith, name));
  for (const name of platforms) {
    const deliver = createRoute({
      method: "post",
      path: `/webhooks/${name}`,
      tags: ["Webhooks"],
      summary: `Updates from ${name}`,
      description:
        "Answers 200 once all its events are saved. On any other answer the platform delivers it again.",
      security: [{ platform: [] }],
      request: { body: { required: true, content: { "application/json": { schema: anyObject } } } },
      responses: {
        200: json("Saved.", z.object({})),
        ...problems("malformed", "unauthorized", "not_found", "payload_too_large"),
      },
    });
    app.openapi(deliver, async (c) => {
      try {
        await take(c, name, await webhookRequest(c, bodyBytes));
      } catch (thrown) {
        warnOfRefusal(c, name, toHubError(thrown));
        throw thrown;
      }
      return c.json({}, 200);
    });
  }

  addHandshake(app, options);
}

/**
 * Logs a refused signature as a warning: an attacker sent it, or the secret here is wrong, which an operator must see.
 */
function warnOfRefusal(c: HttpContext, channel: string, { code }: HubError): void {
  if (code !== "unauthorized") return;
  c.var.exchange.hub().log("warn", "webhook.refused", {
    channel,
    code,
    advice: "if the platform sent it, the secret here is not the platform's; see docs/operations.md",
  });
}

/**
 * Registers `GET /webhooks/<name>`, with which a platform checks the webhook before it subscribes: Meta's
 * `hub.challenge`.
 */
function addHandshake(app: App, options: AppOptions): void {
  const { bodyBytes } = boundsOf(options);
  const handshake = createRoute({
    method: "get",
    path: "/webhooks/{channel}",
    tags: ["Webhooks"],
    summary: "Subscription handshake",
    description: "For platforms that check the webhook before they subscribe: whatsapp.",
    security: security.nobody,
    request: {
      params: z.object({ channel: channelName(options) }),
      query: z.object({
        "hub.mode": z.string().max(64).optional(),
        "hub.verify_token": z.string().max(512).optional(),
        "hub.challenge": z.string().max(512).optional(),
      }),
    },
    responses: {
      200: {
        description: "The challenge, as it came.",
        content: { "text/plain": { schema: z.string() } },
      },
      ...problems("malformed", "forbidden", "not_found"),
    },
  });
  app.openapi(handshake, async (c) => {
    const { channel: name } = c.req.valid("param");
    const channel = c.var.exchange.hub().channels[name];
    c.var.exchange.facts.channel = name;
    if (!channel?.challenge) throw new HubError("not_found", `channel ${name} has no handshake here`);
    const challenge = channel.challenge(await webhookRequest(c, bodyBytes));
    if (challenge === undefined) throw new HubError("malformed", "query: not a subscription handshake");
    return c.text(challenge, 200);
  });
}

/**
 * Registers `POST /webhooks/kiosk` and `/web`, with which kiosks and web pages post messages and may wait for replies.
 */
export function addCallerWebhooks(app: App, options: AppOptions): void {
  const { bodyBytes } = boundsOf(options);
  if (options.callerMessage) app.openAPIRegistry.register("CallerMessage", options.callerMessage.clone());
  const schema = options.callerMessage ? { $ref: "#/components/schemas/CallerMessage" } : anyObject;
  const aliases = Object.entries(CHANNEL_ALIASES).filter(([, name]) =>
    Object.hasOwn(options.postedWith, name),
  );
  const paths = [...Object.keys(options.postedWith).map((name) => [name, name] as const), ...aliases];
  for (const [path, name] of paths) {
    const scope = options.postedWith[name];
    const post = createRoute({
      method: "post",
      path: `/webhooks/${path}`,
      tags: ["Webhooks"],
      summary: `A customer's message from the ${name}`,
      description:
        `With a ${scope} key for a \`phone\` or a \`session\`, or with the session's own token. \`external_id\` makes it ` +
        "safe to send again: the same id in the same session is stored and answered once. With `wait` the answer comes " +
        "with the bot's replies, or without them after `wait` seconds; `/session/messages` has them later. The answer " +
        "comes early, without replies, if the bot stays silent (`turn` is `null`) or the turn fails (`turn` says how).",
      security: [...security.key, ...security.token],
      request: {
        query: z.object({ wait: z.coerce.number().min(0).max(LONGEST_WAIT_S).default(0) }),
        body: { required: true, content: { "application/json": { schema } } },
      },
      responses: {
        200: json(
          "Saved.",
          z.object({
            message: messageSchema,
            session: sessionSchema,
            duplicate: z.boolean().openapi({ description: "Stored before; nothing changed." }),
            replies: z.array(messageSchema).optional().openapi({ description: "Only with `wait`." }),
            turn: turnSchema.nullable().optional().openapi({
              description:
                "Only with `wait`. `null` once the bot has answered or stayed silent. `retrying` and `dead` are failures.",
            }),
          }),
        ),
        202: json(
          "The database does not answer. The message is durable in the journal. It is stored and answered once the " +
            "database is back, and is then in the messages. Its session and its id are not known yet.",
          z.object({ persisted: z.literal(false) }),
        ),
        ...problems(
          "malformed",
          "phone_ambiguous",
          "unauthorized",
          "verification_required",
          "not_found",
          "session_not_found",
          "session_expired",
          "payload_too_large",
          "unsupported_media_type",
        ),
      },
    });
    app.openapi(post, async (c) => {
      if (!/^application\/json *(;|$)/i.test(c.req.header("content-type") ?? ""))
        throw new HubError("unsupported_media_type", "the body must be application/json");
      const { wait } = c.req.valid("query");
      const { results, answering } = await take(c, name, await webhookRequest(c, bodyBytes));
      if (results.some(({ type }) => type === "journaled")) return c.json({ persisted: false as const }, 202);
      const received = results.find((result) => result.type === "message");
      if (!received) throw new HubError("malformed", "the body holds no message");
      const { message, session, duplicate } = received;
      c.var.exchange.facts.session_id = session.session_id;
      // With a key beside the token the message may be another session's.
      const { token_hash, scopes } = await callerOf(c.req.raw.headers, options.keys);
      if (token_hash && !scopes && !duplicate)
        void c.var.exchange.later(c.var.exchange.hub().cache.put(token_hash, session));
      const saved = { message: viewMessage(message, filesOf(c)), session: viewSession(session), duplicate };
      if (wait === 0) return c.json(saved, 200);
      const hub = c.var.exchange.hub();
      const { replies, turn } = await repliesTo(hub, message, wait * 1_000, c.req.raw.signal, answering);
      return c.json(
        { ...saved, replies: replies.map((reply) => viewMessage(reply, filesOf(c))), turn: turn ?? null },
        200,
      );
    });
  }
}

/** Saves a webhook and starts its turns in the background; `answering` ends when all of them have ended. */
async function take(
  c: HttpContext,
  name: string,
  request: WebhookRequest,
): Promise<Accepted & { answering?: Promise<unknown> }> {
  const { exchange } = c.var;
  exchange.facts.channel = name;
  const hub = exchange.hub();
  const accepted = await accept(hub, name, request);
  count(exchange.facts, accepted);
  const answers = accepted.turns.map((turn) => exchange.later(acknowledged().then(() => answer(hub, turn))));
  return answers.length > 0 ? { ...accepted, answering: Promise.all(answers) } : accepted;
}

/** Resolves after the 200 has been handed over, so that the bot's first steps do not delay it. */
function acknowledged(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function webhookRequest({ req }: HttpContext, limit: number): Promise<WebhookRequest> {
  const { method, url, headers } = req.raw;
  return {
    method,
    headers,
    body: await readBody(req.raw, limit),
    // Only handshakes read it.
    get query() {
      return new URL(url).searchParams;
    },
  };
}

function count(facts: Record<string, unknown>, { results, ignored, turns }: Accepted): void {
  if (results.some(({ type }) => type === "journaled")) facts.persisted = false;
  facts.received = results.length;
  facts.turns = turns.length;
  const messages = results.flatMap(({ message }) => message ?? []);
  if (messages.length > 0) {
    facts.session_ids = [...new Set(messages.map(({ session_id }) => session_id))].slice(0, NAMED);
    facts.message_ids = messages.map(({ message_id }) => message_id).slice(0, NAMED);
  }
  const duplicates = results.filter((result) => result.type === "message" && result.duplicate).length;
  if (duplicates > 0) facts.duplicates = duplicates;
  if (ignored.length === 0) return;
  const reasons: Record<string, number> = {};
  for (const { reason } of ignored) reasons[reason] = (reasons[reason] ?? 0) + 1;
  facts.ignored = reasons;
}
