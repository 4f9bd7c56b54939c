import type postgres from "postgres";

/**
 * Stores a month of `count` messages in sessions of ten, of two sessions a customer: on four channels, in seven languages, each
 * second message a reply. Nothing of it is counted for the statistics yet; all of it is in their queue.
 */
export async function fillMonth(admin: postgres.Sql, count: number): Promise<void> {
  const sessions = Math.ceil(count / 10);
  await admin.unsafe(`
    set session_replication_role = replica;
    insert into public.customers (customer_key, customer_id, created_at, updated_at, plan, tags)
    select hub.uuid(at), 'month-' || i, at, at, case when i % 5 = 0 then 'premium' else 'basic' end, case when i % 20 = 0 then '{vip}' else '{}' end::text[]
    from (select i, now() - (1 - i::float8 / ${sessions / 2}) * interval '30 days' as at from generate_series(1, ${Math.ceil(sessions / 2)}) as i) k;
    insert into public.sessions (
      session_id, customer_key, channel, channels, channels_since, status, language, rating, created_at, updated_at, last_activity,
      expires_at, expiry_check_at, message_count)
    select hub.uuid(at), k.customer_key, c, case when i % 6 = 0 then array[c, 'kiosk'] else array[c] end, array[at, at],
      'expired', ('{en,hi,es,ar,pt,fr,id}'::text[])[i % 7 + 1], case when i % 4 = 0 then i % 5 + 1 end, at, at, at, at, at, 10
    from (
      select i, now() - random() * interval '30 days' as at, ('{web,telegram,whatsapp,kiosk}'::text[])[i % 4 + 1] as c,
        ((i + 1) / 2) as n
      from generate_series(1, ${sessions}) as i) s
      join (select customer_key, row_number() over (order by customer_key) as n from public.customers) k on k.n = s.n;
    insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
    select hub.uuid(at), session_id, (extract(epoch from at) * 1000000)::bigint, channel, case when i % 2 = 0 then 'inbound' else 'outbound' end,
      case when i % 2 = 0 then 'user' else 'assistant' end, 'text', 'message ' || i || ' of a talk about tables and times', at
    from (
      select session_id, channel, i, created_at + ((i / 2) * 400 + (i % 2) * (1 + wait * 100)) * interval '1 second' as at
      from (select session_id, channel, created_at, random() ^ 3 as wait from public.sessions) s, generate_series(0, 9) as i) m;
    insert into public.stats_queue (customer_key, queued_at) select customer_key, now() from public.customers order by 1;
    insert into public.stats_queue (session_id, since, queued_at) select session_id, '-infinity', now() from public.sessions order by 1;
    set session_replication_role = origin;
  `);
  await admin`vacuum analyze`;
}
