import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Log } from "./services/process.ts";

export interface WorkerOptions {
  readonly port: number;
  /** Where its configuration and state lie. */
  readonly dir: string;
  readonly vars: Readonly<Record<string, string>>;
  /** What the `HYPERDRIVE` binding dials. */
  readonly databaseUrl: string;
  readonly log?: Log;
}

export interface LocalWorker {
  readonly url: string;
  readonly pid: number;
  /** Fires the cron trigger, and waits for the sweep to end. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
  /** Ends it between any two lines, as the edge may (`kill -9`). */
  kill(): Promise<void>;
  readonly gone: Promise<void>;
}

const root = resolve(import.meta.dirname, "..");
const READY_MS = 60_000;
/** Lines of its last words, for an error that tells why it did not start. */
const TAIL = 40;

/**
 * Runs the Worker under `wrangler dev`, with the project's `wrangler.toml` and these variables, and waits until it answers.
 * When it does not come to that, the error holds its last lines.
 */
export async function startWorker({
  port,
  dir,
  vars,
  databaseUrl,
  log = () => {},
}: WorkerOptions): Promise<LocalWorker> {
  const config = await writeConfig(dir, vars, databaseUrl);
  const wrangler = join(
    dirname(createRequire(import.meta.url).resolve("wrangler/package.json")),
    "bin/wrangler.js",
  );
  const args = [
    "dev",
    "--config",
    config,
    "--port",
    String(port),
    "--ip",
    "127.0.0.1",
    "--local",
    // Any free port: two Workers that start at once would both take the standard one, and one of them would end.
    "--inspector-port",
    "0",
    "--persist-to",
    join(dir, "worker"),
  ];
  const child = spawn(
    process.execPath,
    [wrangler, ...args, "--show-interactive-dev-session=false", "--log-level", "log"],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: Ctrl-C reaches only us, and stopping it takes workerd along.
      detached: true,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", CI: "1" },
    },
  );
  const tail: string[] = [];
  let isReady = false;
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on("line", (line) => {
      if (!isReady && line.trim()) tail.splice(0, tail.push(line) - TAIL);
      log(line);
    });
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  const worker: LocalWorker = {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    gone,
    sweep: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/cdn-cgi/local/scheduled`);
      await answer.arrayBuffer();
    },
    stop: () => stop(child, gone),
    kill: async () => {
      signal(child, "SIGKILL");
      await gone;
    },
  };
  // The last resort, when this process ends without stopping it.
  process.once("exit", () => signal(child, "SIGKILL"));
  try {
    await ready(worker, child);
  } catch (error) {
    throw new Error([(error as Error).message, ...tail].join("\n  "), { cause: error });
  }
  isReady = true;
  tail.length = 0;
  return worker;
}

async function writeConfig(
  dir: string,
  vars: Readonly<Record<string, string>>,
  databaseUrl: string,
): Promise<string> {
  const { unstable_readConfig } = await import("wrangler");
  const { compatibility_date, compatibility_flags, triggers, durable_objects, migrations } =
    unstable_readConfig({
      config: join(root, "wrangler.toml"),
    });
  await mkdir(dir, { recursive: true });
  const file = resolve(dir, "wrangler.json");
  const config = {
    name: "session-hub",
    main: relative(resolve(dir), join(root, "src/worker.ts")),
    compatibility_date,
    compatibility_flags,
    triggers,
    durable_objects,
    migrations,
    vars,
    hyperdrive: [{ binding: "HYPERDRIVE", id: "local", localConnectionString: databaseUrl }],
  };
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
  return file;
}

async function ready(worker: LocalWorker, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline) {
    const end = child.signalCode ?? child.exitCode;
    if (end !== null) {
      await new Promise((heard) => setTimeout(heard, 200)); // its last words may still be in the pipe
      throw new Error(`the Worker ended before it was ready (${end})`);
    }
    try {
      const answer = await fetch(`${worker.url}/health`, { signal: AbortSignal.timeout(2_000) });
      await answer.arrayBuffer();
      return;
    } catch {
      await new Promise((again) => setTimeout(again, 100));
    }
  }
  await worker.stop();
  throw new Error(`the Worker did not answer within ${READY_MS / 1000} s`);
}

async function stop(child: ChildProcess, gone: Promise<void>): Promise<void> {
  signal(child, "SIGTERM");
  const late = setTimeout(() => signal(child, "SIGKILL"), 5_000);
  await gone;
  clearTimeout(late);
  signal(child, "SIGKILL");
}

/** Signals the whole group: wrangler and the workerd below it. */
function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
