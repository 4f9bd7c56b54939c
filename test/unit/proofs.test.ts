import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { anna, ben, type Desk, desk, hash, minute, said, settings } from "../contracts/given.ts";
import { askCode, begin, giveCode, typeIn } from "../contracts/proving.ts";
import { createDatabase } from "../support/stack.ts";

/** What only the database can show of how people prove who they are. */
let owner: sqlDriver.Sql;
let direct: PostgresCalls;
let store: Desk;

beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 2, onnotice: () => {} });
  direct = postgresCalls(url, { max: 4, timeoutMs: 30_000 });
  store = await desk(async () => sqlStore(direct.call, settings));
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});

test("the audit is only ever added to, also by its owner", async () => {
  await store.privacy.erase({ customer_id: "nobody" }, "admin:test", minute(0));
  const refused = "the audit is only ever added to";
  await expect(owner`update public.audit set actor = 'nobody'`).rejects.toThrow(refused);
  await expect(owner`delete from public.audit`).rejects.toThrow(refused);
  await expect(owner`truncate public.audit`).rejects.toThrow(refused);
  expect(await owner`select actor from public.audit`).toEqual([{ actor: "admin:test" }]);
});

test("no table holds a code, a password, or a phone to count by in clear", async () => {
  await begin(store, 1, { phone: anna.phone }, minute(0));
  await askCode(store, anna.phone, "770044", minute(0), [`ip:${hash(7)}`]);
  await store.proofs.signUp({ token_hash: hash(1), password: "correct horse" }, minute(0));
  const login = { phone: ben.phone, password: "wrong horse", new_token_hash: hash(2), channel: "web" };
  await expect(store.proofs.logIn({ ...login, rate_limit_keys: [] }, minute(0))).rejects.toThrow();
  const [{ password_hash }] = (await owner`select password_hash from public.passwords`) as any;
  expect(password_hash).toMatch(/^\$2a\$10\$.{53}$/);
  const rows = await owner`
    select to_jsonb(c) as row from public.codes c union all select to_jsonb(p) from public.passwords p
    union all select to_jsonb(l) from public.rate_limits l`;
  for (const secret of ["770044", "horse"]) expect(JSON.stringify(rows)).not.toContain(secret);
  const keys = await owner`select key from public.rate_limits`;
  expect(keys.length).toBeGreaterThanOrEqual(3);
  for (const phone of [anna.phone, ben.phone]) expect(JSON.stringify(keys)).not.toContain(phone.slice(1));
});

test("asking for a code takes the same work for a stranger", async () => {
  await store.hear(said("whatsapp", { phone: "+4915112340001" }, "1"), minute(0));
  const timed = async (phone: string, at: number) => {
    const began = performance.now();
    await askCode(store, phone, "123456", minute(at));
    return performance.now() - began;
  };
  const known: number[] = [];
  const strange: number[] = [];
  for (let i = 0; i < 60; i++) {
    // Ten a day of one phone.
    known.push(await timed("+4915112340001", i * 145));
    strange.push(await timed("+4915112340002", i * 145));
  }
  const median = (all: number[]) => all.sort((a, b) => a - b)[30]!;
  expect(Math.abs(median(known) - median(strange))).toBeLessThan(5);
});

test("a token that died while its call waited for the session opens nothing", async () => {
  const { session_id } = await typeIn(store, 11, "+4915112340009", minute(0));
  let waiting: Promise<unknown> | undefined;
  await owner.begin(async (tx) => {
    await tx`select 1 from public.sessions where session_id = ${session_id} for update`;
    waiting = store.sessions.restore({ token_hash: hash(11) }, "kiosk", minute(1)).catch(({ code }) => code);
    await blocked();
    await tx`delete from public.session_tokens where token_hash = ${hash(11)}`;
  });
  expect(await waiting).toBe("session_not_found");
});

test("a code that is confirmed while its phone's session merges ends in the survivor", async () => {
  const phone = "+4915112340010";
  const old = await store.hear(said("telegram", { telegram_chat_id: "910" }, "1"), minute(0));
  await store.hear(said("whatsapp", { phone }, "2"), minute(1));
  await askCode(store, phone, "123456", minute(2));
  await begin(store, 12, { visitor_id: "visit-910" }, minute(2));
  const [, mine] = await Promise.all([
    store.hear(said("telegram", { telegram_chat_id: "910", phone }, "3"), minute(3)),
    giveCode(store, phone, "123456", 13, minute(3), { token_hash: hash(12) }),
  ]);
  const page = await store.sessions.messages({ token_hash: hash(13) }, 0, 9, minute(4));
  expect(page.session_id).toBe(old.session.session_id);
  expect(mine.phone).toBe(phone);
});

/** Until some call waits for a lock. */
async function blocked(): Promise<void> {
  for (;;) {
    const [row] = await owner`select count(*)::int as n from pg_stat_activity
      where wait_event_type = 'Lock' and datname = current_database()`;
    if (row!.n > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
