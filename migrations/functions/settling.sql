-- How attempts at deliveries end. An outcome: {delivery_id, attempt, state: sent | pending | held | dead, external_id, retry_at,
-- code, reason, billed, until, seen, refused}; retry_at with pending, code and reason with pending and dead; billed with sent,
-- where it costs; the last three with held, as in hub.hold_delivery.

-- Locks what these outcomes change beside the deliveries themselves, each kind in one order: their sessions, the customers
-- of those who have blocked us, and the messages of the platform that they have become. Returns the sessions.
create or replace function hub.hold_outcomes(p_outcomes jsonb) returns uuid[]
language plpgsql volatile as $$
declare
  v_sessions uuid[];
  v_session uuid;
  v_channel text;
  v_account text;
  r record;
begin
  if jsonb_array_length(p_outcomes) = 1 and p_outcomes #>> '{0,reason}' is distinct from 'blocked' then
    select s.session_id, d.channel, d.account into v_session, v_channel, v_account
      from public.deliveries d join public.sessions s on s.session_id = d.session_id
      where d.delivery_id = (p_outcomes #>> '{0,delivery_id}')::uuid
      for update of s;
    if v_account is not null and p_outcomes #>> '{0,external_id}' is not null then
      perform hub.lock_message(v_channel, v_account, p_outcomes #>> '{0,external_id}');
    end if;
    return array[v_session];
  end if;

  v_sessions := array(
    select distinct d.session_id from public.deliveries d
    where d.delivery_id = any (array(select (o ->> 'delivery_id')::uuid from jsonb_array_elements(p_outcomes) as o)));
  perform 1 from public.sessions where session_id = any (v_sessions) order by session_id for update;
  if p_outcomes @> '[{"reason": "blocked"}]' then
    perform 1 from public.customers
      where customer_key = any (array(select customer_key from public.sessions where session_id = any (v_sessions)))
      order by customer_key
      for update;
  end if;
  for r in
    select distinct d.channel, d.account, o ->> 'external_id' as external_id
    from jsonb_array_elements(p_outcomes) as o join public.deliveries d on d.delivery_id = (o ->> 'delivery_id')::uuid
    where d.account is not null and o ->> 'external_id' is not null
    order by 1, 2, 3
  loop
    perform hub.lock_message(r.channel, r.account, r.external_id);
  end loop;
  perform hub.lock_windows(array(
    select d.delivery_id
    from jsonb_array_elements(p_outcomes) as o join public.deliveries d on d.delivery_id = (o ->> 'delivery_id')::uuid
    where o ->> 'state' = 'held'));
  return v_sessions;
end
$$;

-- Counts how an attempt ended.
create or replace function hub.count_outcome(d public.deliveries, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_ms constant bigint := hub.ms(d.created_at, c.now);
begin
  if d.state = 'sent' then
    insert into public.counted (key, ms) values (hub.bucket('deliver_ms', d.channel, v_ms), v_ms);
  else
    insert into public.counted (key)
      values ('deliveries|' || d.channel || '|' || case d.state when 'pending' then 'failed' else d.state::text end);
  end if;
end
$$;

-- Moves the message of a delivery that has just ended, also by what its platform said of it before. Returns its status, null
-- when that has not moved.
create or replace function hub.move_message(d public.deliveries, c hub.context) returns text
language plpgsql volatile as $$
declare
  v_status text;
begin
  if d.parts = 1 then
    update public.messages set status = d.status where message_id = d.message_id;
    if found then
      v_status := d.status;
    end if;
  else
    v_status := (hub.refresh_status(d.message_id)).status;
  end if;
  -- The message of the platform is locked by hold_outcomes.
  if d.account is not null and exists (
      select 1 from public.early_events where channel = d.channel and account = d.account and external_id = d.external_id)
  then
    perform hub.apply_early(d.channel, d.account, d.external_id, c.now);
    v_status := (select status from public.messages where message_id = d.message_id);
  end if;
  return v_status;
end
$$;

-- Records how an attempt at a delivery ended. Null when that was not the newest attempt.
create or replace function hub.settle_one(p_outcome jsonb, c hub.context) returns public.deliveries
language plpgsql volatile as $$
declare
  v_state constant text := p_outcome ->> 'state';
  d public.deliveries;
begin
  if v_state = 'held' then
    return hub.hold_delivery(p_outcome, c);
  end if;
  update public.deliveries
    set state = v_state,
        due_at = coalesce((p_outcome ->> 'retry_at')::timestamptz, due_at),
        status = case v_state when 'sent' then 'sent' when 'dead' then 'failed' else status end,
        external_id = coalesce(p_outcome ->> 'external_id', external_id),
        code = p_outcome ->> 'code',
        reason = p_outcome ->> 'reason',
        sent_at = case v_state when 'sent' then c.now else sent_at end,
        failed_at = case v_state when 'sent' then failed_at else c.now end,
        unsure = case when v_state <> 'sent' and p_outcome ->> 'code' = 'unavailable' then true else unsure end
    where delivery_id = (p_outcome ->> 'delivery_id')::uuid and attempt = (p_outcome ->> 'attempt')::int
      and (state not in ('pending', 'held', 'sent', 'dead')
        or v_state = 'sent' and state = 'dead' and bulk and reason = 'maybe_sent')
    returning * into d;
  if d.bulk and d.unsure and d.state = 'pending' then
    perform hub.give_up_bulk(d.delivery_id, c.now);
    select * into d from public.deliveries where delivery_id = d.delivery_id;
  end if;
  return d;
end
$$;

-- Records that one part was sent, which is what most outcomes say. Returns as hub_settle.
create or replace function hub.settle_sent(p_outcome jsonb, c hub.context) returns json
language plpgsql volatile as $$
declare
  v_external_id constant text := p_outcome ->> 'external_id';
  v_session uuid;
  v_message uuid;
  v_channel text;
  v_account text;
  v_parts integer;
  v_ms bigint;
  v_early boolean;
  v_next boolean;
  v_status text;
begin
  select d.session_id, d.message_id, d.channel, d.account, d.parts, hub.ms(d.created_at, c.now)
    into v_session, v_message, v_channel, v_account, v_parts, v_ms
    from public.deliveries d join public.sessions s on s.session_id = d.session_id
    where d.delivery_id = (p_outcome ->> 'delivery_id')::uuid and d.attempt = (p_outcome ->> 'attempt')::int
    for update of s;
  if v_session is null then
    return '{"deliveries": [], "changed": []}';
  end if;
  if v_account is not null and v_external_id is not null then
    v_early := hub.lock_message(v_channel, v_account, v_external_id);
  end if;
  update public.deliveries
    set state = 'sent', status = 'sent', external_id = coalesce(v_external_id, external_id), code = null, reason = null, sent_at = c.now
    where delivery_id = (p_outcome ->> 'delivery_id')::uuid and attempt = (p_outcome ->> 'attempt')::int
      and (state not in ('pending', 'held', 'sent', 'dead') or state = 'dead' and bulk and reason = 'maybe_sent')
      and session_id = v_session;
  if not found then
    if exists (select from public.deliveries where delivery_id = (p_outcome ->> 'delivery_id')::uuid and session_id <> v_session) then
      raise exception 'the session was merged meanwhile' using errcode = 'serialization_failure';
    end if;
    return '{"deliveries": [], "changed": []}';
  end if;
  insert into public.counted (key, ms) values (hub.bucket('deliver_ms', v_channel, v_ms), v_ms);
  if p_outcome ? 'billed' then
    insert into public.counted (key) values ('billed|' || v_channel || '|' || (p_outcome ->> 'billed'));
  end if;
  if v_parts = 1 then
    v_status := 'sent';
    update public.messages set status = v_status where message_id = v_message;
  else
    v_status := (hub.refresh_status(v_message)).status;
  end if;
  select
      v_early and exists (
        select from public.early_events where channel = v_channel and account = v_account and external_id = v_external_id),
      exists (
        select from public.deliveries where session_id = v_session and channel = v_channel and state in ('pending', 'sending'))
    into v_early, v_next;
  if v_early and hub.apply_early(v_channel, v_account, v_external_id, c.now) then
    v_next := true;
    v_status := (select status from public.messages where message_id = v_message);
  end if;
  return json_build_object(
    'deliveries', hub.list_of(case when v_next then hub.claim_delivery(v_session, v_channel, c) end),
    'changed', case when v_status is null then '[]' else json_build_array(
      json_build_object('session_id', v_session, 'message_id', v_message, 'status', v_status)) end);
end
$$;

-- Records how attempts at deliveries ended, and hands over the next delivery of each session and channel.
-- p: {now, lease_ms, patience_ms, pace, outcomes}. Returns {deliveries, changed: [{session_id, message_id, status}]}. An
-- outcome of an attempt that is not the newest changes nothing.
create or replace function public.hub_settle(p jsonb) returns json
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  c constant hub.context := hub.context_of(p);
  v_outcomes constant jsonb := p -> 'outcomes';
  v_count constant integer := jsonb_array_length(v_outcomes);
  v_held uuid[];
  v_changed jsonb := '[]';
  v_next jsonb := '[]';
  v_settled uuid[] := '{}';
  v_status text;
  d public.deliveries;
begin
  if v_count = 1 and v_outcomes #>> '{0,state}' = 'sent' then
    return hub.settle_sent(v_outcomes -> 0, c);
  end if;
  v_held := hub.hold_outcomes(v_outcomes);
  for i in 0 .. v_count - 1 loop
    d := hub.settle_one(v_outcomes -> i, c);
    continue when d.delivery_id is null;
    if not d.session_id = any (v_held) then
      raise exception 'the session was merged meanwhile' using errcode = 'serialization_failure';
    end if;
    v_settled := v_settled || d.delivery_id;
    perform hub.count_outcome(d, c);
    if d.state = 'sent' and v_outcomes -> i ? 'billed' then
      insert into public.counted (key) values ('billed|' || d.channel || '|' || (v_outcomes -> i ->> 'billed'));
    end if;
    continue when d.state in ('pending', 'held');
    if d.state = 'dead' and d.reason = 'blocked' then
      perform hub.set_reachable(customer_key, d.channel, false) from public.sessions where session_id = d.session_id;
    end if;
    if d.state = 'dead' then
      perform hub.fall_through(d.delivery_id, c.now);
    end if;
    v_status := hub.move_message(d, c);
    if v_status is not null then
      v_changed := v_changed || jsonb_build_object('session_id', d.session_id, 'message_id', d.message_id, 'status', v_status);
    end if;
  end loop;
  if v_count > 1 then
    v_next := hub.claim_after(v_settled, c);
  elsif v_settled <> '{}' then
    v_next := hub.list_of(hub.claim_delivery(d.session_id, d.channel, c));
  end if;
  return json_build_object('deliveries', v_next, 'changed', v_changed);
end
$$;

-- Claims the next delivery of each session and channel of these deliveries: by channel and account, for a paced channel's
-- account is locked with the claim, and then in the order of the deliveries.
create or replace function hub.claim_after(p_deliveries uuid[], c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_claimed jsonb := '[]';
  v_delivery jsonb;
  r record;
begin
  for r in
    select d.session_id, d.channel, min(d.account) as account, min(u.place) as place
    from unnest(p_deliveries) with ordinality as u (id, place) join public.deliveries d on d.delivery_id = u.id
    group by d.session_id, d.channel
    order by channel, account, place
  loop
    v_delivery := hub.claim_delivery(r.session_id, r.channel, c);
    if v_delivery is not null then
      v_claimed := v_claimed || v_delivery;
    end if;
  end loop;
  return v_claimed;
end
$$;
