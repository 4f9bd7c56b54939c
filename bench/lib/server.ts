import { type ChildProcess, spawn } from "node:child_process";

/** A server under test, in a process of its own. */
export interface Server {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

interface ServerOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
}

const READY_MS = 30_000;
const TAIL = 20;

/** Starts a server and waits until its port answers HTTP. */
export async function startServer({ name, command, args, env, port }: ServerOptions): Promise<Server> {
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, NODE_ENV: "production", ...env },
  });
  const tail: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    tail.push(...text.trimEnd().split("\n"));
    tail.splice(0, tail.length - TAIL);
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const killed = () => child.kill("SIGKILL");
  process.once("exit", killed); // if this process ends without stopping it
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    process.off("exit", killed);
    await end(child, gone);
  };
  const deadline = Date.now() + READY_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`${name} did not start\n${tail.join("\n")}`);
    }
    await new Promise((again) => setTimeout(again, 50));
  }
  return { port, pid: child.pid!, stop };
}

async function answers(port: number): Promise<boolean> {
  try {
    await (await fetch(`http://127.0.0.1:${port}/health`)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

async function end(child: ChildProcess, gone: Promise<void>): Promise<void> {
  const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
  child.kill("SIGTERM");
  await gone;
  clearTimeout(late);
}
