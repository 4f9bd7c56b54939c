import { HubError } from "./errors.ts";

/** Any JSON value, as the database stores it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

const MAX_DEPTH = 64;
/** Escapes that Postgres may refuse in text and jsonb: NUL, and surrogates, which may be lone ones. */
const SUSPECT = /\\u(0000|[dD][89a-fA-F])/;

const decoder = new TextDecoder();

/**
 * Parses the bytes of a body into JSON that every store can save: NUL and lone surrogates become U+FFFD. Throws
 * `malformed` for invalid JSON and for more than 64 levels of nesting.
 */
export function parseJson(body: Uint8Array): unknown {
  const text = decoder.decode(body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new HubError("malformed", "the body is not valid JSON", { cause });
  }
  if (isDeeper(value, MAX_DEPTH))
    throw new HubError("malformed", `the body nests deeper than ${MAX_DEPTH} levels`);
  return SUSPECT.test(text) ? cleanDeep(value) : value;
}

/** Text that Postgres accepts: no NUL, no lone surrogate. */
export function cleanText(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed();
}

/** A JSON value with every key and string cleaned. */
export function cleanDeep<T>(value: T): T {
  if (typeof value === "string") return cleanText(value) as T;
  if (Array.isArray(value)) return value.map(cleanDeep) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [cleanText(key), cleanDeep(item)]),
  ) as T;
}

/** The limits of a merge patch: keys in total, objects that hold objects, and levels of objects and arrays. */
export const PATCH_KEYS = 10_000;
export const PATCH_OBJECTS = 500;
export const PATCH_DEPTH = 32;

/**
 * JSON merge patch (RFC 7396) on an object: null removes a key, objects merge, other values replace. Throws
 * `payload_too_large` for a patch of more than `PATCH_KEYS` keys, `PATCH_OBJECTS` objects that hold objects, or `PATCH_DEPTH` levels.
 */
export function mergePatch(target: Json | undefined, patch: JsonObject): JsonObject {
  if (isDeeper(patch, PATCH_DEPTH))
    throw new HubError("payload_too_large", `a document may nest ${PATCH_DEPTH} levels deep`);
  if (keysOf(patch) > PATCH_KEYS)
    throw new HubError("payload_too_large", `a document may hold ${PATCH_KEYS} keys`);
  if (holdersIn(patch) > PATCH_OBJECTS)
    throw new HubError("payload_too_large", `a document may hold ${PATCH_OBJECTS} objects that hold objects`);
  return patched(target, patch);
}

function patched(target: Json | undefined, patch: JsonObject): JsonObject {
  const merged = new Map<string, Json>(
    target && typeof target === "object" && !Array.isArray(target) ? Object.entries(target) : [],
  );
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else if (typeof value === "object" && !Array.isArray(value))
      merged.set(key, patched(merged.get(key), value as JsonObject));
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

function keysOf(value: Json): number {
  if (value === null || typeof value !== "object") return 0;
  const items: Json[] = Object.values(value);
  return items.reduce((sum: number, item) => sum + keysOf(item), Array.isArray(value) ? 0 : items.length);
}

/** The number of objects that hold another object, however deep in them. */
function holdersIn(value: Json): number {
  let holders = 0;
  const holdsObject = (item: Json): boolean => {
    if (item === null || typeof item !== "object") return false;
    const holds = Object.values(item).map(holdsObject).includes(true);
    if (Array.isArray(item)) return holds;
    if (holds) holders++;
    return true;
  };
  holdsObject(value);
  return holders;
}

/** Whether objects and arrays nest deeper than `levels`. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== "object") return false;
  if (levels === 0) return true;
  for (const item of Object.values(value)) if (isDeeper(item, levels - 1)) return true;
  return false;
}
