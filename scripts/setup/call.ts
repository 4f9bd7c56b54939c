const TIMEOUT_MS = 15_000;

/** A call's status, headers and JSON body; `{}` for a body that is none. */
export interface Called<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** Makes one HTTP call. Throws an error that names the host only: addresses and headers hold keys. */
export async function call<T>(url: string, init: RequestInit = {}): Promise<Called<T>> {
  const { host } = new URL(url);
  let response: Response;
  try {
    response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS), ...init });
  } catch (error) {
    const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
    throw new Error(`${host} does not answer (${code ?? (error as Error).name})`);
  }
  const body = (await response.json().catch(() => ({}))) as T;
  return { status: response.status, headers: response.headers, body };
}

/** A form's fields as a POST. */
export function form(
  fields: Readonly<Record<string, string>>,
  headers: Record<string, string> = {},
): RequestInit {
  return { method: "POST", body: new URLSearchParams(fields), headers };
}
