-- Lists of sessions for operators.

-- Whether a text is part of a session's id, summary or feedback, or of one of its customer's identities, names or customer_id.
-- p_text is in lower case.
create or replace function hub.session_says(s public.sessions, p_text text) returns boolean
language sql stable as $$
  select strpos(s.session_id::text, p_text) > 0
    or strpos(lower(s.summary), p_text) > 0
    or strpos(lower(s.feedback), p_text) > 0
    or exists (select from public.identities where customer_key = s.customer_key and strpos(lower(value), p_text) > 0)
    or exists (
      select from public.customers k
      where k.customer_key = s.customer_key and (
        strpos(lower(k.customer_id), p_text) > 0 or strpos(lower(k.name), p_text) > 0
        or strpos(lower(k.profile ->> 'name'), p_text) > 0))
$$;

-- One page of sessions, the newest first; without merged ones, unless status is merged. p: {status, channel,
-- customer_id, active_since, q, after: the session_id of the last one seen, limit}. Returns {sessions, after, counts}: after is null on
-- the last page; counts, on the first page only, is the number of sessions by status; it ignores p's status. Plans are made
-- for each call, because the best plan depends on the filters that are given.
create or replace function public.hub_sessions(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_status constant text := p ->> 'status';
  v_channel constant text := p ->> 'channel';
  v_since constant timestamptz := p ->> 'active_since';
  v_text constant text := lower(p ->> 'q');
  v_after constant uuid := p ->> 'after';
  v_limit constant integer := (p ->> 'limit')::int;
  v_customer uuid;
  v_sessions jsonb;
  v_counts jsonb;
begin
  if p ? 'customer_id' then
    -- An unknown customer_id must find no session, and not all.
    v_customer := coalesce(
      (select customer_key from public.customers where customer_id = p ->> 'customer_id'), '00000000-0000-0000-0000-000000000000');
  end if;
  select coalesce(jsonb_agg(hub.session_document(s) order by s.session_id desc), '[]') into v_sessions
    from (
      select * from public.sessions x
      where (v_after is null or session_id < v_after)
        and (status = v_status or v_status is null and status <> 'merged')
        and (v_channel is null or v_channel = any (channels))
        and (v_customer is null or customer_key = v_customer)
        and (v_since is null or last_activity >= v_since)
        and (v_text is null or hub.session_says(x, v_text))
      order by session_id desc limit v_limit + 1
    ) s;
  if v_after is null then
    select jsonb_object_agg(status, number) into v_counts
      from (
        select status, count(*) as number from public.sessions x
        where (v_channel is null or v_channel = any (channels))
          and (v_customer is null or customer_key = v_customer)
          and (v_since is null or last_activity >= v_since)
          and (v_text is null or hub.session_says(x, v_text))
        group by status
      ) c;
  end if;
  return jsonb_build_object(
    'sessions', v_sessions - v_limit,
    'after', case when jsonb_array_length(v_sessions) > v_limit then v_sessions -> (v_limit - 1) ->> 'session_id' end,
    'counts', case when v_after is null then coalesce(v_counts, '{}') end);
end
$$;
