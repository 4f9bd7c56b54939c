import type { Json, JsonObject } from "../json.ts";

/** A session's documents, and whose they are. */
export interface OwnedDocuments {
  readonly session_id: string;
  readonly data: JsonObject;
  readonly metadata: JsonObject;
}

/** Where two sessions said different things: `path` as in `data.cart[sku=A].qty`, `value` what gave way. */
export interface MergeConflict {
  readonly [key: string]: Json;
  readonly path: string;
  readonly value: Json;
  /** The session that had said it. */
  readonly session_id: string;
}

/**
 * The documents of two sessions that become one; nothing that was in either is lost. Its twin in SQL is
 * `hub.merge_documents`.
 *
 * - Objects merge key by key, as deep as they go.
 * - Arrays unite, the older's items first. Items are the same when they are objects with the same `id` (else `sku`), text or
 *   number, and then they merge; else when their values are equal. Equal items count: the first of one side is the
 *   first of the other, the second the second.
 * - An empty value (null, "", [] or {}) gives way to a filled one.
 * - Of two different filled values the newer stays, and the older's is added to `metadata.merge_conflicts`.
 * - The lists of earlier conflicts follow each other, the older's first.
 */
export function mergeDocuments(
  older: OwnedDocuments,
  newer: OwnedDocuments,
): { data: JsonObject; metadata: JsonObject } {
  const { session_id } = older;
  const conflicts: MergeConflict[] = [];
  const lose = (path: string, value: Json) => conflicts.push({ path, value, session_id });
  const data = mergeObjects("data", older.data, newer.data, lose);
  const { merge_conflicts: before, ...under } = older.metadata;
  const { merge_conflicts: after, ...over } = newer.metadata;
  const metadata = mergeObjects("metadata", under, over, lose);
  const all = [...conflictsIn(before), ...conflictsIn(after), ...conflicts];
  return { data, metadata: all.length > 0 ? { ...metadata, merge_conflicts: all } : metadata };
}

/** The list that `metadata.merge_conflicts` holds; a frontend may have put anything there. */
export function conflictsIn(kept: Json | undefined): readonly Json[] {
  if (kept === undefined || isEmpty(kept)) return [];
  return Array.isArray(kept) ? kept : [kept as Json];
}

type Lose = (path: string, value: Json) => void;

function merge(path: string, older: Json, newer: Json, lose: Lose): Json {
  if (isObject(older) && isObject(newer)) return mergeObjects(path, older, newer, lose);
  if (Array.isArray(older) && Array.isArray(newer)) return uniteArrays(path, older, newer, lose);
  if (isEmpty(older) || older === newer) return newer;
  if (!isEmpty(newer)) lose(path, older);
  return isEmpty(newer) ? older : newer;
}

function mergeObjects(path: string, older: JsonObject, newer: JsonObject, lose: Lose): JsonObject {
  const merged = new Map(Object.entries(older));
  for (const [key, value] of Object.entries(newer).sort(byKey)) {
    const known = merged.get(key);
    merged.set(key, known === undefined ? value : merge(`${path}.${key}`, known, value, lose));
  }
  return Object.fromEntries(merged);
}

/** What gives way is named in one order, however the objects were built. */
function byKey([a]: [string, Json], [b]: [string, Json]): number {
  return a < b ? -1 : 1;
}

function uniteArrays(path: string, older: readonly Json[], newer: readonly Json[], lose: Lose): Json {
  const others = new Map(nthOf(newer));
  const united = nthOf(older).map(([nth, item]) => {
    const other = others.get(nth);
    others.delete(nth);
    return other === undefined ? item : merge(path + placeOf(item), item, other, lose);
  });
  return [...united, ...others.values()];
}

/** Each item with what makes it the same as one of another array: its key, and how many of that key came before. */
function nthOf(items: readonly Json[]): [string, Json][] {
  const seen = new Map<string, number>();
  return items.map((item) => {
    const key = canonical(keyOf(item) ?? item);
    const nth = seen.get(key) ?? 0;
    seen.set(key, nth + 1);
    return [`${nth} ${key}`, item];
  });
}

/** `{"id": …}` or `{"sku": …}` of an item that has one. */
function keyOf(item: Json): JsonObject | undefined {
  if (!isObject(item)) return undefined;
  const name = ["id", "sku"].find((one) => ["string", "number"].includes(typeof item[one]));
  return name === undefined ? undefined : { [name]: item[name]! };
}

function placeOf(item: Json): string {
  const [[name, value] = []] = Object.entries(keyOf(item) ?? {});
  return name === undefined ? "" : `[${name}=${value}]`;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: Json): boolean {
  if (value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** JSON text in which the order of keys says nothing. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_, item) =>
    isObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}
