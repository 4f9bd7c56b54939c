import sqlDriver from "postgres";
import { describe, expect, test } from "vitest";
import type { Message } from "../../src/core/messages/message.ts";
import { anna, ben, day, minute, said, settings, text } from "../contracts/given.ts";
import { races, timeoutMs } from "../database/races/database.ts";

const here = races();
const ROUNDS = 15;
let ids = 0;

/** Opens a transaction, does `work` in it, and returns how to end it. */
async function held(work: (tx: sqlDriver.ReservedSql) => Promise<unknown>) {
  const sql = sqlDriver(here.url, { max: 1, onnotice: () => {} });
  const tx = await sql.reserve();
  await tx`begin`;
  await work(tx);
  const end = async (how: "commit" | "rollback") => {
    await (how === "commit" ? tx`commit` : tx`rollback`);
    tx.release();
    await sql.end();
  };
  return { commit: () => end("commit"), rollback: () => end("rollback") };
}

function desk() {
  const store = here.store();
  const search = store.features!.search;
  const says = async (
    words: string,
    { telegram_chat_id }: { telegram_chat_id: string } = anna,
  ): Promise<Message> => {
    const message = said("telegram", { telegram_chat_id }, `s${++ids}`, {
      content: text(words),
      wakes: false,
    });
    const [result] = await store.conversations.receive([{ type: "message", message }], minute(ids));
    return (result as { message: Message }).message;
  };
  const edit = (message: Message, words: string, at = minute(ids)) => {
    const { external_id } = message;
    const edit = {
      channel: "telegram",
      account: "bot-1",
      external_id: external_id!,
      content: text(words),
      at,
    };
    return store.conversations.receive([{ type: "edit", edit }], at);
  };
  const texts = async (q: string) =>
    (await search.messages({ q }, undefined, 50, minute(900))).results.map((one) => one.text).sort();
  const index = async () => {
    let all = 0;
    for (let more = true; more; ) {
      const done = await search.index(100);
      all += done.indexed;
      more = done.more;
    }
    return all;
  };
  return { store, search, says, edit, texts, index };
}

/** The number of rows in the index with these words. */
async function words(like: string): Promise<number> {
  const [row] = await here.owner`
    select count(*)::int as rows from public.message_search where doc @@ plainto_tsquery('simple', ${like})`;
  return row!.rows;
}

describe("the index", { timeout: 120_000 }, () => {
  test("misses no message of a transaction that commits late", async () => {
    const { says, texts, index, search } = desk();
    await says("early");
    const late = await held(async (tx) => {
      const message = said("telegram", { telegram_chat_id: ben.telegram_chat_id }, "late", {
        content: text("latecomer"),
        wakes: false,
      });
      const people = { ttl_ms: settings.sessionTtlMs, lease_ms: 60_000, history: 0 };
      const { from, ...rest } = message;
      const item = {
        ...rest,
        type: "message",
        identities: from,
        kind: "text",
        text: "latecomer",
        content: {},
      };
      await tx.unsafe("select public.hub_receive($1::text::jsonb)", [
        JSON.stringify({ ...people, now: minute(0), items: [item] }),
      ]);
    });
    await says("after it");
    expect(await index()).toBe(2);
    expect(await search.lag()).toEqual({ waiting: 0, lag_ms: 0 });
    expect(await texts("latecomer or early or after")).toEqual(["after it", "early"]);
    await late.commit();
    expect((await search.lag()).waiting).toBe(1);
    expect(await index()).toBe(1);
    expect(await texts("latecomer")).toEqual(["latecomer"]);
  });

  test("does not change for a transaction that is rolled back", async () => {
    const { says, texts, index, search } = desk();
    const message = await says("stays");
    await index();
    const gone = await held(
      (tx) => tx`update public.messages set text = 'goes' where message_id = ${message.message_id}`,
    );
    expect(await index()).toBe(0);
    expect(await texts("stays")).toEqual(["stays"]);
    await gone.rollback();
    expect(await index()).toBe(0);
    expect([await texts("stays"), await texts("goes")]).toEqual([["stays"], []]);
    expect((await search.lag()).waiting).toBe(0);
  });

  test("does not wait for a transaction that changes a message, and has the new words afterwards", async () => {
    const { says, texts, index } = desk();
    const message = await says("before");
    await index();
    await here.owner`insert into public.unindexed_messages values (${message.message_id}, ${message.session_id}, now())`;
    const change = await held(
      (tx) => tx`update public.messages set text = 'afterwards' where message_id = ${message.message_id}`,
    );
    await says("another");
    const began = performance.now();
    expect(await index()).toBe(1);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(await texts("another")).toEqual(["another"]);
    await change.commit();
    expect(await texts("before")).toEqual([]);
    await index();
    expect([await texts("before"), await texts("afterwards")]).toEqual([[], ["afterwards"]]);
  });

  test("a message that is edited while it is indexed is found by its last text", async () => {
    const { says, edit, texts, index } = desk();
    for (let round = 0; round < ROUNDS; round++) {
      const messages = await Promise.all([says("oldword"), says("oldword", ben), says("oldword", ben)]);
      await Promise.all([...messages.map((one) => edit(one, "newword")), index(), index()]);
      expect(await texts("oldword"), `round ${round}`).toEqual([]);
      await index();
      expect(await words("oldword"), `round ${round}`).toBe(0);
      expect((await texts("newword")).length).toBe(Math.min(50, (round + 1) * 3));
    }
    expect(await here.deadlocks()).toBe(0);
  });

  test("a message that is erased while it is indexed is not found, and leaves no words", async () => {
    const { store, says, texts, index } = desk();
    for (let round = 0; round < ROUNDS; round++) {
      const [{ session_id }] = await Promise.all([says("whisper one"), says("stays", ben)]);
      await says("whisper two");
      await Promise.all([
        store.privacy.erase({ session_id }, "test", minute(ids)),
        index(),
        index(),
        texts("whisper"),
      ]);
      expect(await texts("whisper"), `round ${round}`).toEqual([]);
      await index();
      expect(await words("whisper"), `round ${round}`).toBe(0);
    }
    expect(await here.deadlocks()).toBe(0);
  });

  test("a message that is deleted while it is indexed leaves no row", async () => {
    const { store, says, index } = desk();
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all([says("old one"), says("old two", ben)]);
      const retention = { now: day(100), messages_before: day(99) };
      await Promise.all([store.housekeeping.purge(day(-1), 100, retention), index(), index()]);
      await store.housekeeping.purge(day(-1), 100, retention);
      await index();
      expect(await words("old"), `round ${round}`).toBe(0);
    }
    const [left] = await here.owner`select count(*)::int as rows from public.message_search`;
    expect(left!.rows).toBe(0);
  });

  test("messages of sessions that merge while they are indexed are all found in one session", async () => {
    const { store, says, index, search } = desk();
    const { telegram_chat_id, whatsapp_user_id } = anna;
    for (let i = 0; i < 4; i++) await says(`merging ${i}`);
    const message = said("whatsapp", { whatsapp_user_id }, "w", { content: text("merging w"), wakes: false });
    await store.conversations.receive([{ type: "message", message }], minute(1));
    const both = said("telegram", { telegram_chat_id, whatsapp_user_id }, "b", {
      content: text("merging b"),
      wakes: false,
    });
    await Promise.all([
      store.conversations.receive([{ type: "message", message: both }], minute(90)),
      index(),
      index(),
    ]);
    await index();
    const { results } = await search.messages({ q: "merging" }, undefined, 50, minute(900));
    expect(results).toHaveLength(6);
    const { session_id } = results[0]!;
    const found = await search.messages({ q: "merging", session: session_id }, undefined, 50, minute(900));
    expect(found.results).toHaveLength(6);
  });

  test("many indexers at once index each message once, and do not wait for each other", async () => {
    const { says, search, texts, index } = desk();
    await Promise.all(Array.from({ length: 60 }, (_, i) => says(`crowd ${i}`, i % 2 ? anna : ben)));
    const done = await Promise.all(Array.from({ length: 20 }, () => search.index(7)));
    const indexed = done.reduce((sum, one) => sum + one.indexed, 0);
    expect(indexed).toBeGreaterThan(0);
    expect(indexed + (await index())).toBe(60);
    expect(await texts("crowd")).toHaveLength(50);
    const [rows] =
      await here.owner`select count(*)::int as rows, count(distinct n)::int as ns from public.message_search`;
    expect(rows).toEqual({ rows: 60, ns: 60 });
    expect(await here.deadlocks()).toBe(0);
  });

  test("an indexer that dies halfway has indexed nothing, and the next one indexes everything", async () => {
    const { says, search, texts, index } = desk();
    for (let i = 0; i < 5; i++) await says(`victim ${i}`);
    const dies = sqlDriver(here.url, { max: 1, onnotice: () => {} });
    const tx = await dies.reserve();
    await tx`begin`;
    const [pid] = await tx`select pg_backend_pid() as pid`;
    await tx`select public.hub_index_messages('{"limit": 100}')`;
    // While it runs, others index nothing.
    expect(await search.index(100)).toEqual({ indexed: 0, more: false });
    expect(await texts("victim")).toEqual([]);
    const admin = sqlDriver(here.adminUrl, { max: 1, onnotice: () => {} });
    await admin`select pg_terminate_backend(${pid!.pid}, ${timeoutMs})`;
    await admin.end();
    tx.release();
    await dies.end({ timeout: 1 }).catch(() => {});
    expect((await search.lag()).waiting).toBe(5);
    expect(await index()).toBe(5);
    expect(await texts("victim")).toHaveLength(5);
  });
});
