const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** An epoch: a session's id, and how often it has merged. */
const EPOCH = /^.{36}\.\d+$/;

/** Maps the ids of two stores to each other. Only ids may differ between them. */
export interface Names {
  /** The second store's id, by the first store's. */
  readonly ids: Map<string, string>;
  /** The first store's id, by the second store's. */
  readonly back: Map<string, string>;
}

export const newNames = (): Names => ({ ids: new Map(), back: new Map() });

/** Throws unless both answers are the same but for ids. New ids are added to `names`. */
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
    for (const key of keys) alike(names, one[key], other[key], `${path}.${key}`);
  } else if (typeof one === "string" && typeof other === "string" && UUID.test(one) && UUID.test(other)) {
    if ((names.ids.get(one) ?? other) !== other || (names.back.get(other) ?? one) !== one) differ();
    names.ids.set(one, other);
    names.back.set(other, one);
  } else if (typeof one === "string" && typeof other === "string" && EPOCH.test(one) && EPOCH.test(other))
    alike(names, one.split("."), other.split("."), path);
  else if (!Object.is(one, other)) differ();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? "nothing";
}
