-- How turns and deliveries go on. Each is a call of the hub: one jsonb argument, jsonb back; every argument holds now
-- (ISO 8601), lease_ms and history, those that hand over deliveries patience_ms and pace.

-- Ends a turn with its replies, in one transaction with their deliveries, and hands over what comes next.
-- p: {now, lease_ms, history, ..., turn_id, attempt, replies: [{kind, text, content, parts: [null | {text, ...}]}]}; a null
-- part is the whole reply; no parts means that its customer fetches it.
-- Returns {stale, messages, deliveries, next}; stale when somebody else has the turn, and then nothing is saved.
create function public.hub_complete(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_count constant integer := jsonb_array_length(p -> 'replies');
  v_messages jsonb := '[]';
  v_delivery jsonb;
  v_added jsonb;
  v_reply jsonb;
  v_parts integer;
  v_ms bigint;
  v_blocked boolean;
  v_dead integer := 0;
  v_message uuid;
  s public.sessions;
  t public.turns;
  m public.messages;
begin
  -- The session before the turn, as everybody else takes them.
  select * into s from public.sessions
    where session_id = (select session_id from public.turns where turn_id = (p ->> 'turn_id')::uuid)
    for update;
  if s.merged_into is not null then
    s := public.hub_hold_session(s.merged_into);
  end if;
  delete from public.turns
    where turn_id = (p ->> 'turn_id')::uuid and attempt = (p ->> 'attempt')::int and state = 'running' and leader is null
    returning * into t;
  if not found then
    return '{"stale": true, "messages": [], "deliveries": []}';
  end if;
  v_message := t.message_id;
  if (p ->> 'batch')::boolean then
    with followers as (
      delete from public.turns where session_id = t.session_id and state = 'running' and leader = t.turn_id returning seq, message_id)
    select coalesce((select message_id from followers order by seq desc limit 1), v_message) into v_message;
  end if;
  if v_count > 0 then
    update public.sessions set message_count = message_count + v_count, updated_at = v_now where session_id = s.session_id;
  end if;
  v_blocked := t.channel = any (s.unreachable);
  perform public.hub_lock_line(s.session_id, t.channel);

  for i in 0 .. v_count - 1 loop
    v_reply := p -> 'replies' -> i;
    v_parts := jsonb_array_length(v_reply -> 'parts');
    v_dead := v_dead + case when v_blocked then v_parts else 0 end;
    m := public.hub_add_message(
      s.session_id,
      v_reply || jsonb_build_object(
        'channel', t.channel, 'account', t.account, 'direction', 'outbound', 'role', 'assistant', 'reply_to', v_message,
        'status', case when v_parts = 0 then 'sent' when v_blocked then 'failed' else 'pending' end),
      v_now);
    v_messages := v_messages || public.hub_message_json(m);
    for j in 0 .. v_parts - 1 loop
      v_added := public.hub_add_delivery(m, v_parts, t.address, v_reply -> 'parts' -> j, v_blocked, p);
      v_delivery := coalesce(v_delivery, v_added);
    end loop;
  end loop;

  v_delivery := coalesce(v_delivery, public.hub_claim_delivery(s.session_id, t.channel, p));
  v_ms := public.hub_ms(t.created_at, v_now);
  perform public.hub_count(
    public.hub_bucket('answer_ms', t.channel, v_ms) || array_fill('deliveries|' || t.channel || '|dead', array[v_dead]), array[v_ms]);
  return jsonb_build_object(
    'stale', false, 'messages', v_messages,
    'deliveries', case when v_delivery is null then '[]'::jsonb else jsonb_build_array(v_delivery) end,
    'next', public.hub_claim_turn(s.session_id, p));
end
$$;

-- Gives a turn back to be tried again at retry_at, or ends it as a dead letter without one, and hands over what comes
-- next. p: {now, lease_ms, history, ..., turn_id, attempt, code, reason, retry_at}. Returns as hub_complete.
create function public.hub_fail(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  s public.sessions;
  t public.turns;
begin
  s := public.hub_hold_session((select session_id from public.turns where turn_id = (p ->> 'turn_id')::uuid));
  update public.turns
    set state = case when p ->> 'retry_at' is null then 'dead' else 'pending' end,
        due_at = coalesce((p ->> 'retry_at')::timestamptz, due_at),
        code = p ->> 'code',
        reason = p ->> 'reason'
    where turn_id = (p ->> 'turn_id')::uuid and attempt = (p ->> 'attempt')::int and state = 'running' and leader is null
    returning * into t;
  if not found then
    return '{"stale": true, "messages": [], "deliveries": []}';
  end if;
  update public.turns
    set state = t.state, leader = null,
        due_at = case when t.state = 'pending' then public.hub_at_once(v_now) else due_at end,
        code = case when t.state = 'dead' then t.code end,
        reason = case when t.state = 'dead' then t.reason end
    where session_id = t.session_id and state = 'running' and leader = t.turn_id;
  perform public.hub_count(array['turns|' || t.channel || '|' || case when t.state = 'dead' then 'dead' else 'failed' end]);
  return jsonb_build_object(
    'stale', false, 'messages', '[]'::jsonb, 'deliveries', '[]'::jsonb, 'next', public.hub_claim_turn(s.session_id, p));
end
$$;

-- Records how attempts at deliveries ended, and hands over the next delivery of each line.
-- p: {now, lease_ms, patience_ms, pace, outcomes: [{delivery_id, attempt, state: sent | pending | dead, external_id, retry_at,
--     code, reason}]}.
-- Returns {deliveries, changed: [{session_id, message_id, status}]}. An outcome of an attempt that is not the newest
-- changes nothing.
create function public.hub_settle(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_deliveries jsonb := '[]';
  v_changed jsonb := '[]';
  v_counted text[] := '{}';
  v_times bigint[] := '{}';
  v_told text[] := '{}';
  v_ms bigint;
  v_delivery jsonb;
  v_lines text[] := '{}';
  o jsonb;
  d public.deliveries;
  m public.messages;
begin
  if p -> 'outcomes' @> '[{"state": "dead", "reason": "blocked"}]' then
    -- These write to their sessions: the session before the line, as hub_complete takes them.
    perform 1 from public.sessions
      where session_id in (
        select x.session_id from public.deliveries x
        where x.delivery_id in (select (e ->> 'delivery_id')::uuid from jsonb_array_elements(p -> 'outcomes') as e))
      order by session_id
      for update;
  end if;
  if jsonb_array_length(p -> 'outcomes') = 1 then
    perform public.hub_lock_line(session_id, channel) from public.deliveries where delivery_id = (p #>> '{outcomes,0,delivery_id}')::uuid;
  else
    perform public.hub_lock_line(l.session_id, l.channel)
      from (
        select distinct x.session_id, x.channel from public.deliveries x
        where x.delivery_id = any (array(select (e ->> 'delivery_id')::uuid from jsonb_array_elements(p -> 'outcomes') as e))
        order by 1, 2
      ) l;
  end if;
  for i in 0 .. jsonb_array_length(p -> 'outcomes') - 1 loop
    o := p -> 'outcomes' -> i;
    update public.deliveries
      set state = o ->> 'state',
          due_at = coalesce((o ->> 'retry_at')::timestamptz, due_at),
          status = case o ->> 'state' when 'sent' then 'sent' when 'dead' then 'failed' else status end,
          external_id = coalesce(o ->> 'external_id', external_id),
          code = o ->> 'code',
          reason = o ->> 'reason'
      where delivery_id = (o ->> 'delivery_id')::uuid and attempt = (o ->> 'attempt')::int and state = 'sending'
      returning * into d;
    continue when not found;
    if not d.session_id || ' ' || d.channel = any (v_lines) then
      v_lines := v_lines || (d.session_id || ' ' || d.channel);
    end if;
    if d.state = 'sent' then
      v_ms := public.hub_ms(d.created_at, v_now);
      v_counted := v_counted || public.hub_bucket('deliver_ms', d.channel, v_ms);
    else
      v_ms := null;
      v_counted := v_counted || concat_ws('|', 'deliveries', d.channel, case d.state when 'pending' then 'failed' else d.state end);
    end if;
    v_times := v_times || v_ms;
    continue when d.state = 'pending';
    if d.state = 'dead' and d.reason = 'blocked' then
      perform public.hub_set_reachable(d.session_id, d.channel, false);
    end if;
    if d.parts = 1 then
      update public.messages set status = d.status where message_id = d.message_id returning * into m;
    else
      m := public.hub_refresh_status(d.message_id);
    end if;
    if d.external_id is not null and d.account is not null then
      perform public.hub_lock_message(d.channel, d.account, d.external_id);
      if exists (select 1 from public.early_events where channel = d.channel and account = d.account and external_id = d.external_id) then
        v_told := v_told || public.hub_apply_early(d.channel, d.account, d.external_id, v_now);
        select * into m from public.messages where message_id = d.message_id;
      end if;
    end if;
    if m.message_id is not null then
      v_changed := v_changed || jsonb_build_object('session_id', m.session_id, 'message_id', m.message_id, 'status', m.status);
    end if;
  end loop;
  for i in 1 .. coalesce(array_length(v_lines, 1), 0) loop
    -- Ours already, unless a merge has just moved the line.
    perform public.hub_lock_line(split_part(v_lines[i], ' ', 1)::uuid, split_part(v_lines[i], ' ', 2));
    v_delivery := public.hub_claim_delivery(split_part(v_lines[i], ' ', 1)::uuid, split_part(v_lines[i], ' ', 2), p);
    if v_delivery is not null then
      v_deliveries := v_deliveries || v_delivery;
    end if;
  end loop;
  if v_counted <> '{}' then
    perform public.hub_count(v_counted || v_told, v_times);
  end if;
  return jsonb_build_object('deliveries', v_deliveries, 'changed', v_changed);
end
$$;

-- Claims turns and deliveries that are due and that nobody holds, oldest first, at most p.limit of each.
-- p: {now, lease_ms, history, limit}. Returns {turns, deliveries}.
create function public.hub_due(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_patient constant timestamptz := v_now + coalesce((p ->> 'patience_ms')::bigint, 0) * interval '1 millisecond';
  v_turns jsonb := '[]';
  v_deliveries jsonb := '[]';
  v_claim jsonb;
  r record;
begin
  for r in
    select t.session_id from public.turns t
    where t.state in ('pending', 'running') and t.due_at <= v_now
      and not exists (
        select 1 from public.turns e
        where e.session_id = t.session_id and e.state in ('pending', 'running')
          and (e.seq < t.seq or (e.state = 'running' and e.due_at > v_now)))
    order by t.due_at, t.seq
    limit (p ->> 'limit')::int
    for update of t skip locked
  loop
    v_claim := public.hub_claim_turn(r.session_id, p);
    if v_claim is not null then
      v_turns := v_turns || v_claim;
    end if;
  end loop;
  for r in
    select d.session_id, d.channel from public.deliveries d
    where d.state in ('pending', 'sending') and d.due_at <= v_patient and (d.state = 'pending' or d.due_at <= v_now)
      and not exists (
        select 1 from public.deliveries e
        where e.session_id = d.session_id and e.channel = d.channel and e.state in ('pending', 'sending') and e.seq < d.seq)
    order by d.due_at, d.seq
    limit (p ->> 'limit')::int
    for update of d skip locked
  loop
    v_claim := public.hub_claim_delivery(r.session_id, r.channel, p);
    if v_claim is not null then
      v_deliveries := v_deliveries || v_claim;
    end if;
  end loop;
  return jsonb_build_object('turns', v_turns, 'deliveries', v_deliveries);
end
$$;
