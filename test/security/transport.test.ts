import sqlDriver from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import type { Row } from "../../src/stores/rows.ts";
import { slots } from "../../src/stores/slots.ts";
import { createDatabase } from "../support/stack.ts";

const TIMEOUT_MS = 600;

let url: string;
let owner: sqlDriver.Sql;

/** Functions that answer with their own argument, write a row, wait for a lock, or fail, as an argument says. */
beforeAll(async () => {
  ({ url } = await createDatabase());
  owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  await owner.unsafe(`
    create table public.attack_rows (name text);
    create table public.attack_lock (name text);
    create function public.hub_echo(p jsonb) returns jsonb language plpgsql volatile as $$
    begin
      perform pg_sleep(coalesce((p ->> 'sleep')::float8, 0));
      if p ? 'fail' then raise exception using errcode = p ->> 'fail'; end if;
      if p ? 'write' then insert into public.attack_rows values (p ->> 'write'); end if;
      if p ? 'wait' then lock table public.attack_lock in share mode; end if;
      return p;
    end
    $$`);
});
afterAll(() => owner.end());
beforeEach(() => owner`truncate attack_rows`);

/** Calls through the transport, closed when the test is over. */
async function withCalls(max: number, work: (ask: (argument: Row) => Promise<Row>) => Promise<void>) {
  const calls: PostgresCalls = postgresCalls(url, { max, timeoutMs: TIMEOUT_MS });
  try {
    await work((argument) => calls.call("hub_echo" as never, argument));
  } finally {
    await calls.close();
  }
}

/** Holds what the function waits for while `work` runs. */
async function locked(work: () => Promise<void>): Promise<void> {
  await owner.begin(async (sql) => {
    await sql`lock table public.attack_lock in exclusive mode`;
    await work();
  });
}

const written = async () => (await owner`select name from attack_rows order by name`).map(({ name }) => name);
const connections = async () => {
  const watcher = sqlDriver(url, { max: 1 });
  const rows = await watcher`
    select state, xact_start is not null as open, query from pg_stat_activity
    where application_name = 'session-hub' and datname = current_database()`;
  await watcher.end();
  return rows;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const WORDS = [
  "'; drop table public.sessions; --",
  "\"}'::jsonb); delete from public.sessions; select ('{\"",
  "$1 $2 $$ $tag$ :name {{x}}",
  "\\'; \\x00 \\ \\\\",
  "%s %n %00",
  "\u2028\u202e\ufeff\ud83d\ude00",
  "null",
  "x".repeat(200_000),
];

describe("the direct connection's words", () => {
  test("are arguments and nothing else, as values and as keys", async () => {
    await withCalls(1, async (ask) => {
      for (const word of WORDS) {
        const argument = { [word]: word, list: [word, { [word]: null }] };
        expect(await ask(argument)).toEqual(argument);
      }
    });
  });

  test("that no text column can hold are refused, and harm no later call", async () => {
    await withCalls(1, async (ask) => {
      await expect(ask({ word: "a\u0000b" })).rejects.toMatchObject({ reason: "22P05" });
      await expect(ask({ word: "\ud800" })).rejects.toMatchObject({ reason: expect.stringMatching(/^22/) });
      expect(await ask({ word: "fine" })).toEqual({ word: "fine" });
    });
  });

  test.for([
    "hub_echo('{}'); drop table public.attack_rows; --",
    "hub_echo(null) as answer, pg_sleep",
    'hub_echo"',
    "pg_sleep",
    "",
  ])("are never a name: %s", async (name) => {
    const calls = postgresCalls(url, { max: 1, timeoutMs: TIMEOUT_MS });
    await expect(calls.call(name as never, {})).rejects.toThrow(TypeError);
    await calls.close();
    expect((await owner`select to_regclass('public.attack_rows') is not null as there`)[0]).toEqual({
      there: true,
    });
  });
});

describe("an answer of the direct connection", () => {
  test("belongs to its question, while others fail, time out and lose their connection", async () => {
    await withCalls(3, async (ask) => {
      const one = async (i: number) => {
        const argument: Row = {
          i,
          sleep: (i % 7) / 500,
          ...(i % 11 === 0 && { fail: "22023" }),
          ...(i % 61 === 0 && { sleep: 5 }),
        };
        const answer = await ask(argument).catch((error) => error);
        if (answer instanceof Error) return false;
        expect(answer).toEqual(argument);
        return true;
      };
      const answered: boolean[] = [];
      for (let wave = 0; wave < 5; wave++) {
        const asked = Array.from({ length: 40 }, (_, i) => one(wave * 40 + i + 1));
        if (wave % 2 === 1)
          await owner`
            select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = 'session-hub' and datname = current_database()`;
        answered.push(...(await Promise.all(asked)));
      }
      expect(answered.filter(Boolean).length).toBeGreaterThan(60);
      expect(await ask({ i: "last" })).toEqual({ i: "last" });
    });
  });
});

describe("a statement that hangs", () => {
  test("is given up in time, stopped in the database too, and leaves nothing behind", async () => {
    await withCalls(1, async (ask) => {
      await locked(async () => {
        await expect(ask({ write: "never", wait: true })).rejects.toMatchObject({ code: "unavailable" });
        await pause(TIMEOUT_MS);
        expect((await connections()).filter(({ open }) => open)).toEqual([]);
        expect(await ask({ word: "the next one" })).toEqual({ word: "the next one" });
      });
      await pause(100);
      expect(await written()).toEqual([]);
    });
  });

  test("lets no call run whose caller was told that it failed before it was sent", async () => {
    await withCalls(1, async (ask) => {
      await locked(async () => {
        const hanging = ask({ wait: true });
        const behind = Array.from({ length: 20 }, (_, i) => ask({ write: `zombie ${i}` }));
        const outcomes = await Promise.allSettled([hanging, ...behind]);
        expect(outcomes.map(({ status }) => status)).toEqual(Array(21).fill("rejected"));
      });
      await pause(3 * TIMEOUT_MS);
      expect(await written()).toEqual([]);
      expect(await ask({ write: "alive" })).toEqual({ write: "alive" });
      expect(await written()).toEqual(["alive"]);
    });
  });

  test("a hundred of them open few connections, and none stays", async () => {
    await withCalls(3, async (ask) => {
      const counts: number[] = [];
      await locked(async () => {
        for (let wave = 0; wave < 4; wave++) {
          const asked = Promise.allSettled(Array.from({ length: 25 }, () => ask({ wait: true })));
          await pause(TIMEOUT_MS / 2);
          counts.push((await connections()).length);
          await asked;
        }
      });
      expect(Math.max(...counts)).toBeLessThanOrEqual(6);
      await pause(2 * TIMEOUT_MS);
      expect(await ask({ word: "after" })).toEqual({ word: "after" });
      const left = await connections();
      expect([left.length <= 3, left.filter(({ open }) => open)]).toEqual([true, []]);
    });
  });
});

describe("a connection string", () => {
  test.for(["require", "verify-ca", "verify-full"])(
    "that asks for TLS (%s) never speaks without it",
    async (mode) => {
      const { call, close } = postgresCalls(`${url}?sslmode=${mode}`, { max: 1, timeoutMs: TIMEOUT_MS });
      await expect(call("hub_echo" as never, {})).rejects.toMatchObject({ code: "unavailable" });
      expect(await connections()).toEqual([]);
      await close();
    },
  );
});

describe("slots", () => {
  const never = new AbortController().signal;

  test("are given in the order in which they were asked for", async () => {
    const { take } = slots(1);
    const order: number[] = [];
    const first = await take(never);
    const others = [1, 2, 3].map(async (i) => {
      const giveBack = await take(never);
      order.push(i);
      giveBack();
    });
    first();
    await Promise.all(others);
    expect(order).toEqual([1, 2, 3]);
  });

  test("are not taken by those who went away", async () => {
    const { take } = slots(1);
    const first = await take(never);
    const gone = new AbortController();
    const waiting = take(gone.signal);
    gone.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    first();
    (await take(never))();
  });

  test("do not become more when those that were given up are given back", async () => {
    const { take, renew } = slots(2);
    const old = [await take(never), await take(never)];
    renew();
    await Promise.all([take(never), take(never)]);
    for (const giveBack of old) giveBack();
    let got = false;
    void take(never).then(() => {
      got = true;
    });
    await pause(0);
    expect(got).toBe(false);
  });
});
