import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";
import type { Journal, JournalEntry, WaitingEntry } from "../../src/outage/journal.ts";
import { hash, sentence } from "./given.ts";

/** An empty journal that takes `limit` entries. */
export type MakeJournal = (limit?: number) => Promise<Journal>;

const at = new Date("2026-11-02T10:00:00.123Z");
const ahead = { behind: false };

/** A platform's message as the journal holds it. */
export function heard(
  external_id: string,
  over: Partial<Extract<InboundEvent, { type: "message" }>["message"]> = {},
) {
  const message = {
    channel: "whatsapp",
    account: "number-1",
    external_id,
    from: { phone: "+4915112345601" },
    address: { to: "4915112345601" },
    content: { kind: "text", text: `text of ${external_id}` },
    wakes: true,
    ...over,
  } as const;
  return { type: "receive", events: [{ type: "message", message }], at } satisfies JournalEntry;
}

/** A frontend's message. */
const callers = (external_id: string): JournalEntry => {
  const { account: _, ...message } = heard(external_id).events[0]!.message;
  return { type: "receive", at, events: [{ type: "message", message }] };
};

const everyKind: JournalEntry[] = [
  {
    type: "receive",
    at,
    events: [
      ...sentence.map((content, i): InboundEvent => {
        const { message } = heard(`m${i}`, { content, sent_at: new Date("2026-11-02T09:59:58Z") }).events[0]!;
        return { type: "message", message };
      }),
      {
        type: "echo",
        echo: {
          channel: "whatsapp",
          external_id: "e",
          to: { phone: "+491" },
          content: { kind: "text", text: "Ü 👋" },
          sent_at: at,
        },
      },
      { type: "receipt", receipt: { channel: "whatsapp", external_id: "r", status: "read", at } },
      { type: "edit", edit: { channel: "telegram", external_id: "d", content: null, at, wakes: false } },
      {
        type: "identity_change",
        change: { channel: "whatsapp", from: { phone: "+1" }, to: { phone: "+2" } },
      },
      {
        type: "reachability",
        reachability: { channel: "telegram", who: { telegram_chat_id: "7" }, reachable: false, at },
      },
    ],
  },
];

const entriesOf = (waiting: readonly WaitingEntry[]) => waiting.map(({ entry }) => entry);
const idsOf = (waiting: readonly WaitingEntry[]) => waiting.map(({ id }) => id);

/** The promises of every journal, in memory and in Upstash. */
export function journalContract(name: string, make: MakeJournal): void {
  describe(name, () => {
    test("returns entries unchanged, instants as dates, oldest first", async () => {
      const journal = await make();
      for (const entry of everyKind) await journal.append(entry, ahead);
      expect(entriesOf(await journal.read(10))).toEqual(everyKind);
      expect(entriesOf(await journal.read(2))).toEqual(everyKind.slice(0, 2));
    });

    test("keeps the order, empty or not", async () => {
      const journal = await make();
      const ids = Array.from({ length: 30 }, (_, i) => `m${i}`);
      for (const id of ids.slice(0, 10)) await journal.append(heard(id), ahead);
      await Promise.all(ids.slice(10, 11).map((id) => journal.append(heard(id), ahead)));
      for (const id of ids.slice(11)) await journal.append(heard(id), { behind: true });
      expect(entriesOf(await journal.read(100))).toEqual(ids.map((id) => heard(id)));
    });

    test("removes only the named entries, and removing twice is no error", async () => {
      const journal = await make();
      for (const id of ["one", "two", "three"]) await journal.append(heard(id), ahead);
      const [, second] = idsOf(await journal.read(3));
      await journal.remove([second!]);
      await journal.remove([second!]);
      await journal.remove([]);
      expect(entriesOf(await journal.read(3))).toEqual([heard("one"), heard("three")]);
    });

    test("reports how many entries wait, and since when the oldest does", async () => {
      const journal = await make();
      expect(await journal.depth()).toEqual({ depth: 0, quarantined: 0 });
      const before = Date.now();
      for (const id of ["one", "two"]) await journal.append(heard(id), ahead);
      const { depth, oldest_at } = await journal.depth();
      expect(depth).toBe(2);
      expect(oldest_at!.getTime()).toBeGreaterThan(before - 60_000);
      expect(oldest_at!.getTime()).toBeLessThan(Date.now() + 60_000);
      await journal.remove(idsOf(await journal.read(2)));
      expect(await journal.depth()).toEqual({ depth: 0, quarantined: 0 });
    });

    test("appends with behind only while other entries wait", async () => {
      const journal = await make();
      expect(await journal.append(heard("alone"), { behind: true })).toBe(false);
      expect((await journal.depth()).depth).toBe(0);
      expect(await journal.append(heard("one"), ahead)).toBe(true);
      expect(await journal.append(heard("two"), { behind: true })).toBe(true);
      expect(entriesOf(await journal.read(9))).toEqual([heard("one"), heard("two")]);
    });

    test("refuses entries past its limit, and keeps half for platforms", async () => {
      const journal = await make(4);
      const full = { code: "unavailable", reason: "journal_full" };
      for (const id of ["one", "two"]) await journal.append(callers(id), ahead);
      await expect(journal.append(callers("three"), ahead)).rejects.toMatchObject(full);
      await journal.append(heard("three"), ahead);
      await journal.append(heard("four"), ahead);
      await expect(journal.append(heard("five"), ahead)).rejects.toMatchObject(full);
      expect((await journal.depth()).depth).toBe(4);
    });

    test("is leased to one replayer at a time, until that one releases it", async () => {
      const journal = await make();
      const leases = await Promise.all([1, 2, 3].map(() => journal.lease(30_000)));
      const [release, ...others] = leases.filter((lease) => lease !== undefined);
      expect(others).toEqual([]);
      await release!();
      expect(await journal.lease(30_000)).toBeDefined();
    });

    test("moves an entry to the quarantine, out of the queue", async () => {
      const journal = await make();
      for (const id of ["bad", "good"]) await journal.append(heard(id), ahead);
      const [bad] = idsOf(await journal.read(1));
      expect([await journal.countFailure(bad!), await journal.countFailure(bad!)]).toEqual([1, 2]);
      await journal.quarantine(bad!, "22P05");
      await journal.quarantine(bad!, "22P05");
      expect(entriesOf(await journal.read(9))).toEqual([heard("good")]);
      expect(await journal.depth()).toMatchObject({ depth: 1, quarantined: 1 });
    });

    test("finds the events of a person and of a message, waiting and in quarantine, without content", async () => {
      const journal = await make();
      const session_id = "019b8b74-1801-7000-8000-000000000001";
      const ben = { from: { phone: "+4915112345602" }, address: { to: "4915112345602" } };
      const both: JournalEntry = {
        type: "receive",
        at,
        events: [...heard("a1").events, ...heard("b1", ben).events],
      };
      for (const entry of [both, heard("b2", ben), heard("s1", { from: { session_id }, address: {} })])
        await journal.append(entry, ahead);
      const [first] = idsOf(await journal.read(1));
      await journal.quarantine(first!, "22P05");
      const none = { identities: [], session_ids: [] };
      const waiting = { state: "waiting", at, since: expect.any(Date), type: "message", channel: "whatsapp" };
      const quarantined = { ...waiting, state: "quarantined", reason: "22P05" };
      expect(await journal.find({ ...none, identities: ["+4915112345602"] })).toEqual([
        { ...waiting, external_id: "b2" },
        { ...quarantined, external_id: "b1" },
      ]);
      expect(await journal.find({ ...none, session_ids: [session_id] })).toEqual([
        { ...waiting, external_id: "s1" },
      ]);
      expect(await journal.find({ ...none, external_id: "a1" })).toEqual([
        { ...quarantined, external_id: "a1" },
      ]);
      expect(await journal.find(none)).toEqual([]);
    });

    test("deletes a person's events from the quarantine, and no other events", async () => {
      const journal = await make();
      const token_hash = hash(1);
      const session_id = "019b8b74-1801-7000-8000-000000000001";
      const ben = { from: { phone: "+4915112345602" }, address: { to: "4915112345602" } };
      const both: JournalEntry = {
        type: "receive",
        at,
        events: [...heard("a1").events, ...heard("b1", ben).events],
      };
      const bens = heard("b2", { ...ben, content: { kind: "text", text: "+4915112345601" } });
      const edit: InboundEvent = {
        type: "edit",
        edit: { channel: "whatsapp", external_id: "a1", content: null, address: { to: "4915112345601" } },
      };
      const refused: JournalEntry[] = [
        heard("a2"),
        both,
        bens,
        heard("a3", { from: { token_hash }, address: {} }),
        heard("a4", { from: { session_id }, address: {} }),
        { type: "receive", at, events: [edit] },
      ];
      for (const entry of refused) await journal.append(entry, ahead);
      for (const id of idsOf(await journal.read(9))) await journal.quarantine(id, "session_not_found");
      const whom = { identities: ["+4915112345601"], token_hashes: [token_hash], session_ids: [session_id] };
      expect(await journal.forget(whom)).toBe(5);
      expect(await journal.depth()).toEqual({ depth: 0, quarantined: 2 });
      expect(await journal.forget(whom)).toBe(0);
      const bensOwn = { ...whom, identities: ["+4915112345602"] };
      expect(await journal.forget(bensOwn)).toBe(2);
      expect((await journal.depth()).quarantined).toBe(0);
    });
  });
}
