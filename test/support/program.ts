import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort } from "../../dev/services/ports.ts";

const root = resolve(import.meta.dirname, "../..");

/** The settings with the ports of the local stack. */
export const PORTS = [
  "PORT",
  "POSTGRES_PORT",
  "SUPABASE_PORT",
  "REDIS_PORT",
  "UPSTASH_PORT",
  "TELEGRAM_EMULATOR_PORT",
  "WHATSAPP_EMULATOR_PORT",
  "SIMULATOR_PORT",
];

/** An environment for a separate local stack: free ports, and a directory that the caller removes. */
export async function ownEnvironment(): Promise<NodeJS.ProcessEnv & { LOCAL_DIR: string }> {
  const ports = await Promise.all(PORTS.map(async (name) => [name, String(await freePort())] as const));
  const LOCAL_DIR = await mkdtemp(join(tmpdir(), "hub-dev-"));
  // Postgres does not run as root; the user `postgres` must be able to enter the directory.
  await chmod(LOCAL_DIR, 0o711);
  return { ...process.env, ...Object.fromEntries(ports), LOCAL_DIR };
}

/** A running program of the project. */
export interface Program {
  readonly child: ChildProcess;
  /** All text that it has printed. */
  output(): string;
  /** Resolves when it has printed the text; rejects if it ends before. */
  says(text: string): Promise<void>;
  readonly ended: Promise<number | null>;
}

export function run(env: NodeJS.ProcessEnv, file: string, flags: readonly string[] = []): Program {
  const child = spawn(process.execPath, [file, ...flags], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const heard = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const hear of heard) hear();
    });
  }
  const ended = new Promise<number | null>((done) => child.once("close", done));
  return {
    child,
    output: () => output,
    says: (text) =>
      new Promise((found, failed) => {
        const hear = () => output.includes(text) && found();
        heard.add(hear);
        hear();
        void ended.then(() => failed(new Error(`ended without saying "${text}":\n${output}`)));
      }),
    ended,
  };
}
