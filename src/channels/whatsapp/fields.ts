import { z } from "zod";

/** A field we can do without: absent, `null` and misshapen are all the same. */
export function lenient<T extends z.ZodType>(schema: T) {
  return schema.optional().catch(undefined);
}

/** A field that is read elsewhere, or not at all. */
export const anything = z.unknown().optional();

/** A text we can do without; an empty one says nothing either. */
export const optionalText = lenient(z.string().min(1));

/** The platform's id of a message: `wamid.…` as a rule, something else in the dashboard's tests. */
export const messageId = z.string().min(1).max(512);

const EARLIEST_SECONDS = Date.UTC(2009, 0) / 1000;
const LATEST_SECONDS = Date.UTC(2100, 0) / 1000;

/** An instant from seconds, as digits or number; nothing when WhatsApp cannot have lived then. */
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
