import sqlDriver from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ben, minute, reply, said } from "../contracts/given.ts";
import { rowsRead, storeOn } from "../support/rows-read.ts";
import { createDatabase } from "../support/stack.ts";

let owner: sqlDriver.Sql;

beforeAll(async () => {
  owner = sqlDriver((await createDatabase()).url, { max: 1, onnotice: () => {} });
});
afterAll(() => owner.end());

test("a connection whose plans were made when there was nothing to do reads no more of what others wait for", async () => {
  let sql: sqlDriver.ISql = owner;
  const { conversations } = storeOn(() => sql);
  /** Rows read while a message is received, answered and sent. */
  const talk = async (i: number): Promise<Record<string, number>> => {
    const before = await rowsRead(sql);
    const [received] = await conversations.receive(
      [{ type: "message", message: said("telegram", ben, `m${i}`) }],
      minute(i),
    );
    const turn = received && "turn" in received ? received.turn! : undefined;
    const kept = await rowsRead(sql);
    const { deliveries } = await conversations.complete(turn!, [reply("Hello")], minute(i));
    const answered = await rowsRead(sql);
    const { delivery_id, attempt } = deliveries[0]!;
    await conversations.settle([{ delivery_id, attempt, state: "sent", external_id: `sent${i}` }], minute(i));
    return { receive: kept - before, complete: answered - kept, settle: (await rowsRead(sql)) - answered };
  };
  for (let i = 0; i < 12; i++) {
    // With statistics, as autovacuum makes them: without them the wrong index of deliveries does not look cheaper.
    await owner`vacuum analyze turns, deliveries`;
    await talk(i);
  }
  await owner`
    insert into turns (turn_id, session_id, seq, message_id, channel, address, state, attempt, due_at, created_at)
    select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'telegram', '{}', 'running', 1, ${minute(20)}, now()
    from generate_series(1, 3000)`;
  await owner`
    insert into deliveries (
      delivery_id, message_id, session_id, parts, channel, address, state, attempt, due_at, status, created_at)
    select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'telegram', '{}', 'sending', 1, ${minute(20)}, 'pending', now()
    from generate_series(1, 3000)`;

  const read = await owner.begin(async (tx) => {
    sql = tx;
    return talk(12);
  });
  expect(Object.entries(read).filter(([, rows]) => rows > 60)).toEqual([]);
});
