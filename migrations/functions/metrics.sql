-- The figures of /metrics. A call that counts appends a row to counted. That is cheap, for counted has no index, and
-- calls never wait for each other. The sweep adds these rows up in counters, one row per key.

-- Counts each key once.
create or replace function hub.count(p_keys text[]) returns void
language plpgsql volatile as $$
declare
  v_key text;
begin
  foreach v_key in array p_keys loop
    insert into public.counted (key) values (v_key);
  end loop;
end
$$;

-- The key of the histogram bucket for a duration in ms.
create or replace function hub.bucket(p_name text, p_label text, p_ms bigint) returns text
language sql immutable parallel safe as $$
  select p_name || '.le|' || p_label || '|' || coalesce(
    (hub.histogram_bounds())[width_bucket(p_ms - 1, hub.histogram_bounds()) + 1]::text, 'inf')
$$;

-- Adds rows of counted to counters and deletes them, at most 100,000 rows. Only one call at a time does so; others
-- return at once. The counter swept_at is when that was, in milliseconds since 1970.
create or replace function hub.fold_counts(p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  if not pg_try_advisory_xact_lock(hashtextextended('counters', 0)) then
    return;
  end if;
  with gone as (
    delete from public.counted where ctid = any (array(select ctid from public.counted limit 100000)) returning key, ms
  )
  insert into public.counters as c (key, value, total_ms)
    select key, count(*), coalesce(sum(ms), 0) from gone group by key order by key
    on conflict (key) do update set value = c.value + excluded.value, total_ms = c.total_ms + excluded.total_ms;
  insert into public.counters as c (key, value) values ('swept_at', (extract(epoch from p_now) * 1000)::bigint)
    on conflict (key) do update set value = greatest(c.value, excluded.value);
end
$$;

-- The counters and the open work. p: {}. Returns {counters: {key: value}, swept_at: when the last sweep was, model:
-- hub.model_totals(), open_turns, open_deliveries, oldest_turn_at, oldest_delivery_at}. Keys: received|channel, duplicates|channel,
-- turns|channel|done, failed or dead, deliveries|channel|sent, failed or dead, receipts|channel|status, handoffs|channel; and the
-- histograms answer_ms and deliver_ms, whose buckets are name.le|channel|bound and whose sums are name.sum|channel.
create or replace function public.hub_metrics(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  with every as (
    select key, value, total_ms from public.counters where key <> 'swept_at'
    union all
    select key, count(*), coalesce(sum(ms), 0) from public.counted group by key
  ), counted as (
    select key, sum(value) as value, sum(total_ms) as total_ms from every group by key
  ), timed as (
    select split_part(key, '.', 1) as name, split_part(key, '|', 2) as label, sum(value) as value, sum(total_ms) as total_ms
    from counted where key like '%.le|%' group by 1, 2
  )
  select jsonb_build_object(
    'counters', (
      select coalesce(jsonb_object_agg(key, value), '{}') from (
        select key, value from counted
        union all
        select name || '.sum|' || label, total_ms from timed
        union all
        -- These keys are taken from the histograms: counting them too would be one more write per message.
        select case name when 'answer_ms' then 'turns|' || label || '|done' else 'deliveries|' || label || '|sent' end, value from timed
      ) c),
    'swept_at', (select to_timestamp(value / 1000.0) from public.counters where key = 'swept_at'),
    'model', hub.model_totals(),
    'open_turns', (select count(*) from public.turns where state in ('pending', 'running')),
    'open_deliveries', (select count(*) from public.deliveries where state in ('pending', 'sending')),
    'oldest_turn_at', (select min(created_at) from public.turns where state in ('pending', 'running')),
    'oldest_delivery_at', (select min(created_at) from public.deliveries where state in ('pending', 'sending')))
$$;

-- Counts one key. p: {key}. Returns {}.
create or replace function public.hub_count(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into public.counted (key) values (p ->> 'key');
  return '{}';
end
$$;
