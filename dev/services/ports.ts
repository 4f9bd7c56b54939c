import { createServer } from "node:net";

/** Throws if a program already listens on the loopback port. The error names the variable that changes the port. */
export async function assertPortFree(port: number, variable: string): Promise<void> {
  try {
    await listen(port);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(`port ${port} is taken; set ${variable}`, { cause: error });
  }
}

/** A range below the ports that systems use for outgoing connections, so that none of these takes the port. */
const FREE = { from: 15_000, to: 32_000 };

/** A loopback port that is free now, in a range where no outgoing connection takes it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FREE.from + Math.floor(Math.random() * (FREE.to - FREE.from));
    try {
      await listen(port);
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

function listen(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.close(() => resolve());
    });
  });
}
