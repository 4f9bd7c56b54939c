import type { JsonObject } from "../json.ts";

/** A template as its platform lists it. */
export interface PlatformTemplate {
  readonly template_id: string;
  readonly name: string;
  readonly language: string;
  /** The platform's word: APPROVED, PENDING, REJECTED, PAUSED, DISABLED and others. Only an approved one can be sent. */
  readonly status: string;
  /** utility, marketing or authentication. */
  readonly category: string;
  /** Its variables have names, not numbers. */
  readonly named?: boolean;
  /** Why the platform refuses or pauses it. */
  readonly reason?: string;
  /** The platform's own description of its parts. */
  readonly components: readonly JsonObject[];
}

/** A template as the hub keeps it. */
export interface Template extends PlatformTemplate {
  readonly channel: string;
  /** The business account of the template. */
  readonly account: string;
  readonly updated_at: Date;
}

/** The templates of one business account at its platform. */
export interface TemplateSource {
  readonly account: string;
  /** All templates. Throws as `Channel.send`. */
  list(signal: AbortSignal): Promise<PlatformTemplate[]>;
}

/** What a reply has to give for a template. */
export interface Variables {
  /** The variables of a text header and of the body, in order: `1`, `2` and so on, or names. */
  readonly header: readonly string[];
  readonly body: readonly string[];
  /** The kind of file that the header shows. Absent: none. */
  readonly header_media?: "image" | "video" | "document";
  /** Its buttons by their places; `url` and `code` need what they carry, `id` may have it, `none` carries nothing. */
  readonly buttons: readonly ("url" | "code" | "id" | "none")[];
  /** Parts with variables that the neutral `template` has no field for, such as a carousel. */
  readonly other: readonly string[];
}

/** Reads a template's variables from its parts. */
export function variablesOf({ components }: Pick<PlatformTemplate, "components">): Variables {
  let header: readonly string[] = [];
  let body: readonly string[] = [];
  let header_media: Variables["header_media"];
  let buttons: Variables["buttons"] = [];
  const other: string[] = [];
  for (const component of components) {
    const part = String(component.type).toUpperCase();
    const format = String(component.format ?? "TEXT").toUpperCase();
    if (part === "BODY") body = namesIn(component.text);
    else if (part === "HEADER" && format === "TEXT") header = namesIn(component.text);
    else if (part === "HEADER" && isFile(format)) header_media = format.toLowerCase() as "image";
    else if (part === "HEADER") other.push("header");
    else if (part === "CAROUSEL" || part === "LIMITED_TIME_OFFER") other.push(part.toLowerCase());
    else if (part === "BUTTONS" && Array.isArray(component.buttons)) {
      if (component.buttons.some((button) => typeOf(button) === "OTP")) other.push("button");
      else buttons = component.buttons.map(carriedBy);
    }
  }
  return { header, body, ...(header_media && { header_media }), buttons, other };
}

function isFile(format: string): boolean {
  return format === "IMAGE" || format === "VIDEO" || format === "DOCUMENT";
}

function carriedBy(button: unknown): Variables["buttons"][number] {
  const type = typeOf(button);
  if (type === "QUICK_REPLY") return "id";
  if (type === "COPY_CODE") return "code";
  return namesIn((button as JsonObject | null)?.url).length > 0 ? "url" : "none";
}

function typeOf(button: unknown): string {
  return String((button as JsonObject | null)?.type).toUpperCase();
}

/** The different variables in a text, in order. */
function namesIn(text: unknown): string[] {
  if (typeof text !== "string") return [];
  return [...new Set(Array.from(text.matchAll(/\{\{\s*([A-Za-z0-9_]+)\s*\}\}/g), ([, name]) => name!))];
}
