import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { runService } from "./services/process.ts";

/** The options of the process that runs `wrangler dev`. */
export interface WorkerProcessOptions {
  readonly port: number;
  /** The wrangler configuration file. */
  readonly config: string;
  /** Where workerd keeps its state. */
  readonly state: string;
}

const READY_MS = 60_000;

// This runs in a process of its own. If the parent is killed, it first ends wrangler and workerd, then itself.
runService(async ({ port, config, state }: WorkerProcessOptions) => {
  const wrangler = dirname(createRequire(import.meta.url).resolve("wrangler/package.json"));
  const args = [
    ["dev", "--config", config, "--port", String(port), "--ip", "127.0.0.1", "--local"],
    // Take any free port: two Workers that start together would both take the standard one, and one would fail.
    ["--inspector-port", "0", "--persist-to", state],
    ["--show-interactive-dev-session=false", "--log-level", "log"],
  ].flat();
  const child = spawn(process.execPath, [join(wrangler, "bin/wrangler.js"), ...args], {
    cwd: resolve(import.meta.dirname, ".."),
    stdio: ["ignore", "inherit", "inherit"],
    detached: true, // a process group: one signal ends wrangler and its workerd
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_CF_FETCH_ENABLED: "false", // the hub does not read request.cf, and wrangler warns without a network
      NO_COLOR: "1",
      FORCE_COLOR: "0",
      CI: "1",
    },
  });
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  process.once("exit", () => signal(child, "SIGKILL"));
  await ready(port, child);
  let stopping = false;
  void gone.then(() => stopping || process.exit(1));
  return {
    facts: { pid: child.pid! },
    stop: async () => {
      stopping = true;
      signal(child, "SIGTERM");
      const late = setTimeout(() => signal(child, "SIGKILL"), 5_000);
      await gone;
      clearTimeout(late);
    },
  };
});

/** Waits until the Worker answers. */
async function ready(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline && process.connected) {
    const end = child.signalCode ?? child.exitCode;
    if (end !== null) {
      await new Promise((done) => setTimeout(done, 200)); // its last lines may still be in the pipe
      throw new Error(`the Worker ended before it was ready (${end})`);
    }
    try {
      // A call that is aborted here would appear as an error in workerd's log.
      const signal = AbortSignal.timeout(deadline - Date.now());
      const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal });
      await answer.arrayBuffer();
      return;
    } catch {
      await new Promise((again) => setTimeout(again, 100));
    }
  }
  throw new Error(`the Worker did not answer within ${READY_MS / 1000} s`);
}

/** Signals the whole process group: wrangler and its workerd. */
function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
