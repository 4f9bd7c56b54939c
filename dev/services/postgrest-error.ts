/** The classes that the server maps as PostgREST does. Every other class becomes a plain 500 with the code "SUP". */
const known = /^(PGRST$|PT|42|22|21|55|53|23502|23503|23505|25006)/;

/**
 * The status of each class; the first match counts.
 * https://docs.postgrest.org/en/v12/references/errors.html#status-codes
 */
const statuses: readonly (readonly [RegExp, number])[] = [
  [/^08/, 503],
  [/^(0L|0P|28)/, 403],
  [/^P0001/, 400],
  [/^(09|25|2D|38|39|3B|40|54|57|58|F0|HV|P0|XX)/, 500],
];

/**
 * Gives a database error the answer PostgREST would give it: `{code, message, details, hint}` with its own SQLSTATE.
 * It does so in the form of `raise sqlstate 'PGRST'`, which the server understands.
 */
export function postgrestError(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const { code, message, detail, hint } = error as Error &
    Record<"code" | "detail" | "hint", string | undefined>;
  if (!code || known.test(code)) return error;
  // The driver's own codes, such as ECONNREFUSED and CONNECTION_CLOSED, mean that the database is down.
  if (!/^[0-9A-Z]{5}$/.test(code)) return raise(503, { code: "PGRST000", message, details: code });
  const status = statuses.find(([codes]) => codes.test(code))?.[1] ?? 400;
  return raise(status, { code, message, details: detail, hint });
}

function raise(
  status: number,
  {
    details = null,
    hint = null,
    ...body
  }: { code: string; message: string; details?: unknown; hint?: unknown },
): Error {
  const message = JSON.stringify({ ...body, details, hint });
  return Object.assign(new Error(message), {
    code: "PGRST",
    detail: JSON.stringify({ status, headers: {} }),
  });
}
