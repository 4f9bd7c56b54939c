import { z } from "zod";
import type { Channel } from "../core/channel.ts";
import { HubError } from "../core/errors.ts";
import { phoneOf } from "../core/identity/phone.ts";
import { parseJson } from "../core/json.ts";
import { type Content, contentSchema } from "../core/messages/content.ts";
import type { InboundMessage } from "../core/messages/message.ts";
import { isOneOf, sha256Hex } from "../core/signature.ts";

const MAX_ID = 200;
const MAX_PHONE = 64;
const MAX_TEXT = 16_384;
/** A whole `content`, as JSON. */
const MAX_CONTENT = 32_768;
/** How many unknown fields are named, and how much of each. */
const MOST_NAMES = 10;
const LONGEST_NAME = 64;
const SENT_AT = { from: Date.UTC(2000, 0), until: Date.UTC(2100, 0) };

const TOKEN = /^hst_[\w-]{1,200}$/;
/** Inside these the keys are the caller's own words. */
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
 * What is posted to `/webhooks/kiosk` and `/webhooks/web`. Exactly one of `text` and `content`; with an API key exactly
 * one of `phone` and `session`, with a session token neither. Unknown fields are refused.
 */
export const callerMessageSchema = z.strictObject({
  external_id: z
    .string()
    .min(1)
    .max(MAX_ID)
    .describe("The caller's own id of this message; posted again in the same session, it is stored once"),
  phone: z
    .string()
    .max(MAX_PHONE)
    .optional()
    .describe(
      "The customer's phone, as the API key vouches or claims; E.164, or as dialled in DEFAULT_COUNTRY",
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
    .describe("external_id of the message it answers or reacts to"),
  sent_at: z.iso.datetime({ offset: true }).optional().describe("When the customer sent it"),
});

type CallerMessage = z.infer<typeof callerMessageSchema>;

/** Who may post for customers. */
export interface CallerKeys {
  /** Their word for a phone or a session is taken. */
  readonly vouch: readonly string[];
  /** They may only claim a phone, as somebody typed it. */
  readonly claim?: readonly string[];
}

/** A setting with API keys, comma-separated for rotation; none when it is absent. */
export const apiKeys = z
  .string()
  .transform((list) =>
    list
      .split(",")
      .map((key) => key.trim())
      .filter(Boolean),
  )
  .default([]);
/** The setting with the country of phones that come without a prefix. */
export const country = z
  .string()
  .regex(/^[A-Z]{2}$/, "must be a country as two capital letters")
  .optional();
/** The setting that says whether a kiosk's key vouches for what is typed there. */
export const phonePolicy = z.enum(["trust", "verify"], "must be trust or verify").default("verify");

/**
 * A channel whose messages are posted by programs of ours, and whose customers fetch their replies themselves.
 * Believes an API key (`X-API-Key` or a bearer), which vouches for a phone or names a session, and a session token
 * (`X-Session-Token` or a bearer, `hst_…`), which speaks for its own session; the store checks that it is alive.
 * With both, the key must be right and the token says who speaks. A key that may only claim makes an asserted message
 * of a phone, and `verification_required` of a session's id.
 */
export function callerChannel(
  name: "kiosk" | "web",
  { vouch, claim = [] }: CallerKeys,
  defaultCountry: string | undefined,
): Channel {
  return {
    postedWith: name,

    async verify({ headers }) {
      const { key, token } = credentials(headers);
      const believed =
        (key !== undefined || token !== undefined) &&
        (key === undefined || (await isOneOf(key, [...vouch, ...claim]))) &&
        (token === undefined || TOKEN.test(token));
      if (!believed) throw new HubError("unauthorized", `no API key for ${name} and no session token`);
    },

    async parse({ headers, body }) {
      const posted = read(parseJson(body));
      const { key, token } = credentials(headers);
      const claimed = token === undefined && !(await isOneOf(key ?? "", vouch));
      const from = token === undefined ? spokenFor(posted, defaultCountry) : await ownSession(posted, token);
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

    /** Their devices are told live. */
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

/** Names them: a field that nobody reads would be taken for one that was heard. */
function unknownFields(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => name.slice(0, LONGEST_NAME));
  return `unknown field${names.length > 1 ? "s" : ""} ${shown.join(", ")}`;
}

function spokenFor({ phone, session }: CallerMessage, defaultCountry: string | undefined) {
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
