import { type ChildProcess, fork } from "node:child_process";
import { basename } from "node:path";
import { createInterface } from "node:readline";

/** A service in a process of its own. */
export interface ServiceProcess<Facts> {
  readonly facts: Facts;
  /** Resolves when the process has stopped its service and is gone. */
  stop(): Promise<void>;
  /** Ends the process without a word (`kill -9`). */
  kill(): Promise<void>;
  /** Resolves when the process is gone, for whatever reason. */
  readonly gone: Promise<void>;
}

export type Log = (line: string) => void;

type Answer = { ready: unknown } | { failed: string };
const stopMs = 15_000;

/**
 * Runs a file that calls `runService` and resolves with the facts it reports. Closing the channel between the two is
 * the only order to stop, so the service also stops when this process ends without a word (`kill -9`).
 */
export async function startProcess<Facts>(
  file: string,
  options: unknown,
  log: Log = () => {},
): Promise<ServiceProcess<Facts>> {
  // A session of its own: Ctrl+C reaches only the parent, which stops its services in the order it wants.
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

/** The child's half: starts with the options the parent sends, reports its facts, stops when the parent lets go. */
export function runService<Options, Facts>(
  start: (options: Options) => Promise<{ facts: Facts; stop(): Promise<void> }>,
): void {
  // Nobody reads any more once the parent is gone; a log line must not keep us from stopping well.
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
