import { describe, expect, test } from "vitest";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";
import type { Store } from "../../src/core/store.ts";
import { postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import { anna, reply, settings } from "../contracts/given.ts";
import { supabase } from "../support/stack.ts";
import { message, races, timeoutMs, turnOf } from "./races/database.ts";
import { hands } from "./races/hands.ts";
import { inFlight, numbered, once, range, shuffled } from "./races/many.ts";

const here = races();

/** The inbound messages and the replies of a session, in order. */
async function talk(store: Store, session_id: string) {
  const { messages } = await store.sessions.messages({ session_id }, 0, 100_000, new Date());
  const inbound = messages.filter(({ direction }) => direction === "inbound");
  const outbound = messages.filter(({ direction }) => direction === "outbound");
  return { inbound, outbound };
}

describe.each(["directly", "through Supabase's REST API"])("200 first messages at once, %s", (transport) => {
  test("are one session with 200 messages, each answered once, in order", async () => {
    const pool = postgresCalls(here.url, { max: 200, timeoutMs });
    const rest = transport === "directly" ? undefined : await supabase(here.url, 20);
    const call = rest ? supabaseCalls({ url: rest.url, key: rest.serviceRoleKey, timeoutMs }) : pool.call;
    const many = sqlStore(call, settings);
    if (rest) await many.ping();
    else {
      await Promise.all(range(200).map(() => many.ping()));
      const [row] = await here.owner`
        select count(*)::int from pg_stat_activity
        where datname = current_database() and application_name = 'session-hub'`;
      expect(row?.count).toBeGreaterThanOrEqual(200);
    }
    const { phone, whatsapp_user_id } = anna;
    const senders = [
      ["whatsapp", { phone, whatsapp_user_id }],
      ["kiosk", { phone }],
      ["web", { phone }],
    ] as const;
    const results = await Promise.all(
      range(200).map((i) => {
        const [channel, from] = senders[i % 3]!;
        return many.conversations.receive([message(from, channel, `m${i}`)], new Date());
      }),
    );
    const [session, ...others] = await here.active();
    expect(others).toEqual([]);
    expect(session).toMatchObject({ message_count: 200, stored: 200 });
    const turns = results.flat().flatMap((result) => turnOf(result) ?? []);
    expect(turns).toHaveLength(1);

    await hands(here.store()).answer(turns[0]);
    const { inbound, outbound } = await talk(many, session!.session_id);
    expect(inbound.map(({ external_id }) => external_id).sort()).toEqual(numbered("m", 200).sort());
    expect(outbound.map(({ reply_to }) => reply_to)).toEqual(inbound.map(({ message_id }) => message_id));
    expect((await many.operations.metrics(new Date())).open_turns).toBe(0);
    await pool.close();
    await rest?.stop();
  });
});

test("every webhook delivered three times, shuffled and at once, is stored once and claimed once", async () => {
  const store = here.store();
  const webhooks = range(20).flatMap((person) =>
    range(5).map((i): InboundEvent[] => {
      const from = { phone: `+49151000000${person}`, whatsapp_user_id: `DE.p${person}` };
      const at = { channel: "whatsapp", account: "number-1" };
      return [
        message(from, "whatsapp", `p${person}-${i}a`),
        { type: "receipt", receipt: { ...at, external_id: `out-${person}-${i}`, status: "read" } },
        message(from, "whatsapp", `p${person}-${i}b`),
        { type: "edit", edit: { ...at, external_id: `p${person}-${(i + 1) % 5}a`, content: null } },
      ];
    }),
  );
  const thrice = shuffled([...webhooks, ...webhooks, ...webhooks]);
  const answers = await inFlight(50, thrice, (events) => store.conversations.receive(events, new Date()));
  const messages = answers.flat().filter((result) => result.type === "message");
  expect(messages.filter(({ duplicate }) => !duplicate)).toHaveLength(200);
  expect(once(messages.map((result) => result.message.message_id))).toHaveLength(200);
  const claims = messages.flatMap((result) => turnOf(result) ?? []);
  expect(claims).toHaveLength(20);
  expect(claims.every(({ attempt }) => attempt === 1)).toBe(true);
  expect(await here.active()).toHaveLength(20);

  const bot = hands(store);
  await Promise.all(claims.map(bot.answer));
  expect([...bot.asked.values()].map((asked) => once(asked).length)).toEqual(range(20).map(() => 10));
  expect([...bot.asked.values()].flat()).toHaveLength(200);
});

test("turns that arrive, are answered and swept at once run one at a time, in order, each once", async () => {
  const store = here.store();
  const bot = hands(store);
  const lists = range(12).map((person) => numbered(`p${person}-`, 25));
  const sweeping = new AbortController();
  const sweeps = range(2).map(async () => {
    while (!sweeping.signal.aborted) {
      const { turns } = await store.conversations.due(new Date(), 5);
      await Promise.all(turns.map(bot.answer));
    }
  });
  await Promise.all(
    lists.map(async (ids, person) => {
      const answers: Promise<void>[] = [];
      for (const [i, id] of ids.entries()) {
        const event = message({ phone: `+4915100000${person}` }, i % 3 === 0 ? "web" : "telegram", id);
        const [result] = await store.conversations.receive([event], new Date());
        answers.push(bot.answer(turnOf(result)));
      }
      await Promise.all(answers);
    }),
  );
  sweeping.abort();
  await Promise.all(sweeps);
  expect(bot.overlaps).toEqual([]);
  expect([...bot.asked.values()].sort()).toEqual(lists.sort());
  for (const [session_id, asked] of bot.asked) {
    const sent = ["web", "telegram"].flatMap((channel) => bot.sent.get(`${session_id} ${channel}`) ?? []);
    expect(sent.sort()).toEqual(asked.map((id) => `re ${id}`).sort());
  }
  expect(await store.operations.metrics(new Date())).toMatchObject({ open_turns: 0, open_deliveries: 0 });
});

test("after a stop between any two steps each message gets exactly one reply, in order", async () => {
  const leaseMs = 400;
  const store = here.store({ leaseMs });
  const bot = hands(store, { dies: 0.15, leaseMs });
  await Promise.all(
    range(8).map(async (person) => {
      for (const id of numbered(`p${person}-`, 15)) {
        const event = message({ phone: `+4915100000${person}` }, "telegram", id);
        const [result] = await store.conversations.receive([event], new Date());
        await bot.answer(turnOf(result));
      }
    }),
  );
  await Promise.all(range(3).map(() => bot.sweepUntilDone()));
  for (const { session_id } of await here.active()) {
    const { inbound, outbound } = await talk(store, session_id);
    expect(outbound.map(({ reply_to }) => reply_to)).toEqual(inbound.map(({ message_id }) => message_id));
    expect(outbound.every(({ status }) => status === "sent")).toBe(true);
    expect(once(bot.sent.get(`${session_id} telegram`)!)).toEqual(outbound.map(({ text }) => text));
  }
});

test("concurrent sweeps claim all due work, and none twice", async () => {
  const store = here.store();
  const early = new Date(Date.now() - 3_600_000);
  await inFlight(20, range(120), async (i) => {
    const from = { visitor_id: `${i}` };
    const [first] = await store.conversations.receive([message(from, "telegram", `a${i}`)], early);
    await store.conversations.complete(turnOf(first)!, [reply(`r${i}`)], early);
    await store.conversations.receive([message(from, "telegram", `b${i}`)], early);
  });
  const sweeps = await Promise.all(range(8).map(() => store.conversations.due(new Date(), 20)));
  // Work whose session another sweep had locked at that moment is left to the next one.
  sweeps.push(await store.conversations.due(new Date(), 20));
  const turns = sweeps.flatMap((due) => due.turns.map(({ turn_id }) => turn_id));
  const deliveries = sweeps.flatMap((due) => due.deliveries.map(({ delivery_id }) => delivery_id));
  expect([turns.length, once(turns).length]).toEqual([120, 120]);
  expect([deliveries.length, once(deliveries).length]).toEqual([120, 120]);
});

test("receipts and edits of the same messages, concurrent and in any order, block no call", async () => {
  const store = here.store();
  const before = await here.deadlocks();
  const at = { channel: "whatsapp", account: "number-1" };
  const ids = numbered("n", 12);
  const known = ids.map((id) => message({ phone: "+4915100000000" }, "whatsapp", id));
  await store.conversations.receive(known, new Date());
  for (const round of range(10)) {
    const news = ids.flatMap((external_id): InboundEvent[] => [
      {
        type: "edit",
        edit: { ...at, external_id, content: { kind: "text", text: `${external_id} ${round}` } },
      },
      {
        type: "receipt",
        receipt: { ...at, external_id: `unheard of ${external_id} ${round}`, status: "read" },
      },
    ]);
    const orders = [news, [...news].reverse(), shuffled(news), shuffled(news), shuffled(news)];
    await Promise.all(orders.map((events) => store.conversations.receive(events, new Date())));
  }
  expect((await here.deadlocks()) - before).toBe(0);
});
