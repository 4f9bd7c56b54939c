import type { IncomingMessage, Server } from "node:http";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";

/** Longer than proxies keep a connection open, so that no connection ends under a request. */
const KEEP_ALIVE_MS = 75_000;
/** The time limits of a request's headers and of its whole body. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
/** How often a stop looks for connections that have become idle. */
const LOOK_MS = 50;
/** The header from which the hub takes a caller's network. On Cloudflare the edge sets it. */
const NETWORK_HEADER = "cf-connecting-ip";

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly clientIpHeader?: string;
  /** Answers a request; `stopping` aborts long polls. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Answers a request for a file of the pages; undefined: it is for `fetch`. */
  readonly pages?: ((request: Request) => Promise<Response | undefined>) | undefined;
  /** Whether the process may be given requests. Never rejects. */
  readonly isReady: () => Promise<boolean>;
}

export interface RunningServer {
  readonly port: number;
  /** From now on `/ready` answers 503, every answer ends its connection, and long polls are answered at once. */
  drain(): void;
  /** Takes no further connections. Resolves once every running request is answered, with false after `ms`. */
  close(ms: number): Promise<boolean>;
}

/** Serves the hub over HTTP, with `GET /ready` beside its own routes. */
export async function serve({
  host,
  port,
  clientIpHeader,
  fetch,
  pages,
  isReady,
}: ServerOptions): Promise<RunningServer> {
  const stopping = new AbortController();
  const server = createAdaptorServer({
    overrideGlobalObjects: false,
    async fetch(request, env) {
      const { incoming, outgoing } = env as HttpBindings;
      if (stopping.signal.aborted) outgoing.setHeader("connection", "close");
      if (incoming.url?.split("?")[0] === "/ready")
        return readiness(!stopping.signal.aborted && (await isReady()));
      const page = await pages?.(request);
      if (page) return page;
      endPollsWith(request, stopping.signal);
      return fetch(request);
    },
  }) as Server;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = REQUEST_MS;
  server.prependListener("request", (incoming: IncomingMessage) => nameNetwork(incoming, clientIpHeader));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : port,
    drain: () => stopping.abort(),
    async close(ms) {
      const closed = new Promise<true>((resolve) => server.close(() => resolve(true)));
      const look = setInterval(() => server.closeIdleConnections(), LOOK_MS);
      const late = new Promise<false>((resolve) => setTimeout(resolve, ms, false).unref());
      const isClosed = await Promise.race([closed, late]);
      clearInterval(look);
      if (!isClosed) server.closeAllConnections();
      return isClosed;
    },
  };
}

function readiness(isReady: boolean): Response {
  return Response.json(
    { status: isReady ? "ready" : "not_ready" },
    { status: isReady ? 200 : 503, headers: { "cache-control": "no-store" } },
  );
}

/** Sets the header of the caller's network, in place of any that the caller sent. */
function nameNetwork(
  { rawHeaders, headers, socket }: IncomingMessage,
  clientIpHeader: string | undefined,
): void {
  // A proxy appends the address that it saw, so the last one is the trusted one.
  const told =
    clientIpHeader &&
    String(headers[clientIpHeader] ?? "")
      .split(",")
      .at(-1)
      ?.trim();
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2)
    if (rawHeaders[i]!.toLowerCase() === NETWORK_HEADER) rawHeaders.splice(i, 2);
  const network = told || socket.remoteAddress || "unknown";
  // Both are read, by whichever is looked at first.
  rawHeaders.push(NETWORK_HEADER, network);
  headers[NETWORK_HEADER] = network;
}

/** Lets the request's signal abort when the program stops, so that a long poll is answered with what there is. */
function endPollsWith(request: Request, stopping: AbortSignal): void {
  const { get } = descriptorOf(request, "signal");
  Object.defineProperty(request, "signal", {
    get: () => AbortSignal.any([get!.call(request) as AbortSignal, stopping]),
  });
}

function descriptorOf(object: object, name: string): PropertyDescriptor {
  for (let one: object | null = object; one; one = Object.getPrototypeOf(one) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(one, name);
    if (descriptor) return descriptor;
  }
  throw new TypeError(`no property ${name}`);
}
