export type Fields = Record<string, unknown>;

/** The objects in a list; an empty list for any other value. */
export function fieldsIn(list: unknown): Fields[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === "object" && item !== null) : [];
}
