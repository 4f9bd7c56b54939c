-- Lists of sessions for operators.

-- One page of sessions, the newest first; without merged ones, unless status is merged. p: {status, channel, customer_id,
-- active_since, q, after: the session_id of the last one seen, limit}. q is a part of a session's id, summary or feedback, or of
-- one of its customer's identities, names or customer_id. Returns {sessions, after, counts}: after is null on the last page;
-- counts, on the first page only, is the number of sessions by status; it ignores p's status. Plans are made for each call,
-- because the best plan depends on the filters that are given.
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
  v_page uuid[];
  v_sessions jsonb;
  v_counts jsonb;
begin
  if p ? 'customer_id' then
    -- An unknown customer_id must find no session, and not all.
    v_customer := coalesce(
      (select customer_key from public.customers where customer_id = p ->> 'customer_id'), '00000000-0000-0000-0000-000000000000');
  end if;
  if v_text is null then
    v_page := array(
      select session_id from public.sessions
      where (v_after is null or session_id < v_after)
        and (status = v_status or v_status is null and status <> 'merged')
        and (v_channel is null or v_channel = any (channels))
        and (v_customer is null or customer_key = v_customer)
        and (v_since is null or last_activity >= v_since)
      order by session_id desc limit v_limit + 1);
    if v_after is null then
      select jsonb_object_agg(status, number) into v_counts
        from (
          select status, count(*) as number from public.sessions
          where (v_channel is null or v_channel = any (channels))
            and (v_customer is null or customer_key = v_customer)
            and (v_since is null or last_activity >= v_since)
          group by status
        ) c;
    end if;
  else
    -- Each table is read once: asking for each session took a minute for 200,000 of them.
    with people as materialized (
      select customer_key from public.identities where strpos(lower(value), v_text) > 0
      union all
      select customer_key from public.customers
      where strpos(lower(customer_id), v_text) > 0 or strpos(lower(name), v_text) > 0
        or strpos(lower(profile ->> 'name'), v_text) > 0
    ),
    found as materialized (
      select session_id, status from public.sessions
      where (v_channel is null or v_channel = any (channels))
        and (v_customer is null or customer_key = v_customer)
        and (v_since is null or last_activity >= v_since)
        and (
          strpos(session_id::text, v_text) > 0 or strpos(lower(summary), v_text) > 0 or strpos(lower(feedback), v_text) > 0
          or customer_key in (select customer_key from people))
    )
    select
        array(
          select session_id from found
          where (v_after is null or session_id < v_after) and (status = v_status or v_status is null and status <> 'merged')
          order by session_id desc limit v_limit + 1),
        (select jsonb_object_agg(status, number) from (select status, count(*) as number from found group by status) c)
      into v_page, v_counts;
  end if;
  select coalesce(jsonb_agg(hub.session_document(s) order by s.session_id desc), '[]') into v_sessions
    from public.sessions s where session_id = any (v_page);
  return jsonb_build_object(
    'sessions', v_sessions - v_limit,
    'after', case when jsonb_array_length(v_sessions) > v_limit then v_sessions -> (v_limit - 1) ->> 'session_id' end,
    'counts', case when v_after is null then coalesce(v_counts, '{}') end);
end
$$;
