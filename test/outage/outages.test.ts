import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sqlDriver from "postgres";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Network, networkTo, via } from "../../dev/services/network.ts";
import { freePort } from "../../dev/services/ports.ts";
import { startPostgres } from "../../dev/services/postgres.ts";
import { startSupabase } from "../../dev/services/supabase.ts";
import { migrate } from "../../migrations/migrate.ts";
import { postgresCalls } from "../../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import { type Desk, desk, MINUTE, reply, said, settings } from "../contracts/given.ts";
import { range, sleep } from "../database/races/many.ts";
import { createDatabase, supabase } from "../support/stack.ts";

const LIMIT = 1_500;
const unavailable = { name: "HubError", code: "unavailable" };

let databaseUrl: string;
let owner: sqlDriver.Sql;
let networks: { direct: Network; rest: Network };
let restKey: string;
const open: (() => Promise<void>)[] = [];
let people = 0;

beforeAll(async () => {
  ({ url: databaseUrl } = await createDatabase());
  owner = sqlDriver(databaseUrl, { max: 1, onnotice: () => {} });
  const api = await supabase(databaseUrl, 10);
  restKey = api.serviceRoleKey;
  networks = {
    direct: await networkTo(Number(new URL(databaseUrl).port)),
    rest: await networkTo(Number(new URL(api.url).port)),
  };
});
afterEach(async () => {
  for (const network of Object.values(networks)) network.mode = "pass";
  for (const close of open.splice(0)) await close();
});
afterAll(async () => {
  for (const network of Object.values(networks)) await network.stop();
  await owner.end();
});

type Transport = "direct" | "rest";

/** Calls of the database over one of the two transports, through a network that a test can break. */
function callsTo(transport: Transport, port = networks[transport].port, timeoutMs = LIMIT): SqlCall {
  if (transport === "rest")
    return supabaseCalls({ url: `http://127.0.0.1:${port}`, key: restKey, timeoutMs });
  const { call, close } = postgresCalls(via(databaseUrl, port), { max: 2, timeoutMs });
  open.push(close);
  return call;
}
const storeBy = (call: SqlCall): Promise<Desk> => desk(async () => sqlStore(call, settings));
const somebody = () => ({ phone: `+4915112${String(++people).padStart(6, "0")}` });

/** The error of a call, which must come within the limit. */
async function failure(work: Promise<unknown>): Promise<unknown> {
  const start = performance.now();
  const error = await work.then(
    (answer) => ({ answered: answer }),
    (thrown: unknown) => thrown,
  );
  expect(performance.now() - start).toBeLessThan(LIMIT + 1_500);
  return error;
}

describe.each<Transport>(["direct", "rest"])("a store (%s)", (transport) => {
  test("that refuses connections is unavailable, and a repeated call is saved once it is up again", async () => {
    const port = await freePort();
    const store = await storeBy(callsTo(transport, port));
    const from = somebody();
    for (let i = 0; i < 5; i++)
      expect(await failure(store.hear(said("whatsapp", from, `${from.phone}-1`), new Date()))).toMatchObject(
        unavailable,
      );
    expect(await failure(store.ping())).toMatchObject(unavailable);
    const back = await storeBy(callsTo(transport));
    expect((await back.hear(said("whatsapp", from, `${from.phone}-1`), new Date())).duplicate).toBe(false);
  });

  test("that hangs is unavailable within the limit for every call, and answers again once it is up", async () => {
    const network = networks[transport];
    const store = await storeBy(callsTo(transport));
    for (let i = 0; i < 3; i++) await Promise.all([store.ping(), store.ping(), store.ping()]);
    network.mode = "swallow";
    const from = somebody();
    const message = said("whatsapp", from, `${from.phone}-1`);
    const errors = await Promise.all(range(12).map(() => failure(store.hear(message, new Date()))));
    for (const error of errors) expect(error).toMatchObject(unavailable);
    expect(await failure(store.hear(message, new Date()))).toMatchObject(unavailable);
    network.mode = "pass";
    expect((await store.hear(message, new Date())).session.message_count).toBe(1);
    await Promise.all(range(20).map(() => store.ping()));
  });

  test("that closes every connection at once is unavailable, and answers again once it is up", async () => {
    const network = networks[transport];
    const store = await storeBy(callsTo(transport));
    network.mode = "slam";
    network.hangUp();
    expect(await failure(store.ping())).toMatchObject(unavailable);
    network.mode = "pass";
    await expect(eventually(() => store.ping())).resolves.toBeUndefined();
  });

  test.each(["deaf", "cut"] as const)(
    "whose answer is lost (%s) has the message once when it is sent again",
    async (mode) => {
      const network = networks[transport];
      const store = await storeBy(callsTo(transport));
      const from = somebody();
      const first = await store.ask(said("whatsapp", from, `${from.phone}-1`), new Date());
      network.mode = mode;
      const second = said("whatsapp", from, `${from.phone}-2`);
      const now = new Date();
      expect(await failure(store.hear(second, now))).toMatchObject(unavailable);
      expect(await failure(store.conversations.complete(first, [reply("one")], now))).toMatchObject(
        unavailable,
      );
      network.mode = "pass";
      await sleep(100);
      const again = await eventually(() => store.hear(second, now));
      const retried = await store.conversations.complete(first, [reply("one")], now);
      const later = new Date(now.getTime() + 2 * MINUTE);
      const due = await store.conversations.due(later, 100);
      const mine = due.deliveries.filter(({ session_id }) => session_id === again.session.session_id);
      const kept = (await store.history(again.session.session_id)).map(({ text }) => text).sort();
      expect(kept).toEqual(["one", `text of ${from.phone}-1`, `text of ${from.phone}-2`]);
      const handed = retried.stale ? mine : retried.deliveries;
      expect(handed.map(({ content }) => content)).toEqual([reply("one").content]);
    },
  );

  test("whose connections are cut while they are idle answers the next call", async () => {
    const store = await storeBy(callsTo(transport));
    for (let round = 0; round < 5; round++) {
      await Promise.all([store.ping(), store.ping()]);
      if (transport === "direct")
        await owner`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'session-hub'`;
      networks[transport].hangUp();
      await sleep(20);
      await eventually(() => store.ping());
    }
  });

  test("that dies in the middle of a call is unavailable and has saved nothing, and a repeated call is saved once", async () => {
    const store = await storeBy(callsTo(transport));
    const from = somebody();
    const { session_id } = (await store.hear(said("web", from, "0", { wakes: false }), new Date())).session;
    const holder = sqlDriver(databaseUrl, { max: 1, onnotice: () => {} });
    const held = await holder.reserve();
    await held`begin`;
    await held`select 1 from public.sessions where session_id = ${session_id} for update`;
    const calls = range(2).map((i) =>
      failure(store.hear(said("whatsapp", from, `${from.phone}-${i}`), new Date())),
    );
    await waiting(2);
    await owner`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    for (const error of await Promise.all(calls)) expect(error).toMatchObject(unavailable);
    await held`rollback`;
    held.release();
    await holder.end();
    for (const i of [0, 1, 0, 1])
      await eventually(() => store.hear(said("whatsapp", from, `${from.phone}-${i}`), new Date()));
    const { session } = await store.hear(said("whatsapp", from, `${from.phone}-0`), new Date());
    expect(session.message_count).toBe(3);
  });
});

/** Waits until this many calls wait for a lock in the database. */
async function waiting(count: number): Promise<void> {
  for (;;) {
    const [row] = await owner`
      select count(*)::int from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    if (row!.count >= count) return;
    await sleep(10);
  }
}

/** Repeats a refused call for a while, as a platform does. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  const end = Date.now() + 40_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      expect(error).toMatchObject(unavailable);
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

test("a database that is killed under load loses nothing it acknowledged and stores nothing twice", async () => {
  const dir = await mkdtemp(join(tmpdir(), "outage-"));
  const port = await freePort();
  let server = await startPostgres({ dir, port });
  await migrate(server.url);
  const api = await startSupabase({ port: await freePort(), databaseUrl: server.url, poolSize: 4 });
  const { call, close } = postgresCalls(server.url, { max: 4, timeoutMs: LIMIT });
  const stores = [call, supabaseCalls({ url: api.url, key: api.serviceRoleKey, timeoutMs: LIMIT })].map(
    (one) => sqlStore(one, settings),
  );
  const acknowledged = new Set<string>();
  let refused = 0;
  const send = async (i: number, id: string) => {
    const from = { phone: `+4915200000${i % 3}` };
    const message = said("whatsapp", from, id);
    await stores[i % 2]!.conversations.receive([{ type: "message", message }], new Date());
    acknowledged.add(id);
  };
  const senders = range(6).map(async (i) => {
    for (let n = 0; n < 40; n++) {
      const id = `${i}-${n}`;
      while (!acknowledged.has(id))
        await send(i, id).catch(async (error) => {
          expect(error).toMatchObject(unavailable);
          refused++;
          await sleep(50);
        });
    }
  });
  while (acknowledged.size < 30) await sleep(5);
  await server.kill();
  await sleep(300);
  server = await startPostgres({ dir, port });
  await Promise.all(senders);
  expect(refused).toBeGreaterThan(0);
  const sql = sqlDriver(server.url, { max: 1 });
  const [row] = await sql`
    select count(*)::int, count(distinct external_id)::int as ids from public.messages where direction = 'inbound'`;
  expect(row).toEqual({ count: 240, ids: 240 });
  await sql.end();
  await close();
  await api.stop();
  await server.stop();
  await rm(dir, { recursive: true });
});
