import type { Json, JsonObject } from "../json.ts";

/** The documents of one session. */
export interface OwnedDocuments {
  readonly session_id: string;
  readonly data: JsonObject;
  readonly metadata: JsonObject;
}

/**
 * A place where two sessions held different values: `path` as in `data.cart[sku=A].qty`; `value` is the one not kept
 * there.
 */
export interface MergeConflict {
  readonly [key: string]: Json;
  readonly path: string;
  readonly value: Json;
  /** The session that held `value`. */
  readonly session_id: string;
}

/**
 * Merges the documents of two sessions; no value of either is lost. `hub.merge_documents` in SQL follows the same
 * rules.
 *
 * - Objects merge key by key, at every depth.
 * - Arrays unite, the older's items first. Two objects are the same item if they have the same `id` (without one:
 *   `sku`), a text or a number; they merge. Other items are the same if their values are equal. If an array holds equal
 *   items, the first matches the first of the other array, the second the second.
 * - A filled value replaces an empty one (null, "", [] or {}).
 * - Of two different filled values the newer stays, and the older one is added to `metadata.merge_conflicts`.
 * - The lists of earlier conflicts are joined, the older's first.
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

/** The list in `metadata.merge_conflicts`. A frontend may have put any value there. */
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

/**
 * Each item with the text that identifies it in both arrays: how many items with its key came before it, and its key.
 */
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

/** JSON text with sorted keys: equal for equal values. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_, item) =>
    isObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}
