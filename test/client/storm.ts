import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";

/** A bad network before a hub: it delays connections, so that later ones overtake earlier ones, and cuts them. */
export interface Storm {
  readonly url: string;
  /** Closes all open connections. */
  cutAll(): void;
  /** The connections that are open now stay open, and carry nothing any more. */
  freeze(): void;
  /** Lets everything through from now on. */
  calm(): void;
  /** How many connections were cut. */
  readonly cuts: number;
  stop(): Promise<void>;
}

/** `seed` decides over delays and cuts. About `cutShare` of all connections are cut within `withinMs`. */
export async function stormBefore(
  hub: string,
  { seed, cutShare = 0.4, delayMs = 60, withinMs = 400 }: Weather,
): Promise<Storm> {
  const { hostname, port } = new URL(hub);
  const next = randomOf(seed);
  const sockets = new Set<Socket>();
  let ages = 0;
  let isCalm = false;
  let cuts = 0;

  function cut(socket: Socket): void {
    if (!socket.destroyed) cuts++;
    socket.destroy();
  }

  const server = createServer((client) => {
    const upstream = dial(Number(port), hostname);
    const age = ages;
    const wait = isCalm ? 0 : next() * delayMs;
    if (!isCalm && next() < cutShare) setTimeout(() => !isCalm && cut(client), next() * withinMs);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      // Bytes of one connection keep their order; each connection has a delay of its own.
      from.on("data", (bytes) => setTimeout(() => age === ages && to.writable && to.write(bytes), wait));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAll() {
      for (const socket of [...sockets]) cut(socket);
    },
    freeze() {
      ages++;
    },
    calm() {
      isCalm = true;
    },
    get cuts() {
      return cuts;
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export interface Weather {
  readonly seed: number;
  readonly cutShare?: number;
  readonly delayMs?: number;
  readonly withinMs?: number;
}

/** Numbers from 0 to 1, the same for the same seed (xorshift32). */
function randomOf(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
