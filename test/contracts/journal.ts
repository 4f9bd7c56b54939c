import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";
import type { Journal, JournalEntry, WaitingEntry } from "../../src/outage/journal.ts";
import { sentence } from "./given.ts";

/** An empty journal that takes `limit` entries. */
export type MakeJournal = (limit?: number) => Promise<Journal>;

const at = new Date("2026-11-02T10:00:00.123Z");
const ahead = { behind: false };

/** A webhook's message, as it is journaled. */
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
  return { type: "receive", kept: [{ type: "message", message }], at } satisfies JournalEntry;
}

const update: JournalEntry = {
  type: "update",
  token_hash: "a".repeat(64),
  changes: { data: { cart: null } },
  at,
};

const everyKind: JournalEntry[] = [
  {
    type: "receive",
    at,
    kept: [
      ...sentence.map((content, i): InboundEvent => {
        const { message } = heard(`m${i}`, { content, sent_at: new Date("2026-11-02T09:59:58Z") }).kept[0]!;
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
  {
    type: "start",
    start: {
      identities: { visitor_id: "v" },
      channel: "web",
      data: { at: "2026-11-02T10:00:00Z" },
      token_hash: "t",
      session_id: "s",
    },
    at,
  },
  { type: "restore", who: { token_hash: "t", identities: { phone: "+1" } }, channel: "kiosk", at },
  {
    type: "update",
    token_hash: "t",
    changes: { data: { sent_at: "2026", a: [null, 1] }, message: { text: "x", role: "user" } },
    at,
  },
];

const entriesOf = (waiting: readonly WaitingEntry[]) => waiting.map(({ entry }) => entry);
const idsOf = (waiting: readonly WaitingEntry[]) => waiting.map(({ id }) => id);

/** What every journal promises, wherever it lies. */
export function journalContract(name: string, make: MakeJournal): void {
  describe(name, () => {
    test("gives back everything as it was, instants as instants, oldest first", async () => {
      const journal = await make();
      for (const entry of everyKind) await journal.append([entry], ahead);
      expect(entriesOf(await journal.read(10))).toEqual(everyKind);
      expect(entriesOf(await journal.read(2))).toEqual(everyKind.slice(0, 2));
    });

    test("keeps the order, one by one or many together", async () => {
      const journal = await make();
      const ids = Array.from({ length: 30 }, (_, i) => `m${i}`);
      for (const id of ids.slice(0, 10)) await journal.append([heard(id)], ahead);
      await journal.append(
        ids.slice(10).map((id) => heard(id)),
        ahead,
      );
      expect(entriesOf(await journal.read(100))).toEqual(ids.map((id) => heard(id)));
    });

    test("forgets what is removed, and only that; removing twice is no error", async () => {
      const journal = await make();
      await journal.append([heard("one"), heard("two"), heard("three")], ahead);
      const [, second] = idsOf(await journal.read(3));
      await journal.remove([second!]);
      await journal.remove([second!]);
      await journal.remove([]);
      expect(entriesOf(await journal.read(3))).toEqual([heard("one"), heard("three")]);
    });

    test("tells how many wait, and since when the oldest does", async () => {
      const journal = await make();
      expect(await journal.depth()).toEqual({ depth: 0, quarantined: 0 });
      const before = Date.now();
      await journal.append([heard("one"), heard("two")], ahead);
      const { depth, oldest_at } = await journal.depth();
      expect(depth).toBe(2);
      expect(oldest_at!.getTime()).toBeGreaterThan(before - 60_000);
      expect(oldest_at!.getTime()).toBeLessThan(Date.now() + 60_000);
      await journal.remove(idsOf(await journal.read(2)));
      expect(await journal.depth()).toEqual({ depth: 0, quarantined: 0 });
    });

    test("takes what is to wait behind others only while others wait", async () => {
      const journal = await make();
      expect(await journal.append([heard("alone")], { behind: true })).toBe(false);
      expect((await journal.depth()).depth).toBe(0);
      expect(await journal.append([heard("one")], ahead)).toBe(true);
      expect(await journal.append([heard("two")], { behind: true })).toBe(true);
      expect(entriesOf(await journal.read(9))).toEqual([heard("one"), heard("two")]);
    });

    test("refuses what is too much, all of it, and keeps half for messages", async () => {
      const journal = await make(4);
      await journal.append([update, update], ahead);
      await expect(journal.append([update], ahead)).rejects.toMatchObject({
        code: "unavailable",
        reason: "journal_full",
      });
      await journal.append([heard("one")], ahead);
      await expect(journal.append([heard("two"), heard("three")], ahead)).rejects.toMatchObject({
        reason: "journal_full",
      });
      expect((await journal.depth()).depth).toBe(3);
      await journal.append([heard("four")], ahead);
      expect((await journal.depth()).depth).toBe(4);
    });

    test("is leased to one at a time, until that one gives it back", async () => {
      const journal = await make();
      const leases = await Promise.all([1, 2, 3].map(() => journal.lease(30_000)));
      const [release, ...others] = leases.filter((lease) => lease !== undefined);
      expect(others).toEqual([]);
      await release!();
      expect(await journal.lease(30_000)).toBeDefined();
    });

    test("sets aside what the store refuses, out of everybody's way", async () => {
      const journal = await make();
      await journal.append([heard("bad"), heard("good")], ahead);
      const [bad] = idsOf(await journal.read(1));
      expect([await journal.countFailure(bad!), await journal.countFailure(bad!)]).toEqual([1, 2]);
      await journal.quarantine(bad!, "22P05");
      await journal.quarantine(bad!, "22P05");
      expect(entriesOf(await journal.read(9))).toEqual([heard("good")]);
      expect(await journal.depth()).toMatchObject({ depth: 1, quarantined: 1 });
    });
  });
}
