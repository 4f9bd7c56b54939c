-- Rate limits. A refused try writes nothing. Their keys are locked before everything else, in one order.

-- Lets only one transaction at a time count under these keys.
create or replace function hub.lock_keys(p_keys text[]) returns void
language plpgsql volatile as $$
declare
  v_key bigint;
begin
  for v_key in select distinct hashtextextended('limit:' || k, 0) from unnest(p_keys) as k order by 1 loop
    perform pg_advisory_xact_lock(v_key);
  end loop;
end
$$;

-- The keys of limits: [{key, max, window_ms}].
create or replace function hub.limit_keys(p_limits jsonb) returns text[]
language sql immutable parallel safe as $$
  select coalesce(array_agg(l ->> 'key'), '{}') from jsonb_array_elements(p_limits) as l
$$;

-- Refuses too_many_requests, with {retry_after_ms}, until an instant. Null refuses nothing.
create or replace function hub.refuse_until(p_until timestamptz, p_now timestamptz) returns void
language plpgsql immutable as $$
begin
  if p_until > p_now then
    perform hub.refuse('too_many_requests', jsonb_build_object(
      'retry_after_ms', ceil(extract(epoch from p_until - p_now) * 1000)::bigint));
  end if;
end
$$;

-- Counts a try against each of these limits ([{key, max, window_ms}]), or refuses too_many_requests when one is
-- reached. The caller has locked the keys.
create or replace function hub.take_limits(p_limits jsonb, p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  perform hub.refuse_until(max(r.ends_at), p_now)
    from jsonb_array_elements(p_limits) as l join public.rate_limits r on r.key = l ->> 'key'
    where r.ends_at > p_now and r.count >= (l ->> 'max')::int;
  insert into public.rate_limits as r (key, count, ends_at)
    select l ->> 'key', 1, p_now + max((l ->> 'window_ms')::bigint) * interval '1 millisecond'
    from jsonb_array_elements(p_limits) as l group by 1 order by 1
    on conflict (key) do update
      set count = case when r.ends_at > p_now then r.count + 1 else 1 end,
          ends_at = case when r.ends_at > p_now then r.ends_at else excluded.ends_at end;
end
$$;
