import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { runService } from "./services/process.ts";

/** What the keeper of `wrangler dev` has to know. */
export interface WorkerProcessOptions {
  readonly port: number;
  /** The wrangler configuration file. */
  readonly config: string;
  /** Where workerd keeps its state. */
  readonly state: string;
}

const READY_MS = 60_000;

// A process of its own, which outlives a killed parent for as long as it takes to end wrangler and workerd too.
runService(async ({ port, config, state }: WorkerProcessOptions) => {
  const wrangler = dirname(createRequire(import.meta.url).resolve("wrangler/package.json"));
  const args = [
    ["dev", "--config", config, "--port", String(port), "--ip", "127.0.0.1", "--local"],
    // Any free port: two Workers that start at once would both take the standard one, and one of them would end.
    ["--inspector-port", "0", "--persist-to", state],
    ["--show-interactive-dev-session=false", "--log-level", "log"],
  ].flat();
  const child = spawn(process.execPath, [join(wrangler, "bin/wrangler.js"), ...args], {
    cwd: resolve(import.meta.dirname, ".."),
    stdio: ["ignore", "inherit", "inherit"],
    detached: true, // a group of its own: one signal ends wrangler and the workerd below it
    env: {
      ...process.env,
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_CF_FETCH_ENABLED: "false", // nothing here reads request.cf, and off line wrangler warns
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
      await new Promise((heard) => setTimeout(heard, 200)); // its last words may still be in the pipe
      throw new Error(`the Worker ended before it was ready (${end})`);
    }
    try {
      // A call that we cut short would end as an error in workerd's log.
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

/** Signals the whole group: wrangler and the workerd below it. */
function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
