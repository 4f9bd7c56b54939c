import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { type Desk, desk, hash, minute, said, settings } from "../contracts/given.ts";
import { askCode, begin, giveCode, scan } from "../contracts/proving.ts";
import { createDatabase } from "../support/stack.ts";

/** What somebody may try by doing two things at the same moment, against the database that decides. */
let owner: sqlDriver.Sql;
let direct: PostgresCalls;
let store: Desk;
let people = 0;

beforeAll(async () => {
  const { url } = await createDatabase();
  owner = sqlDriver(url, { max: 2, onnotice: () => {} });
  direct = postgresCalls(url, { max: 8, timeoutMs: 30_000 });
  store = await desk(async () => sqlStore(direct.call, settings));
});
afterAll(async () => {
  await direct.close();
  await owner.end();
});

/** What becomes of several calls that all wait for the rows which a query locks, and go on at the same moment. */
async function atOnce(
  held: sqlDriver.PendingQuery<sqlDriver.Row[]>,
  n: number,
  make: (i: number) => Promise<unknown>,
): Promise<string[]> {
  const calls: Promise<string>[] = [];
  await owner.begin(async (tx) => {
    await tx`${held}`;
    calls.push(...times(n, (i) => codeOf(make(i))));
    for (;;) {
      const [row] = await owner`
        select count(*)::int as n from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database()`;
      if (row!.n >= n) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  return Promise.all(calls);
}

/** Tokens, links, phones and chats of one round's own. */
function round() {
  const n = ++people * 100;
  return {
    token: (i: number) => hash(n + i),
    seed: (i: number) => n + i,
    phone: (i: number) => `+4915${100_000_000 + n + i}`,
    chat: (i: number) => ({ telegram_chat_id: String(n + i) }),
    link: (i: number) => hash(10_000_000 + n + i),
  };
}

const codeOf = (call: Promise<unknown>) => call.then(() => "done").catch(({ code }) => code as string);
const sessionOf = (token_hash: string, at: number) =>
  store.sessions
    .messages({ token_hash }, 0, 1, minute(at))
    .then(({ session_id }) => session_id)
    .catch(() => undefined);
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

test("a code bears five guesses, however many come at once", async () => {
  const { phone, seed } = round();
  await askCode(store, phone(1), "123456", minute(0));
  const held = owner`select 1 from public.codes where phone = ${phone(1)} for update`;
  const answers = await atOnce(held, 7, (i) => giveCode(store, phone(1), `20000${i}`, seed(i), minute(1)));
  expect(answers).toEqual(times(7, () => "code_invalid"));
  const [code] = await owner`select attempts from public.codes where phone = ${phone(1)}`;
  expect(code).toEqual({ attempts: 5 });
  expect(await codeOf(giveCode(store, phone(1), "123456", seed(50), minute(1)))).toBe("code_invalid");
});

test("three codes are made for a phone, however many are asked for at once", async () => {
  const { phone } = round();
  await askCode(store, phone(1), "300000", minute(0));
  const held = owner`select 1 from public.rate_limits for update`;
  const answers = await atOnce(held, 7, (i) => askCode(store, phone(1), `30000${i}`, minute(1)));
  expect(answers.filter((code) => code === "done")).toHaveLength(2);
  expect(answers.filter((code) => code === "too_many_requests")).toHaveLength(5);
});

test("a phone bears five wrong passwords, however many come at once", async () => {
  const { phone, token, seed } = round();
  await begin(store, seed(1), { phone: phone(1) }, minute(0));
  await store.proofs.signUp({ token_hash: token(1), password: "correct horse" }, minute(0));
  const login = (password: string, i: number) =>
    store.proofs.logIn(
      { phone: phone(1), password, new_token_hash: token(i), channel: "web", rate_limit_keys: [] },
      minute(1),
    );
  const answers = await Promise.all(times(12, (i) => codeOf(login(`wrong ${i}`, 10 + i))));
  expect(answers.filter((code) => code === "password_invalid")).toHaveLength(5);
  expect(answers.filter((code) => code === "too_many_requests")).toHaveLength(7);
  expect(await codeOf(login("correct horse", 40))).toBe("too_many_requests");
});

test("a link that is scanned while its device signs out links it, or signs it out", async () => {
  for (let i = 0; i < 20; i++) {
    const { token, seed, chat, link } = round();
    const { session_id } = await begin(store, seed(1), { visitor_id: String(seed(1)) }, minute(0));
    const shown = { token_hash: token(1), link_hash: link(1), new_token_hash: token(2) };
    await store.proofs.createLink(shown, minute(0));
    const [heard, signedOut] = await Promise.all([
      scan(store, chat(1), link(1), `scan ${seed(1)}`, minute(1)),
      store.sessions.signOut(token(1), minute(1)),
    ]);
    const isLinked = heard.message.text === "linked";
    expect([isLinked, heard.session.session_id === session_id]).toEqual([!signedOut, !signedOut]);
    expect(await sessionOf(token(1), 2)).toBeUndefined();
    expect(await sessionOf(token(2), 2)).toBe(isLinked ? session_id : undefined);
  }
});

test("of two links of one device, scanned at once by two people, one is good", async () => {
  for (let i = 0; i < 20; i++) {
    const { token, seed, chat, phone, link } = round();
    await begin(store, seed(1), { visitor_id: String(seed(1)) }, minute(0));
    for (const n of [1, 2])
      await store.proofs.createLink(
        { token_hash: token(1), link_hash: link(n), new_token_hash: token(1 + n) },
        minute(0),
      );
    const heard = await Promise.all([
      scan(store, chat(1), link(1), `scan ${seed(1)}`, minute(1)),
      scan(store, { phone: phone(2) }, link(2), `scan ${seed(2)}`, minute(1)),
    ]);
    const good = heard.findIndex(({ message }) => message.text === "linked");
    expect(heard.map(({ message }) => message.text).sort()).toEqual(["link_failed", "linked"]);
    expect(heard[0]!.session.session_id).not.toBe(heard[1]!.session.session_id);
    expect(await sessionOf(token(2 + good), 2)).toBe(heard[good]!.session.session_id);
    for (const dead of [1, 3 - good]) expect(await sessionOf(token(dead), 2)).toBeUndefined();
  }
});

test("two people who prove at once with one planted token get a session each", async () => {
  for (let i = 0; i < 20; i++) {
    const { token, seed, phone } = round();
    await begin(store, seed(1), { visitor_id: String(seed(1)) }, minute(0));
    for (const n of [1, 2]) await askCode(store, phone(n), "123456", minute(0));
    const [mine, theirs] = await Promise.all(
      [1, 2].map((n) =>
        giveCode(store, phone(n), "123456", seed(10 + n), minute(1), { token_hash: token(1) }),
      ),
    );
    expect([mine!.phone, theirs!.phone]).toEqual([phone(1), phone(2)]);
    expect(mine!.session_id).not.toBe(theirs!.session_id);
    expect(await sessionOf(token(1), 2)).toBeUndefined();
    expect(await sessionOf(token(11), 2)).toBe(mine!.session_id);
    expect(await sessionOf(token(12), 2)).toBe(theirs!.session_id);
  }
});

test("a code that is given at a device whose link is scanned by another joins nobody to the other", async () => {
  for (let i = 0; i < 20; i++) {
    const { token, seed, phone, chat, link } = round();
    // They are known to be two people: each has a Telegram of their own.
    for (const n of [1, 2])
      await store.hear(said("telegram", { ...chat(n), phone: phone(n) }, `${seed(n)}`), minute(-5));
    await begin(store, seed(1), { visitor_id: String(seed(1)) }, minute(0));
    await store.proofs.createLink(
      { token_hash: token(1), link_hash: link(1), new_token_hash: token(2) },
      minute(0),
    );
    await askCode(store, phone(1), "123456", minute(0));
    const [mine, heard] = await Promise.all([
      giveCode(store, phone(1), "123456", seed(3), minute(1), { token_hash: token(1) }),
      scan(store, chat(2), link(1), `scan ${seed(1)}`, minute(1)),
    ]);
    expect(mine).toMatchObject({ phone: phone(1), ...chat(1) });
    expect(heard.session).toMatchObject({ phone: phone(2), ...chat(2) });
    expect(heard.session.session_id).not.toBe(mine.session_id);
    expect(await sessionOf(token(1), 2)).toBeUndefined();
    expect(await sessionOf(token(3), 2)).toBe(mine.session_id);
    const isLinked = heard.message.text === "linked";
    expect(await sessionOf(token(2), 2)).toBe(isLinked ? heard.session.session_id : undefined);
  }
});

test("a token that a proof kills while it writes has written before, or not at all", async () => {
  for (let i = 0; i < 20; i++) {
    const { token, seed, phone } = round();
    await begin(store, seed(1), { phone: phone(1) }, minute(0), { channel: "kiosk", claimed: true });
    const writing = store.sessions.update({ token_hash: token(1) }, { data: { planted: true } }, minute(1));
    const [owner, written] = await Promise.all([
      store.hear(said("whatsapp", { phone: phone(1) }, `${seed(1)}`), minute(1)),
      codeOf(writing),
    ]);
    const { session_id } = owner.session;
    const after = await store.sessions.restore(
      { token_hash: token(2), identities: { phone: phone(1) } },
      "web",
      minute(2),
    );
    expect(after.session_id).toBe(session_id);
    expect(after.data).toEqual(written === "done" ? { planted: true } : {});
    expect(
      await codeOf(store.sessions.update({ token_hash: token(1) }, { data: { late: true } }, minute(2))),
    ).toBe("session_not_found");
  }
});
