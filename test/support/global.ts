import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { TestProject } from "vitest/node";
import { freePort } from "../../dev/services/ports.ts";
import { type Postgres, startPostgres } from "../../dev/services/postgres.ts";
import { prepareDatabase } from "../../dev/services/supabase-roles.ts";
import { migrate } from "../../migrations/migrate.ts";
import { buildIfStale } from "../../web/build.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The address of the shared resources for test files: `/server`, `/empty`, `/database` and `/pages`. */
    stack: string;
  }
}

/** Offers one Postgres for the whole run. It starts at the first request; each database is a copy of a template. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: Promise<Postgres> | undefined;
  let migrated: Promise<string> | undefined;
  let pages: Promise<string> | undefined;
  let copies = 0;
  project.onTestsRerun(async () => {
    migrated = undefined; // a migration may have changed
    pages = undefined;
  });

  const started = () => {
    server ??= start();
    return server;
  };
  const copy = async (template: string) => {
    const { url, adminUrl } = await started();
    const name = `test_${++copies}`;
    await query(url, `create database ${name} template ${template}`);
    return { url: at(url, name), adminUrl: at(adminUrl, name) };
  };
  const applyMigrations = async () => {
    const { url } = await copy(empty);
    await migrate(url);
    return new URL(url).pathname.slice(1);
  };
  const http = await listen({
    "/server": started,
    "/empty": () => copy(empty),
    "/database": async () => {
      await started();
      migrated ??= applyMigrations();
      return copy(await migrated);
    },
    "/pages": () => {
      pages ??= buildIfStale({ development: true });
      return pages;
    },
  });
  project.provide("stack", `http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  return async () => {
    http.close();
    await (await server)?.stop();
  };
}

const empty = "template_empty";

async function start(): Promise<Postgres> {
  const dir = await mkdtemp(join(tmpdir(), "session-hub-test-"));
  const port = await freePort();
  const server = await startPostgres({ dir, port, settings: { fsync: "off", full_page_writes: "off" } });
  await query(server.url, `create database ${empty}`);
  const sql = postgres(at(server.adminUrl, empty), { max: 1, onnotice: () => {} });
  await prepareDatabase(sql, "postgres");
  await sql.end();
  const stop = () => server.stop().then(() => rm(dir, { recursive: true }));
  return { ...server, stop };
}

async function query(url: string, text: string): Promise<void> {
  const sql = postgres(url, { max: 1 });
  await sql.unsafe(text).finally(() => sql.end());
}

function at(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: `/${database}` }).href;
}

function listen(answers: Record<string, () => Promise<unknown>>): Promise<Server> {
  const server = createServer(async (request, response) => {
    try {
      response.end(JSON.stringify(await answers[request.url ?? ""]!()));
    } catch (error) {
      response.writeHead(500).end((error as Error).message);
    }
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
