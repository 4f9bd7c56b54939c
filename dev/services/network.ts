import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";

/**
 * `pass` lets everything through. `swallow` drops the requests. `deaf` passes requests on and drops the answers. `slam`
 * accepts connections and closes them at once. `cut` passes requests on and closes the connection when the answer
 * comes.
 */
export type Mode = "pass" | "swallow" | "deaf" | "slam" | "cut";

/** A bad network before a service. */
export interface Network {
  readonly port: number;
  mode: Mode;
  /** Closes all open connections. */
  hangUp(): void;
  /** Stops listening on the port. */
  stop(): Promise<void>;
}

export async function networkTo(target: number): Promise<Network> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (network.mode === "slam") return void client.destroy();
    const upstream = dial(target, "127.0.0.1");
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    // A connection that has dropped data stays silent, because TCP never skips data.
    let lost: Mode | undefined;
    client.on("data", (bytes) => {
      if (network.mode === "swallow") lost ??= "swallow";
      if (lost !== "swallow") upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (network.mode === "cut") client.destroy();
      if (network.mode === "deaf") lost ??= "deaf";
      if (!lost) client.write(bytes);
    });
  });
  const network: Network = {
    port: 0,
    mode: "pass",
    hangUp() {
      for (const socket of sockets) socket.destroy();
    },
    stop() {
      network.hangUp();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(network, { port: (server.address() as AddressInfo).port });
}

/** The same URL with another port. */
export function via(url: string, port: number): string {
  return Object.assign(new URL(url), { port: `${port}` }).href;
}
