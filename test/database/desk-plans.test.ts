import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fillConversations } from "../../bench/lib/conversations.ts";
import { VIEWS } from "../../src/features/conversations/conversation.ts";
import { rowsRead, storeOn } from "../support/rows-read.ts";
import { createDatabase } from "../support/stack.ts";

const STAFF = "0".repeat(64);
let owner: sqlDriver.Sql;
beforeAll(async () => {
  owner = sqlDriver((await createDatabase()).url, { max: 1, onnotice: () => {} });
});
afterAll(() => owner.end());

test("a page of the desk's list reads its own rows, however many conversations are stored", async () => {
  let sql: sqlDriver.ISql = owner;
  const store = storeOn(() => sql);
  const { staff, conversations } = store.features!;
  const now = new Date();
  const email = "ana@shop.example";
  const { user_id } = await staff.add({ actor: "test" }, { email, name: "Ana", role: "agent" }, now);
  await staff.signIn({ email }, STAFF, now);
  await fillConversations(owner, 20_000, user_id);
  const at = { staff: STAFF, now };
  const [{ customer_key }] = (await owner`select customer_key from conversations limit 1`) as unknown as [
    { customer_key: string },
  ];
  const read = await owner.begin(async (tx) => {
    sql = tx;
    const found: Record<string, number> = {};
    const measure = async (name: string, work: () => Promise<unknown>) => {
      const before = await rowsRead(tx);
      await work();
      found[name] = (await rowsRead(tx)) - before;
    };
    for (const view of VIEWS) await measure(view, () => conversations.list(at, { view, limit: 20 }));
    await measure("search", () => conversations.list(at, { view: "all", q: "+491500000777", limit: 20 }));
    await measure("one", () => conversations.get(at, customer_key));
    await measure("messages", () => conversations.messages(at, customer_key, { limit: 50 }));
    const { cursor } = await conversations.changes(at);
    // What a waiting page asks many times a second.
    await measure("changes", () => conversations.changes(at, cursor));
    return found;
  });
  // The counts look at what people have, some 1,400 of 20,000; a list of the whole table would read tens of thousands of rows.
  for (const [name, rows] of Object.entries(read)) expect([name, rows < 4_500]).toEqual([name, true]);
  expect(read.one).toBeLessThan(200);
  expect(read.messages).toBeLessThan(100);
  expect(read.changes).toBeLessThan(20);
});
