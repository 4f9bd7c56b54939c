import { z } from "zod";

/** An optional field. `null` and a wrong shape count as absent. */
export function lenient<T extends z.ZodType>(schema: T) {
  return schema.optional().catch(undefined);
}

/** A field that is read elsewhere or not at all. */
export const anything = z.unknown().optional();

/** An optional text. An empty text counts as absent. */
export const optionalText = lenient(z.string().min(1));

const LONGEST_ID = 512;

/** The platform's id of a message: usually `wamid.…`; in the dashboard's tests it looks different. */
export const messageId = z.string().min(1).max(LONGEST_ID);

const EARLIEST_SECONDS = Date.UTC(2009, 0) / 1000;
const LATEST_SECONDS = Date.UTC(2100, 0) / 1000;

/** `instantIn` as a schema. */
export const instant = anything.transform(instantIn);

/**
 * The fields of a JSON object; undefined for any other value. Every webhook passes the functions `…In`, and a schema takes
 * ten times as long.
 */
export function fieldsIn(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}

/** The value, if it is a text and not empty. */
export function textIn(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The value, if it can be the platform's id of a message. */
export function messageIdIn(value: unknown): string | undefined {
  const id = textIn(value);
  return id === undefined || id.length > LONGEST_ID ? undefined : id;
}

/**
 * A time in Unix seconds, as digits or number. A time before WhatsApp existed (2009) or after 2100 counts as absent.
 */
export function instantIn(value: unknown): Date | undefined {
  const isWritten = typeof value === "string" && /^\d{1,12}$/.test(value);
  if (!isWritten && !Number.isInteger(value)) return undefined;
  const seconds = Number(value);
  return seconds >= EARLIEST_SECONDS && seconds <= LATEST_SECONDS ? new Date(seconds * 1000) : undefined;
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without its undefined fields. */
export function present<T extends object>(object: T): Present<T> {
  const result: Partial<T> = {};
  for (const key in object) if (object[key] !== undefined) result[key] = object[key];
  return result as unknown as Present<T>;
}
