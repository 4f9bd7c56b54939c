import { z } from "zod";
import type { Bot } from "../core/answer/bot.ts";
import type { Reply, Turn } from "../core/answer/turn.ts";
import { HubError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import { type Env, settingsOf } from "../core/settings.ts";
import { hmacHex } from "../core/signature.ts";

const HISTORY = 20;
const MAX_REPLIES = 10;
const MAX_ANSWER_BYTES = 256 * 1024;
/** A longer wait would silence the session for good. */
const LONGEST_WAIT_MS = 15 * 60_000;

const settingsSchema = z.object({
  BOT_WEBHOOK_URL: z
    .string()
    .refine(isAllowedUrl, "must be an https URL without credentials (http on loopback only)"),
  BOT_WEBHOOK_SECRET: z.string().min(16, "must have at least 16 characters"),
  BOT_BATCH: z.stringbool("must be true or false").default(false),
  BOT_HEARS: z
    .string()
    .regex(/^((edits|reactions)(,(?=.)|$))*$/, "must be a list of edits and reactions")
    .default("")
    .transform((text) => ({ edits: text.includes("edits"), reactions: text.includes("reactions") })),
});

const answerSchema = z.object({
  replies: z
    .array(
      z.object({ kind: z.literal("text").optional(), text: z.string().refine((text) => text.trim() !== "") }),
    )
    .max(MAX_REPLIES),
});

/**
 * Asks a program of the operator's over HTTP, as docs/bots.md tells its author. Throws `throttled` with the wait it
 * asks for, `unavailable` for whatever else is not an answer, and `misconfigured` when it is made without its settings.
 */
export default function webhook(env: Env, now: () => Date = () => new Date()): Bot {
  const settings = settingsOf("BOT=webhook", settingsSchema, env);
  if (!settings)
    throw new HubError("misconfigured", "BOT=webhook needs BOT_WEBHOOK_URL and BOT_WEBHOOK_SECRET");
  const { BOT_WEBHOOK_URL: url, BOT_WEBHOOK_SECRET: secret, BOT_BATCH: batch, BOT_HEARS: hears } = settings;
  return {
    history: HISTORY,
    batch,
    hears,
    async reply(turn, signal) {
      const request = await signed(turn, secret, now());
      try {
        return await repliesOf(await fetch(url, { ...request, signal }), now());
      } catch (cause) {
        if (cause instanceof HubError) throw cause;
        throw new HubError("unavailable", "the bot cannot be reached", { reason: "bot_unreachable", cause });
      }
    },
  };
}

async function signed(turn: Turn, secret: string, now: Date) {
  const { turn_id, attempt, session, message, messages, history } = turn;
  const body = JSON.stringify({ turn_id, attempt, session, message, messages, history });
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signature = await hmacHex(secret, new TextEncoder().encode(`${timestamp}.${body}`));
  return {
    method: "POST",
    // Workers know no "error" here; a redirect comes back as the 3xx it is, and is refused as one.
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

async function repliesOf(response: Response, now: Date): Promise<Reply[]> {
  if (response.status === 204) return [];
  if (!response.ok) {
    await Promise.allSettled([response.body?.cancel()]);
    throw refusal(response, now);
  }
  const answer = answerSchema.safeParse(readable(await bytesOf(response)));
  if (!answer.success) throw badAnswer("the bot's answer has another shape than agreed");
  return answer.data.replies.map(({ text }) => ({ kind: "text", text }));
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
      throw badAnswer("the bot's answer is too large");
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
    throw badAnswer("the bot's answer is not JSON", cause);
  }
}

function badAnswer(message: string, cause?: unknown): HubError {
  return new HubError("unavailable", message, { reason: "bot_bad_answer", cause });
}

function isAllowedUrl(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password) return false;
  const loopback = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && loopback);
}
