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

/** How many variables each part of a template has. */
export interface Variables {
  readonly header: number;
  readonly body: number;
  /** Parts with variables that the neutral `template` has no field for: a picture in the header, a button's address. */
  readonly other: readonly string[];
}

/** Reads a template's variables from its parts. */
export function variablesOf({ components }: Pick<PlatformTemplate, "components">): Variables {
  let header = 0;
  let body = 0;
  const other: string[] = [];
  for (const { type, format, text, buttons } of components) {
    const part = String(type).toUpperCase();
    if (part === "BODY") body = countIn(text);
    else if (part === "HEADER" && (format ?? "TEXT") === "TEXT") header = countIn(text);
    else if (part === "HEADER") other.push("header");
    else if (part === "CAROUSEL" || part === "LIMITED_TIME_OFFER") other.push(part.toLowerCase());
    else if (part === "BUTTONS" && Array.isArray(buttons) && buttons.some(hasVariable)) other.push("button");
  }
  return { header, body, other };
}

function hasVariable(button: unknown): boolean {
  const { type, url } = (button ?? {}) as JsonObject;
  return type === "COPY_CODE" || type === "OTP" || countIn(url) > 0;
}

/** The number of different variables in a text. */
function countIn(text: unknown): number {
  if (typeof text !== "string") return 0;
  return new Set(Array.from(text.matchAll(/\{\{\s*([A-Za-z0-9_]+)\s*\}\}/g), ([, name]) => name)).size;
}
