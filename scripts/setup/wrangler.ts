import { spawn } from "node:child_process";
import { fail, type Outcome, ok } from "./outcome.ts";

/** How a program ended, and what it printed. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program that is on the PATH. Secrets go in by `stdin`, never by an argument, which other users can read. */
export type RunProgram = (name: string, args: readonly string[], stdin?: string) => Promise<Ran>;

/** Runs programs with an environment, that of this program unless another is given. */
export const programs =
  (env: NodeJS.ProcessEnv = process.env): RunProgram =>
  (name, args, stdin = "") =>
    new Promise((resolve, reject) => {
      const child = spawn(name, args, { stdio: "pipe", env: { ...env, NO_COLOR: "1" } });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      child.stdin.on("error", () => {}); // it may end without reading
      child.once("error", () =>
        reject(new Error(`${name} is not on the PATH: run npm ci, and start with npm run`)),
      );
      child.once("close", (code) => resolve({ code, stdout, stderr }));
      child.stdin.end(stdin);
    });

/** What setup and doctor ask of Cloudflare, by wrangler. */
export function wranglerOf(run: RunProgram) {
  return {
    async whoami(): Promise<Outcome> {
      const { code, stdout } = await run("wrangler", ["whoami", "--json"]);
      const told = parse<{ email?: string; accounts?: { name: string }[] }>(stdout);
      if (code !== 0 || !told)
        return fail(
          "cloudflare",
          "wrangler is not logged in",
          "npx wrangler login, or set CLOUDFLARE_API_TOKEN",
        );
      const accounts = told.accounts?.map(({ name }) => name).join(", ");
      return ok("cloudflare", `logged in${accounts ? ` to ${accounts}` : ""}`);
    },

    /** Deploys, and returns the Worker's address; undefined if wrangler names none. Throws wrangler's last words. */
    async deploy(): Promise<string | undefined> {
      const { code, stdout, stderr } = await run("wrangler", ["deploy"]);
      if (code !== 0) throw new Error(`wrangler deploy failed: ${lastWords(stderr || stdout)}`);
      return /https:\/\/[a-z0-9.-]+\.workers\.dev/.exec(stdout)?.[0];
    },

    /** Stores settings as secrets of the Worker, all at once. */
    async secrets(values: Readonly<Record<string, string>>): Promise<void> {
      const { code, stdout, stderr } = await run("wrangler", ["secret", "bulk"], JSON.stringify(values));
      if (code === 0) return;
      const words = lastWords(stderr || stdout);
      const isShown = Object.values(values).some((value) => words.includes(value));
      throw new Error(`wrangler secret bulk failed${isShown ? "" : `: ${words}`}`);
    },
  };
}

function parse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text.slice(text.indexOf("{"))) as T;
  } catch {
    return undefined;
  }
}

function lastWords(text: string): string {
  return text.trim().split("\n").filter(Boolean).slice(-3).join(" ").slice(0, 300);
}
