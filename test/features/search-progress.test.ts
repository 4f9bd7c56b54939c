import fc from "fast-check";
import sqlDriver from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { desk, reply, said, text } from "../contracts/given.ts";
import { races } from "../database/races/database.ts";

const here = races();
let ids = 0;
const connections: sqlDriver.Sql[] = [];
const connect = () => {
  const sql = sqlDriver(here.url, { max: 1, onnotice: () => {} });
  connections.push(sql);
  return sql;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How far a message's time may be off the clock before its row is listed. */
const within = (ms: number) =>
  here.owner.unsafe(`create or replace function hub.punctual_within() returns interval
    language sql immutable parallel safe as $$ select interval '${ms} milliseconds' $$`);

beforeEach(() => within(5_000));
afterEach(async () => {
  await Promise.all(connections.splice(0).map((sql) => sql.end({ timeout: 1 })));
});

/** The ids of messages in unindexed_messages. */
async function listed(): Promise<string[]> {
  const rows = await here.owner<{ message_id: string }[]>`select message_id from public.unindexed_messages`;
  return rows.map(({ message_id }) => message_id);
}

/** Stores a message as a program would that has its own id and clock, `offsetMs` off the database's. */
async function put(
  sql: sqlDriver.ISql,
  words: string,
  times: { offsetMs?: number; arrivedMs?: number } = {},
) {
  const { offsetMs = 0, arrivedMs = offsetMs } = times;
  const [row] = await sql<[{ message_id: string }]>`
    insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
    select hub.uuid(clock_timestamp() + ${offsetMs} * interval '1 ms'), '00000000-0000-4000-8000-000000000001', ${++ids},
      'web', 'inbound', 'user', 'text', ${words}, clock_timestamp() + ${arrivedMs} * interval '1 ms'
    returning message_id`;
  return row.message_id;
}

const search = () => here.store().features!.search;

async function index(limit = 100): Promise<number> {
  let all = 0;
  for (let more = true; more; ) {
    const done = await search().index(limit);
    all += done.indexed;
    more = done.more;
  }
  return all;
}

const texts = async (q: string) =>
  (await search().messages({ q }, undefined, 50, new Date())).results.map((one) => one.text).sort();

/** Messages that the index has not, has twice or has with other words, and rows of the index without a message. */
const wrong = () => here.owner`
  select coalesce(m.message_id, x.message_id) as id, m.text, x.n
  from (select * from public.messages m where hub.is_searchable(m)) m
    full join public.message_search x on x.message_id = m.message_id
  where m.message_id is null or x.message_id is null or x.session_id <> m.session_id
    or x.doc is distinct from hub.search_doc((select o from public.messages o where o.message_id = m.message_id), x.n)
    or exists (select from public.message_search y where y.n = x.n and y.message_id <> x.message_id)`;

describe("the search's indexer", { timeout: 120_000 }, () => {
  test("finds messages by their ids: receiving and answering one lists nothing", async () => {
    const { answered, features } = await desk(async () => here.store());
    const question = said("telegram", { telegram_chat_id: "7001" }, "p", { content: text("pear, please") });
    const { session_id } = await answered(question, [reply("a pear")], new Date());
    expect(await listed()).toEqual([]);
    expect(await features!.search.lag()).toEqual({ waiting: 2, lag_ms: expect.any(Number) });
    const own = await features!.search.messages(
      { q: "pear", session: session_id },
      undefined,
      50,
      new Date(),
    );
    expect(own.results.map((one) => one.text).sort()).toEqual(["a pear", "pear, please"]);
    expect(await texts("pear")).toEqual([]);
    expect(await index()).toBe(2);
    expect(await texts("pear")).toEqual(["a pear", "pear, please"]);
    expect(await features!.search.lag()).toEqual({ waiting: 0, lag_ms: 0 });
    expect(await index()).toBe(0);
  });

  test("finds messages whose id or arrival is off the clock: they are listed", async () => {
    const hour = 3_600_000;
    const expected = [
      await put(here.owner, "replayed plum", { arrivedMs: -hour }),
      await put(here.owner, "slow plum", { offsetMs: -hour }),
      await put(here.owner, "fast plum", { offsetMs: hour }),
      await put(here.owner, "odd plum", { offsetMs: hour, arrivedMs: 0 }),
    ];
    await put(here.owner, "punctual plum", { offsetMs: -1_000 });
    expect((await listed()).sort()).toEqual(expected.sort());
    await index();
    expect(await texts("plum")).toEqual([
      "fast plum",
      "odd plum",
      "punctual plum",
      "replayed plum",
      "slow plum",
    ]);
    expect(await listed()).toEqual([]);
    expect(await wrong()).toEqual([]);
  });

  test("finds a message of the journal, which arrived before others that are indexed", async () => {
    const { conversations } = here.store();
    const hear = (id: string, came_at?: Date) => {
      const message = said("telegram", { telegram_chat_id: "7001" }, id, {
        content: text(`grape ${id}`),
        wakes: false,
        ...(came_at && { came_at }),
      });
      return conversations.receive([{ type: "message", message }], new Date());
    };
    await hear("live");
    await index();
    await hear("journaled", new Date(Date.now() - 600_000));
    expect(await listed()).toHaveLength(1);
    await index();
    expect(await texts("grape")).toEqual(["grape journaled", "grape live"]);
    expect(await wrong()).toEqual([]);
  });

  test("finds a message whose transaction stayed open while many others passed it", async () => {
    await within(30);
    const tx = await connect().reserve();
    await tx`begin`;
    const late = await put(tx, "latecomer");
    for (let i = 0; i < 12; i++) {
      await pause(30);
      await put(here.owner, `passing ${i}`);
      await index();
    }
    expect(await texts("latecomer or passing")).toHaveLength(12);
    expect((await settled()) <= late).toBe(true);
    await tx`commit`;
    tx.release();
    expect(await listed()).not.toContain(late);
    expect(await index()).toBe(1);
    expect(await texts("latecomer")).toEqual(["latecomer"]);
    for (let i = 0; i < 3; i++) {
      await pause(100);
      await put(here.owner, `behind ${i}`);
      await index();
    }
    expect((await settled()) > late).toBe(true);
    expect(await wrong()).toEqual([]);
  });

  test("finds a message that appears behind the batch that a pass has reached", async () => {
    for (let i = 0; i < 25; i++) await put(here.owner, `medlar ${i}`);
    expect(await search().index(10)).toEqual({ indexed: 10, more: true });
    expect(await search().index(10)).toEqual({ indexed: 10, more: true });
    const behind = await put(here.owner, "medlar behind", { offsetMs: -1_000 });
    expect(await listed()).toEqual([]);
    // The pass ends without it, and says that it is to be called again.
    expect(await search().index(10)).toEqual({ indexed: 5, more: true });
    expect(await texts("medlar")).toHaveLength(25);
    expect(await search().index(10)).toEqual({ indexed: 1, more: false });
    expect(await texts("behind")).toEqual(["medlar behind"]);
    expect((await settled()) < behind).toBe(true);
    expect(await wrong()).toEqual([]);
  });

  test("writes nothing while there is nothing to read", async () => {
    await within(30);
    await put(here.owner, "quince");
    for (let i = 0; i < 4; i++) {
      await index();
      await pause(80);
    }
    const row = () => here.owner`select xmin::text, p.* from public.search_progress p`;
    const before = await row();
    await index();
    expect(await row()).toEqual(before);
  });

  test("reads everything again without its progress, a part at a time", async () => {
    await within(30);
    await here.owner`
      insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
      select hub.uuid(now() - (30000 - i) * interval '1 ms'), '00000000-0000-4000-8000-000000000001', i, 'web', 'inbound',
        'user', 'text', case when i % 5000 = 2500 then 'fig' else '' end, now()
      from generate_series(1, 25000) i`;
    await here.owner`truncate public.search_progress, public.unindexed_messages`;
    expect((await search().lag()).waiting).toBe(5);
    const done: number[] = [];
    for (let more = true; more; ) {
      const one = await search().index(1_000);
      done.push(one.indexed);
      more = one.more;
    }
    expect(done).toEqual([2, 2, 1]);
    expect(await wrong()).toEqual([]);
  });

  test("goes on in a copy of the database on another server, whose transaction ids are lower", async () => {
    await within(30);
    await put(here.owner, "early melon");
    await index();
    await here.owner`update public.search_progress set read_before = '999999999999'`;
    const melon = await put(here.owner, "late melon");
    await index();
    expect(await texts("melon")).toHaveLength(2);
    for (let i = 0; i < 3; i++) {
      await pause(100);
      await put(here.owner, "more");
      await index();
    }
    expect((await settled()) > melon).toBe(true);
  });

  test("leaves out and doubles nothing, whatever commits, changes and dies when", async () => {
    await within(40);
    const operation = fc.record({
      offsetMs: fc.constantFrom(0, 0, 0, -10, 10, -60, 60, -3_600_000, 3_600_000),
      arrivedMs: fc.constantFrom(0, 0, 0, -60, -3_600_000),
      openMs: fc.constantFrom(0, 0, 5, 40, 200),
      commits: fc.constantFrom(true, true, true, false),
      change: fc.constantFrom(
        "stays",
        "stays",
        "edited",
        "erased",
        "wordless",
        "moved",
        "deleted",
        "deleted at once",
      ),
    });
    const writers = [connect(), connect(), connect(), connect()];
    const indexers = [connect(), connect(), connect()];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { maxLength: 4 }), { minLength: 4, maxLength: 4 }),
        fc.array(
          fc.record({ waitMs: fc.nat(60), limit: fc.integer({ min: 1, max: 4 }), dies: fc.boolean() }),
          { maxLength: 12 },
        ),
        async (work, runs) => {
          const writing = work.map(async (operations, i) => {
            for (const one of operations) await write(writers[i]!, one);
          });
          const indexing = indexers.map(async (sql, i) => {
            for (const [k, { waitMs, limit, dies }] of runs.entries()) {
              if (k % indexers.length !== i) continue;
              await pause(waitMs);
              await sql
                .begin(async (tx) => {
                  await tx`select public.hub_index_messages(${sql.json({ limit })})`;
                  await pause(waitMs / 4);
                  if (dies) throw new Error("dies");
                })
                .catch(() => {});
            }
          });
          await Promise.all([...writing, ...indexing]);
          await index(3);
          expect(await listed()).toEqual([]);
          expect(await wrong()).toEqual([]);
          expect(await search().lag()).toEqual({ waiting: 0, lag_ms: 0 });
        },
      ),
      { numRuns: 40 },
    );
    expect(await here.deadlocks()).toBe(0);
    // The runs took long enough for most messages to be settled.
    const [row] = await here.owner<[{ behind: number; all: number }]>`
      select (select count(*)::int from public.messages) as all,
        (select count(*)::int from public.messages, public.search_progress where message_id < settled) as behind`;
    expect(row.behind).toBeGreaterThan(row.all / 3);
  });
});

interface Operation {
  readonly offsetMs: number;
  readonly arrivedMs: number;
  readonly openMs: number;
  readonly commits: boolean;
  readonly change: string;
}

/** Stores a message in a transaction of its own, which stays open for some time, and then changes it. */
async function write(sql: sqlDriver.Sql, { openMs, commits, change, ...times }: Operation): Promise<void> {
  const id = await sql
    .begin(async (tx) => {
      const stored = await put(tx, "apple", times);
      if (change === "deleted at once") await tx`delete from public.messages where message_id = ${stored}`;
      await pause(openMs);
      if (!commits) throw new Error("rolled back");
      return stored;
    })
    .catch(() => undefined);
  if (id === undefined) return;
  await pause(openMs / 2);
  await sql.begin(async (tx) => {
    if (change === "edited") await tx`update public.messages set text = 'banana' where message_id = ${id}`;
    if (change === "erased")
      await tx`update public.messages set text = '', kind = 'system' where message_id = ${id}`;
    if (change === "wordless") await tx`update public.messages set text = '' where message_id = ${id}`;
    if (change === "moved")
      await tx`update public.messages set session_id = gen_random_uuid() where message_id = ${id}`;
    if (change === "deleted") await tx`delete from public.messages where message_id = ${id}`;
    await pause(openMs / 2);
  });
}

async function settled(): Promise<string> {
  const [row] = await here.owner<[{ settled: string }]>`select settled from public.search_progress`;
  return row.settled;
}
