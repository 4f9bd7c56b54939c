import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A proxy before another server, which notes when calls were answered. */
export interface Tap {
  readonly url: string;
  /** Resolves with the time at which the next call to this path has its whole answer. */
  next(path: string): Promise<number>;
  stop(): Promise<void>;
}

/** Passes every call on to a loopback server. */
export async function startTap(target: string): Promise<Tap> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const waiting = new Map<string, (at: number) => void>();
  const server = createServer((asked, answer) => {
    const { method, url: path = "", headers } = asked;
    const passed = request({ hostname, port, method, path, headers, agent }, (response) => {
      answer.writeHead(response.statusCode!, response.headers);
      response.pipe(answer);
      response.once("end", () => {
        waiting.get(path)?.(performance.now());
        waiting.delete(path);
      });
    });
    passed.once("error", () => answer.destroy());
    asked.pipe(passed);
  });
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: (path) => new Promise((resolve) => waiting.set(path, resolve)),
    stop: async () => {
      server.close();
      server.closeAllConnections();
      agent.destroy();
    },
  };
}
