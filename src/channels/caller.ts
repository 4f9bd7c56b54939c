import { z } from "zod";
import type { Channel } from "../core/channel.ts";
import { unrenderable } from "../core/content/prepare.ts";
import type { ContentTable } from "../core/content/table.ts";
import { HubError } from "../core/errors.ts";
import { phoneOf } from "../core/identity/phone.ts";
import { parseJson } from "../core/json.ts";
import { type Content, contentSchema } from "../core/messages/content.ts";
import type { InboundMessage } from "../core/messages/message.ts";
import { isOneOf, sha256Hex } from "../core/signature.ts";

const MAX_ID = 200;
const MAX_PHONE = 64;
const MAX_TEXT = 16_384;
/** The most characters of a `content` as JSON. */
const MAX_CONTENT = 32_768;
/** How many unknown fields an error names, and how many characters of each. */
const MOST_NAMES = 10;
const LONGEST_NAME = 64;
const SENT_AT = { from: Date.UTC(2000, 0), until: Date.UTC(2100, 0) };

const TOKEN = /^hst_[\w-]{1,200}$/;
/** Fields whose keys the caller chooses. An error does not repeat the path inside them. */
const FREE_FORM = ["data", "referral"];

const [text, image, video, audio, document, sticker, location, contact, interaction, reaction, order] =
  contentSchema.options;

const callerContentSchema = z
  .discriminatedUnion("kind", [
    text,
    image,
    video,
    audio,
    document,
    sticker,
    location,
    contact,
    interaction,
    reaction,
    order,
  ])
  .superRefine((content, issues) => {
    const refuse = (message: string, ...path: string[]) => issues.addIssue({ code: "custom", message, path });
    if (JSON.stringify(content).length > MAX_CONTENT)
      refuse(`must be at most ${MAX_CONTENT} characters as JSON`);
    if (content.kind === "text" && (content.text === "" || content.text.length > MAX_TEXT))
      refuse(`must be 1 to ${MAX_TEXT} characters`, "text");
  });

/**
 * The body of `POST /webhooks/kiosk` and `/webhooks/web`. It has exactly one of `text` and `content`. With an API key
 * it has exactly one of `phone` and `session`; with a session token neither. Unknown fields are refused.
 */
export const callerMessageSchema = z.strictObject({
  external_id: z
    .string()
    .min(1)
    .max(MAX_ID)
    .describe("The caller's own id of this message. In one session each id is stored only once"),
  phone: z
    .string()
    .max(MAX_PHONE)
    .optional()
    .describe(
      "The customer's phone, verified or claimed by the API key; E.164, or as dialled in DEFAULT_COUNTRY",
    ),
  session: z.uuid().optional().describe("The session_id of the customer's active session"),
  text: z.string().min(1).max(MAX_TEXT).optional().describe("Short for a content of kind text"),
  content: callerContentSchema
    .optional()
    .describe(
      "A message of any other kind. Media is named by an id, never a URL; a contact is never the sender's own",
    ),
  reply_to: z
    .string()
    .min(1)
    .max(MAX_ID)
    .optional()
    .describe("external_id of the message that this one answers or reacts to"),
  sent_at: z.iso.datetime({ offset: true }).optional().describe("When the customer sent it"),
});

type CallerMessage = z.infer<typeof callerMessageSchema>;

/** The API keys that may post messages for customers. */
export interface CallerKeys {
  /** Keys of trusted callers: a phone or session that they name counts as verified. */
  readonly trusted: readonly string[];
  /** Keys that may only claim a phone, as a customer typed it. */
  readonly claiming?: readonly string[];
}

/** The schema of a setting with API keys, comma-separated for rotation. Absent: no keys. */
export const apiKeys = z
  .string()
  .transform((list) =>
    list
      .split(",")
      .map((key) => key.trim())
      .filter(Boolean),
  )
  .default([]);
/** The schema of the setting with the country of phones without a prefix. */
export const country = z
  .string()
  .regex(/^[A-Z]{2}$/, "must be a country as two capital letters")
  .optional();
/** The schema of the setting that decides whether a phone typed at a kiosk counts as verified. */
export const phonePolicy = z.enum(["trust", "verify"], "must be trust or verify").default("verify");

/**
 * A channel on which the shop's own programs post messages, and customers fetch their replies themselves.
 *
 * - An API key (`X-API-Key` or a bearer) names the customer by `phone` or `session`.
 * - A session token (`X-Session-Token` or a bearer, `hst_…`) posts for its own session; the store checks that it is
 *   alive.
 * - With both, the key must be valid, and the token names the session.
 * - With a key of `claiming` alone, a phone is only claimed, and a session's id throws `verification_required`.
 */
export function callerChannel(
  name: "kiosk" | "web",
  { trusted, claiming = [] }: CallerKeys,
  defaultCountry: string | undefined,
  content: ContentTable,
): Channel {
  return {
    postedWith: name,

    async verify({ headers }) {
      const { key, token } = credentials(headers);
      const isValid =
        (key !== undefined || token !== undefined) &&
        (key === undefined || (await isOneOf(key, [...trusted, ...claiming]))) &&
        (token === undefined || TOKEN.test(token));
      if (!isValid) throw new HubError("unauthorized", `no API key for ${name} and no session token`);
    },

    async parse({ headers, body }) {
      const posted = read(parseJson(body));
      const { key, token } = credentials(headers);
      const claimed = token === undefined && !(await isOneOf(key ?? "", trusted));
      const from = token === undefined ? namedIn(posted, defaultCountry) : await ownSession(posted, token);
      if (claimed && "session_id" in from)
        throw new HubError(
          "verification_required",
          "session: post with the session's own token; a kiosk's key does not open a session by its id",
        );
      const content = contentOf(posted);
      const message: InboundMessage = {
        channel: name,
        external_id: posted.external_id,
        from,
        address: {},
        content,
        wakes: content.kind !== "reaction",
        ...(claimed && { claimed }),
        ...(posted.reply_to !== undefined && { reply_to: posted.reply_to }),
        ...(posted.sent_at !== undefined && { sent_at: instant(posted.sent_at) }),
      };
      return [{ type: "message", message }];
    },

    split: () => [],
    content,

    /** The page gets the neutral form, so there is nothing to send. */
    render(reply) {
      if ("media" in reply && reply.media.id !== undefined)
        throw unrenderable(`media.id: ${name} has no files of its own, so url or upload is needed`);
      return { parts: [] };
    },

    /** Does nothing: `Live` shows typing to the devices of these channels. */
    async showTyping() {},

    async sendCode() {
      throw new HubError("rejected", `nobody is written to on ${name}`, { reason: "fetched_by_customer" });
    },

    async send() {
      throw new HubError("rejected", `customers on ${name} fetch their replies`, {
        reason: "fetched_by_customer",
      });
    },
  };
}

function credentials(headers: Headers): { key: string | undefined; token: string | undefined } {
  const bearer = /^bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  const bearsToken = bearer?.startsWith("hst_");
  return {
    key: headers.get("x-api-key") || (bearsToken ? undefined : bearer),
    token: headers.get("x-session-token") || (bearsToken ? bearer : undefined),
  };
}

function read(body: unknown): CallerMessage {
  const result = callerMessageSchema.safeParse(body);
  if (result.success) return result.data;
  const issue =
    result.error.issues.find(({ code }) => code === "unrecognized_keys") ?? result.error.issues[0]!;
  const { path } = issue;
  const message = issue.code === "unrecognized_keys" ? unknownFields(issue.keys) : issue.message;
  const free = path.findIndex((step) => FREE_FORM.includes(String(step)));
  throw malformed((free < 0 ? path : path.slice(0, free + 1)).join(".") || "body", message);
}

/** The error text that names unknown fields. */
function unknownFields(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => name.slice(0, LONGEST_NAME));
  return `unknown field${names.length > 1 ? "s" : ""} ${shown.join(", ")}`;
}

function namedIn({ phone, session }: CallerMessage, defaultCountry: string | undefined) {
  if ((phone === undefined) === (session === undefined))
    throw malformed("phone", "with an API key, exactly one of phone and session is needed");
  if (session !== undefined) return { session_id: session.toLowerCase() };
  return { phone: phoneOf(phone!, defaultCountry) };
}

async function ownSession({ phone, session }: CallerMessage, token: string) {
  if (phone !== undefined || session !== undefined)
    throw malformed(phone !== undefined ? "phone" : "session", "a token speaks for its own session only");
  return { token_hash: await sha256Hex(token) };
}

function contentOf({ text, content }: CallerMessage): Content {
  if (text !== undefined && content === undefined) return { kind: "text", text };
  if (text !== undefined || content === undefined)
    throw malformed("text", "exactly one of text and content is needed");
  return content.kind === "contact" ? { ...content, own: false } : content;
}

function instant(iso: string): Date {
  const at = new Date(iso);
  if (!(at.getTime() >= SENT_AT.from && at.getTime() < SENT_AT.until))
    throw malformed("sent_at", "must lie between 2000 and 2100");
  return at;
}

function malformed(path: string, message: string): HubError {
  return new HubError("malformed", `${path}: ${message}`);
}
