-- What operators see and set right. Calls of the hub: one jsonb argument, jsonb back.

-- Dead letters in the order they came to be. p: {after, limit}. Returns {dead_letters: [{id, type, session_id, message_id,
-- channel, attempt, code, reason, created_at}]}.
create function public.hub_dead_letters(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('dead_letters', coalesce(jsonb_agg(to_jsonb(l) order by l.id), '[]'))
  from (
    (select turn_id as id, 'turn' as type, session_id, message_id, channel, attempt, code, reason, created_at
      from public.turns
      where state = 'dead' and turn_id > coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000')
      order by turn_id limit (p ->> 'limit')::int)
    union all
    (select delivery_id, 'delivery', session_id, message_id, channel, attempt, code, reason, created_at
      from public.deliveries
      where state = 'dead' and delivery_id > coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000')
      order by delivery_id limit (p ->> 'limit')::int)
    order by id
    limit (p ->> 'limit')::int
  ) l
$$;

-- Makes a dead letter due again with its attempts forgotten, and claims it when it is first in line.
-- p: {now, lease_ms, history, ..., id}. Returns {found, turns, deliveries}.
create function public.hub_retry(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_id constant uuid := p ->> 'id';
  v_turn jsonb;
  v_delivery jsonb;
  s public.sessions;
  d public.deliveries;
begin
  -- The session before the turn, and the line before the delivery, as everybody else takes them.
  s := public.hub_hold_session((select session_id from public.turns where turn_id = v_id));
  update public.turns
    set state = 'pending', attempt = 0, due_at = public.hub_at_once(v_now), leader = null, code = null, reason = null
    where turn_id = v_id and state = 'dead';
  if found then
    v_turn := public.hub_claim_turn(s.session_id, p);
    return jsonb_build_object(
      'found', true, 'deliveries', '[]'::jsonb,
      'turns', case when v_turn is null then '[]'::jsonb else jsonb_build_array(v_turn) end);
  end if;
  perform public.hub_lock_line(session_id, channel) from public.deliveries where delivery_id = v_id;
  update public.deliveries
    set state = 'pending', attempt = 0, due_at = public.hub_at_once(v_now), status = 'pending', external_id = null, code = null, reason = null
    where delivery_id = v_id and state = 'dead'
    returning * into d;
  if found then
    perform public.hub_lock_line(d.session_id, d.channel);
    perform public.hub_refresh_status(d.message_id);
    v_delivery := public.hub_claim_delivery(d.session_id, d.channel, p);
    return jsonb_build_object(
      'found', true, 'turns', '[]'::jsonb,
      'deliveries', case when v_delivery is null then '[]'::jsonb else jsonb_build_array(v_delivery) end);
  end if;
  return '{"found": false}';
end
$$;

-- What was counted and what is open. p: {}. Returns {counters: {key: value}, open_turns, open_deliveries, oldest_turn_at,
-- oldest_delivery_at}.
create function public.hub_metrics(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'counters', (
      with counted as (
        select key, sum(value) as value, sum(total_ms) as total_ms from public.counters group by key),
      timed as (
        select split_part(key, '.', 1) as name, split_part(key, '|', 2) as label, sum(value) as value, sum(total_ms) as total_ms
        from counted where key like '%.le|%' group by 1, 2)
      select coalesce(jsonb_object_agg(key, value), '{}') from (
        select key, value from counted
        union all
        select name || '.sum|' || label, total_ms from timed
        union all
        -- Each of these is timed, so counting them once more would be one write more.
        select case name when 'answer_ms' then 'turns|' || label || '|done' else 'deliveries|' || label || '|sent' end, value from timed
      ) c),
    'open_turns', (select count(*) from public.turns where state in ('pending', 'running')),
    'open_deliveries', (select count(*) from public.deliveries where state in ('pending', 'sending')),
    'oldest_turn_at', (select min(created_at) from public.turns where state in ('pending', 'running')),
    'oldest_delivery_at', (select min(created_at) from public.deliveries where state in ('pending', 'sending')))
$$;
