import type { DeviceName } from "../model.ts";
import type { WireLog } from "../wire.ts";

/** `fetch` whose calls are on the wire log. */
export function watched(device: DeviceName, wire: WireLog): typeof fetch {
  return async (input, init) => {
    const { pathname, search } = new URL(String(input));
    const began = performance.now();
    const { n } = wire.add({
      device,
      kind: "page",
      method: init?.method ?? "GET",
      path: pathname + search,
      headers: withoutSecrets(init?.headers as Record<string, string> | undefined),
      body: typeof init?.body === "string" ? init.body : init?.body ? "a file" : "",
    });
    const ms = () => Math.round(performance.now() - began);
    try {
      const response = await fetch(input, init);
      const answer = await response.clone().text();
      const request_id = response.headers.get("x-request-id");
      wire.finish(n, { status: response.status, answer, ms: ms(), ...(request_id && { request_id }) });
      return response;
    } catch (error) {
      wire.finish(n, { status: 0, answer: (error as Error).message, ms: ms() });
      throw error;
    }
  };
}

export function withoutSecrets(headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      /authorization|key/.test(name) ? `${value.slice(0, 12)}…` : value,
    ]),
  );
}
