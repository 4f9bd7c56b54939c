import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type Log, type ServiceProcess, startProcess } from "./services/process.ts";
import type { WorkerProcessOptions } from "./worker-process.ts";

export interface WorkerOptions {
  readonly port: number;
  /** The directory for its configuration and state. */
  readonly dir: string;
  readonly vars: Readonly<Record<string, string>>;
  /** Its first file. Default `src/worker.ts`. */
  readonly main?: string;
  /** The database address of the `HYPERDRIVE` binding. */
  readonly databaseUrl: string;
  /** The folder of the built pages; without it the Worker serves none. */
  readonly pages?: string;
  readonly log?: Log;
}

export interface LocalWorker {
  readonly url: string;
  readonly pid: number;
  /** Fires the cron trigger, and waits until the sweep has ended. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
  /** Kills it at any moment (`kill -9`), as Cloudflare may. */
  kill(): Promise<void>;
  readonly gone: Promise<void>;
}

const root = resolve(import.meta.dirname, "..");
const file = join(import.meta.dirname, "worker-process.ts");
/** How many of its last log lines an error holds, if it does not start. */
const TAIL = 40;

/**
 * Runs the Worker under `wrangler dev`, with the project's `wrangler.toml` and these variables, and waits until it
 * answers. It ends with this process, also if this one is killed. If it never answers, the error holds its last log
 * lines.
 */
export async function startWorker({
  port,
  dir,
  vars,
  databaseUrl,
  pages,
  main = "src/worker.ts",
  log = () => {},
}: WorkerOptions): Promise<LocalWorker> {
  const config = await writeConfig(dir, main, vars, databaseUrl, pages);
  const tail: string[] = [];
  let isReady = false;
  const onLine = (line: string) => {
    const plain = plainly(line);
    if (!isReady && plain) tail.splice(0, tail.push(plain) - TAIL);
    log(plain);
  };
  const options: WorkerProcessOptions = { port, config, state: join(dir, "worker") };
  let keeper: ServiceProcess<{ pid: number }>;
  try {
    keeper = await startProcess(file, options, onLine);
  } catch (error) {
    throw new Error([(error as Error).message, ...tail].join("\n  "), { cause: error });
  }
  isReady = true;
  return {
    url: `http://127.0.0.1:${port}`,
    pid: keeper.facts.pid,
    gone: keeper.gone,
    sweep: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/cdn-cgi/local/scheduled`);
      await answer.arrayBuffer();
    },
    stop: keeper.stop,
    kill: () => {
      process.kill(-keeper.facts.pid, "SIGKILL");
      return keeper.gone;
    },
  };
}

/** A line without wrangler's colours and labels, which it adds to warnings and errors even in a file. */
function plainly(line: string): string {
  return stripVTControlCharacters(line)
    .replace(/^\S \[(?:WARNING|ERROR)\] (?=\{)/, "")
    .trimEnd();
}

async function writeConfig(
  dir: string,
  main: string,
  vars: Readonly<Record<string, string>>,
  databaseUrl: string,
  pages: string | undefined,
): Promise<string> {
  await mkdir(dir, { recursive: true });
  const file = resolve(dir, "wrangler.json");
  const config = {
    name: "session-hub",
    main: relative(resolve(dir), join(root, main)),
    ...(await projectSettings(dir)),
    vars,
    ...(pages && { assets: { directory: pages } }),
    hyperdrive: [{ binding: "HYPERDRIVE", id: "local", localConnectionString: databaseUrl }],
  };
  await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
  return file;
}

/**
 * The project's own settings. Wrangler needs almost a second to read them, so the result is cached until they change.
 */
async function projectSettings(dir: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(root, "wrangler.toml"), "utf8");
  const file = join(dir, "wrangler-project.json");
  const kept = await readFile(file, "utf8").then(JSON.parse, () => undefined);
  if (kept?.text === text) return kept.settings;
  const { unstable_readConfig } = await import("wrangler");
  const { compatibility_date, compatibility_flags, triggers, durable_objects, migrations } =
    unstable_readConfig({ config: join(root, "wrangler.toml") });
  const settings = { compatibility_date, compatibility_flags, triggers, durable_objects, migrations };
  await writeFile(file, JSON.stringify({ text, settings }));
  return settings;
}
