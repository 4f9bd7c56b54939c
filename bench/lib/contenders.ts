import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../dev/services/ports.ts";
import { startSupabase } from "../../dev/services/supabase.ts";
import type { Bundle } from "./bundle.ts";
import { type Server, startServer } from "./server.ts";
import { SECRETS } from "./webhook.ts";
import { startWorkerd } from "./workerd.ts";

/** One program that answers webhooks, with a database of its own. */
export interface Contender {
  readonly name: string;
  /** `node` and `peer` are compared like for like. */
  readonly kind: "node" | "peer" | "workerd" | "other";
  readonly database: string;
  start(): Promise<Server>;
}

const bench = join(import.meta.dirname, "..");
const peer = join(bench, "peer");

/** The size of the Postgres pool of the peer, and of the hub under Node. */
export const POOL_SIZE = 10;

/** The hub under Node with a pool of direct connections. */
export function nodeHub(
  database: string,
  databaseUrl: string,
  vars: Readonly<Record<string, string>>,
): Contender {
  return {
    name: "hub, Node, direct Postgres",
    kind: "node",
    database,
    start: () =>
      startNode("the hub under Node", join(bench, "node.ts"), { DATABASE_URL: databaseUrl, ...vars }),
  };
}

/** The hub on workerd, over supabase-js and the Supabase REST API. */
export function workerdHub(
  database: string,
  databaseUrl: string,
  bundle: Bundle,
  vars: Readonly<Record<string, string>>,
): Contender {
  return {
    name: "hub, workerd, supabase-js",
    kind: "workerd",
    database,
    start: async () => {
      const rest = await startSupabase({ port: await freePort(), databaseUrl });
      const worker = await startWorkerd({
        name: "hub",
        bundle,
        vars: {
          ...SECRETS,
          ...vars,
          BOT: "echo",
          SUPABASE_URL: rest.url,
          SUPABASE_SERVICE_ROLE_KEY: rest.serviceRoleKey,
        },
      });
      const stop = async () => {
        await worker.stop();
        await rest.stop();
      };
      return { ...worker, stop };
    },
  };
}

/** vercel/chat 4.41 with its Postgres state, behind node:http; see bench/peer/README.md. */
export function vercelChat(
  name: string,
  kind: "peer" | "other",
  database: string,
  databaseUrl: string,
  vars: Readonly<Record<string, string>>,
): Contender {
  return {
    name,
    kind,
    database,
    start: () => startNode("the peer", join(peer, "server.mjs"), { DATABASE_URL: databaseUrl, ...vars }),
  };
}

/** Installs the peer's own dependencies if they are missing. False if that fails. */
export async function installPeer(progress: (line: string) => void): Promise<boolean> {
  if (existsSync(join(peer, "node_modules/chat"))) return true;
  progress("installing the peer: npm ci --prefix bench/peer");
  const child = spawn("npm", ["ci", "--prefix", peer, "--no-audit", "--no-fund"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("close", (code) => resolve(code === 0));
  });
}

async function startNode(
  name: string,
  file: string,
  vars: Readonly<Record<string, string>>,
): Promise<Server> {
  const port = await freePort();
  const pool = { POOL_SIZE: String(POOL_SIZE), PEER_POOL_SIZE: String(POOL_SIZE) };
  const env = { ...SECRETS, ...pool, PORT: String(port), ...vars };
  const args = process.env.BENCH_NODE_ARGS?.split(" ") ?? [];
  return startServer({ name, command: process.execPath, args: [...args, file], env, port });
}
