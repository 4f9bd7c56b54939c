import { expect, test } from "vitest";
import { createHubRig, kill, startBot } from "../support/hub-rig.ts";
import { startReceiver } from "../support/receiver.ts";

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const CUSTOMERS = 6;
const ROUNDS = 5;

test("whenever the hub is killed, all that happened is announced, in order, and nothing else", async () => {
  const rig = await createHubRig({ maxTries: 1_000 });
  const receiver = await startReceiver(() => (Math.random() < 0.1 ? 500 : 204));
  const botUrl = await startBot(async ({ message }) => [`to ${message.text}`]);
  const over = { botUrl, leaseMs: 1_500, paced: false };
  let child = await rig.spawn(over);
  const made = await rig.ask("/api/endpoints", {
    method: "POST",
    headers: { "x-api-key": "admin-key", "content-type": "application/json" },
    body: JSON.stringify({
      url: receiver.url,
      types: ["session.opened", "message.received", "message.sent", "message.failed"],
    }),
  });
  expect(made.status).toBe(201);

  let written = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < CUSTOMERS; n++) {
      const chat = { id: 7_000 + n, first_name: "Ada" };
      void rig.telegram.tell("/_customer/message", { chat, text: `message ${++written}` });
    }
    await pause(150 + Math.random() * 900);
    await kill(child);
    child = await rig.spawn(over);
  }
  await kill(child);
  const hub = await rig.open(over);
  await expect
    .poll(
      async () => {
        // The leases and retries of those who died, and of failures, are over.
        await rig.sql`update public.event_deliveries set due_at = '-infinity'`;
        await rig.sql`update public.endpoints set resting_until = null`;
        await hub.sweep();
        return rig.sql`
          select (select count(*)::int from public.messages where direction = 'inbound') as heard,
            (select count(*)::int from public.event_deliveries) as events, (select count(*)::int from public.turns) as turns,
            (select count(*)::int from public.deliveries where state in ('pending', 'sending')) as deliveries`;
      },
      { timeout: 60_000, interval: 200 },
    )
    .toEqual([{ heard: written, events: 0, turns: 0, deliveries: 0 }]);

  const happened = await rig.sql<{ key: string }[]>`
    select 'session.opened ' || session_id as key from public.sessions
    union all select 'message.received ' || message_id from public.messages where direction = 'inbound' and kind <> 'system'
    union all select 'message.' || status || ' ' || message_id from public.messages where direction = 'outbound' and kind <> 'system'
    order by 1`;
  const keyOf = ({ type, data }: (typeof receiver.got)[0]["event"]) =>
    `${type} ${type === "session.opened" ? data.session_id : data.message_id}`;
  const announced = new Map(receiver.got.map(({ id, event }) => [id, keyOf(event)]));
  expect([...announced.values()].sort()).toEqual(happened.map(({ key }) => key).sort());
  expect(happened.length).toBeGreaterThanOrEqual(CUSTOMERS + 2 * written);

  // The first posts of a session's events are in the order in which they happened.
  const order = await rig.sql<
    { event_id: string; lane: string }[]
  >`select event_id, lane from public.events order by seq`;
  for (const lane of new Set(order.map((row) => row.lane))) {
    const first = new Set(
      receiver.got.filter(({ event }) => event.data.session_id === lane).map(({ id }) => id),
    );
    expect([...first]).toEqual(order.filter((row) => row.lane === lane).map(({ event_id }) => event_id));
  }
}, 180_000);
