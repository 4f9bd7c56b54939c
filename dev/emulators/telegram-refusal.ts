import type { Fields } from "./fields.ts";

/** The answer of the Bot API to a refused call. */
export interface Refusal {
  readonly ok: false;
  readonly error_code: number;
  readonly description: string;
  readonly parameters?: Fields;
}

export const unauthorized = refusal(401, "Unauthorized");
export const notFound = refusal(404, "Not Found");
export const broken = refusal(500, "Internal Server Error");

export function refusal(error_code: number, description: string, parameters?: Fields): Refusal {
  return { ok: false, error_code, description, ...(parameters && { parameters }) };
}

/** Throws a refusal, which `asRefusal` reads. */
export function refuse(error_code: number, description: string, parameters?: Fields): never {
  throw new Error(description, { cause: refusal(error_code, description, parameters) });
}

export function badRequest(what: string): never {
  refuse(400, `Bad Request: ${what}`);
}

export function cannotParse(why: string): never {
  badRequest(`can't parse entities: ${why}`);
}

export function tooMany(seconds: number): never {
  refuse(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });
}

export function asRefusal(error: unknown): Refusal {
  if (error instanceof Error && (error.cause as Refusal | undefined)?.ok === false)
    return error.cause as Refusal;
  throw error;
}
