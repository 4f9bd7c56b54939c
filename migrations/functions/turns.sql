-- Turns: inbound messages that are still to be answered. A turn is added, claimed and ended only while its session's
-- row is held.

-- The messages before a turn that the bot gets as history, oldest first. p_seq is the seq of the turn's own message.
create or replace function hub.history(p_session uuid, p_seq bigint, c hub.context) returns jsonb
language plpgsql stable as $$
begin
  if c.history = 0 then
    return '[]';
  end if;
  return (
    select coalesce(jsonb_agg(hub.message_json(h) order by h.seq), '[]')
    from (
      select * from public.messages
      where session_id = p_session and seq < p_seq
      order by seq desc
      limit c.history
    ) h);
end
$$;

-- A claimed turn without its session and messages: {turn_id, attempt, failure: why the last attempt failed, channel, account,
-- address, history, customer, window_closes_at}.
create or replace function hub.turn_json(t public.turns, c hub.context) returns jsonb
language plpgsql stable as $$
begin
  return jsonb_build_object(
    'turn_id', t.turn_id, 'attempt', t.attempt,
    'failure', case when t.code is not null then jsonb_build_object('code', t.code, 'reason', t.reason) end, 'channel', t.channel, 'account', t.account, 'address', t.address,
    'history', hub.history(t.session_id, t.seq, c), 'customer', hub.turn_customer(t.session_id),
    'window_closes_at', hub.window_at(t.channel, t.account, t.address));
end
$$;

-- Claims, together with a turn, the turns right after it that are from the same address, up to the first from another
-- one.
create or replace function hub.claim_followers(t public.turns) returns void
language plpgsql volatile as $$
begin
  update public.turns f
    set state = 'running', due_at = t.due_at, leader = t.turn_id
    where f.session_id = t.session_id and f.state in ('pending', 'running') and f.seq > t.seq
      and f.channel = t.channel and f.account is not distinct from t.account and f.address = t.address
      and not exists (
        select 1 from public.turns o
        where o.session_id = t.session_id and o.state in ('pending', 'running') and o.seq > t.seq and o.seq < f.seq
          and (o.channel <> t.channel or o.account is distinct from t.account or o.address <> t.address));
end
$$;

-- The messages of a claimed turn and of its followers, in order.
create or replace function hub.turn_messages(t public.turns) returns jsonb
language sql stable as $$
  select jsonb_agg(hub.message_json(m) order by m.seq)
  from public.messages m
  where m.message_id = t.message_id
    or m.message_id in (
      select message_id from public.turns where session_id = t.session_id and state = 'running' and leader = t.turn_id)
$$;

-- Claims the session's next turn: the earliest unfinished one, if it is due and no other turn is running. Returns it
-- with its session, its messages and, as message, the newest of them. Null when there is none. The caller holds the
-- session's row.
create or replace function hub.claim_turn(p_session uuid, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_messages jsonb;
  t public.turns;
  s public.sessions;
  m public.messages;
begin
  select * into t from public.turns
    where session_id = p_session and state in ('pending', 'running')
    order by seq, turn_id limit 1;
  if not found or t.due_at > c.now then
    return null;
  end if;
  -- A merge may have put this turn before one that is running.
  if exists (
    select 1 from public.turns
    where session_id = p_session and state in ('pending', 'running') and state = 'running' and due_at > c.now
  ) then
    return null;
  end if;
  update public.turns
    set state = 'running', attempt = attempt + 1, due_at = c.now + c.lease, leader = null
    where turn_id = t.turn_id
    returning * into t;
  if t.attempt > 1 then
    -- The batch is formed again: a merge since the last attempt may have put other turns between its turns.
    update public.turns set state = 'pending', leader = null
      where session_id = p_session and state = 'running' and leader = t.turn_id;
  end if;
  select * into s from public.sessions where session_id = p_session;
  if c.batch then
    perform hub.claim_followers(t);
    v_messages := hub.turn_messages(t);
  else
    select * into m from public.messages where message_id = t.message_id;
    v_messages := jsonb_build_array(hub.message_json(m));
  end if;
  return hub.turn_json(t, c) || jsonb_build_object(
    'session', hub.session_document(s), 'messages', v_messages, 'message', v_messages -> -1);
end
$$;

-- Adds a turn, then claims the session's next turn: this one, unless another waits or runs. This turn is returned
-- without its session and message, which the caller has. p_address is where the reply goes. The caller holds the
-- session's row.
create or replace function hub.add_turn(s public.sessions, m public.messages, p_address jsonb, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_free constant boolean := not exists (
    select 1 from public.turns where session_id = s.session_id and state in ('pending', 'running'));
  t public.turns;
begin
  t.turn_id := hub.uuid(c.now);
  t.session_id := s.session_id;
  t.seq := m.seq;
  t.message_id := m.message_id;
  t.channel := m.channel;
  t.account := m.account;
  t.address := p_address;
  t.state := case when v_free then 'running' else 'pending' end;
  t.attempt := case when v_free then 1 else 0 end;
  t.due_at := case when v_free then c.now + c.lease else hub.at_once(c.now) end;
  t.created_at := c.now;
  insert into public.turns values (t.*);
  if v_free then
    return hub.turn_json(t, c);
  end if;
  return hub.claim_turn(s.session_id, c);
end
$$;

-- The session of a turn, with its row locked. Null when the turn no longer exists. Raises a serialization failure when
-- the session was merged meanwhile: the client tries the call again.
create or replace function hub.hold_session_of_turn(p_turn uuid) returns public.sessions
language plpgsql volatile as $$
declare
  s public.sessions;
begin
  select x.* into s
    from public.turns t join public.sessions x on x.session_id = t.session_id
    where t.turn_id = p_turn
    for update of x;
  if s.merged_into is not null then
    raise exception 'the session was merged meanwhile' using errcode = 'serialization_failure';
  end if;
  return s;
end
$$;
