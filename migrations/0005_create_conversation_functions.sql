-- What becomes of messages, turns and deliveries. Each hub_* function that takes one jsonb argument and returns jsonb
-- is a call the hub makes; the others serve them. Every argument holds now (ISO 8601); receive, complete, fail,
-- settle and due also hold lease_ms and history. The rules are those of src/stores/memory/, line by line.

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

-- A claimed delivery with what it says; send_at is when it may go, null for at once.
create function public.hub_delivery_json(d public.deliveries, m public.messages, p_send_at timestamptz) returns jsonb
language sql stable parallel safe as $$
  select jsonb_build_object(
    'delivery_id', d.delivery_id, 'message_id', d.message_id, 'session_id', d.session_id, 'attempt', d.attempt,
    'channel', d.channel, 'account', d.account, 'address', d.address, 'send_at', p_send_at,
    'kind', m.kind, 'text', coalesce(d.content ->> 'text', m.text), 'content', coalesce(d.content - 'text', m.content))
$$;

-- One transaction at a time per line of deliveries: the first unsettled one of a session and channel is the only one
-- on its way.
create function public.hub_lock_line(p_session uuid, p_channel text) returns void
language sql volatile as $$
  select pg_advisory_xact_lock(hashtextextended('line:' || p_session || ':' || p_channel, 0))
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

-- Whether a status may follow another: sent < delivered < read < played; failed ends a message that has not arrived.
create function public.hub_is_forward(p_from text, p_to text) returns boolean
language sql immutable parallel safe as $$
  select case
    when p_from = 'failed' then false
    when p_to = 'failed' then p_from in ('pending', 'sent')
    else array_position('{pending,sent,delivered,read,played}'::text[], p_to) > array_position('{pending,sent,delivered,read,played}'::text[], p_from)
  end
$$;

-- The status of a reply is that of its slowest part; one failed part fails it. Returns the message when that has moved,
-- else null.
create function public.hub_refresh_status(p_message uuid) returns public.messages
language sql volatile as $$
  update public.messages m
    set status = d.status
    from (
      select coalesce(
        max(status) filter (where status = 'failed'),
        ('{pending,sent,delivered,read,played}'::text[])[min(array_position('{pending,sent,delivered,read,played}'::text[], status))]
      ) as status
      from public.deliveries where message_id = p_message
    ) d
    where m.message_id = p_message and d.status is not null and m.status is distinct from d.status
    returning m.*
$$;

-- Moves the status of a message of ours forward: {applied, message}. A receipt for a message that is not here is kept for it.
create function public.hub_apply_receipt(p_receipt jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_status constant text := p_receipt ->> 'status';
  d public.deliveries;
  m public.messages;
begin
  if p_receipt ->> 'account' is null then
    return '{"applied": false}';
  end if;
  select * into d from public.deliveries
    where channel = p_receipt ->> 'channel' and account = p_receipt ->> 'account' and external_id = p_receipt ->> 'external_id'
    order by seq desc limit 1
    for update;
  if found then
    if not public.hub_is_forward(d.status, v_status) then
      return '{"applied": false}';
    end if;
    update public.deliveries
      set status = v_status,
          state = case when v_status = 'failed' then 'dead' else state end,
          code = case when v_status = 'failed' then 'rejected' else code end,
          reason = case when v_status = 'failed' then coalesce(p_receipt ->> 'reason', 'failed') else reason end
      where delivery_id = d.delivery_id;
    perform public.hub_refresh_status(d.message_id);
    select * into m from public.messages where message_id = d.message_id;
    return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
  end if;
  select * into m from public.messages
    where channel = p_receipt ->> 'channel' and coalesce(account, session_id::text) = p_receipt ->> 'account'
      and external_id = p_receipt ->> 'external_id'
    for update;
  if not found then
    insert into public.early_events as e (channel, account, external_id, type, event, created_at)
      values (p_receipt ->> 'channel', p_receipt ->> 'account', p_receipt ->> 'external_id', 'receipt', p_receipt, p_now)
      on conflict (channel, account, external_id, type) do update set event = excluded.event
      where public.hub_is_forward(e.event ->> 'status', excluded.event ->> 'status');
    return '{"applied": false}';
  end if;
  if m.direction <> 'outbound' or not public.hub_is_forward(coalesce(m.status, 'pending'), v_status) then
    return '{"applied": false}';
  end if;
  update public.messages set status = v_status where message_id = m.message_id returning * into m;
  return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
end
$$;

-- Changes what a message says and keeps what it said: {applied, message}. p_edit: {channel, account, external_id, at, kind,
-- text, content}, without kind for a deletion. An edit of a message that is not here is kept for it.
create function public.hub_apply_edit(p_edit jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_at constant timestamptz := coalesce((p_edit ->> 'at')::timestamptz, p_now);
  m public.messages;
begin
  if p_edit ->> 'account' is null then
    return '{"applied": false}';
  end if;
  select * into m from public.messages
    where channel = p_edit ->> 'channel' and coalesce(account, session_id::text) = p_edit ->> 'account'
      and external_id = p_edit ->> 'external_id'
    for update;
  if not found then
    insert into public.early_events as e (channel, account, external_id, type, event, created_at)
      values (p_edit ->> 'channel', p_edit ->> 'account', p_edit ->> 'external_id', 'edit', p_edit || jsonb_build_object('at', v_at), p_now)
      on conflict (channel, account, external_id, type) do update set event = excluded.event
      where e.event ? 'kind' and (e.event ->> 'at')::timestamptz <= v_at;
    return '{"applied": false}';
  end if;
  if m.deleted_at is not null or m.edited_at > v_at then
    return '{"applied": false}';
  end if;
  if p_edit ->> 'kind' = m.kind and p_edit ->> 'text' = m.text and p_edit -> 'content' = m.content then
    return '{"applied": false}';
  end if;
  update public.messages
    set revisions = coalesce(m.revisions, '[]') || jsonb_build_object('text', m.text, 'kind', m.kind, 'content', m.content, 'at', v_at),
        kind = coalesce(p_edit ->> 'kind', 'system'),
        text = coalesce(p_edit ->> 'text', ''),
        content = coalesce(p_edit -> 'content', '{"event": "deleted"}'),
        edited_at = case when p_edit ? 'kind' then v_at else edited_at end,
        deleted_at = case when p_edit ? 'kind' then null else v_at end
    where message_id = m.message_id
    returning * into m;
  return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
end
$$;

-- Applies what was said about a message before it was here. Returns the keys that the caller is to count.
create function public.hub_apply_early(p_channel text, p_account text, p_external_id text, p_now timestamptz) returns text[]
language plpgsql volatile as $$
declare
  e record;
  v_counted text[] := '{}';
begin
  for e in
    select * from public.early_events
    where channel = p_channel and account = p_account and external_id = p_external_id order by type
  loop
    delete from public.early_events
      where channel = p_channel and account = p_account and external_id = p_external_id and type = e.type;
    if e.type = 'edit' then
      perform public.hub_apply_edit(e.event, p_now);
    elsif (public.hub_apply_receipt(e.event, p_now) ->> 'applied')::boolean then
      v_counted := v_counted || concat_ws('|', 'receipts', p_channel, e.event ->> 'status');
    end if;
  end loop;
  return v_counted;
end
$$;

-- Adds a message to a session whose row is held and whose count is kept by the caller.
-- p_message: {message_id, channel, account, external_id, direction, role, kind, text, content, reply_to, status, sent_at};
-- a new message_id is made where there is none.
create function public.hub_add_message(p_session uuid, p_message jsonb, p_now timestamptz) returns public.messages
language plpgsql volatile as $$
declare
  m public.messages;
begin
  insert into public.messages (
    message_id, session_id, channel, account, external_id, direction, role, kind, text, content, reply_to, status, sent_at, created_at
  ) values (
    coalesce((p_message ->> 'message_id')::uuid, public.hub_uuid(p_now)), p_session, p_message ->> 'channel', p_message ->> 'account', p_message ->> 'external_id',
    p_message ->> 'direction', p_message ->> 'role', p_message ->> 'kind', p_message ->> 'text', p_message -> 'content',
    p_message ->> 'reply_to', p_message ->> 'status', (p_message ->> 'sent_at')::timestamptz, p_now
  ) returning * into m;
  if m.account is not null and m.external_id is not null
    and exists (select 1 from public.early_events where channel = m.channel and account = m.account and external_id = m.external_id)
  then
    perform public.hub_apply_early(m.channel, m.account, m.external_id, p_now);
    select * into m from public.messages where message_id = m.message_id;
  end if;
  return m;
end
$$;

-- The message that this one answers or reacts to: our id where we know it, else the platform's.
create function public.hub_reply_target(p_message jsonb, p_session uuid) returns text
language sql stable as $$
  select coalesce(
    (select message_id::text from public.messages
      where channel = p_message ->> 'channel' and coalesce(account, session_id::text) = coalesce(p_message ->> 'account', p_session::text)
        and external_id = p_message ->> 'reply_to'),
    (select message_id::text from public.deliveries
      where channel = p_message ->> 'channel' and account = p_message ->> 'account' and external_id = p_message ->> 'reply_to'
      order by seq desc limit 1),
    p_message ->> 'reply_to')
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

-- Applies an edit and, for a bot that hears of edits, adds a turn for a message that is not waiting for one anyway.
create function public.hub_receive_edit(p_edit jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_result jsonb;
  v_turn jsonb;
  s public.sessions;
  m public.messages;
begin
  if (p_edit ->> 'wakes')::boolean then
    -- The session before the message, as a merge takes them.
    s := public.hub_hold_session((
      select session_id from public.messages
      where channel = p_edit ->> 'channel' and coalesce(account, session_id::text) = p_edit ->> 'account'
        and external_id = p_edit ->> 'external_id'));
  end if;
  v_result := public.hub_apply_edit(p_edit, (p ->> 'now')::timestamptz);
  if (v_result ->> 'applied')::boolean and (p_edit ->> 'wakes')::boolean and p_edit -> 'address' is not null
    and v_result -> 'message' ->> 'direction' = 'inbound'
  then
    select * into m from public.messages where message_id = (v_result -> 'message' ->> 'message_id')::uuid;
    if s.status = 'active' and not exists (
      select 1 from public.turns where session_id = s.session_id and state in ('pending', 'running') and message_id = m.message_id)
    then
      v_turn := public.hub_add_turn(s, m, p_edit -> 'address', p);
      if v_turn is not null then
        v_turn := jsonb_build_object('session', public.hub_session_json(s), 'message', v_result -> 'message') || v_turn;
      end if;
    end if;
  end if;
  return v_result || jsonb_build_object('type', 'edit', 'turn', v_turn);
end
$$;

-- A message that was here before: nothing changes, but its session's turn is claimed when nobody answers it.
create function public.hub_repeat_message(m public.messages, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_turn jsonb;
  s public.sessions;
begin
  s := public.hub_hold_session(m.session_id);
  -- While we waited, a merge may have moved the message, or a purge may have deleted it.
  select * into m from public.messages where message_id = m.message_id;
  if s.session_id is null or m.message_id is null then
    raise exception 'the message was purged meanwhile' using errcode = 'serialization_failure';
  end if;
  v_turn := public.hub_claim_turn(s.session_id, p);
  return jsonb_build_object('type', 'message', 'message', public.hub_message_json(m), 'session', public.hub_session_json(s), 'duplicate', true, 'turn', v_turn);
end
$$;

-- Takes in one message: {type, message, session, duplicate, turn} or {error}; a turn of this message comes without it and
-- its session. Most messages come from one person in one session that already knows them: that one is found by a look
-- and locked by its row. Anything else locks the identities and goes the long way.
create function public.hub_receive_message(p_message jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_then constant jsonb := case when p_message ? 'came_at' then p || jsonb_build_object('now', p_message -> 'came_at') else p end;
  v_now constant timestamptz := v_then ->> 'now';
  v_channel constant text := p_message ->> 'channel';
  v_account constant text := p_message ->> 'account';
  v_external_id constant text := p_message ->> 'external_id';
  v_asserted constant boolean := coalesce((p_message ->> 'asserted')::boolean and p_message ? 'identities', false);
  v_identities jsonb := p_message -> 'identities';
  v_address jsonb;
  v_notice text;
  v_live jsonb;
  v_id uuid;
  v_turn jsonb;
  s public.sessions;
  m public.messages;
begin
  if v_identities is null then
    v_live := public.hub_find_live(p_message, v_then);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
  else
    if not v_asserted and not p_message ? 'link_hash' then
      s := public.hub_hold_known(v_identities, false, v_now);
    end if;
    if s.session_id is null then
      perform public.hub_lock_identities(array[v_identities]);
    end if;
  end if;
  if v_account is not null then
    select * into m from public.messages
      where channel = v_channel and coalesce(account, session_id::text) = v_account and external_id = v_external_id;
    if found then
      return public.hub_repeat_message(m, p);
    end if;
  end if;
  if v_asserted then
    v_live := public.hub_claim(v_identities, v_channel, v_then);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
    v_identities := null;
  end if;
  if p_message ? 'link_hash' then
    v_notice := 'link_failed';
    if v_identities is not null then
      v_id := public.hub_redeem_link(p_message ->> 'link_hash', v_identities, v_then);
      if v_id is not null then
        v_notice := 'linked';
      end if;
    end if;
  elsif v_identities is not null and s.session_id is null then
    s := public.hub_hold_known(v_identities, true, v_now);
  end if;
  if s.session_id is null then
    v_id := coalesce(v_id, public.hub_resolve(v_identities, v_channel, v_then));
    select * into s from public.sessions where session_id = v_id for update;
  end if;
  if v_account is null then
    select * into m from public.messages
      where channel = v_channel and coalesce(account, session_id::text) = s.session_id::text and external_id = v_external_id;
    if found then
      return public.hub_repeat_message(m, p);
    end if;
  end if;

  if v_identities is not null and p_message -> 'address' <> '{}' then
    -- A chat is reached by its id alone, whatever else was said there.
    v_address := jsonb_build_object(
      'account', v_account, 'address', p_message -> 'address', 'used_at', v_then -> 'now',
      'via', case when v_identities ? 'telegram_chat_id' then v_identities - '{whatsapp_user_id,phone,visitor_id}'::text[] else v_identities end);
  end if;
  s := public.hub_use(s, v_channel, 1, v_then, v_address);
  if v_channel = any (s.unreachable) then
    update public.sessions set unreachable = array_remove(unreachable, v_channel) where session_id = s.session_id returning * into s;
  end if;

  m := public.hub_add_message(
    s.session_id,
    p_message || jsonb_build_object(
      'direction', 'inbound', 'role', case when v_notice is null then 'user' else 'system' end,
      'reply_to', case when p_message ->> 'reply_to' is not null then public.hub_reply_target(p_message, s.session_id) end)
      || case when v_notice is null then '{}' else jsonb_build_object(
        'kind', 'system', 'text', v_notice, 'content', jsonb_build_object('event', v_notice)) end,
    v_now);

  if (p_message ->> 'wakes')::boolean then
    v_turn := public.hub_add_turn(s, m, p_message -> 'address', p);
  end if;
  if v_notice is not null then
    if v_turn is not null then
      v_turn := jsonb_build_object('message', public.hub_message_json(m), 'session', public.hub_session_json(s)) || v_turn;
    end if;
    perform public.hub_tell(
      s.session_id, p -> 'notices' ->> v_notice,
      case when p_message -> 'address' <> '{}' then jsonb_build_array(p_message) else '[]' end, p);
    select * into s from public.sessions where session_id = s.session_id;
  end if;
  return jsonb_build_object('type', 'message', 'message', public.hub_message_json(m), 'session', public.hub_session_json(s), 'duplicate', false, 'turn', v_turn);
end
$$;

-- Keeps what a person of ours wrote from the platform's own app, where its customer has a session.
create function public.hub_receive_echo(p_echo jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_id uuid;
  m public.messages;
begin
  if p_echo ->> 'account' is null or exists (
    select 1 from public.messages
    where channel = p_echo ->> 'channel' and coalesce(account, session_id::text) = p_echo ->> 'account' and external_id = p_echo ->> 'external_id'
  ) then
    return '{"applied": false}';
  end if;
  v_id := public.hub_find_person(p_echo -> 'identities', p_now);
  if v_id is null then
    return '{"applied": false}';
  end if;
  update public.sessions set message_count = message_count + 1, updated_at = p_now where session_id = v_id;
  m := public.hub_add_message(v_id, p_echo || '{"direction": "outbound", "role": "operator", "status": "sent"}', p_now);
  return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
end
$$;

-- Locks all messages of ours and theirs that a webhook tells something of, known or not, in one order whatever the order
-- of what it tells.
create function public.hub_lock_told(p_items jsonb) returns void
language plpgsql volatile as $$
declare
  v_told constant jsonb := jsonb_path_query_array(p_items, '$[*] ? (@.type == "receipt" || @.type == "edit")');
  v_key bigint;
begin
  if jsonb_array_length(v_told) < 2 then
    return;
  end if;
  for v_key in
    select distinct hashtextextended(concat_ws(':', 'told', i ->> 'channel', i ->> 'account', i ->> 'external_id'), 0)
    from jsonb_array_elements(v_told) i
    order by 1
  loop
    perform pg_advisory_xact_lock(v_key);
  end loop;
  perform 1 from public.deliveries d
    where d.delivery_id in (
      select x.delivery_id from jsonb_array_elements(v_told) i
        join public.deliveries x on x.channel = i ->> 'channel' and x.account = i ->> 'account' and x.external_id = i ->> 'external_id')
    order by d.delivery_id
    for update;
  perform 1 from public.messages m
    where m.message_id in (
      select x.message_id from jsonb_array_elements(v_told) i
        join public.deliveries x on x.channel = i ->> 'channel' and x.account = i ->> 'account' and x.external_id = i ->> 'external_id'
      union all
      select x.message_id from jsonb_array_elements(v_told) i
        join public.messages x
          on x.channel = i ->> 'channel' and coalesce(x.account, x.session_id::text) = i ->> 'account' and x.external_id = i ->> 'external_id')
    order by m.message_id
    for update;
end
$$;

-- Locks everybody and everything that a webhook of several things speaks of, before anything of it is kept: identities,
-- their sessions, the messages it tells of, each in one order. Returns {}, or {error} when one of its messages will be
-- refused.
create function public.hub_hold_webhook(p_items jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_people jsonb[] := '{}';
  v_item jsonb;
  v_then jsonb;
  v_result jsonb;
begin
  for v_item in select * from jsonb_array_elements(p_items) loop
    if v_item ? 'identities' then
      v_people := v_people || (v_item -> 'identities');
    end if;
    if v_item ? 'to' then
      v_people := v_people || (v_item -> 'to');
    end if;
  end loop;
  perform public.hub_lock_identities(v_people);
  perform public.hub_lock_sessions(v_people);
  perform public.hub_lock_told(p_items);
  for v_item in select * from jsonb_array_elements(p_items) loop
    v_then := p || jsonb_build_object('now', coalesce(v_item -> 'came_at', p -> 'now'));
    if v_item ->> 'type' = 'message' and not v_item ? 'identities' then
      v_result := public.hub_find_live(v_item, v_then);
      if v_result ? 'error' then
        return v_result;
      end if;
    elsif (v_item ->> 'asserted')::boolean and not public.hub_may_claim(v_item -> 'identities', v_item ->> 'channel', v_then) then
      return '{"error": "verification_required"}';
    end if;
  end loop;
  return '{}';
end
$$;

-- Takes in everything of one webhook, in its order and in one transaction.
-- p: {now, ttl_ms, lease_ms, history, language, kiosk_idle_ms, notices, items}. Items by type:
--   message          {channel, account, external_id, identities | token_hash | session_id, address, kind, text, content,
--                     reply_to, sent_at, wakes, asserted, link_hash, came_at, message_id}; asserted identities are only
--                     claimed, link_hash proves that its sender is at the device that showed the link, and came_at is
--                     when it came, where that was before now
--   echo             {channel, account, external_id, identities, kind, text, content, sent_at}
--   receipt          {channel, account, external_id, status, at, reason}
--   edit             {channel, account, external_id, at, kind, text, content, address, wakes}; without kind it is a deletion
--   identity_change  {identities, to}
--   reachability     {channel, identities, reachable}
-- Returns {results}: for a message {type, message, session, duplicate, turn, merged, closed, told, deliveries}, else
-- {type, applied, message, turn, merged, ...}; or {error: session_not_found | session_expired | verification_required}
-- when a message names a session that is not active or claims one it may not have.
create function public.hub_receive(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_items constant jsonb := p -> 'items';
  v_now timestamptz;
  v_results jsonb := '[]';
  v_counted text[] := '{}';
  v_item jsonb;
  v_result jsonb;
  v_id uuid;
begin
  if jsonb_array_length(v_items) > 1 or v_items -> 0 ->> 'type' <> 'message' then
    v_result := public.hub_hold_webhook(v_items, p);
    if v_result ? 'error' then
      return v_result;
    end if;
    v_now := p ->> 'now';
  end if;
  for i in 0 .. jsonb_array_length(v_items) - 1 loop
    v_item := v_items -> i;
    case v_item ->> 'type'
      when 'message' then
        v_result := public.hub_receive_message(v_item, p);
        if v_result ? 'error' then
          return v_result;
        end if;
        v_counted := v_counted || concat_ws('|', case when (v_result ->> 'duplicate')::boolean then 'duplicates' else 'received' end, v_item ->> 'channel');
      when 'echo' then
        v_result := public.hub_receive_echo(v_item, v_now) || '{"type": "echo"}';
        if v_result #>> '{message,status}' <> 'sent' then
          -- A receipt had come before it.
          v_counted := v_counted || concat_ws('|', 'receipts', v_item ->> 'channel', v_result #>> '{message,status}');
        end if;
      when 'receipt' then
        v_result := public.hub_apply_receipt(v_item, v_now) || '{"type": "receipt"}';
        if (v_result ->> 'applied')::boolean then
          v_counted := v_counted || concat_ws('|', 'receipts', v_item ->> 'channel', v_item ->> 'status');
        end if;
      when 'edit' then
        v_result := public.hub_receive_edit(v_item, p);
      when 'identity_change' then
        v_id := public.hub_find_person(v_item -> 'identities', v_now);
        if v_id is not null then
          perform public.hub_settle_identities(v_id, v_item -> 'to', null, p);
        end if;
        v_result := jsonb_build_object('type', 'identity_change', 'applied', v_id is not null);
      when 'reachability' then
        v_id := public.hub_find_person(v_item -> 'identities', v_now);
        v_result := jsonb_build_object('type', 'reachability', 'applied',
          v_id is not null and public.hub_set_reachable(v_id, v_item ->> 'channel', (v_item ->> 'reachable')::boolean));
    end case;
    if current_setting('hub.effects', true) <> '' then
      v_result := v_result || public.hub_take_effects();
    end if;
    v_results := v_results || v_result;
  end loop;
  if v_counted <> '{}' then
    perform public.hub_count(v_counted);
  end if;
  return jsonb_build_object('results', v_results);
end
$$;

-- Whether it changed that a customer may be written to on a channel.
create function public.hub_set_reachable(p_session uuid, p_channel text, p_reachable boolean) returns boolean
language plpgsql volatile as $$
begin
  update public.sessions
    set unreachable = case
      when p_reachable then array_remove(unreachable, p_channel)
      else array(select u from unnest(unreachable || p_channel) as u order by u)
    end
    where session_id = p_session and (p_channel = any (unreachable)) = p_reachable;
  return found;
end
$$;

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
    if d.external_id is not null and d.account is not null
      and exists (select 1 from public.early_events where channel = d.channel and account = d.account and external_id = d.external_id)
    then
      v_told := v_told || public.hub_apply_early(d.channel, d.account, d.external_id, v_now);
      select * into m from public.messages where message_id = d.message_id;
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
