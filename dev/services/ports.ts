import { createServer } from "node:net";

/** Throws, naming the variable that moves it, when something already listens on the loopback port. */
export async function assertPortFree(port: number, variable: string): Promise<void> {
  try {
    await listen(port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(`port ${port} is taken; set ${variable}`, { cause: error });
  }
}

/** A loopback port that nobody used a moment ago. */
export function freePort(): Promise<number> {
  return listen(0);
}

function listen(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : port));
    });
  });
}
