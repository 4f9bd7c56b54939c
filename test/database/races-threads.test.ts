import { expect, test } from "vitest";
import { postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { day, MINUTE, minute, settings } from "../contracts/given.ts";
import { races, timeoutMs } from "./races/database.ts";
import { range } from "./races/many.ts";

const here = races();
const ROUNDS = 40;
const LIFE = { ttl_ms: MINUTE };

test("a thread outlives whoever kept it: another store over the same database has it, and its expiry", async () => {
  const put = await here.store().threads.put("t1", { data: { step: 1 }, user_id: "103" }, minute(0));
  const other = postgresCalls(here.url, { max: 1, timeoutMs });
  const { threads } = sqlStore(other.call, { ...settings, threadTtlMs: 1 });
  expect(await threads.get("t1", minute(0))).toEqual(put.thread);
  await other.close();
});

test("of fifty who change a thread at its version one gets through", async () => {
  const { threads } = here.store();
  const { version } = (await threads.put("t1", { data: {} }, minute(0))).thread;
  const all = await Promise.allSettled(
    range(50).map((by) => threads.put("t1", { data: { by } }, minute(1), version)),
  );
  const winners = all.flatMap((one) => (one.status === "fulfilled" ? [one.value.thread] : []));
  expect(winners).toHaveLength(1);
  expect(await threads.get("t1", minute(1))).toEqual(winners[0]);
  const reasons = all.flatMap((one) => (one.status === "rejected" ? [one.reason.code] : []));
  expect(new Set(reasons)).toEqual(new Set(["version_conflict"]));
});

test("fifty who put a new thread at once make one, of fifty versions", async () => {
  const { threads } = here.store();
  const all = await Promise.all(range(50).map((by) => threads.put("t1", { data: { by } }, minute(0))));
  expect(all.filter(({ created }) => created)).toHaveLength(1);
  expect(new Set(all.map(({ thread }) => thread.version)).size).toBe(50);
  const last = all.find(({ thread }) => thread.version === minute(0).getTime() + 49)!;
  expect((await threads.get("t1", minute(0))).data).toEqual(last.thread.data);
});

test("what is put while the sweep takes the thread stays", async () => {
  const { threads, housekeeping } = here.store();
  for (const round of range(ROUNDS)) {
    const start = day(round);
    const end = new Date(start.getTime() + MINUTE);
    await threads.put("t1", { data: { old: round }, ...LIFE }, start);
    const put = () => threads.put("t1", { data: { new: round }, ...LIFE }, end);
    const sweep = () => housekeeping.expire(end, 10);
    await Promise.all(round % 2 ? [put(), sweep(), sweep()] : [sweep(), put(), sweep()]);
    expect((await threads.get("t1", end)).data).toEqual({ new: round });
  }
});

test("who reads a thread in its last millisecond, by a clock that is behind the sweep's, has it or has it not", async () => {
  const { threads, housekeeping } = here.store();
  const seen = { had: 0, gone: 0 };
  for (const round of range(ROUNDS)) {
    const id = `t${round}`;
    await threads.put(id, { data: { round }, ...LIFE }, minute(0));
    const last = new Date(minute(1).getTime() - 1);
    const read = () =>
      threads.get(id, last).then(
        ({ data }) => data,
        ({ code }) => code as string,
      );
    const sweep = () => housekeeping.expire(minute(1), 100);
    const answers = await Promise.all(
      round % 2 ? [read(), sweep(), read(), read()] : [sweep(), read(), read(), read()],
    );
    const reads = answers.filter((answer) => typeof answer !== "number");
    const had = reads.filter((answer) => typeof answer === "object");
    for (const answer of had) expect(answer).toEqual({ round });
    // Whoever was given it has made it live on; where nobody was, it is gone for all.
    const after = await read();
    expect(after).toEqual(had.length > 0 ? { round } : "thread_expired");
    seen[had.length > 0 ? "had" : "gone"] += 1;
  }
  expect(seen.had).toBeGreaterThan(0);
});

test("threads that are written while their customer is erased make nobody wait in a circle", async () => {
  const store = here.store();
  const before = await here.deadlocks();
  for (const round of range(10)) {
    const ids = range(8).map((i) => `t${i}`);
    const change = { data: { round }, user_id: "103" };
    for (const id of ids) await store.threads.put(id, change, minute(0));
    await Promise.all([
      ...ids.toReversed().map((id) => store.threads.put(id, { ...change, data: { round: -1 } }, minute(1))),
      store.privacy.erase({ customer_id: "103" }, "test", minute(1)),
      store.privacy.erase({ customer_id: "103" }, "test", minute(1)),
      store.housekeeping.expire(day(2), 10),
    ]);
    await store.privacy.erase({ customer_id: "103" }, "test", minute(1));
    expect(await store.threads.kept("103", undefined, 10)).toEqual([]);
  }
  expect(await here.deadlocks()).toBe(before);
});

test("threads of customers who become one are under the name that stays, at another version", async () => {
  const { threads } = here.store();
  const [one, other, nameless] = range(3).map(() => crypto.randomUUID());
  const people = [
    [one, "103"],
    [other, "104"],
    [nameless, null],
  ] as const;
  for (const [key, name] of people)
    await here.owner`
      insert into public.customers (customer_key, customer_id, created_at, updated_at)
      values (${key!}, ${name}, now(), now())`;
  for (const user_id of ["103", "104", "105"])
    await threads.put(`of ${user_id}`, { data: { user_id }, user_id }, minute(0));
  const join = (...keys: (string | undefined)[]) =>
    here.owner`select hub.join_customers(${keys as string[]}::uuid[], now())`;
  const ids = async (user_id: string) =>
    (await threads.kept(user_id, undefined, 9)).map(({ thread_id, version }) => [
      thread_id,
      version - minute(0).getTime(),
    ]);
  await join(nameless, other);
  expect(await ids("104")).toEqual([["of 104", 0]]);
  await join(one, nameless);
  expect([await ids("103"), await ids("104")]).toEqual([
    [
      ["of 103", 0],
      ["of 104", 1],
    ],
    [],
  ]);
  expect(await ids("105")).toEqual([["of 105", 0]]);
});
