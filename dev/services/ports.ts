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

/** Below the ports that systems hand out to outgoing connections, which come and go all the time. */
const FREE = { from: 15_000, to: 32_000 };

/** A loopback port that nobody used a moment ago, and that nobody takes by accident before it is listened on. */
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
