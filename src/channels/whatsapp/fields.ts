import { z } from "zod";

/** An optional field. `null` and a wrong shape count as absent. */
export function lenient<T extends z.ZodType>(schema: T) {
  return schema.optional().catch(undefined);
}

/** A field that is read elsewhere or not at all. */
export const anything = z.unknown().optional();

/** An optional text. An empty text counts as absent. */
export const optionalText = lenient(z.string().min(1));

/** The platform's id of a message: usually `wamid.…`; in the dashboard's tests it looks different. */
export const messageId = z.string().min(1).max(512);

const EARLIEST_SECONDS = Date.UTC(2009, 0) / 1000;
const LATEST_SECONDS = Date.UTC(2100, 0) / 1000;

/**
 * A time in Unix seconds, as digits or number. A time before WhatsApp existed (2009) or after 2100 counts as absent.
 */
export const instant = lenient(
  z
    .union([z.number().int(), z.string().regex(/^\d{1,12}$/)])
    .transform(Number)
    .pipe(z.number().min(EARLIEST_SECONDS).max(LATEST_SECONDS))
    .transform((seconds) => new Date(seconds * 1000)),
);

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without its undefined fields. */
export function present<T extends object>(object: T): Present<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;
}
