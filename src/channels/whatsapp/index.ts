import { z } from "zod";
import type { Channel } from "../../core/channel.ts";
import { OUTSIDE_WINDOW } from "../../core/deliver/window.ts";
import { HubError } from "../../core/errors.ts";
import { codeText } from "../../core/identity/notices.ts";
import { parseJson } from "../../core/json.ts";
import { splitText } from "../../core/messages/split.ts";
import { type Env, settingsOf } from "../../core/settings.ts";
import { equalText, isHmac } from "../../core/signature.ts";
import { LIMITS, whatsappContent } from "./content.ts";
import { findFile } from "./files.ts";
import { readWebhook } from "./read/webhook.ts";
import { sendCodeTemplate, sendPart, showTyping } from "./send/api.ts";
import { billedAs } from "./send/billed.ts";
import { join } from "./send/join.ts";
import { renderRaw } from "./send/raw.ts";
import { render } from "./send/render.ts";
import { whatsappWindow } from "./send/window.ts";
import { templatesOf } from "./templates.ts";

const SIGNATURE_HEADER = "x-hub-signature-256";
/**
 * How long after a customer's last message WhatsApp takes messages other than templates: 24 h, less one minute of
 * margin.
 */
const WINDOW_MS = 24 * 3_600_000 - 60_000;

const template = z.string().regex(/^[a-z0-9_]{1,512}$/, "must be a template's name");
const language = z.string().regex(/^[a-z]{2,3}(_[A-Z]{2})?$/, "must be a language such as de or en_US");

const fieldsSchema = z.object({
  WHATSAPP_ACCESS_TOKEN: z.string().regex(/^[\x21-\x7e]+$/, "must be one word"),
  WHATSAPP_APP_SECRET: z.string(),
  WHATSAPP_VERIFY_TOKEN: z.string(),
  WHATSAPP_PHONE_NUMBER_ID: z.string().regex(/^[\w-]{1,64}$/, "must be the number's id, not the number"),
  WHATSAPP_OTHER_NUMBER_IDS: z
    .string()
    .transform((list) =>
      list
        .split(",")
        .map((id) => id.trim())
        .filter(Boolean),
    )
    .refine((ids) => ids.every((id) => /^[\w-]{1,64}$/.test(id)), "must be numbers' ids, not the numbers")
    .optional(),
  WHATSAPP_API_ROOT: z.url().default("https://graph.facebook.com"),
  WHATSAPP_API_VERSION: z
    .string()
    .regex(/^v\d+\.\d+$/, "must look like v25.0")
    .default("v25.0"),
  WHATSAPP_DISPLAY_PHONE_NUMBER: z
    .string()
    .transform((phone) => phone.replaceAll(/\D/g, ""))
    .refine((digits) => /^[1-9]\d{6,14}$/.test(digits), "must be a phone number with the country's prefix")
    .optional(),
  WHATSAPP_CODE_TEMPLATE: template.optional(),
  WHATSAPP_CODE_LANGUAGE: language.default("en_US"),
  WHATSAPP_BUSINESS_ACCOUNT_ID: z
    .string()
    .regex(/^\d{1,32}$/, "must be the business account's id")
    .optional(),
  WHATSAPP_OUTSIDE_WINDOW: z.enum(OUTSIDE_WINDOW).default("fail"),
  WHATSAPP_WINDOW_TEMPLATE: template.optional(),
  WHATSAPP_WINDOW_LANGUAGE: language.default("en_US"),
  WHATSAPP_DIRECT_SEND: z.enum(["true", "false"]).default("false"),
});

const envSchema = fieldsSchema.superRefine((settings, context) => {
  const wanted = { template: "WHATSAPP_WINDOW_TEMPLATE", utility: "WHATSAPP_DIRECT_SEND" } as const;
  const { WHATSAPP_OUTSIDE_WINDOW: wish } = settings;
  if (wish !== "template" && wish !== "utility") return;
  const given = settings[wanted[wish]];
  if (given !== undefined && given !== "false") return;
  context.addIssue({
    code: "custom",
    path: [wanted[wish]],
    message: `is needed for WHATSAPP_OUTSIDE_WINDOW=${wish}`,
  });
});

/**
 * WhatsApp through Meta's Cloud API; `undefined` without its settings, `misconfigured` with some of them.
 * Follows developers.facebook.com/documentation/business-messaging/whatsapp.
 */
export default function whatsapp(env: Env): Channel | undefined {
  const settings = settingsOf("whatsapp", envSchema, env);
  if (!settings) return undefined;
  const { WHATSAPP_DISPLAY_PHONE_NUMBER: number } = settings;
  const others = settings.WHATSAPP_OTHER_NUMBER_IDS;
  const business = settings.WHATSAPP_BUSINESS_ACCOUNT_ID;
  const numbers = {
    own: [settings.WHATSAPP_PHONE_NUMBER_ID, ...(others ?? [])],
    isClosed: others !== undefined,
  };
  const ours = { phone_number_id: settings.WHATSAPP_PHONE_NUMBER_ID };
  const api = {
    root: settings.WHATSAPP_API_ROOT.replace(/\/+$/, ""),
    version: settings.WHATSAPP_API_VERSION,
    token: settings.WHATSAPP_ACCESS_TOKEN,
  };

  return {
    challenge({ method, query }) {
      if (method !== "GET") return undefined;
      const token = query.get("hub.verify_token");
      const answer = query.get("hub.challenge");
      if (
        query.get("hub.mode") === "subscribe" &&
        answer !== null &&
        token !== null &&
        equalText(token, settings.WHATSAPP_VERIFY_TOKEN)
      )
        return answer;
      throw new HubError("forbidden", "not a subscription with our verify token");
    },

    async verify({ headers, body }) {
      const given = /^sha256=([0-9a-f]{64})$/i.exec(headers.get(SIGNATURE_HEADER) ?? "")?.[1];
      if (given === undefined || !(await isHmac(settings.WHATSAPP_APP_SECRET, body, given)))
        throw new HubError("unauthorized", "the webhook is not signed by our app");
    },

    async parse({ body }) {
      return readWebhook(parseJson(body), numbers);
    },

    findFile: (id, signal) => findFile(api, id, signal),

    split: ({ text }) => splitText(text, LIMITS.text).map((part) => ({ kind: "text", text: part })),
    content: whatsappContent,
    render,
    renderRaw,
    join,
    billedAs,
    window: whatsappWindow({
      otherwise: settings.WHATSAPP_OUTSIDE_WINDOW,
      template:
        settings.WHATSAPP_WINDOW_TEMPLATE === undefined
          ? undefined
          : { name: settings.WHATSAPP_WINDOW_TEMPLATE, language: settings.WHATSAPP_WINDOW_LANGUAGE },
      directSend: settings.WHATSAPP_DIRECT_SEND === "true",
    }),
    hopeless: [
      "132000",
      "132001",
      "132005",
      "132007",
      "132012",
      "132015",
      "132016",
      "368",
      "131031",
      "template_not_approved",
      "template_not_found",
    ],
    ...(business && { templates: templatesOf(api, business) }),

    send: (to, part, signal, files) => sendPart(api, { ...ours, ...to }, part, signal, files),

    async sendCode({ address, used_at, language: spoken }, code, now, signal) {
      const to = { ...ours, ...address };
      // The owner of another number can read this chat.
      if (!numbers.own.includes(to.phone_number_id))
        throw new HubError("rejected", "the address is of a number that is not ours", { reason: "not_ours" });
      const { WHATSAPP_CODE_TEMPLATE: name, WHATSAPP_CODE_LANGUAGE: language } = settings;
      if (name) await sendCodeTemplate(api, to, { name, language }, code, signal);
      else if (now.getTime() - used_at.getTime() < WINDOW_MS)
        await sendPart(api, to, { kind: "text", text: codeText(code, spoken) }, signal);
      else
        throw new HubError("rejected", "the window is closed, and there is no WHATSAPP_CODE_TEMPLATE", {
          reason: "window_closed",
        });
    },

    addressOf({ phone }) {
      const { phone_number_id } = ours;
      return phone === undefined
        ? undefined
        : { account: phone_number_id, address: { phone_number_id, to: phone.replace("+", "") } };
    },

    showTyping: (to, external_id, signal) => showTyping(api, { ...ours, ...to }, external_id, signal),

    scanLink: (link) => number && `https://wa.me/${number}?text=${link}`,
  };
}
