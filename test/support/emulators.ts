import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { Emulator } from "../../dev/emulators/server.ts";

interface Webhook {
  headers: IncomingHttpHeaders;
  body: string;
  json: any;
}

/**
 * A server in the place of the hub: it keeps every webhook, answers `statuses` in turn and then 200, and echoes the
 * challenge.
 */
export interface Hub {
  url: string;
  webhooks: Webhook[];
  statuses: number[];
  until(count: number): Promise<Webhook[]>;
  stop(): Promise<void>;
}

/** Short times for redelivery in tests. */
export const quick = { retryMs: 5, maxRetryMs: 20, maxTries: 4 };

/** An answer's status and JSON. */
export async function answer(response: Promise<Response>): Promise<[number, any]> {
  const { status, json } = await response.then(async (r) => ({ status: r.status, json: await r.json() }));
  return [status, json];
}

/** The script's calls to an emulator. */
export function scriptOf(emulator: () => Emulator) {
  const url = (path: string) => emulator().url + path;
  return {
    post: async (path: string, body: unknown) =>
      (await answer(fetch(url(path), { method: "POST", body: JSON.stringify(body) })))[1],
    get: async (path: string) => (await answer(fetch(url(path))))[1],
    del: async (path: string) => (await answer(fetch(url(path), { method: "DELETE" })))[1],
  };
}

/** Starts such a server on a free port. */
export async function startHub(): Promise<Hub> {
  const webhooks: Webhook[] = [];
  const statuses: number[] = [];
  let arrived = () => {};
  const server = createServer(async (request, response) => {
    const query = new URL(request.url ?? "/", "http://hub").searchParams;
    if (request.method === "GET") {
      const isOurs = query.get("hub.mode") === "subscribe" && query.get("hub.verify_token") === "verify";
      response
        .writeHead(isOurs ? 200 : 403)
        .end(isOurs ? (query.get("echo") ?? query.get("hub.challenge")) : "no");
      return;
    }
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    webhooks.push({ headers: request.headers, body, json: JSON.parse(body) });
    response.writeHead(statuses.shift() ?? 200).end();
    arrived();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`;
  const until = async (count: number) => {
    while (webhooks.length < count) await new Promise<void>((resolve) => (arrived = resolve));
    return webhooks;
  };
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, webhooks, statuses, until, stop };
}
