import type { Part } from "../../../core/answer/turn.ts";
import type { OutsideWindow, ReplyWindow } from "../../../core/deliver/window.ts";
import type { JsonObject } from "../../../core/json.ts";
import { splitText } from "../../../core/messages/split.ts";
import { LIMITS } from "../content.ts";

/** How long after a customer's message WhatsApp takes messages other than templates. */
const WINDOW_MS = 24 * 3_600_000;
/** The longest text for the variable of the template: the template's own words and the variable together have 1,024. */
const VARIABLE = 800;
/** What Direct Send takes of interactive messages. */
const DIRECT = new Set(["button", "cta_url"]);

export interface WindowSettings {
  readonly otherwise: OutsideWindow;
  /** The approved template whose body has one variable, for the text of a reply. */
  readonly template: { readonly name: string; readonly language: string } | undefined;
  /** Whether Meta lets the account send messages of the category utility without a template of its own. */
  readonly directSend: boolean;
}

/**
 * The customer service window: https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
 * and Direct Send, which is open to some accounts only.
 */
export function whatsappWindow({ otherwise, template, directSend }: WindowSettings): ReplyWindow {
  return {
    ms: WINDOW_MS,
    refusal: "131047",
    otherwise,
    needs: ({ call }) => call?.type !== "template" && call?.category !== "utility",
    instead(part, as) {
      if (as === "utility") return directSend ? direct(part) : undefined;
      const text = splitText(part.text.replaceAll(/\s+/g, " "), VARIABLE)[0];
      if (!template || text === undefined) return undefined;
      const components = [{ type: "body", parameters: [{ type: "text", text }] }];
      const call = {
        type: "template",
        template: { name: template.name, language: { code: template.language }, components },
      };
      return { call, billed: "utility", template };
    },
  };
}

/** The part as Direct Send: Meta makes a template of it. Texts and buttons only. */
function direct({ text, call }: Part): Part["outside"] {
  const own: JsonObject = call ?? { type: "text", text: { body: text, preview_url: false } };
  const { type } = own.type === "interactive" ? (own.interactive as { type: string }) : { type: own.type };
  const isTaken = type === "text" ? text.length <= LIMITS.body : DIRECT.has(type as string);
  return isTaken ? { call: { ...own, category: "utility" }, billed: "utility" } : undefined;
}
