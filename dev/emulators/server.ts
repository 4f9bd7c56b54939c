import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context, Hono } from "hono";

export interface OnNode {
  Bindings: HttpBindings;
}
export type OnNodeContext = Context<OnNode>;

/** A running emulator on loopback. `stop` closes every connection and ends every pending redelivery. */
export interface Emulator {
  readonly url: string;
  readonly port: number;
  readonly app: Hono<OnNode>;
  readonly server: Server;
  stop(): Promise<void>;
}

/** Serves the app on 127.0.0.1, on `port`; 0 takes a free port. */
export async function listen(app: Hono<OnNode>, port: number, close: () => void): Promise<Emulator> {
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
  // Longer than any client keeps a socket open, so that no socket is closed during a request.
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    app,
    server,
    async stop() {
      close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Closes the caller's connection without an answer. */
export function hangUp(c: OnNodeContext): Response {
  c.env.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

/** Waits `ms`, or until the caller closes the connection. */
export function pause(c: OnNodeContext, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    onceGone(c, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Calls `then` when the answer has been sent, or when the connection closes before. */
export function onceGone(c: OnNodeContext, then: () => void): void {
  c.env.outgoing.once("close", then);
}
