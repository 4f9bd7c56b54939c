import type postgres from "postgres";

/** Stores `count` customers, each with a session of three messages. A person has every twentieth conversation, and every fiftieth waits. */
export async function fillConversations(owner: postgres.Sql, count: number, user_id: string): Promise<void> {
  await owner`
    create temporary table drawn as
    select i, gen_random_uuid() as customer_key, gen_random_uuid() as session_id, now() - i * interval '20 seconds' as at
    from generate_series(1, ${count}::int) as i`;
  await owner`
    insert into customers (customer_key, customer_id, name, created_at, updated_at)
    select customer_key, 'c' || i, 'Customer ' || i, at, at from drawn`;
  await owner`
    insert into identities (kind, value, customer_key, verified_at, channel, account, address, address_used_at, last_seen_at, unseen_check_at, created_at)
    select 'phone', '+49' || (1500000000 + i), customer_key, at, 'whatsapp', 'number-1', '{"to": "x"}', at, at, at, at from drawn`;
  await owner`
    insert into sessions (
      session_id, customer_key, channel, channels, channels_since, last_channel, language, message_count, last_seq,
      created_at, updated_at, last_activity, expires_at, expiry_check_at)
    select session_id, customer_key, 'whatsapp', '{whatsapp}', array[at], 'whatsapp', 'en', 3, i * 10::bigint + 3,
      at, at, at, at + interval '700 hours', at + interval '700 hours'
    from drawn`;
  await owner`
    insert into messages (message_id, session_id, seq, channel, account, direction, role, kind, text, created_at)
    select hub.uuid(at - interval '3 seconds' + n * interval '1 second'), session_id, i * 10::bigint + n, 'whatsapp', 'number-1',
      'inbound', 'user', 'text', 'message ' || n, at
    from drawn cross join generate_series(1, 3) as n`;
  await owner`
    insert into handoffs (handoff_id, customer_key, session_id, channel, requested_by, requested_at)
    select session_id, customer_key, session_id, 'whatsapp', 'bot', at from drawn where i % 20 = 0 or i % 50 = 1`;
  await owner`
    insert into conversations (customer_key, holder, user_id, handoff_id, unread, waiting_since, last_message_at, updated_at)
    select customer_key, case when i % 20 = 0 then 'person' else 'waiting' end, case when i % 20 = 0 then ${user_id}::uuid end, session_id, 1,
      at, at, at
    from drawn where i % 20 = 0 or i % 50 = 1`;
  await owner`drop table drawn`;
  await owner`vacuum analyze customers, identities, sessions, messages, handoffs, conversations`;
}
