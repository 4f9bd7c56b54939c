import { z } from "zod";
import type { Answer, Bot, BotParts } from "../core/answer/bot.ts";
import type { Turn } from "../core/answer/turn.ts";
import { replySchema } from "../core/content/reply.ts";
import { HubError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import type { Log } from "../core/log.ts";
import type { Message } from "../core/messages/message.ts";
import { isSafeUrl } from "../core/safe-url.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { hmacHex } from "../core/signature.ts";
import { actionsOf, actionsSchema } from "../features/actions/action.ts";
import { outsideLinkOf } from "../features/media/of-message.ts";
import { mediaOf } from "../features/media/options.ts";

const HISTORY = 20;
const MAX_REPLIES = 10;
const MAX_ANSWER_BYTES = 256 * 1024;
/** How many unknown fields a log line names, how many characters of each name, and how many such lines are written. */
const NAMED = 20;
const LONGEST_NAME = 64;
const MOST_LINES = 100;
/** The longest text about an error in an answer. */
const LONGEST_DETAIL = 400;
/** The longest wait that a bot can ask for: during it the session gets no replies. */
const LONGEST_WAIT_MS = 15 * 60_000;

const settingsSchema = z.object({
  BOT_WEBHOOK_URL: z
    .string()
    .refine(isSafeUrl, "must be an https URL without credentials (http on loopback only)"),
  BOT_WEBHOOK_SECRET: z.string().min(16, "must have at least 16 characters"),
  BOT_BATCH: z.stringbool("must be true or false").default(false),
  BOT_HEARS: z
    .string()
    .regex(/^((edits|reactions)(,(?=.)|$))*$/, "must be a list of edits and reactions")
    .default("")
    .transform((text) => ({ edits: text.includes("edits"), reactions: text.includes("reactions") })),
});

/** A reply without a `kind` is a text, as in the first version of the contract. */
const reply = z.preprocess((given) => (isKindless(given) ? { ...given, kind: "text" } : given), replySchema);
const answerSchema = z.object({
  replies: z.array(reply).max(MAX_REPLIES),
  actions: actionsSchema.optional(),
  handoff: z
    .strictObject({ reason: z.string().min(1).max(200), to: z.string().min(1).max(200).optional() })
    .transform(({ reason, to }) => ({ reason, ...(to !== undefined && { to }) }))
    .optional(),
});

interface Parts {
  readonly log?: Log;
  readonly now?: () => Date;
}

/**
 * Asks the shop's own program over HTTP, as docs/bots.md describes for its author. `reply` throws `throttled` with the
 * wait that the program asks for, and `unavailable` for any other failure, with what is wrong with the answer. Throws
 * `misconfigured` without its settings.
 */
export default function webhook(env: Env, { log = () => {}, now = () => new Date() }: Parts = {}) {
  const settings = settingsOf("BOT=webhook", settingsSchema, env);
  if (!settings)
    throw new HubError("misconfigured", "BOT=webhook needs BOT_WEBHOOK_URL and BOT_WEBHOOK_SECRET");
  const logUnknown = unknownFieldsLog(log);
  const { BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret, BOT_BATCH: batch, BOT_HEARS: hears } = settings;
  return {
    history: HISTORY,
    batch,
    hears,
    async reply(turn: Turn, signal: AbortSignal, parts?: BotParts) {
      const request = await signed(withFiles(turn, parts, now()), secret, now());
      try {
        const { unknown, ...answer } = await answerOf(await fetch(url, { ...request, signal }), now());
        logUnknown(turn.turn_id, unknown);
        return answer.actions.length > 0 || answer.handoff ? answer : answer.replies;
      } catch (cause) {
        if (cause instanceof HubError) throw cause;
        throw new HubError("unavailable", "the bot cannot be reached", { reason: "bot_unreachable", cause });
      }
    },
  } satisfies Bot;
}

/** The turn with a link to the file of each message that has one. Without the settings for links it stays as it is. */
function withFiles(turn: Turn, parts: BotParts | undefined, now: Date): Turn {
  const { links } = mediaOf(parts ?? {});
  const one = (message: Message): Message => {
    const link = outsideLinkOf(message, { links, now });
    if (!link) return message;
    const added = { media_url: link.url, media_expires_at: link.expires_at };
    return { ...message, ...added };
  };
  const { message, messages, history } = turn;
  return { ...turn, message: one(message), messages: messages.map(one), history: history.map(one) };
}

async function signed(turn: Turn, secret: string, now: Date) {
  const { turn_id, attempt, failure, session, customer, message, messages, history, window_closes_at } = turn;
  const body = JSON.stringify({
    turn_id,
    attempt,
    failure,
    session,
    customer,
    message,
    messages,
    history,
    window_closes_at,
  });
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signature = await hmacHex(secret, new TextEncoder().encode(`${timestamp}.${body}`));
  return {
    method: "POST",
    // Workers do not support "error" here. With "manual" a redirect comes back as its 3xx status, which is refused.
    redirect: "manual" as const,
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      "x-hub-turn-id": turn_id,
      "x-hub-timestamp": timestamp,
      "x-hub-signature": `sha256=${signature}`,
    },
    body,
  };
}

interface Read extends Answer {
  /** Names of fields that the hub does not know. */
  readonly unknown: readonly string[];
}

async function answerOf(response: Response, now: Date): Promise<Read> {
  if (response.status === 204) return { replies: [], actions: [], unknown: [] };
  if (!response.ok) {
    await Promise.allSettled([response.body?.cancel()]);
    throw refusal(response, now);
  }
  const given = readable(await bytesOf(response));
  const answer = answerSchema.safeParse(given);
  if (!answer.success) throw badAnswer(wrongIn(answer.error));
  const { actions = [], ...said } = answer.data;
  const { actions: _, ...givenSaid } = given as z.input<typeof answerSchema>;
  const unknown = [...new Set(unknownIn(givenSaid, said, ""))];
  const { replies, handoff } = said;
  return { replies, actions: actionsOf(actions), ...(handoff && { handoff }), unknown };
}

/** The place and kind of the first error in an answer, without the bot's own text, but with names of unknown fields. */
function wrongIn({ issues }: z.ZodError): string {
  const [{ path, message }] = issues as [z.core.$ZodIssue];
  const place = path.reduce<string>(
    (text, step) =>
      typeof step === "number" ? `${text}[${step}]` : `${text ? `${text}.` : ""}${String(step)}`,
    "",
  );
  return `${place || "the answer"}: ${message.slice(0, LONGEST_DETAIL)}`;
}

/** The names of fields that reading has dropped, with `[]` for any place in a list. */
function unknownIn(given: unknown, read: unknown, path: string): string[] {
  if (Array.isArray(given) && Array.isArray(read))
    return given.flatMap((item, i) => unknownIn(item, read[i], `${path}[]`));
  if (!isObject(given) || !isObject(read)) return [];
  const at = (name: string) => (path ? `${path}.${name}` : name);
  const [known, unknown] = partition(Object.keys(given), (name) => Object.hasOwn(read, name));
  return [...unknown.map(at), ...known.flatMap((name) => unknownIn(given[name], read[name], at(name)))];
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isKindless(value: unknown): value is Record<string, unknown> {
  return isObject(value) && value.kind === undefined;
}

/** Logs each set of unknown fields only once, because a bot sends the same ones with every answer. */
function unknownFieldsLog(log: Log): (turn_id: string, names: readonly string[]) => void {
  const seen = new Set<string>();
  return (turn_id, names) => {
    if (names.length === 0 || seen.size >= MOST_LINES) return;
    const fields = names.slice(0, NAMED).map((name) => name.slice(0, LONGEST_NAME));
    const key = fields.join(" ");
    if (seen.has(key)) return;
    seen.add(key);
    log("warn", "bot.unknown_fields", { turn_id, fields, advice: "the hub ignores them; see docs/bots.md" });
  };
}

function refusal({ status, headers }: Response, now: Date): HubError {
  const reason = `bot_http_${status}`;
  const retryAfterMs = waitOf(headers.get("retry-after"), now);
  if (status === 429 || (status === 503 && retryAfterMs !== undefined))
    return new HubError("throttled", "the bot asks to wait", {
      reason,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  return new HubError("unavailable", `the bot answered ${status}`, { reason });
}

/** `Retry-After` as seconds or as a date, per RFC 9110 section 10.2.3. */
function waitOf(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
    chunks.push(read.value);
    size += read.value.byteLength;
    if (size > MAX_ANSWER_BYTES) {
      await Promise.allSettled([reader?.cancel()]);
      throw badAnswer(`larger than ${MAX_ANSWER_BYTES} bytes`);
    }
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

function readable(body: Uint8Array): unknown {
  try {
    return parseJson(body);
  } catch (cause) {
    throw badAnswer("not JSON", cause);
  }
}

function badAnswer(wrong: string, cause?: unknown): HubError {
  return new HubError("unavailable", `the bot's answer cannot be used: ${wrong}`, {
    reason: "bot_bad_answer",
    cause,
  });
}
