import { longerThan } from "./characters.ts";
import type { Fields } from "./fields.ts";
import { type GraphError, graphError, wrongParameter } from "./whatsapp-error.ts";
import { checkInteractive } from "./whatsapp-interactive.ts";

const CAPTIONED = new Set(["image", "video", "document"]);
const checks: Record<string, (part: Fields) => GraphError | undefined> = {
  text: ({ body }) => checkText("text['body']", body, 4096),
  image: (part) => checkMedia("image", part),
  video: (part) => checkMedia("video", part),
  audio: (part) => checkMedia("audio", part),
  document: (part) => checkMedia("document", part),
  sticker: (part) => checkMedia("sticker", part),
  reaction: (part) => missing("reaction", part, ["message_id", "emoji"]),
  location: (part) => missing("location", part, ["latitude", "longitude"]),
  interactive: checkInteractive,
  template: (part) => missing("template", part, ["name", "language"]),
  contacts: (part) =>
    Array.isArray(part) && part.length > 0 ? undefined : graphError(131008, "contacts is empty"),
};

/** The platform's error for a message to send; undefined if it is valid. Recipient and type are checked first. */
export function checkPayload(payload: Fields): GraphError | undefined {
  if (payload.messaging_product === undefined)
    return wrongParameter("The parameter messaging_product is required.");
  if (payload.messaging_product !== "whatsapp")
    return wrongParameter("Param messaging_product must be one of {WHATSAPP}");
  if (payload.status !== undefined) return checkRead(payload);
  if (!payload.to && !payload.recipient) return wrongParameter("The parameter to is required.");
  if (payload.to && !/^\+?[\d ()-]{5,24}$/.test(String(payload.to)))
    return graphError(100, "Parameter Invalid");
  if (!payload.to && !/^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$/.test(String(payload.recipient)))
    return graphError(131009, "recipient is not a business-scoped user id");
  const type = String(payload.type ?? "text");
  const check = Object.hasOwn(checks, type) ? checks[type] : undefined;
  if (!check) return graphError(131051);
  const part = payload[type];
  if (typeof part !== "object" || part === null) return wrongParameter(`The parameter ${type} is required.`);
  return check(part as Fields);
}

function checkRead({ status, message_id, typing_indicator }: Fields): GraphError | undefined {
  if (status !== "read") return wrongParameter("Param status must be one of {READ}");
  if (!message_id) return wrongParameter("The parameter message_id is required.");
  if (typing_indicator === undefined || (typing_indicator as Fields | null)?.type === "text")
    return undefined;
  return wrongParameter("Param typing_indicator['type'] must be one of {TEXT}");
}

function checkMedia(type: string, part: Fields): GraphError | undefined {
  if (!part.id && !part.link) return graphError(131008, `${type} has neither id nor link`);
  if (part.link && !/^https?:\/\//.test(String(part.link)))
    return graphError(131009, `${type} link is not a URL`);
  if (part.caption === undefined) return undefined;
  if (!CAPTIONED.has(type)) return wrongParameter(`Unexpected key "caption" on param "${type}".`);
  return checkText(`${type}['caption']`, part.caption, 1024);
}

function checkText(name: string, value: unknown, max: number): GraphError | undefined {
  if (value === undefined || value === "") return wrongParameter(`The parameter ${name} is required.`);
  if (typeof value !== "string") return wrongParameter(`Param ${name} must be a string.`);
  return longerThan(value, max)
    ? wrongParameter(`Param ${name} must be at most ${max} characters long.`)
    : undefined;
}

function missing(type: string, part: Fields, names: readonly string[]): GraphError | undefined {
  const name = names.find((each) => part[each] === undefined);
  return name ? wrongParameter(`The parameter ${type}['${name}'] is required.`) : undefined;
}
