import sqlDriver from "postgres";
import { beforeAll, expect, test } from "vitest";
import { DAY, day } from "../contracts/given.ts";
import { rowsReadByTable, storeOn } from "../support/rows-read.ts";
import { createDatabase } from "../support/stack.ts";

/** So many that no number of rows per page or per batch hides in the figures below. */
const IDLE = 3_000;
const MODEL = "meanings";
const now = day(100);
const before = (days: number) => new Date(now.getTime() - days * DAY);

/** A database, and its sweep with every retention set. */
async function sweeper(url: string) {
  const owner = sqlDriver(url, { max: 1, onnotice: () => {} });
  // Without pgvector no part would be looked at. This server has none, and the look needs no more than its presence.
  await owner`
    create or replace function hub.vector_schema() returns text language sql stable as $$ select 'public'::text $$`;
  let sql: sqlDriver.ISql = owner;
  const { conversations, housekeeping, features } = storeOn(() => sql);
  const sweep = async () => {
    await conversations.due(now, 20);
    await housekeeping.expire(now, 500);
    await housekeeping.purge(before(30), 500, {
      now,
      messages_before: before(30),
      passwords_before: before(90),
      identities_before: before(90),
      events_before: before(30),
    });
    await features!.endpoints.due(now);
    await features!.search.index(1_000);
    await features!.knowledge.unembedded(MODEL, 16);
  };
  /**
   * The rows that one sweep reads of each table, without tables of which it reads one or two: the planner itself reads
   * the first or last row of an index.
   */
  const rowsRead = () =>
    owner.begin(async (tx) => {
      sql = tx;
      const earlier = await rowsReadByTable(tx);
      await sweep();
      sql = owner;
      const read = Object.entries(await rowsReadByTable(tx)).map(
        ([name, rows]) => [name, rows - (earlier[name] ?? 0)] as const,
      );
      return Object.fromEntries(read.filter(([, rows]) => rows > 2));
    });
  return { owner, sweep, rowsRead };
}

/** Fills every table that a sweep looks at with rows that are not over yet. */
async function fill(owner: sqlDriver.Sql): Promise<void> {
  const [recent, soon] = [before(1), day(101)];
  await owner`
    insert into identities (kind, value, customer_key, verified_at, last_seen_at, unseen_check_at, created_at)
    select 'phone', '+' || (447700900000 + n), hub.uuid(${recent}), ${recent}, ${recent}, ${recent}, ${recent}
    from generate_series(1, ${IDLE}::int) n`;
  await owner`
    insert into customers (customer_key, created_at, updated_at) select customer_key, created_at, created_at from identities`;
  await owner`
    insert into sessions (session_id, customer_key, channel, channels, channels_since, status, ended_at,
      created_at, updated_at, last_activity, expires_at, expiry_check_at)
    select hub.uuid(at), customer_key, 'web', '{web}', array[at], status, case status when 'expired' then at end, at, at, at,
      ${soon}, ${soon}
    from (select customer_key, created_at as at, unnest(array['active', 'expired']) as status from identities) s`;
  await owner`
    insert into messages (message_id, session_id, seq, channel, direction, role, kind, text, status, created_at)
    select hub.uuid(created_at), session_id, 1, 'web', 'outbound', 'assistant', 'text', 'Hello', 'sent', created_at from sessions`;
  // A message in unindexed_messages is work for the sweep, so all of them are indexed.
  for (let more = true; more; ) {
    const [row] = await owner<[{ more: boolean }]>`
      select (hub_index_messages('{"limit": 1000}') ->> 'more')::boolean as more`;
    more = row.more;
  }
  await owner`
    insert into deliveries (delivery_id, message_id, session_id, parts, channel, address, state, attempt, due_at, status, created_at)
    select hub.uuid(created_at), message_id, session_id, 1, channel, '{}', state, 1, ${soon}, 'sent', created_at
    from messages, unnest(array['sent', 'dead', 'sending']) state`;
  await owner`
    insert into turns (turn_id, session_id, seq, message_id, channel, address, state, attempt, due_at, created_at)
    select hub.uuid(created_at), session_id, 1, gen_random_uuid(), 'web', '{}', state, 1, ${soon}, created_at
    from sessions, unnest(array['dead', 'running']) state`;
  await owner`insert into passwords (phone, password_hash, updated_at) select value, 'hash', created_at from identities`;
  await owner`insert into codes (phone, code_hash, created_at, expires_at) select value, 'hash', created_at, ${soon} from identities`;
  await owner`
    insert into links (link_hash, token_hash, new_token_hash, created_at, expires_at)
    select value, value, value, created_at, ${soon} from identities`;
  await owner`insert into rate_limits (key, count, ends_at) select value, 1, ${soon} from identities`;
  await owner`insert into erased_messages (id_hash, erased_at) select value::bytea, created_at from identities`;
  await owner`
    insert into early_events (channel, account, external_id, type, event, created_at)
    select 'whatsapp', '1', value, 'edit', '{}', created_at from identities`;
  await owner`
    insert into threads (thread_id, data, metadata, ttl, version, created_at, updated_at, expires_at, expiry_check_at)
    select value, '{}', '{}', '1 day', 1, created_at, created_at, ${soon}, ${soon} from identities`;
  await owner`
    insert into events (event_id, type, lane, data, at)
    select hub.uuid(created_at), 'message.received', customer_key, '{}', created_at from identities`;
  await owner`
    insert into knowledge (knowledge_id, title, format, text, created_at, updated_at)
    select value, value, 'text', value, created_at, created_at from identities`;
  await owner`
    insert into knowledge_chunks (knowledge_id, place, heading, text, doc, embedding, embedding_model)
    select knowledge_id, 1, '', text, '', '{1}', ${MODEL} from knowledge`;
  await owner`
    insert into ended_tokens (token_hash, session_id, ended_at) select value, gen_random_uuid(), ${now} from identities`;
}

let url: string;
beforeAll(async () => {
  url = (await createDatabase()).url;
});

test("a sweep with nothing to do reads no rows, whatever is kept and whenever its plans were made", async () => {
  const early = await sweeper(url);
  for (let i = 0; i < 12; i++) await early.sweep();
  await fill(early.owner);
  expect(await early.rowsRead()).toEqual({});
  const unanalyzed = await sweeper(url);
  for (let i = 0; i < 12; i++) expect(await unanalyzed.rowsRead()).toEqual({});
  await early.owner`vacuum analyze`;
  const late = await sweeper(url);
  for (let i = 0; i < 12; i++) expect(await late.rowsRead()).toEqual({});
  for (const { owner } of [early, unanalyzed, late]) await owner.end();
});

test("an identity that retention looked at and kept is not read by the next sweep", async () => {
  const { owner, sweep, rowsRead } = await sweeper((await createDatabase()).url);
  await fill(owner);
  // A third was seen since the last look, and two thirds have an active session.
  await owner`update identities set unseen_check_at = ${before(200)}`;
  await owner`update identities set last_seen_at = ${before(150)} where right(value, 1)::int % 3 > 0`;
  await owner`vacuum analyze`;
  expect((await rowsRead()).identities).toBeGreaterThanOrEqual(500);
  for (let i = 0; i < IDLE / 500; i++) await sweep();
  expect(await rowsRead()).toEqual({});
  expect(await owner`select count(*)::int as kept from identities`).toEqual([{ kept: IDLE }]);
  await owner.end();
});
