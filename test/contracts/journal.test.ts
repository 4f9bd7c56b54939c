import { Redis } from "@upstash/redis";
import { beforeAll, describe, expect, test } from "vitest";
import { upstashJournal } from "../../src/stores/journal.ts";
import { memoryJournal } from "../../src/stores/memory/journal.ts";
import { redis as startRedis } from "../support/stack.ts";
import { heard, journalContract } from "./journal.ts";

let url: string;
let token: string;
let redis: Redis;

beforeAll(async () => {
  ({ url, token } = await startRedis());
  redis = new Redis({ url, token, enableTelemetry: false, automaticDeserialization: false });
});

const emptied = async (limit?: number) => {
  await redis.flushall();
  return upstashJournal({ url, token, timeoutMs: 30_000, ...(limit !== undefined && { limit }) });
};

journalContract("memory", async (limit) =>
  memoryJournal({ now: () => new Date(), ...(limit !== undefined && { limit }) }),
);
journalContract("Upstash", emptied);

describe("the journal in Upstash", () => {
  test("gives a new lease when the old one has ended, and the old holder cannot release it", async () => {
    const journal = await emptied();
    const dead = await journal.lease(50);
    await expect.poll(() => journal.lease(30_000), { interval: 20 }).toBeDefined();
    await dead!();
    expect(await journal.lease(30_000)).toBeUndefined();
  });

  test("returns an unreadable entry without content, so that it can be quarantined", async () => {
    const journal = await emptied();
    const entry = (over: object) => JSON.stringify({ ...heard("x"), ...over });
    const event = (over: object) => entry({ events: [{ type: "message", message: over }] });
    const { message } = heard("x").events[0]!;
    const planted = [
      "{not json",
      "null",
      entry({ type: "oracle" }),
      entry({ at: "long ago" }),
      entry({ events: undefined }),
      entry({ events: [null] }),
      entry({ events: [{ type: "oracle", message }] }),
      entry({ events: [{ type: "message" }] }),
      event({ ...message, from: null }),
      event({ ...message, from: { phone: 7 } }),
      event({ ...message, address: "there" }),
      event({ ...message, content: { text: "no kind" } }),
      event({ ...message, external_id: undefined }),
    ];
    for (const text of planted) await redis.xadd("journal", "*", { entry: text });
    await redis.xadd("journal", "*", { other: "1" });
    await journal.append(heard("one"), { behind: true });
    const waiting = await journal.read(99);
    expect(waiting.map(({ entry }) => entry)).toEqual([
      ...Array(planted.length + 1).fill(undefined),
      heard("one"),
    ]);
    for (const { id } of waiting.slice(0, -1)) await journal.quarantine(id, "unreadable");
    expect(await journal.depth()).toMatchObject({ depth: 1, quarantined: planted.length + 1 });
  });

  test("keeps quarantined entries with the reason for a month", async () => {
    const journal = await emptied();
    await journal.append(heard("bad"), { behind: false });
    const [{ id } = { id: "" }] = await journal.read(1);
    await journal.quarantine(id, "session_not_found");
    const [[, fields] = []] = await redis.eval<[], [string, string[]][]>(
      `return redis.call("XRANGE", KEYS[1], "-", "+")`,
      ["journal:quarantine"],
      [],
    );
    expect(fields).toEqual(["entry", JSON.stringify(heard("bad")), "reason", "session_not_found", "id", id]);
    expect(await redis.ttl("journal:quarantine")).toBeGreaterThan(29 * 86_400);
  });

  test("reads as many entries as fit into one answer, at least one", async () => {
    const journal = await emptied();
    const long = (id: string) => heard(id, { content: { kind: "text", text: "x".repeat(400_000) } });
    for (const id of ["one", "two", "three"]) await journal.append(long(id), { behind: false });
    expect((await journal.read(9)).map(({ entry }) => entry)).toEqual([long("one"), long("two")]);
    await journal.append(heard("four", { content: { kind: "text", text: "x".repeat(1_100_000) } }), {
      behind: true,
    });
    await journal.remove((await journal.read(9)).map(({ id }) => id));
    await journal.remove((await journal.read(1)).map(({ id }) => id));
    expect(await journal.read(9)).toHaveLength(1);
  });

  test("never reads an entry that is too long, and lets it be quarantined", async () => {
    const journal = await emptied();
    await redis.eval(`redis.call("XADD", KEYS[1], "*", "entry", string.rep("x", 9000000))`, ["journal"], []);
    await journal.append(heard("one"), { behind: true });
    const [huge, one] = await journal.read(9);
    expect([huge?.entry, one?.entry]).toEqual([undefined, heard("one")]);
    await journal.quarantine(huge!.id, "unreadable");
    expect(await journal.depth()).toMatchObject({ depth: 1, quarantined: 1 });
    const content = { kind: "text" as const, text: "x".repeat(8_000_000) };
    await expect(journal.append(heard("two", { content }), { behind: false })).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  test("deletes an unreadable quarantined entry that names the person", async () => {
    const journal = await emptied();
    for (const text of ["{not json +4915112345601", "{not json +4915112345602"])
      await redis.xadd("journal", "*", { entry: text });
    for (const { id } of await journal.read(9)) await journal.quarantine(id, "unreadable");
    expect(
      await journal.forget({ identities: ["+4915112345601", "+4"], token_hashes: [], session_ids: [] }),
    ).toBe(1);
    expect((await journal.depth()).quarantined).toBe(1);
  });

  test("has no personal data in its keys", async () => {
    const journal = await emptied();
    await journal.append(heard("one"), { behind: false });
    const [{ id } = { id: "" }] = await journal.read(1);
    await journal.lease(30_000);
    await journal.countFailure(id);
    expect((await redis.keys("*")).sort()).toEqual(["journal", "journal:failures", "journal:lease"]);
    await journal.remove([id]);
    expect(await redis.keys("journal:failures")).toEqual([]);
  });

  test.for([
    ["refuses us", async () => ({ url, token: "wrong" }), "journal_refused"],
    ["is not there", async () => ({ url: "http://127.0.0.1:9", token }), "journal_unreachable"],
  ] as const)("is unavailable when Redis %s", async ([, where, reason]) => {
    const journal = upstashJournal({ ...(await where()), timeoutMs: 5_000 });
    const calls = [
      () => journal.append(heard("one"), { behind: false }),
      () => journal.read(1),
      () => journal.remove(["1-0"]),
      () => journal.depth(),
      () => journal.lease(1_000),
      () => journal.countFailure("1-0"),
      () => journal.quarantine("1-0", "x"),
      () => journal.forget({ identities: ["+1"], token_hashes: [], session_ids: [] }),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "unavailable", reason });
  });
});
