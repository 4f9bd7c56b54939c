-- Work that is claimed: turns and deliveries, with what their holders need to know. Called by the functions of the next
-- files. p holds now (ISO 8601), lease_ms and history, and for deliveries patience_ms and pace. The rules are those of
-- src/stores/memory/, line by line.

-- Adds to what /metrics tells: each key once, and what it took in ms where that is told. Keys go in one order, so that two
-- calls never wait for each other.
create function public.hub_count(p_keys text[], p_ms bigint[] default '{}') returns void
language sql volatile as $$
  insert into public.counters as c (shard, key, value, total_ms)
    select pg_backend_pid() % 16, u.key, count(*), coalesce(sum(u.ms), 0)
    from unnest(p_keys, p_ms) as u (key, ms)
    group by u.key
    order by u.key
    on conflict (shard, key) do update set value = c.value + excluded.value, total_ms = c.total_ms + excluded.total_ms
$$;

-- The key under which a histogram counts what took so long.
create function public.hub_bucket(p_name text, p_label text, p_ms bigint) returns text
language sql immutable parallel safe as $$
  select p_name || '.le|' || p_label || '|' || case
    when p_ms <= 100 then '100' when p_ms <= 250 then '250' when p_ms <= 500 then '500' when p_ms <= 1000 then '1000'
    when p_ms <= 2500 then '2500' when p_ms <= 5000 then '5000' when p_ms <= 10000 then '10000' when p_ms <= 30000 then '30000'
    when p_ms <= 60000 then '60000' when p_ms <= 300000 then '300000' else 'inf' end
$$;

-- Milliseconds between two instants, none when clocks disagree about their order.
create function public.hub_ms(p_since timestamptz, p_now timestamptz) returns bigint
language sql immutable parallel safe as $$
  select greatest(0, (extract(epoch from p_now - p_since) * 1000)::bigint)
$$;

-- Since when new work is due: a minute before it came, so that it is handed over by callers too whose clock is behind, or
-- who looked at it before they had to wait.
create function public.hub_at_once(p_now timestamptz) returns timestamptz
language sql immutable parallel safe as $$
  select p_now - interval '1 minute'
$$;

-- The message as the outside may see it.
create function public.hub_message_json(m public.messages) returns jsonb
language sql stable parallel safe as $$
  select to_jsonb(m) - '{account,revisions}'::text[]
$$;

-- The messages before a turn that a bot wants to see.
create function public.hub_history(t public.turns, p jsonb) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(public.hub_message_json(h) order by h.seq), '[]')
  from (
    select * from public.messages
    where session_id = t.session_id and seq < t.seq
    order by seq desc
    limit (p ->> 'history')::int
  ) h
$$;

-- A claimed turn with its session, its messages (message is the newest, messages null when it is the only one) and the
-- earlier messages a bot wants to see.
create function public.hub_turn_json(t public.turns, s public.sessions, m public.messages, p_messages jsonb, p jsonb) returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'turn_id', t.turn_id, 'attempt', t.attempt, 'channel', t.channel, 'account', t.account, 'address', t.address,
    'session', public.hub_session_json(s), 'message', public.hub_message_json(m), 'messages', p_messages,
    'history', case when (p ->> 'history')::int > 0 then public.hub_history(t, p) else '[]' end)
$$;

-- Claims the session's next turn: the earliest unfinished one, if it is due and no other is running. The caller
-- holds the session's row, or (for the sweep) the turn's.
create function public.hub_claim_turn(p_session uuid, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_now timestamptz;
  v_lease timestamptz;
  v_messages jsonb;
  t public.turns;
  s public.sessions;
  m public.messages;
begin
  select * into t from public.turns
    where session_id = p_session and state in ('pending', 'running')
    order by seq, turn_id limit 1;
  if not found then
    return null;
  end if;
  v_now := p ->> 'now';
  if t.due_at > v_now then
    return null;
  end if;
  v_lease := v_now + (p ->> 'lease_ms')::bigint * interval '1 millisecond';
  if exists (
    select 1 from public.turns
    where session_id = p_session and state in ('pending', 'running') and state = 'running' and due_at > v_now
  ) then
    return null;
  end if;
  -- Whoever has the row in hand is finishing or claiming it: leave it to them.
  perform 1 from public.turns
    where turn_id = t.turn_id and attempt = t.attempt and state = t.state and due_at = t.due_at
    for update skip locked;
  if not found then
    return null;
  end if;
  update public.turns
    set state = 'running', attempt = attempt + 1, due_at = v_lease, leader = null
    where turn_id = t.turn_id
    returning * into t;
  if t.attempt > 1 then
    -- Since the last attempt a merge may have put something between it and those that were to be answered with it.
    update public.turns set state = 'pending', leader = null
      where session_id = p_session and state = 'running' and leader = t.turn_id;
  end if;
  select * into s from public.sessions where session_id = t.session_id;
  if (p ->> 'batch')::boolean then
    update public.turns f
      set state = 'running', due_at = v_lease, leader = t.turn_id
      where f.session_id = p_session and f.state in ('pending', 'running') and f.seq > t.seq
        and f.channel = t.channel and f.account is not distinct from t.account and f.address = t.address
        and not exists (
          select 1 from public.turns o
          where o.session_id = p_session and o.state in ('pending', 'running') and o.seq > t.seq and o.seq < f.seq
            and (o.channel <> t.channel or o.account is distinct from t.account or o.address <> t.address));
    if found then
      select jsonb_agg(public.hub_message_json(x) order by x.seq) into v_messages
        from public.messages x
        where x.message_id in (
          select message_id from public.turns where turn_id = t.turn_id
          union all
          select message_id from public.turns where session_id = p_session and state = 'running' and leader = t.turn_id);
      select x.* into m from public.messages x where x.message_id = (v_messages -> -1 ->> 'message_id')::uuid;
      return public.hub_turn_json(t, s, m, v_messages, p);
    end if;
  end if;
  select * into m from public.messages where message_id = t.message_id;
  return public.hub_turn_json(t, s, m, null, p);
end
$$;

-- Adds a turn to a session whose row is held, and claims the session's next one: this, unless another waits or runs. This
-- one comes back without its session and message, which the caller has. p_address is where the reply goes.
create function public.hub_add_turn(s public.sessions, m public.messages, p_address jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  t public.turns;
begin
  insert into public.turns (turn_id, session_id, seq, message_id, channel, account, address, state, attempt, due_at, created_at)
    select
      public.hub_uuid(v_now), s.session_id, m.seq, m.message_id, m.channel, m.account, p_address,
      case when f.free then 'running' else 'pending' end,
      case when f.free then 1 else 0 end,
      case when f.free then v_now + (p ->> 'lease_ms')::bigint * interval '1 millisecond' else public.hub_at_once(v_now) end,
      v_now
    from (
      select not exists (select 1 from public.turns where session_id = s.session_id and state in ('pending', 'running')) as free) f
    returning * into t;
  if t.state = 'pending' then
    return public.hub_claim_turn(s.session_id, p);
  end if;
  return jsonb_build_object(
    'turn_id', t.turn_id, 'attempt', t.attempt, 'channel', t.channel, 'account', t.account, 'address', t.address,
    'history', case when (p ->> 'history')::int > 0 then public.hub_history(t, p) else '[]' end);
end
$$;

-- One transaction at a time per line of deliveries: the first unsettled one of a session and channel is the only one
-- on its way.
create function public.hub_lock_line(p_session uuid, p_channel text) returns void
language sql volatile as $$
  select pg_advisory_xact_lock(hashtextextended('line:' || p_session || ':' || p_channel, 0))
$$;

-- A claimed delivery with what it says; send_at is when it may go, null for at once.
create function public.hub_delivery_json(d public.deliveries, m public.messages, p_send_at timestamptz) returns jsonb
language sql stable parallel safe as $$
  select jsonb_build_object(
    'delivery_id', d.delivery_id, 'message_id', d.message_id, 'session_id', d.session_id, 'attempt', d.attempt,
    'channel', d.channel, 'account', d.account, 'address', d.address, 'send_at', p_send_at,
    'kind', m.kind, 'text', coalesce(d.content ->> 'text', m.text), 'content', coalesce(d.content - 'text', m.content))
$$;

-- The next free slot of a channel's account, taken; null when the channel keeps no overall pace. One that lies further
-- ahead than anybody waits for is told and not taken.
create function public.hub_take_slot(p_channel text, p_account text, p_from timestamptz, p jsonb) returns timestamptz
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_rate constant numeric := (p -> 'pace' ->> p_channel)::numeric;
  v_slot timestamptz;
begin
  if v_rate is null then
    return null;
  end if;
  insert into public.paces (channel, account, next_at) values (p_channel, coalesce(p_account, ''), p_from)
    on conflict do nothing;
  select greatest(next_at, p_from) into v_slot from public.paces
    where channel = p_channel and account = coalesce(p_account, '') for update;
  if v_slot <= v_now + coalesce((p ->> 'patience_ms')::bigint, 0) * interval '1 millisecond' then
    update public.paces set next_at = v_slot + interval '1 second' / v_rate
      where channel = p_channel and account = coalesce(p_account, '');
  end if;
  return v_slot;
end
$$;

-- Claims the next delivery of a line, if it is due or will be before anybody loses patience. The caller holds the line's
-- lock or the delivery's row.
create function public.hub_claim_delivery(p_session uuid, p_channel text, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_now timestamptz;
  v_patient timestamptz;
  v_send_at timestamptz;
  d public.deliveries;
  m public.messages;
begin
  select * into d from public.deliveries
    where session_id = p_session and channel = p_channel and state in ('pending', 'sending')
    order by seq limit 1;
  if not found then
    return null;
  end if;
  v_now := p ->> 'now';
  v_patient := v_now + coalesce((p ->> 'patience_ms')::bigint, 0) * interval '1 millisecond';
  if d.due_at > (case when d.state = 'pending' then v_patient else v_now end) then
    return null;
  end if;
  perform 1 from public.deliveries
    where delivery_id = d.delivery_id and attempt = d.attempt and state = d.state and due_at = d.due_at
    for update skip locked;
  if not found then
    return null;
  end if;
  v_send_at := greatest(v_now, case when d.state = 'pending' then d.due_at end);
  v_send_at := coalesce(public.hub_take_slot(d.channel, d.account, v_send_at, p), v_send_at);
  if v_send_at > v_patient then
    update public.deliveries set state = 'pending', due_at = v_send_at where delivery_id = d.delivery_id;
    return null;
  end if;
  update public.deliveries
    set state = 'sending', attempt = attempt + 1, due_at = v_send_at + (p ->> 'lease_ms')::bigint * interval '1 millisecond'
    where delivery_id = d.delivery_id
    returning * into d;
  select * into m from public.messages where message_id = d.message_id;
  return public.hub_delivery_json(d, m, case when v_send_at > v_now then v_send_at end);
end
$$;

-- Adds one part of a reply to the outbox. Returns it claimed when nothing is before it on its line and it may go at once,
-- else null. The caller holds the line's lock.
create function public.hub_add_delivery(m public.messages, p_parts integer, p_address jsonb, p_content jsonb, p_blocked boolean, p jsonb)
returns jsonb
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  d public.deliveries;
begin
  insert into public.deliveries (
    delivery_id, message_id, session_id, parts, channel, account, address, content, state, attempt, due_at, status, code, reason, created_at
  )
    select
      public.hub_uuid(v_now), m.message_id, m.session_id, p_parts, m.channel, m.account, p_address, nullif(p_content, 'null'),
      case when p_blocked then 'dead' when f.free then 'sending' else 'pending' end,
      case when f.free then 1 else 0 end,
      case when f.free then v_now + (p ->> 'lease_ms')::bigint * interval '1 millisecond' else public.hub_at_once(v_now) end,
      case when p_blocked then 'failed' else 'pending' end,
      case when p_blocked then 'rejected' end,
      case when p_blocked then 'blocked' end,
      v_now
    from (
      select not p_blocked and p -> 'pace' ->> m.channel is null and not exists (
        select 1 from public.deliveries where session_id = m.session_id and channel = m.channel and state in ('pending', 'sending')) as free) f
    returning * into d;
  if d.state = 'sending' then
    return public.hub_delivery_json(d, m, null);
  end if;
  return null;
end
$$;
