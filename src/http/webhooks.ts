import { createRoute, z } from "@hono/zod-openapi";
import { answer } from "../core/answer/answer.ts";
import type { WebhookRequest } from "../core/channel.ts";
import { HubError, toHubError } from "../core/errors.ts";
import { type Accepted, accept } from "../core/receive/accept.ts";
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

/** A webhook may hold hundreds of messages; a log line names this many. */
const NAMED = 20;

/**
 * Registers where platforms deliver, one route for each in the list of channels:
 * https://core.telegram.org/bots/api#setwebhook and WhatsApp's Cloud API webhooks among them.
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
      description: "Acknowledged once everything in it is saved; otherwise the platform sends it again.",
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

/** A platform whose signature is refused is one whose secret here is wrong, or somebody else: an operator must see it. */
function warnOfRefusal(c: HttpContext, channel: string, { code }: HubError): void {
  if (code !== "unauthorized") return;
  c.var.exchange.hub().log("warn", "webhook.refused", {
    channel,
    code,
    advice: "if the platform sent it, the secret here is not the platform's; see docs/operations.md",
  });
}

/** Registers where a platform checks that the webhook is ours before it subscribes: Meta's `hub.challenge`. */
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

/** Registers where kiosks and web pages post what customers say, and may wait for the answer. */
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
        "safe to send again: the same one in the same session is stored and answered once. With `wait` the answer " +
        "comes when the bot's replies are there, or without them when time is up; they are then in the messages. It ends " +
        "early, without any, when the bot stays silent (`turn` is `null`) or the turn fails (`turn` says how).",
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
            duplicate: z.boolean().openapi({ description: "It was here before; nothing changed." }),
            replies: z.array(messageSchema).optional().openapi({ description: "Only with `wait`." }),
            turn: turnSchema.nullable().optional().openapi({
              description:
                "Only with `wait`: `null` once the bot has answered or stayed silent. `retrying` and `dead` are failures.",
            }),
          }),
        ),
        202: json(
          "The database does not answer. The message is durable in the journal; it is stored and answered once the " +
            "database is back, and then stands in the messages. Which session and id it gets nobody knows yet.",
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
      const saved = { message: viewMessage(message), session: viewSession(session), duplicate };
      if (wait === 0) return c.json(saved, 200);
      const hub = c.var.exchange.hub();
      const { replies, turn } = await repliesTo(hub, message, wait * 1_000, c.req.raw.signal, answering);
      return c.json({ ...saved, replies: replies.map(viewMessage), turn: turn ?? null }, 200);
    });
  }
}

/** Saves a webhook and sets its turns going; `answering` ends when all of them have. */
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

/** Resolves when the 200 has been handed over: whoever waits for it is not kept by the bot's first steps. */
function acknowledged(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function webhookRequest(c: HttpContext, limit: number): Promise<WebhookRequest> {
  return {
    method: c.req.method,
    query: new URL(c.req.url).searchParams,
    headers: c.req.raw.headers,
    body: await readBody(c.req.raw, limit),
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
