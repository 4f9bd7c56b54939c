-- Events on their way. Those of one lane (one endpoint, one session) are posted one after another: an event is claimed only with or
-- after everything that waits before it. A claim takes several lanes, of each as much as is due.

-- The enabled endpoints that have something to post now. p: {now}. Returns {endpoints: [endpoint_id], enabled: how many there are, next_at:
-- when the next event is due, null when nothing waits}.
create or replace function public.hub_due_endpoints(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_due uuid[] := '{}';
  v_enabled integer := 0;
  v_first timestamptz;
  v_next timestamptz;
  r record;
begin
  for r in select endpoint_id, resting_until from public.endpoints where enabled order by last_success_at nulls first, endpoint_id loop
    v_enabled := v_enabled + 1;
    v_first := (
      select due_at from public.event_deliveries
      where endpoint_id = r.endpoint_id and state <> 'dead' order by endpoint_id, due_at, seq limit 1);
    v_first := greatest(v_first, case when v_first is not null then r.resting_until end);
    if v_first <= v_now then
      v_due := v_due || r.endpoint_id;
    end if;
    v_next := least(v_next, v_first);
  end loop;
  return jsonb_build_object(
    'endpoints', to_jsonb(v_due), 'enabled', v_enabled,
    'next_at', case when v_next is not null then greatest(v_next, v_now) end);
end
$$;

-- Records how posts ended, and claims the endpoint's next events, at most limit; one while it fails. p: {now, lease_ms, endpoint_id, limit,
-- outcomes: [{lane, seq, attempt, state: sent | waiting | dead | unsent, retry_at, code, reason}], gone, fails_ms}. unsent: it was claimed
-- and not posted. gone: the endpoint has said that it is no more. An outcome of an attempt that is not the newest changes nothing. Returns
-- {target: {url, content, secrets}, events: [{lane, seq, attempt, event_id, type, at, data, message}], disabled: why it has just been}.
-- Null target: it is deleted, disabled or resting.
create or replace function public.hub_next_events(p jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set enable_sort = off set plan_cache_mode = force_generic_plan as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_id constant uuid := p ->> 'endpoint_id';
  v_limit integer := (p ->> 'limit')::int;
  v_disabled text;
  v_events jsonb;
  e public.endpoints;
begin
  if p -> 'outcomes' <> '[]' then
    v_disabled := hub.settle_events(p, v_now);
  end if;
  select * into e from public.endpoints where endpoint_id = v_id;
  if e.endpoint_id is null or not e.enabled or e.resting_until > v_now or v_limit = 0 then
    return jsonb_build_object('events', '[]'::jsonb, 'disabled', v_disabled);
  elsif e.failures >= hub.resting_after() then
    v_limit := 1;
  end if;
  v_events := hub.claim_events(v_id, v_limit, v_now, (p ->> 'lease_ms')::bigint * interval '1 millisecond', e.content);
  return jsonb_build_object(
    'target', jsonb_build_object(
      'url', e.url, 'content', e.content,
      'secrets', array_remove(array[e.secret, case when e.former_until > v_now then e.former_secret end], null)),
    'events', v_events, 'disabled', v_disabled);
end
$$;

-- Claims due events of an endpoint. A row whose lane waits for an earlier one is put off until that one is due again; for one that is
-- being posted right now, for a second.
create or replace function hub.claim_events(
  p_endpoint uuid, p_limit integer, p_now timestamptz, p_lease interval, p_content boolean) returns jsonb
language plpgsql volatile as $$
declare
  v_lanes uuid[];
  v_seqs bigint[];
  v_events jsonb;
begin
  select array_agg(d.lane), array_agg(d.seq) into v_lanes, v_seqs
    from (
      select lane, seq from public.event_deliveries
      where endpoint_id = p_endpoint and state <> 'dead' and due_at <= p_now
      order by endpoint_id, due_at, seq limit p_limit
      for update skip locked) d;
  if v_lanes is null then
    return '[]';
  end if;
  with due as (
    select lane, seq from unnest(v_lanes, v_seqs) as u (lane, seq)
  ), ahead as (
    -- The first of each lane that waits and is not among the due ones.
    select l.lane, o.seq, o.state, o.due_at
    from (select distinct lane from due) l cross join lateral (
      select seq, state, due_at from public.event_deliveries
      where lane = l.lane and endpoint_id = p_endpoint and state <> 'dead' and (lane, seq) not in (select lane, seq from due)
      order by lane, seq limit 1) o
  ), put_off as (
    update public.event_deliveries x
      set due_at = case when a.state = 'waiting' and a.due_at > p_now then a.due_at else p_now + interval '1 second' end
      from due u join ahead a on a.lane = u.lane and a.seq < u.seq
      where x.lane = u.lane and x.seq = u.seq and x.endpoint_id = p_endpoint
  ), taken as (
    update public.event_deliveries x
      set state = 'sending', attempt = x.attempt + 1, due_at = p_now + p_lease
      from due u left join ahead a on a.lane = u.lane and a.seq < u.seq
      where x.lane = u.lane and x.seq = u.seq and x.endpoint_id = p_endpoint and a.lane is null
      returning x.lane, x.seq, x.attempt, x.event_id
  )
  select coalesce(jsonb_agg(jsonb_build_object(
      'lane', t.lane, 'seq', t.seq, 'attempt', t.attempt, 'event_id', v.event_id, 'type', v.type, 'at', v.at,
      'data', v.data || hub.customer_of_event(v.data),
      'message', case when p_content and v.type in ('message.received', 'message.sent') then (
        select hub.message_json(m)::jsonb from public.messages m where m.message_id = (v.data ->> 'message_id')::uuid) end)), '[]')
    into v_events
    from taken t join public.events v on v.event_id = t.event_id;
  return v_events;
end
$$;

-- Whom an event is about, as that is known now: {customer_key, customer_id}; both are null once nobody is.
create or replace function hub.customer_of_event(p_data jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_key uuid := p_data ->> 'customer_key';
begin
  if not p_data ? 'customer_key' then
    v_key := (select customer_key from public.sessions where session_id = (p_data ->> 'session_id')::uuid);
  end if;
  return jsonb_build_object(
    'customer_key', v_key, 'customer_id', coalesce(
      (select customer_id from public.customers where customer_key = v_key), p_data ->> 'customer_id'));
end
$$;

-- Records how posts ended, for hub_next_events. Returns why the endpoint has just been disabled, else null.
create or replace function hub.settle_events(p jsonb, p_now timestamptz) returns text
language plpgsql volatile as $$
declare
  v_failure jsonb;
  v_sent integer;
  v_failed integer;
  v_dead integer;
  e public.endpoints;
begin
  select * into e from public.endpoints where endpoint_id = (p ->> 'endpoint_id')::uuid for update;
  if e.endpoint_id is null then
    return null;
  end if;
  with outcome as (
    select * from jsonb_to_recordset(p -> 'outcomes') as o (
      lane uuid, seq bigint, attempt integer, state text, retry_at timestamptz, code text, reason text)
  ), gone as (
    delete from public.event_deliveries d using outcome o
      where d.lane = o.lane and d.seq = o.seq and d.endpoint_id = e.endpoint_id and d.attempt = o.attempt and d.state = 'sending'
        and o.state = 'sent'
      returning 1
  ), kept as (
    update public.event_deliveries d
      set state = case when o.state = 'dead' then 'dead' else 'waiting' end,
          attempt = case when o.state = 'unsent' then d.attempt - 1 else d.attempt end,
          due_at = coalesce(o.retry_at, '-infinity'),
          code = coalesce(o.code, d.code), reason = coalesce(o.reason, d.reason)
      from outcome o
      where d.lane = o.lane and d.seq = o.seq and d.endpoint_id = e.endpoint_id and d.attempt = o.attempt and d.state = 'sending'
        and o.state <> 'sent'
      returning o.state
  )
  select (select count(*) from gone), (select count(*) from kept where state = 'waiting'), (select count(*) from kept where state = 'dead'),
      (select jsonb_build_object('code', code, 'reason', reason, 'at', p_now) from outcome where state in ('waiting', 'dead') limit 1)
    into v_sent, v_failed, v_dead, v_failure;
  insert into public.counted (key)
    select 'events|' || k from unnest(array['sent', 'failed', 'dead'], array[v_sent, v_failed, v_dead]) as u (k, n), generate_series(1, n);
  if (p ->> 'gone')::boolean then
    update public.endpoints set last_failure = v_failure where endpoint_id = e.endpoint_id;
    perform hub.disable_endpoint(e.endpoint_id, 'gone', p_now);
    return 'gone';
  end if;
  return hub.judge_endpoint(e, v_sent, v_failed + v_dead, v_failure, p_now, (p ->> 'fails_ms')::bigint * interval '1 millisecond');
end
$$;

-- What an endpoint's successes and failures say of it: one success ends its failing; after hub.resting_after() failures in a row it
-- rests for a minute; after failing for p_fails it is disabled, and failing is returned. The caller holds its row.
create or replace function hub.judge_endpoint(
  e public.endpoints, p_sent integer, p_failed integer, p_failure jsonb, p_now timestamptz, p_fails interval) returns text
language plpgsql volatile as $$
begin
  if p_sent > 0 then
    update public.endpoints
      set last_success_at = p_now, failing_since = null, failures = 0, resting_until = null,
          last_failure = coalesce(p_failure, last_failure)
      where endpoint_id = e.endpoint_id
        and (p_failure is not null or e.failures > 0 or last_success_at is null or last_success_at < p_now - interval '1 minute');
  elsif p_failed > 0 then
    update public.endpoints
      set failing_since = coalesce(failing_since, p_now), failures = failures + p_failed, last_failure = p_failure,
          resting_until = case when failures + p_failed >= hub.resting_after() then p_now + interval '1 minute' end
      where endpoint_id = e.endpoint_id;
    if e.failing_since <= p_now - p_fails then
      perform hub.disable_endpoint(e.endpoint_id, 'failing', p_now);
      return 'failing';
    end if;
  end if;
  return null;
end
$$;

-- The state of all endpoints, for /health and /metrics. p: {now}. Returns {enabled, failing, disabled, waiting: events still to be posted to
-- enabled endpoints, at most 100,000; oldest_at, dead}. disabled: by the hub, not by an operator.
create or replace function public.hub_events_state(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'enabled', count(*) filter (where e.enabled and e.failing_since is null),
    'failing', count(*) filter (where e.enabled and e.failing_since is not null),
    'disabled', count(*) filter (where not e.enabled and e.disabled_reason <> 'operator'),
    'waiting', coalesce(sum(w.waiting) filter (where e.enabled), 0),
    'oldest_at', min(w.oldest_at) filter (where e.enabled),
    'dead', coalesce(sum(w.dead), 0))
  from public.endpoints e cross join lateral (
    select
      (select count(*) from (
        select from public.event_deliveries where endpoint_id = e.endpoint_id and state <> 'dead' limit 100000) o) as waiting,
      (select count(*) from (
        select from public.event_deliveries where endpoint_id = e.endpoint_id and state = 'dead' limit 100000) o) as dead,
      (select min(v.at) from (
        select event_id from public.event_deliveries
        where endpoint_id = e.endpoint_id and state <> 'dead' order by due_at, seq limit 100) o
        join public.events v using (event_id)) as oldest_at) w
$$;

-- Deletes the events of these sessions and of an erased customer, and announces the erasure to those who may have copies, unless
-- nobody was known (p_known). p_name is the shop's own name for the customer.
create or replace function hub.erase_events(p_lanes uuid[], p_customer uuid, p_known boolean, p_name text) returns void
language plpgsql volatile as $$
begin
  perform 1 from public.endpoints order by endpoint_id for update;
  delete from public.event_deliveries where lane = any (p_lanes);
  delete from public.events where lane = any (p_lanes);
  if p_known then
    perform hub.announce('customer.erased', p_customer, null, jsonb_build_object(
      'customer_key', p_customer, 'customer_id', p_name, 'session_ids', to_jsonb(array_remove(p_lanes, p_customer))));
  end if;
end
$$;

-- Deletes events that happened before an instant, whatever has become of them. Nothing is deleted while an endpoint is being changed.
create or replace function hub.purge_events(p_before timestamptz, p_limit integer) returns void
language plpgsql volatile as $$
declare
  v_ids uuid[];
begin
  if p_before is null then
    return;
  elsif (select count(*) from (select from public.endpoints order by endpoint_id for update skip locked) e)
    < (select count(*) from public.endpoints)
  then
    return;
  end if;
  v_ids := array(
    select event_id from public.events where event_id < hub.uuid_from(p_before) order by event_id limit p_limit for update skip locked);
  if v_ids = '{}' then
    return;
  end if;
  delete from public.event_deliveries d using public.events v
    where v.event_id = any (v_ids) and d.lane = v.lane and d.seq = v.seq;
  delete from public.events where event_id = any (v_ids);
end
$$;
