import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import whatsapp from "../../src/channels/whatsapp/index.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { type Kind, phoneOf, SECRETS, webhookOf } from "./webhook.ts";

export interface CallerOptions {
  readonly url: string;
  readonly kind: Kind;
  readonly clients: number;
  readonly customers: number;
  readonly seconds: number;
  /** The directory for its script. */
  readonly dir: string;
  /** Whether the argument is given to `hub_receive`, the default, or only inserted into the table `bare`. */
  readonly into?: "hub_receive" | "bare";
}

/** A table with one index, for the least that keeps a webhook. */
export const BARE_TABLE =
  "create table bare (id text primary key, body jsonb not null, at timestamptz not null default now())";

/** The path of pgbench; undefined if the machine has none. */
export function pgbench(): string | undefined {
  const folders = ["/usr/bin", "/usr/local/bin", ...(process.env.PATH ?? "").split(":")];
  return folders.map((folder) => join(folder, "pgbench")).find((file) => existsSync(file));
}

/** Calls `hub_receive` with the hub's own arguments, as fast as possible. Returns the calls per second. */
export async function callFunction(tool: string | undefined, options: CallerOptions): Promise<number> {
  return tool ? callByPgbench(tool, options) : callByDriver(options);
}

async function callByPgbench(tool: string, options: CallerOptions): Promise<number> {
  const { url, kind, clients, customers, seconds, dir, into = "hub_receive" } = options;
  const file = join(dir, `${kind}.sql`);
  const argument = (await argumentOf(kind))
    .replaceAll("'", "''")
    .replaceAll('":', '": ') // pgbench reads a colon before a letter or digit as one of its variables
    .replaceAll(ID, "'||:id||'")
    .replaceAll(phoneOf(0), `'||(${phoneOf(0)}::bigint+:customer)||'`)
    .replaceAll(NOW.toISOString(), "'||now()||'");
  const script = [
    `\\set customer random(0, ${customers - 1})`,
    "\\set id random(1, 9000000000000000000)",
    into === "bare"
      ? `insert into bare (id, body) values ('wamid.HBgLAAAAAAAAAAAAAAAAAAAA'||:id, ('${argument}')::text::jsonb);`
      : `select public.hub_receive(('${argument}')::text::jsonb) as answer;`,
  ];
  await writeFile(file, `${script.join("\n")}\n`);
  const args = [
    "-n",
    "-M",
    "prepared",
    "-c",
    String(clients),
    "-j",
    "2",
    "-T",
    String(seconds),
    "-f",
    file,
    url,
  ];
  const { stdout } = await promisify(execFile)(tool, args);
  const found = /^tps = ([\d.]+)/m.exec(stdout)?.[1];
  if (!found || !/failed transactions: 0 /.test(stdout)) throw new Error(`pgbench: ${stdout}`);
  return Number(found);
}

async function callByDriver({
  url,
  kind,
  clients,
  customers,
  seconds,
  into,
}: CallerOptions): Promise<number> {
  const sql = postgres(url, { max: clients, fetch_types: false, onnotice: () => {} });
  const text = await argumentOf(kind);
  const ends = performance.now() + seconds * 1000;
  let calls = 0;
  const loop = async () => {
    while (performance.now() < ends) {
      const argument = text
        .replaceAll(ID, Math.random().toString(36).slice(2))
        .replaceAll(phoneOf(0), phoneOf(Math.floor(Math.random() * customers)))
        .replaceAll(NOW.toISOString(), new Date().toISOString());
      if (into === "bare")
        await sql.unsafe(
          "insert into bare (id, body) values ($1, $2::text::jsonb)",
          [randomUUID(), argument],
          {
            prepare: true,
          },
        );
      else
        await sql.unsafe("select public.hub_receive($1::text::jsonb) as answer", [argument], {
          prepare: true,
        });
      calls++;
    }
  };
  await Promise.all(Array.from({ length: clients }, loop));
  await sql.end();
  return calls / seconds;
}

const ID = "an-id-of-its-own";
const NOW = new Date(0);

/** The hub's arguments to `hub_receive` for a customer's webhook, with placeholders for the parts that differ. */
async function argumentOf(kind: Kind): Promise<string> {
  const { body } = webhookOf(0, kind);
  const id: string = JSON.parse(body).entry[0].changes[0].value.messages[0].id;
  const request = {
    method: "POST",
    query: new URLSearchParams(),
    headers: new Headers(),
    body: Buffer.from(body),
  };
  const inbound = await whatsapp(SECRETS)!.parse(request);
  const kept = inbound.flatMap((item) => (item.type === "ignored" || item.type === "template" ? [] : [item]));
  const asked: string[] = [];
  const listen = async (_name: string, argument: unknown) => {
    asked.push(JSON.stringify(argument));
    return { results: [] };
  };
  await sqlStore(listen, { sessionTtlMs: 604_800_000, leaseMs: 60_000, history: 0 }).conversations.receive(
    kept,
    NOW,
  );
  return asked[0]!.replaceAll(id, `wamid.HBgLAAAAAAAAAAAAAAAAAAAA${ID}`);
}
