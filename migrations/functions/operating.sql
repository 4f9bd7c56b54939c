-- The calls of the sweep and of operators. Each takes one jsonb argument and returns jsonb.

-- Claims due turns that are not claimed by another call, oldest first. Sessions whose rows are locked are skipped.
create or replace function hub.due_turns(p_limit integer, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_claimed jsonb := '[]';
  v_turn jsonb;
  v_session uuid;
begin
  for v_session in
    select s.session_id
    from public.turns t join public.sessions s on s.session_id = t.session_id
    where t.state like '%ing' and t.due_at <= c.now
      and not exists (
        select 1 from public.turns e
        where e.session_id = t.session_id and e.state in ('pending', 'running')
          and (e.seq < t.seq or (e.state = 'running' and e.due_at > c.now)))
    order by t.due_at, t.seq
    limit p_limit
    for update of s skip locked
  loop
    v_turn := hub.claim_turn(v_session, c);
    if v_turn is not null then
      v_claimed := v_claimed || v_turn;
    end if;
  end loop;
  return v_claimed;
end
$$;

-- Claims deliveries that are due within the context's patience and not claimed by another call, oldest first. Sessions
-- whose rows are locked are skipped. p_held are sessions that this call has locked already: theirs come first, because
-- other sweeps cannot claim from them.
create or replace function hub.due_deliveries(p_limit integer, p_held uuid[], c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_found jsonb := '[]';
  v_claimed jsonb := '[]';
  v_delivery jsonb;
  r record;
begin
  for r in
    select d.session_id, d.channel, d.account
    from public.deliveries d join public.sessions s on s.session_id = d.session_id
    where d.state like '%ing' and d.due_at <= c.now + c.patience and (d.state = 'pending' or d.due_at <= c.now)
      and not exists (
        select 1 from public.deliveries e
        where e.session_id = d.session_id and e.channel = d.channel and e.state in ('pending', 'sending') and e.seq < d.seq
          and (e.bulk is null or d.bulk))
    order by d.session_id = any (p_held) desc, d.due_at, d.seq
    limit p_limit
    for update of s skip locked
  loop
    v_found := v_found || jsonb_build_object('session_id', r.session_id, 'channel', r.channel, 'account', r.account);
  end loop;
  -- A claim locks the pace of the channel's account: all callers lock these in one order.
  for r in
    select f ->> 'session_id' as session_id, f ->> 'channel' as channel
    from jsonb_array_elements(v_found) with ordinality as u (f, place)
    order by f ->> 'channel', f ->> 'account', place
  loop
    v_delivery := hub.claim_delivery(r.session_id::uuid, r.channel, c);
    if v_delivery is not null then
      v_claimed := v_claimed || v_delivery;
    end if;
  end loop;
  return v_claimed;
end
$$;

-- Claims due turns and deliveries, at most limit of each. p: {now, lease_ms, patience_ms, history, batch, pace, limit}.
-- Returns {turns, deliveries}.
create or replace function public.hub_due(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  c constant hub.context := hub.context_of(p);
  v_turns constant jsonb := hub.due_turns((p ->> 'limit')::int, c);
  v_held constant uuid[] := array(select (t #>> '{session,session_id}')::uuid from jsonb_array_elements(v_turns) as t);
begin
  return jsonb_build_object('turns', v_turns, 'deliveries', hub.due_deliveries((p ->> 'limit')::int, v_held, c));
end
$$;

-- Dead letters, sorted by id, all or of one session. p: {after, limit, session_id}. Returns {dead_letters: [{id, type,
-- session_id, message_id, channel, attempt, code, reason, created_at}]}.
create or replace function public.hub_dead_letters(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_after constant uuid := coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000');
  v_session constant uuid := hub.follow((p ->> 'session_id')::uuid);
  v_limit constant integer := (p ->> 'limit')::int;
  v_letters jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(l) order by l.id), '[]') into v_letters
    from (
      (select turn_id as id, 'turn' as type, session_id, message_id, channel, attempt, code, reason, created_at
        from public.turns
        where state = 'dead' and turn_id > v_after and (v_session is null or session_id = v_session)
        order by turn_id limit v_limit)
      union all
      (select delivery_id, 'delivery', session_id, message_id, channel, attempt, code, reason, created_at
        from public.deliveries
        where state = 'dead' and delivery_id > v_after and (v_session is null or session_id = v_session)
        order by delivery_id limit v_limit)
      order by id
      limit v_limit
    ) l;
  return jsonb_build_object('dead_letters', v_letters);
end
$$;

-- Makes a dead letter due again with attempt 0, and claims it if it is the first of its session or lane. p: {now,
-- lease_ms, patience_ms, history, batch, pace, actor | staff, id}. Returns {found, turns, deliveries}. Refuses conversation_held for a turn
-- while a person has the conversation: the bot would be asked. Refuses not_retryable {why: opted_out | maybe_sent | deleted | edited} for a
-- delivery that must not be sent any more, and for one of the staff unauthorized and conversation_taken {user}.
create or replace function public.hub_retry(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  c constant hub.context := hub.context_of(p);
  v_me constant public.users := case when p ? 'staff' then hub.staff(p) end;
  v_id constant uuid := p ->> 'id';
  v_type text := 'turn';
  v_holder uuid;
  v_why text;
  v_claimed jsonb;
  s public.sessions;
  d public.deliveries;
begin
  s := hub.hold_session_of_turn(v_id);
  if s.session_id is null then
    v_type := 'delivery';
    s := hub.hold_session_of_delivery(v_id);
  end if;
  if v_me.user_id is not null then
    select user_id into v_holder from public.conversations where customer_key = s.customer_key and holder = 'person';
    if v_holder <> v_me.user_id then
      perform hub.refuse('conversation_taken', jsonb_build_object('user', hub.colleague(v_holder)));
    end if;
  end if;
  if v_type = 'turn' then
    if hub.is_held(s.customer_key) then
      perform hub.refuse('conversation_held');
    end if;
    update public.turns
      set state = 'pending', attempt = 0, due_at = hub.at_once(c.now), leader = null, code = null, reason = null
      where turn_id = v_id and state = 'dead';
    if not found then
      return '{"found": false}';
    end if;
    v_claimed := hub.claim_turn(s.session_id, c);
  else
    select * into d from public.deliveries where delivery_id = v_id and state = 'dead';
    if d.delivery_id is null then
      return '{"found": false}';
    end if;
    select case when d.reason in ('opted_out', 'maybe_sent') then d.reason
        when deleted_at is not null then 'deleted' when edited_at is not null then 'edited' end
      into v_why
      from public.messages where message_id = d.message_id;
    if v_why is not null then
      perform hub.refuse('not_retryable', jsonb_build_object('why', v_why));
    end if;
    update public.deliveries
      set state = 'pending', attempt = 0, due_at = hub.at_once(c.now), status = 'pending', external_id = null, code = null, reason = null
      where delivery_id = v_id;
    perform hub.refresh_status(d.message_id);
    v_claimed := hub.claim_delivery(d.session_id, d.channel, c);
  end if;
  perform hub.add_audit(
    coalesce(p ->> 'actor', hub.staff_name(v_me.user_id)), 'dead_letter.retry', v_type || ':' || v_id, '{}', c.now);
  return jsonb_build_object(
    'found', true, 'turns', case when v_type = 'turn' then hub.list_of(v_claimed) else '[]' end,
    'deliveries', case when v_type = 'delivery' then hub.list_of(v_claimed) else '[]' end);
end
$$;
