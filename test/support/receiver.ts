import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A post that a receiver has got. */
export interface Got {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body, read. */
  readonly event: { readonly type: string; readonly timestamp: string; readonly data: any };
  readonly id: string;
}

export interface Receiver {
  readonly url: string;
  /** All posts, in the order of their arrival. */
  readonly got: Got[];
  /** The types of the posts that were answered with 2xx. */
  types(): string[];
}

/** How a receiver answers: a status, or something of its own. Undefined: 204. */
export type Answer = (got: Got, response: ServerResponse) => number | undefined | Promise<number | undefined>;

/** A program of the shop, on loopback, that gets events. It ends with the test. */
export async function startReceiver(answer: Answer = () => undefined): Promise<Receiver> {
  const got: Got[] = [];
  const taken: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const post = await readPost(request);
    got.push(post);
    const status = await answer(post, response);
    if (status === undefined || status < 300) taken.push(post.event.type);
    if (!response.headersSent) response.writeHead(status ?? 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    got,
    types: () => [...taken],
  };
}

async function readPost(request: IncomingMessage): Promise<Got> {
  let body = "";
  for await (const chunk of request) body += chunk;
  const headers = request.headers as Record<string, string>;
  return { headers, body, event: JSON.parse(body), id: headers["webhook-id"]! };
}
