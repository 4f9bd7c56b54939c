/** What is used of a browser's XMLHttpRequest. */
interface FileRequest {
  readonly status: number;
  readonly responseText: string;
  readonly upload: { onprogress: (event: { readonly loaded: number; readonly total: number }) => void };
  onload: () => void;
  onerror: () => void;
  onabort: () => void;
  onloadend: () => void;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: unknown): void;
  abort(): void;
}

/** The browser's XMLHttpRequest; undefined elsewhere. */
export const FileRequestClass = () =>
  (globalThis as unknown as { XMLHttpRequest?: new () => FileRequest }).XMLHttpRequest;

/** As `fetch`, for a body whose way is watched: `fetch` does not say how much of it has gone. For browsers. */
export function sendFile(
  url: string,
  { method, headers, body, signal }: RequestInit,
  onProgress: (part: number) => void,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new (FileRequestClass()!)();
    const abort = () => request.abort();
    request.open(method!, url);
    for (const [name, value] of Object.entries(headers as Record<string, string>))
      request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => {
      if (total > 0) onProgress(loaded / total);
    };
    request.onload = () => {
      const after = request.getResponseHeader("retry-after");
      const answer = { status: request.status, headers: after ? { "retry-after": after } : {} };
      resolve(new Response(request.responseText, answer));
    };
    request.onerror = () => reject(new TypeError("no answer"));
    request.onabort = request.onerror;
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    request.send(body);
  });
}
