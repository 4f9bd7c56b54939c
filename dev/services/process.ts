import { type ChildProcess, fork } from "node:child_process";
import { basename } from "node:path";
import { createInterface } from "node:readline";

/** A service in a process of its own. */
export interface ServiceProcess<Facts> {
  readonly facts: Facts;
  /** Resolves when the process has stopped its service and has ended. */
  stop(): Promise<void>;
  /** Kills the process (`kill -9`). */
  kill(): Promise<void>;
  /** Resolves when the process has ended, for any reason. */
  readonly gone: Promise<void>;
}

export type Log = (line: string) => void;

type Answer = { ready: unknown } | { failed: string };
const stopMs = 15_000;

/**
 * Runs a file that calls `runService`, and resolves with the facts that it reports. A closed channel between the two
 * processes is the only order to stop, so the service also stops when this process is killed (`kill -9`).
 */
export async function startProcess<Facts>(
  file: string,
  options: unknown,
  log: Log = () => {},
): Promise<ServiceProcess<Facts>> {
  // The child gets a process session of its own: Ctrl+C reaches only the parent, which stops its services in order.
  const child = fork(file, { execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true });
  const name = basename(file, ".ts");
  const tail: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface(stream).on("line", (line) => {
      log(line);
      tail.push(line);
      if (tail.length > 20) tail.shift();
    });
  }
  let stopping = false;
  const gone = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      if (!stopping) log(`${name} ended (${signal ?? code})`);
      resolve();
    });
  });
  const answer = await new Promise<Answer>((resolve) => {
    child.once("message", (message) => resolve(message as Answer));
    child.once("close", () => resolve({ failed: `${name} ended before it was ready\n${tail.join("\n")}` }));
    child.send(options as object);
  });
  if ("failed" in answer) {
    await end(child, gone);
    throw new Error(answer.failed);
  }
  const stop = () => {
    stopping = true;
    return end(child, gone);
  };
  const kill = () => {
    stopping = true;
    child.kill("SIGKILL");
    return gone;
  };
  return { facts: answer.ready as Facts, stop, kill, gone };
}

async function end(child: ChildProcess, gone: Promise<void>): Promise<void> {
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
  if (child.connected) child.disconnect();
  await gone;
  clearTimeout(timer);
}

/** Runs in the child: starts with the parent's options, reports its facts, stops when the parent closes the channel. */
export function runService<Options, Facts>(
  start: (options: Options) => Promise<{ facts: Facts; stop(): Promise<void> }>,
): void {
  // After the parent's end a log line cannot be written; that error must not prevent a clean stop.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const released = new Promise<void>((resolve) => process.once("disconnect", resolve));
  process.once("message", async (options: Options) => {
    try {
      const service = await start(options);
      if (process.connected) process.send!({ ready: service.facts });
      await released;
      await service.stop();
      process.exit(0);
    } catch (error) {
      const failed = error instanceof Error ? error.message : String(error);
      console.error(failed);
      if (process.connected) process.send!({ failed }, () => process.exit(1));
      else process.exit(1);
    }
  });
}
