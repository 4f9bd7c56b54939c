import { type Agent, request } from "node:http";

/** The receiver's answer to one attempt. Status 0: there was no answer. */
export interface Outcome {
  readonly status: number;
  readonly error?: string;
  readonly retryAfterMs?: number;
  readonly body?: string;
  readonly requestId?: string;
  /** Whether the attempt used a kept-alive connection that was already closed; the receiver then refused nothing. */
  readonly stale?: boolean;
}

/** Sends one POST with a JSON body. Never throws. */
export function post(
  agent: Agent,
  url: string,
  headers: Record<string, string>,
  body: string | Uint8Array,
  timeout: number,
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const call = request(url, {
    method: "POST",
    agent,
    timeout,
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
  });
  call.on("response", (response) => {
    const status = response.statusCode ?? 0;
    const retryAfter = Number(response.headers["retry-after"]);
    let text = "";
    response.setEncoding("utf8").on("data", (part: string) => (text += part));
    const requestId = response.headers["x-request-id"];
    response.on("error", () => resolve({ status: 0, error: "Webhook connection closed" }));
    response.on("end", () =>
      resolve({
        status,
        ...(status >= 300 && {
          error: `Wrong response from the webhook: ${status} ${response.statusMessage}`,
        }),
        body: text,
        ...(typeof requestId === "string" && { requestId }),
        ...(retryAfter > 0 && { retryAfterMs: retryAfter * 1000 }),
      }),
    );
  });
  call.on("timeout", () => call.destroy(new Error("Read timeout expired")));
  call.on("error", (error: NodeJS.ErrnoException) =>
    resolve({
      status: 0,
      error: error.code === "ECONNREFUSED" ? "Connection refused" : error.message,
      stale: call.reusedSocket && error.code === "ECONNRESET",
    }),
  );
  call.end(body);
  return promise;
}
