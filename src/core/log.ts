/** Writes one structured log line. It holds ids, codes, counts and durations; never text, phones or secrets. */
export type Log = (
  level: "info" | "warn" | "error",
  event: string,
  fields: Readonly<Record<string, unknown>>,
) => void;
