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
  /** Whether the argument is given to `hub_receive`, the default, to `same_writes`, or only inserted into the table `bare`. */
  readonly into?: "hub_receive" | "same_writes" | "bare";
  /** The most calls a second. Absent: as fast as possible. */
  readonly rate?: number;
}

export interface Called {
  /** Calls a second. */
  readonly rate: number;
  /** How long a call took on average, without its wait for its turn at a limited rate; undefined without pgbench. */
  readonly ms?: number;
}

/** A table with one index, for the least that keeps a webhook. */
export const BARE_TABLE =
  "create table bare (id text primary key, body jsonb not null, at timestamptz not null default now())";

/** A function that writes the rows of `hub_receive` and does nothing else. A customer who is new is left to `hub_receive`. */
export const SAME_WRITES = `
create function public.same_writes(p jsonb) returns json
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  v_item constant jsonb := p #> '{items,0}';
  v_now constant timestamptz := p ->> 'now';
  v_message_id constant uuid := gen_random_uuid();
  v_session uuid;
  v_seq bigint;
begin
  select s.session_id, s.last_seq + 1 into v_session, v_seq
    from public.identities i join public.sessions s on s.customer_key = i.customer_key and s.status = 'active'
    where i.kind = p #>> '{items,0,anchor,kind}' and i.value = p #>> '{items,0,anchor,value}'
    for update of s;
  if v_session is null then
    return public.hub_receive(p);
  end if;
  insert into public.messages (
      message_id, session_id, seq, channel, account, external_id, direction, role, kind, text, content, sent_at, created_at)
    values (
      v_message_id, v_session, v_seq, v_item ->> 'channel', v_item ->> 'account', v_item ->> 'external_id', 'inbound', 'user',
      v_item ->> 'kind', v_item ->> 'text', v_item -> 'content', v_now, v_now);
  update public.sessions
    set last_activity = v_now, updated_at = v_now, expires_at = v_now + interval '7 days',
        message_count = message_count + 1, last_seq = v_seq
    where session_id = v_session;
  insert into public.counted (key) values ('received|whatsapp');
  insert into public.turns (turn_id, session_id, seq, message_id, channel, account, address, state, attempt, due_at, created_at)
    values (
      gen_random_uuid(), v_session, v_seq, v_message_id, v_item ->> 'channel', v_item ->> 'account', v_item -> 'address',
      'running', 1, v_now + interval '1 minute', v_now);
  return '{}';
end
$$`;

/** The path of pgbench; undefined if the machine has none. */
export function pgbench(): string | undefined {
  const folders = ["/usr/bin", "/usr/local/bin", ...(process.env.PATH ?? "").split(":")];
  return folders.map((folder) => join(folder, "pgbench")).find((file) => existsSync(file));
}

/** Calls `hub_receive` with the hub's own arguments, as fast as possible. Returns the calls per second. */
export async function callFunction(tool: string | undefined, options: CallerOptions): Promise<number> {
  return tool ? (await callByPgbench(tool, options)).rate : callByDriver(options);
}

/** As `callFunction`, by pgbench and with the time of a call. */
export async function callByPgbench(tool: string, options: CallerOptions): Promise<Called> {
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
      : `select public.${into}(('${argument}')::text::jsonb) as answer;`,
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
    ...(options.rate ? ["-R", String(options.rate)] : []),
    url,
  ];
  const { stdout } = await promisify(execFile)(tool, args);
  const found = /^tps = ([\d.]+)/m.exec(stdout)?.[1];
  if (!found || !/failed transactions: 0 /.test(stdout)) throw new Error(`pgbench: ${stdout}`);
  const latency = Number(/^latency average = ([\d.]+)/m.exec(stdout)?.[1]);
  const lag = Number(/schedule lag: avg ([\d.]+)/.exec(stdout)?.[1] ?? 0);
  return { rate: Number(found), ms: latency - lag };
}

async function callByDriver({
  url,
  kind,
  clients,
  customers,
  seconds,
  into = "hub_receive",
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
        await sql.unsafe(`select public.${into}($1::text::jsonb) as answer`, [argument], {
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
