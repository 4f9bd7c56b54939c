import { copyFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { freePort } from "../../dev/services/ports.ts";
import { type Bundle, workerdBinary } from "./bundle.ts";
import { type Server, startServer } from "./server.ts";

export interface WorkerdOptions {
  readonly name: string;
  readonly bundle: Bundle;
  readonly vars: Readonly<Record<string, string>>;
  /** The database address of the `HYPERDRIVE` binding. */
  readonly databaseUrl?: string;
  /** The Durable Object class behind the `LIVE` binding. */
  readonly room?: string;
}

/** Serves a bundled Worker with workerd alone: no proxy, no inspector. */
export async function startWorkerd(options: WorkerdOptions): Promise<Server> {
  const { name, bundle } = options;
  const port = await freePort();
  const dir = dirname(bundle.config);
  await copyFile(bundle.file, join(dir, "worker.js"));
  const file = join(dir, `${name}.capnp`);
  await writeFile(file, configOf(options, port));
  return startServer({ name, command: workerdBinary(), args: ["serve", file], port });
}

/** The configuration of workerd: https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp */
function configOf({ bundle, vars, databaseUrl, room }: WorkerdOptions, port: number): string {
  const text = JSON.stringify;
  const database = databaseUrl === undefined ? undefined : new URL(databaseUrl);
  const bindings = Object.entries(vars).map(
    ([name, value]) => `(name = ${text(name)}, text = ${text(value)})`,
  );
  const services = [
    `(name = "main", worker = .worker)`,
    `(name = "internet", network = (allow = ["public", "private"]))`,
  ];
  if (database) {
    services.push(`(name = "database", external = (address = ${text(database.host)}, tcp = ()))`);
    bindings.push(
      `(name = "HYPERDRIVE", hyperdrive = (designator = "database", database = ${text(database.pathname.slice(1))}, ` +
        `user = ${text(database.username)}, password = ${text(database.password)}, scheme = "postgresql"))`,
    );
  }
  if (room) bindings.push(`(name = "LIVE", durableObjectNamespace = ${text(room)})`);
  const objects = room
    ? `durableObjectNamespaces = [(className = ${text(room)}, uniqueKey = "bench", enableSql = true)],
  durableObjectStorage = (inMemory = void),
  `
    : "";
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${services.join(", ")}],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = ${text(bundle.compatibilityDate)},
  compatibilityFlags = ${text(bundle.compatibilityFlags)},
  ${objects}bindings = [${bindings.join(", ")}],
);
`;
}
