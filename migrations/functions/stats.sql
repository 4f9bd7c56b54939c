-- Statistics: what fills the tables of 0011_count_statistics.sql, and the answer to a question. stats_queue has the sessions
-- and customers that have changed.

-- The quarter-hour of an instant.
create or replace function hub.quarter(p_at timestamptz) returns timestamptz
language sql immutable parallel safe as $$
  select date_bin('15 minutes', p_at, '2000-01-01 00:00:00+00')
$$;

-- The bound of a time in milliseconds: it is longer than bound_ms(bound - 1) and not longer than bound_ms(bound). Each bound is
-- 2/99 above the one before it, and reply_estimate is at most 1 % away from every time between them.
create or replace function hub.reply_bound(p_ms bigint) returns smallint
language sql immutable parallel safe as $$
  select ceil(ln(greatest(p_ms, 1)::float8) / ln(101::float8 / 99))::smallint
$$;

create or replace function hub.reply_estimate(p_bound integer) returns bigint
language sql immutable parallel safe as $$
  select round((101::float8 / 99) ^ p_bound * 99 / 100)::bigint
$$;

-- Adds a new session to the queue.
create or replace function hub.queue_session() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.stats_queue (session_id, queued_at) values (new.session_id, now());
  return null;
end
$$;

create or replace trigger stats_session_new after insert on public.sessions
  for each row execute function hub.queue_session();

-- Adds a session to the queue when something that is counted of it changes. The condition is in the function, because a trigger's WHEN
-- is planned anew in each call, and each message changes its session.
create or replace function hub.queue_changed_session() returns trigger
language plpgsql set search_path = '' as $$
begin
  if old.channels <> new.channels or old.language is distinct from new.language or old.customer_key <> new.customer_key
      or old.rating is distinct from new.rating or (new.status = 'merged' and old.status <> 'merged') then
    insert into public.stats_queue (session_id, since, queued_at)
      values (new.session_id, case when new.status = 'merged' then '-infinity'::timestamptz end, now());
  end if;
  return null;
end
$$;

create or replace trigger stats_session_changed after update of status, channels, language, rating, customer_key on public.sessions
  for each row execute function hub.queue_changed_session();

-- Adds a deleted session to the queue.
create or replace function hub.queue_deleted_session() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.stats_queue (session_id, queued_at) values (old.session_id, now());
  return null;
end
$$;

create or replace trigger stats_session_deleted after delete on public.sessions
  for each row execute function hub.queue_deleted_session();

-- Adds a new customer to the queue.
create or replace function hub.queue_customer() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.stats_queue (customer_key, queued_at) values (new.customer_key, now());
  return null;
end
$$;

create or replace trigger stats_customer_new after insert on public.customers
  for each row execute function hub.queue_customer();

-- Adds a deleted customer to the queue.
create or replace function hub.queue_deleted_customer() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.stats_queue (customer_key, queued_at) values (old.customer_key, now());
  return null;
end
$$;

create or replace trigger stats_customer_deleted after delete on public.customers
  for each row execute function hub.queue_deleted_customer();

-- Adds customers to the queue who are being merged into another one: they were never new customers of their own.
create or replace function hub.uncount_customers(p_customers uuid[]) returns void
language plpgsql volatile as $$
begin
  insert into public.stats_queue (customer_key, joined, queued_at) select k, true, now() from unnest(p_customers) as k;
end
$$;

-- Adds the session of a dead letter to the queue when it becomes one, and when it is one no more.
create or replace function hub.queue_dead_letter() returns trigger
language plpgsql set search_path = '' as $$
begin
  if (tg_op = 'UPDATE' and old.state = 'dead') <> (new.state = 'dead') then
    insert into public.stats_queue (session_id, since, queued_at) values (new.session_id, new.created_at, now());
  end if;
  return null;
end
$$;

create or replace trigger stats_turn_dead after update of state on public.turns
  for each row execute function hub.queue_dead_letter();
create or replace trigger stats_delivery_dead after insert or update of state on public.deliveries
  for each row execute function hub.queue_dead_letter();

-- What these sessions and customers have contributed to stats.
create or replace function hub.stats_of(p_sessions uuid[], p_customers uuid[]) returns setof public.stats
language sql stable as $$
  select bucket_at, channel, language, 1, multichannel::int, 0, 0, 0, 0, 0,
      (rating is not distinct from 1)::int, (rating is not distinct from 2)::int, (rating is not distinct from 3)::int, (rating is not distinct from 4)::int, (rating is not distinct from 5)::int
    from public.stats_sessions where session_id = any (p_sessions)
  union all
  select hub.quarter(first_at), first_channel, language, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
    from public.stats_sessions where session_id = any (p_sessions) and first_at is not null and reply_ms is null
  union all
  select p.bucket_at, p.channel, s.language, 0, 0, 0, p.messages_in, p.messages_out, 0, p.dead_letters, 0, 0, 0, 0, 0
    from public.stats_parts p join public.stats_sessions s using (session_id) where p.session_id = any (p_sessions)
  union all
  select bucket_at, first_channel, first_language, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    from public.customer_activity where customer_key = any (p_customers)
$$;

-- What these sessions have contributed to stats_replies.
create or replace function hub.reply_stats_of(p_sessions uuid[]) returns setof public.stats_replies
language sql stable as $$
  select hub.quarter(first_at), first_channel, language, hub.reply_bound(reply_ms), 1
    from public.stats_sessions where session_id = any (p_sessions) and reply_ms is not null
$$;

-- Changes the sums by the difference between what these sessions and customers had contributed and what they contribute now.
create or replace function hub.add_difference(
  p_old public.stats[], p_old_replies public.stats_replies[], p_sessions uuid[], p_customers uuid[]) returns void
language sql volatile as $$
  insert into public.stats as s
    select * from (
      select bucket_at, channel, language, sum(sign * sessions) as sessions, sum(sign * multichannel) as multichannel,
        sum(sign * new_customers) as new_customers, sum(sign * messages_in) as messages_in, sum(sign * messages_out) as messages_out,
        sum(sign * unanswered) as unanswered, sum(sign * dead_letters) as dead_letters, sum(sign * rated_1) as rated_1,
        sum(sign * rated_2) as rated_2, sum(sign * rated_3) as rated_3, sum(sign * rated_4) as rated_4, sum(sign * rated_5) as rated_5
      from (select -1 as sign, * from unnest(p_old) union all select 1, * from hub.stats_of(p_sessions, p_customers)) x
      group by 1, 2, 3
    ) d
    where (sessions, multichannel, new_customers, messages_in, messages_out, unanswered, dead_letters,
      rated_1, rated_2, rated_3, rated_4, rated_5) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    on conflict (bucket_at, channel, language) do update set
      sessions = s.sessions + excluded.sessions, multichannel = s.multichannel + excluded.multichannel,
      new_customers = s.new_customers + excluded.new_customers, messages_in = s.messages_in + excluded.messages_in,
      messages_out = s.messages_out + excluded.messages_out, unanswered = s.unanswered + excluded.unanswered,
      dead_letters = s.dead_letters + excluded.dead_letters, rated_1 = s.rated_1 + excluded.rated_1,
      rated_2 = s.rated_2 + excluded.rated_2, rated_3 = s.rated_3 + excluded.rated_3, rated_4 = s.rated_4 + excluded.rated_4,
      rated_5 = s.rated_5 + excluded.rated_5;
  insert into public.stats_replies as s
    select bucket_at, channel, language, bound, sum(sign * replies)
    from (select -1 as sign, * from unnest(p_old_replies) union all select 1, * from hub.reply_stats_of(p_sessions)) x
    group by 1, 2, 3, 4
    having sum(sign * replies) <> 0
    on conflict (bucket_at, channel, language, bound) do update set replies = s.replies + excluded.replies
$$;

-- Computes the contributions of the messages and dead letters of these sessions again, for quarter-hours from that of p_since on.
-- No message has a seq below the time of its arrival.
create or replace function hub.renew_parts(p_sessions uuid[], p_since timestamptz[]) returns void
language plpgsql volatile as $$
begin
  delete from public.stats_parts p using unnest(p_sessions, p_since) as q (id, since)
    where p.session_id = q.id and p.bucket_at >= hub.quarter(q.since);
  insert into public.stats_parts (session_id, bucket_at, channel, messages_in, messages_out, dead_letters)
    select id, bucket_at, channel, sum(messages_in), sum(messages_out), sum(dead_letters)
    from (
      select q.id, hub.quarter(m.created_at) as bucket_at, m.channel,
        count(*) filter (where m.direction = 'inbound' and m.role = 'user') as messages_in,
        count(*) filter (where m.direction = 'outbound' and m.role in ('assistant', 'operator')) as messages_out,
        0 as dead_letters
      from unnest(p_sessions, p_since) as q (id, since)
        join public.messages m on m.session_id = q.id and m.created_at >= hub.quarter(q.since)
          and m.seq >= case when q.since > '-infinity' then (extract(epoch from hub.quarter(q.since)) * 1000000)::bigint else 0 end
      group by 1, 2, 3
      union all
      select q.id, hub.quarter(d.created_at), d.channel, 0, 0, count(*)
      from unnest(p_sessions, p_since) as q (id, since)
        cross join lateral (
          select created_at, channel from public.turns where session_id = q.id and state = 'dead'
          union all
          select created_at, channel from public.deliveries
          where session_id = q.id and state = 'dead' and reason is distinct from 'erased') d
      where d.created_at >= hub.quarter(q.since)
      group by 1, 2, 3
    ) x
    group by 1, 2, 3
    having sum(messages_in) + sum(messages_out) + sum(dead_letters) > 0;
end
$$;

-- Computes the rows of these sessions in stats_sessions again. The customer's first message and its reply, once found, are
-- kept if retention deletes the messages; only an earlier one, from a merge, replaces them. A merged session has no row.
create or replace function hub.renew_sessions(p_sessions uuid[]) returns void
language plpgsql volatile as $$
begin
  insert into public.stats_sessions as o (
      session_id, bucket_at, channel, language, multichannel, rating, first_seq, first_at, first_channel, reply_ms)
    select x.session_id, hub.quarter(x.created_at), x.channel, coalesce(x.language, ''), cardinality(x.channels) > 1, x.rating,
      x.seq, x.first_at, x.first_channel,
      -- least ignores null, as hub.ms does.
      least(case when r.created_at is not null then hub.ms(x.first_at, r.created_at) end, case when x.seq = x.old_seq then x.reply_ms end)
    from (
      select s.session_id, s.created_at, s.channel, s.language, s.channels, s.rating, o.first_seq as old_seq, o.reply_ms,
        case when o.first_seq <= f.seq or f.seq is null then o.first_seq else f.seq end as seq,
        case when o.first_seq <= f.seq or f.seq is null then o.first_at else f.created_at end as first_at,
        case when o.first_seq <= f.seq or f.seq is null then o.first_channel else f.channel end as first_channel
      from public.sessions s
        left join public.stats_sessions o on o.session_id = s.session_id
        left join lateral (
          select seq, created_at, channel from public.messages m
          where m.session_id = s.session_id and m.direction = 'inbound' and m.role = 'user'
          order by m.seq limit 1) f on true
      where s.session_id = any (p_sessions) and s.status <> 'merged'
    ) x
      left join lateral (
        select created_at from public.messages m
        where m.session_id = x.session_id and m.seq > x.seq and m.direction = 'outbound' and m.role in ('assistant', 'operator')
        order by m.seq limit 1) r on true
    on conflict (session_id) do update set
      bucket_at = excluded.bucket_at, channel = excluded.channel, language = excluded.language,
      multichannel = excluded.multichannel, rating = excluded.rating, first_seq = excluded.first_seq,
      first_at = excluded.first_at, first_channel = excluded.first_channel, reply_ms = excluded.reply_ms;
  delete from public.stats_sessions o using public.sessions s
    where o.session_id = any (p_sessions) and s.session_id = o.session_id and s.status = 'merged';
end
$$;

-- Computes the activity of these customers again. In stats a new customer has the channel and language of their first session.
create or replace function hub.renew_activity(p_customers uuid[]) returns void
language plpgsql volatile as $$
begin
  insert into public.customer_activity as o (
      customer_key, bucket_at, first_channel, first_language, channels, language, last_seen_at)
    select k.customer_key, hub.quarter(k.created_at), coalesce(a.first_channel, ''), coalesce(a.first_language, ''),
      array(select distinct u from public.sessions s, unnest(s.channels) as u where s.session_id = any (a.ids) order by u),
      a.language, hub.quarter(coalesce(a.last_seen_at, k.created_at))
    from public.customers k
      cross join lateral (
        select array_agg(session_id) as ids, max(last_activity) as last_seen_at,
          (array_agg(channel order by created_at, session_id))[1] as first_channel,
          (array_agg(language order by created_at, session_id))[1] as first_language,
          (array_agg(language order by last_activity desc, session_id desc) filter (where language is not null))[1] as language
        from (
          select session_id, channel, language, created_at, last_activity from public.sessions
          where customer_key = k.customer_key and status = 'active'
          union all
          select session_id, channel, language, created_at, last_activity from public.sessions
          where customer_key = k.customer_key and status <> 'active' and merged_into is null
        ) s
      ) a
    where k.customer_key = any (p_customers)
    on conflict (customer_key) do update set
      bucket_at = excluded.bucket_at, first_channel = excluded.first_channel, first_language = excluded.first_language,
      channels = excluded.channels, language = excluded.language, last_seen_at = excluded.last_seen_at
    where (o.bucket_at, o.first_channel, o.first_language, o.channels, o.last_seen_at, o.language) is distinct from
      (excluded.bucket_at, excluded.first_channel, excluded.first_language, excluded.channels, excluded.last_seen_at, excluded.language);
end
$$;

-- Brings the statistics up to date for at most limit rows of the queue, and deletes these rows in the same transaction. p:
-- {limit}. Returns {counted, more}: the number of rows, and whether more are left. Only one call at a time does so; others
-- return at once. It waits for no lock: only this call writes the tables of the statistics.
create or replace function public.hub_count_statistics(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_rows tid[];
  v_queued public.stats_queue[];
  v_sessions uuid[];
  v_since timestamptz[];
  v_customers uuid[];
  v_joined uuid[];
  v_old public.stats[];
  v_old_replies public.stats_replies[];
begin
  if not pg_try_advisory_xact_lock(hashtextextended('stats', 0)) then
    return '{"counted": 0, "more": false}';
  end if;
  select array_agg(q.ctid), array_agg(q.whole) into v_rows, v_queued
    from (select ctid, x as whole from public.stats_queue x limit v_limit) q;
  if v_rows is null then
    return '{"counted": 0, "more": false}';
  end if;
  delete from public.stats_queue where ctid = any (v_rows);
  select array_agg(session_id), array_agg(since) into v_sessions, v_since
    from (select session_id, min(since) as since from unnest(v_queued) where session_id is not null group by 1) q;
  v_joined := array(select customer_key from unnest(v_queued) where joined);
  v_customers := array(
    select customer_key from unnest(v_queued) where customer_key is not null
    union
    select customer_key from public.sessions where session_id = any (v_sessions));

  -- What was deleted stays counted: its rows go before the difference is computed.
  delete from public.stats_sessions o
    where session_id = any (v_sessions) and not exists (select from public.sessions s where s.session_id = o.session_id);
  delete from public.stats_parts o
    where session_id = any (v_sessions) and not exists (select from public.sessions s where s.session_id = o.session_id);
  delete from public.customer_activity o
    where customer_key = any (v_customers) and customer_key <> all (v_joined)
      and not exists (select from public.customers k where k.customer_key = o.customer_key)
      -- They may be in the queue several times.
      and not exists (select from public.stats_queue q where q.customer_key = o.customer_key and q.joined);

  v_old := array(select x from hub.stats_of(v_sessions, v_customers) as x);
  v_old_replies := array(select x from hub.reply_stats_of(v_sessions) as x);
  delete from public.customer_activity o
    where customer_key = any (v_joined) and not exists (select from public.customers k where k.customer_key = o.customer_key);
  perform hub.renew_parts(v_sessions, v_since);
  perform hub.renew_sessions(v_sessions);
  perform hub.renew_activity(v_customers);
  perform hub.add_difference(v_old, v_old_replies, v_sessions, v_customers);
  return jsonb_build_object('counted', cardinality(v_rows), 'more', cardinality(v_rows) = v_limit);
end
$$;

-- Since when the statistics are not up to date, by the database's clock: when the oldest change was queued that they do not have
-- yet, here or for the search; now if there is none.
create or replace function hub.stats_as_of() returns timestamptz
language sql stable as $$
  select least(
    now(), (select min(queued_at) from public.stats_queue), hub.indexed_until())
$$;

-- The name of a time zone. Refuses malformed {reason: tz} if the database does not know it.
create or replace function hub.known_zone(p_zone text) returns text
language plpgsql stable as $$
begin
  perform now() at time zone p_zone;
  return p_zone;
exception when invalid_parameter_value then
  perform hub.refuse('malformed', '{"reason": "tz"}');
end
$$;

-- An instant, or the beginning of a day (YYYY-MM-DD) in a zone.
create or replace function hub.instant_in(p_text text, p_zone text) returns timestamptz
language sql stable as $$
  select case when length(p_text) = 10 then p_text::timestamp at time zone p_zone else p_text::timestamptz end
$$;

-- The hour or day of each quarter-hour in a zone, as a number: the hour's first quarter-hour since 1970, or the day
-- since 2000. Null for channel and language.
create or replace function hub.stats_slots(p_from timestamptz, p_to timestamptz, p_by text, p_zone text)
returns table (slot_at timestamptz, place integer)
language sql stable as $$
  select at, case p_by
    -- Not date_trunc: of the hour that comes twice when summer ends it makes one.
    when 'hour' then extract(epoch from at)::bigint / 900 - extract(minute from at at time zone p_zone)::int / 15
    when 'day' then (at at time zone p_zone)::date - date '2000-01-01'
  end
  from generate_series(p_from, p_to - interval '15 minutes', interval '15 minutes') as at
$$;

-- The key that callers see of such a number.
create or replace function hub.stats_key(p_by text, p_place integer) returns text
language sql stable as $$
  select case p_by
    when 'hour' then to_char(to_timestamp(p_place::bigint * 900) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    when 'day' then to_char(date '2000-01-01' + p_place, 'YYYY-MM-DD')
  end
$$;

-- Statistics of a time. p: {from, to, by: hour | day | channel | language, tz}; from and to are instants or days, and are widened
-- to quarter-hours. Refuses malformed {reason: range} unless from is before to, at most 400 days, or 32 by hour; {reason: tz} for an
-- unknown time zone. Returns
-- {as_of, age_ms, from, to, rows: [row], total: row}. A row: {key, sessions, multichannel_sessions, new_customers, messages_in,
-- messages_out, first_reply: {count, median_ms, p95_ms}, unanswered, dead_letters, ratings: {count, average, stars: [5 numbers]}, orders: [{currency,
-- count, sum, paid_count, paid_sum}]}; sums are decimals as text.
-- Every hour and day has a row. A key is an hour's first instant, a day's date in tz, a channel or a language, null where that
-- is unknown. The percentiles are at most 1 % away from the exact ones.
create or replace function public.hub_stats(p jsonb) returns jsonb
language plpgsql stable security definer
set search_path = '' set plan_cache_mode = force_custom_plan set work_mem = '32MB' set jit = off as $$
declare
  v_by constant text := p ->> 'by';
  v_zone constant text := hub.known_zone(p ->> 'tz');
  v_from constant timestamptz := hub.quarter(hub.instant_in(p ->> 'from', v_zone));
  v_to constant timestamptz := hub.quarter(hub.instant_in(p ->> 'to', v_zone) + interval '15 minutes' - interval '1 microsecond');
  v_as_of constant timestamptz := hub.stats_as_of();
  v_rows jsonb;
  v_total jsonb;
begin
  if v_from >= v_to or v_to - v_from > (case v_by when 'hour' then interval '32 days' else interval '400 days' end) then
    perform hub.refuse('malformed', '{"reason": "range"}');
  end if;
  -- A row is of one place (hour, day) or name (channel, language). Sums are of integers: those of bigint are numeric, and slow.
  with slots as materialized (
    select * from hub.stats_slots(v_from, v_to, v_by, v_zone)
  ), coarse as (
    select case when v_by in ('hour', 'day') then bucket_at end as slot_at,
      case v_by when 'channel' then channel when 'language' then language end as name,
      sum(sessions)::int as sessions, sum(multichannel)::int as multichannel, sum(new_customers)::int as new_customers,
      sum(messages_in)::int as messages_in, sum(messages_out)::int as messages_out, sum(unanswered)::int as unanswered,
      sum(dead_letters)::int as dead_letters, sum(rated_1)::int as r1, sum(rated_2)::int as r2, sum(rated_3)::int as r3,
      sum(rated_4)::int as r4, sum(rated_5)::int as r5
    from public.stats where bucket_at >= v_from and bucket_at < v_to
    group by 1, 2
  ), sums as (
    select grouping(k.place, c.name) > 0 as is_total, k.place, c.name, sum(sessions) as sessions, sum(multichannel) as multichannel,
      sum(new_customers) as new_customers, sum(messages_in) as messages_in, sum(messages_out) as messages_out,
      sum(unanswered) as unanswered, sum(dead_letters) as dead_letters, sum(r1) as r1, sum(r2) as r2, sum(r3) as r3,
      sum(r4) as r4, sum(r5) as r5
    from coarse c left join slots k on k.slot_at = c.slot_at
    group by grouping sets ((k.place, c.name), ())
  ), times as (
    -- A row for each reply: of an hour there are few, and sorting them is faster than running sums over their bounds.
    select grouping(k.place, r.name) > 0 as is_total, k.place, r.name, count(*) as number,
      percentile_disc(array[0.5, 0.95]) within group (order by r.bound) as bounds
    from (
      select case when v_by in ('hour', 'day') then bucket_at end as slot_at,
        case v_by when 'channel' then channel when 'language' then language end as name, bound, replies
      from public.stats_replies where bucket_at >= v_from and bucket_at < v_to and replies > 0
    ) r left join slots k on k.slot_at = r.slot_at
      cross join lateral generate_series(1, r.replies)
    group by grouping sets ((k.place, r.name), ())
  ), bought as (
    -- Few, and read as they are now. An order's key begins with the time of the order.
    select grouping(k.place, o.name) > 0 as is_total, k.place, o.name, o.currency,
      count(*) as number, sum(amount) as sum, count(*) filter (where status = 'paid') as paid_number,
      coalesce(sum(amount) filter (where status = 'paid'), 0) as paid_sum
    from (
      select case when v_by in ('hour', 'day') then hub.quarter(x.created_at) end as slot_at,
        case v_by when 'channel' then coalesce(s.channel, '') when 'language' then coalesce(s.language, '') end as name,
        x.currency, x.amount, x.status
      from public.orders x left join public.sessions s on s.session_id = x.session_id
      where x.order_key >= hub.uuid_from(v_from) and x.order_key < hub.uuid_from(v_to) and x.status <> 'cancelled'
    ) o left join slots k on k.slot_at = o.slot_at
    group by grouping sets ((k.place, o.name, o.currency), (o.currency))
  ), orders as (
    select is_total, place, name, jsonb_agg(jsonb_build_object(
        'currency', currency, 'count', number, 'sum', sum::text, 'paid_count', paid_number, 'paid_sum', paid_sum::text)
        order by currency collate "C") as orders
    from bought group by 1, 2, 3
  ), keys as (
    select distinct false as is_total, place, null as name from slots where place is not null
    union all
    (select false, null::int, name from sums where name is not null
    union
    select false, null, name from orders where name is not null)
    union all
    select true, null, null
  ), answers as (
    select k.is_total, k.place, k.name, jsonb_build_object(
      'key', coalesce(hub.stats_key(v_by, k.place), nullif(k.name, '')), 'sessions', coalesce(s.sessions, 0),
      'multichannel_sessions', coalesce(s.multichannel, 0), 'new_customers', coalesce(s.new_customers, 0),
      'messages_in', coalesce(s.messages_in, 0), 'messages_out', coalesce(s.messages_out, 0), 'first_reply', jsonb_build_object(
        'count', coalesce(t.number, 0), 'median_ms', hub.reply_estimate(t.bounds[1]), 'p95_ms', hub.reply_estimate(t.bounds[2])),
      'unanswered', coalesce(s.unanswered, 0), 'dead_letters', coalesce(s.dead_letters, 0), 'ratings', jsonb_build_object(
        'count', coalesce(r1 + r2 + r3 + r4 + r5, 0),
        'average', round((r1 + 2 * r2 + 3 * r3 + 4 * r4 + 5 * r5) / nullif(r1 + r2 + r3 + r4 + r5, 0)::numeric, 2),
        'stars', jsonb_build_array(coalesce(r1, 0), coalesce(r2, 0), coalesce(r3, 0), coalesce(r4, 0), coalesce(r5, 0))), 'orders', coalesce(o.orders, '[]')) as answer
    from keys k
      left join sums s
        on s.is_total = k.is_total and coalesce(s.place, -1) = coalesce(k.place, -1) and coalesce(s.name, '') = coalesce(k.name, '')
      left join times t
        on t.is_total = k.is_total and coalesce(t.place, -1) = coalesce(k.place, -1) and coalesce(t.name, '') = coalesce(k.name, '')
      left join orders o
        on o.is_total = k.is_total and coalesce(o.place, -1) = coalesce(k.place, -1) and coalesce(o.name, '') = coalesce(k.name, '')
  )
  select coalesce(jsonb_agg(answer order by place, name collate "C") filter (where not is_total), '[]'),
      (array_agg(answer) filter (where is_total))[1]
    into v_rows, v_total from answers;
  return jsonb_build_object(
    'as_of', v_as_of, 'age_ms', hub.ms(v_as_of, now()), 'from', v_from, 'to', v_to, 'rows', v_rows, 'total', v_total - 'key');
end
$$;
