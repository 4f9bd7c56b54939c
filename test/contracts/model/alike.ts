const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const CURSORS = ["seq", "cursor"];

/** What two stores call the same thing: their ids and their cursors differ, and nothing else may. */
export interface Names {
  /** The other store's id for one of the first store's. */
  readonly ids: Map<string, string>;
  /** The first store's id for one of the other's. */
  readonly back: Map<string, string>;
  /** Cursors of both stores, in their order. */
  readonly cursors: [number, number][];
}

export const newNames = (): Names => ({ ids: new Map(), back: new Map(), cursors: [[0, 0]] });

/** Throws unless both answers say the same; learns the names of what is new in them. */
export function alike(names: Names, one: unknown, other: unknown, path = "answer"): void {
  const differ = (): never => {
    throw new Error(`${path}: ${show(one)} in memory, ${show(other)} in SQL`);
  };
  if (one instanceof Date || other instanceof Date) {
    if (!(one instanceof Date && other instanceof Date) || one.getTime() !== other.getTime()) differ();
  } else if (Array.isArray(one) && Array.isArray(other)) {
    if (one.length !== other.length) differ();
    one.forEach((item, i) => {
      alike(names, item, other[i], `${path}[${i}]`);
    });
  } else if (isObject(one) && isObject(other)) {
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
    for (const key of keys) {
      const [a, b] = [one[key], other[key]];
      if (CURSORS.includes(key) && typeof a === "number" && typeof b === "number")
        sameCursor(names, a, b, path);
      else alike(names, a, b, `${path}.${key}`);
    }
  } else if (typeof one === "string" && typeof other === "string" && UUID.test(one) && UUID.test(other)) {
    if ((names.ids.get(one) ?? other) !== other || (names.back.get(other) ?? one) !== one) differ();
    names.ids.set(one, other);
    names.back.set(other, one);
  } else if (!Object.is(one, other)) differ();
}

/** Two cursors are the same when they lie alike among all the others. */
function sameCursor(names: Names, one: number, other: number, path: string): void {
  const { cursors } = names;
  const at = cursors.findLastIndex(([before]) => before <= one);
  const [a, b] = cursors[at]!;
  if (a === one && b === other) return;
  const next = cursors[at + 1];
  if (a === one || b >= other || (next && next[1] <= other))
    throw new Error(`${path}: message ${one} in memory is not where message ${other} is in SQL`);
  cursors.splice(at + 1, 0, [one, other]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}
