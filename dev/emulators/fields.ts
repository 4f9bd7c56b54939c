export type Fields = Record<string, unknown>;

/** The objects in what ought to be a list of them; nothing where it is none. */
export function fieldsIn(list: unknown): Fields[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === "object" && item !== null) : [];
}
