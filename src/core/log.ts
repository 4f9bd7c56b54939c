/** One structured line. Ids, codes, counts and durations; never text, phones or secrets. */
export type Log = (
  level: "info" | "warn" | "error",
  event: string,
  fields: Readonly<Record<string, unknown>>,
) => void;
