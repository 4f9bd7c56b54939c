-- What becomes of messages, turns and deliveries. Each hub_* function that takes one jsonb argument and returns jsonb
-- is a call the hub makes; the others serve them. Every argument holds now (ISO 8601); receive, complete, fail,
-- settle and due also hold lease_ms and history. The rules are those of src/stores/memory/, line by line.

-- The message as the outside may see it.
create function public.hub_message_json(m public.messages) returns jsonb
language sql stable parallel safe set search_path = '' as $$
  select to_jsonb(m) - '{account,revisions}'::text[]
$$;

-- A claimed turn with its session, its message and the earlier messages a bot wants to see.
create function public.hub_turn_json(t public.turns, s public.sessions, m public.messages, p jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_history jsonb := '[]';
begin
  if (p ->> 'history')::int > 0 then
    select coalesce(jsonb_agg(public.hub_message_json(h) order by h.seq), '[]') into v_history
      from (
        select * from public.messages
        where session_id = t.session_id and seq < t.seq
        order by seq desc
        limit (p ->> 'history')::int
      ) h;
  end if;
  return jsonb_build_object(
    'turn_id', t.turn_id, 'attempt', t.attempt, 'channel', t.channel, 'account', t.account, 'address', t.address,
    'session', public.hub_session_json(s), 'message', public.hub_message_json(m), 'history', v_history);
end
$$;

-- Claims the session's next turn: the earliest unfinished one, if it is due and no other is running. The caller
-- holds the session's row, or (for the sweep) the turn's.
create function public.hub_claim_turn(p_session uuid, p jsonb) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  t public.turns;
  s public.sessions;
  m public.messages;
begin
  select * into t from public.turns
    where session_id = p_session and state in ('pending', 'running')
    order by seq limit 1;
  if t.turn_id is null or t.due_at > v_now then
    return null;
  end if;
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
    set state = 'running', attempt = attempt + 1, due_at = v_now + (p ->> 'lease_ms')::bigint * interval '1 millisecond'
    where turn_id = t.turn_id
    returning * into t;
  select * into s from public.sessions where session_id = t.session_id;
  select * into m from public.messages where message_id = t.message_id;
  return public.hub_turn_json(t, s, m, p);
end
$$;

-- A claimed delivery with what it says.
create function public.hub_delivery_json(d public.deliveries, m public.messages) returns jsonb
language sql stable parallel safe set search_path = '' as $$
  select jsonb_build_object(
    'delivery_id', d.delivery_id, 'message_id', d.message_id, 'session_id', d.session_id, 'attempt', d.attempt,
    'channel', d.channel, 'account', d.account, 'address', d.address,
    'kind', m.kind, 'text', coalesce(d.content ->> 'text', m.text), 'content', coalesce(d.content - 'text', m.content))
$$;

-- One transaction at a time per line of deliveries: the first unsettled one of a session and channel is the only one
-- on its way.
create function public.hub_lock_line(p_session uuid, p_channel text) returns void
language sql volatile set search_path = '' as $$
  select pg_advisory_xact_lock(hashtextextended('line:' || p_session || ':' || p_channel, 0))
$$;

-- Claims the next delivery of a line, if it is due. The caller holds the line's lock or the delivery's row.
create function public.hub_claim_delivery(p_session uuid, p_channel text, p jsonb) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  d public.deliveries;
  m public.messages;
begin
  select * into d from public.deliveries
    where session_id = p_session and channel = p_channel and state in ('pending', 'sending')
    order by seq limit 1;
  if d.delivery_id is null or d.due_at > v_now then
    return null;
  end if;
  perform 1 from public.deliveries
    where delivery_id = d.delivery_id and attempt = d.attempt and state = d.state and due_at = d.due_at
    for update skip locked;
  if not found then
    return null;
  end if;
  update public.deliveries
    set state = 'sending', attempt = attempt + 1, due_at = v_now + (p ->> 'lease_ms')::bigint * interval '1 millisecond'
    where delivery_id = d.delivery_id
    returning * into d;
  select * into m from public.messages where message_id = d.message_id;
  return public.hub_delivery_json(d, m);
end
$$;

-- Whether a status may follow another: sent < delivered < read < played; failed ends a message that has not arrived.
create function public.hub_is_forward(p_from text, p_to text) returns boolean
language sql immutable parallel safe set search_path = '' as $$
  select case
    when p_from = 'failed' then false
    when p_to = 'failed' then p_from in ('pending', 'sent')
    else array_position('{pending,sent,delivered,read,played}'::text[], p_to) > array_position('{pending,sent,delivered,read,played}'::text[], p_from)
  end
$$;

-- The status of a reply is that of its slowest part; one failed part fails it.
create function public.hub_refresh_status(p_message uuid) returns void
language sql volatile set search_path = '' as $$
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
$$;

-- Whether a receipt moved the status of a message of ours. One for a message that is not here is kept for it.
create function public.hub_apply_receipt(p_receipt jsonb, p_now timestamptz) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  v_status constant text := p_receipt ->> 'status';
  d public.deliveries;
  m public.messages;
begin
  if p_receipt ->> 'account' is null then
    return false;
  end if;
  select * into d from public.deliveries
    where channel = p_receipt ->> 'channel' and account = p_receipt ->> 'account' and external_id = p_receipt ->> 'external_id'
    for update;
  if found then
    if not public.hub_is_forward(d.status, v_status) then
      return false;
    end if;
    update public.deliveries
      set status = v_status,
          state = case when v_status = 'failed' then 'dead' else state end,
          reason = case when v_status = 'failed' then coalesce(p_receipt ->> 'reason', 'failed') else reason end
      where delivery_id = d.delivery_id;
    perform public.hub_refresh_status(d.message_id);
    return true;
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
    return false;
  end if;
  if m.direction <> 'outbound' or not public.hub_is_forward(coalesce(m.status, 'pending'), v_status) then
    return false;
  end if;
  update public.messages set status = v_status where message_id = m.message_id;
  return true;
end
$$;

-- Whether an edit changed what a message says. p_edit: {channel, account, external_id, at, kind, text, content}, without
-- kind for a deletion. One for a message that is not here is kept for it.
create function public.hub_apply_edit(p_edit jsonb, p_now timestamptz) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  v_at constant timestamptz := coalesce((p_edit ->> 'at')::timestamptz, p_now);
  m public.messages;
begin
  if p_edit ->> 'account' is null then
    return false;
  end if;
  select * into m from public.messages
    where channel = p_edit ->> 'channel' and coalesce(account, session_id::text) = p_edit ->> 'account'
      and external_id = p_edit ->> 'external_id'
    for update;
  if not found then
    insert into public.early_events (channel, account, external_id, type, event, created_at)
      values (p_edit ->> 'channel', p_edit ->> 'account', p_edit ->> 'external_id', 'edit', p_edit || jsonb_build_object('at', v_at), p_now)
      on conflict (channel, account, external_id, type) do update set event = excluded.event;
    return false;
  end if;
  if m.deleted_at is not null or m.edited_at > v_at then
    return false;
  end if;
  if p_edit ->> 'kind' = m.kind and p_edit ->> 'text' = m.text and p_edit -> 'content' = m.content then
    return false;
  end if;
  update public.messages
    set revisions = coalesce(m.revisions, '[]') || jsonb_build_object('text', m.text, 'kind', m.kind, 'content', m.content, 'at', v_at),
        kind = coalesce(p_edit ->> 'kind', 'system'),
        text = coalesce(p_edit ->> 'text', ''),
        content = coalesce(p_edit -> 'content', '{"event": "deleted"}'),
        edited_at = case when p_edit ? 'kind' then v_at else edited_at end,
        deleted_at = case when p_edit ? 'kind' then null else v_at end
    where message_id = m.message_id;
  return true;
end
$$;

-- Applies what was said about a message before it was here.
create function public.hub_apply_early(p_channel text, p_account text, p_external_id text, p_now timestamptz) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  e record;
  v_any boolean := false;
begin
  for e in
    select * from public.early_events
    where channel = p_channel and account = p_account and external_id = p_external_id order by type
  loop
    delete from public.early_events
      where channel = p_channel and account = p_account and external_id = p_external_id and type = e.type;
    if e.type = 'edit' then
      perform public.hub_apply_edit(e.event, p_now);
    else
      perform public.hub_apply_receipt(e.event, p_now);
    end if;
    v_any := true;
  end loop;
  return v_any;
end
$$;

-- Adds a message to a session whose row is held and whose count is kept by the caller.
-- p_message: {channel, account, external_id, direction, role, kind, text, content, reply_to, status, sent_at}
create function public.hub_add_message(p_session uuid, p_message jsonb, p_now timestamptz) returns public.messages
language plpgsql volatile set search_path = '' as $$
declare
  m public.messages;
begin
  insert into public.messages (
    message_id, session_id, channel, account, external_id, direction, role, kind, text, content, reply_to, status, sent_at, created_at
  ) values (
    public.hub_uuid(p_now), p_session, p_message ->> 'channel', p_message ->> 'account', p_message ->> 'external_id',
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
language sql stable set search_path = '' as $$
  select coalesce(
    (select message_id::text from public.messages
      where channel = p_message ->> 'channel' and coalesce(account, session_id::text) = coalesce(p_message ->> 'account', p_session::text)
        and external_id = p_message ->> 'reply_to'),
    (select message_id::text from public.deliveries
      where channel = p_message ->> 'channel' and account = p_message ->> 'account' and external_id = p_message ->> 'reply_to'),
    p_message ->> 'reply_to')
$$;

-- A message that was here before: nothing changes, but its session's turn is claimed when nobody answers it.
create function public.hub_repeat_message(m public.messages, p jsonb) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  v_turn jsonb;
  s public.sessions;
begin
  select * into s from public.sessions where session_id = m.session_id for update;
  v_turn := public.hub_claim_turn(m.session_id, p);
  return jsonb_build_object('type', 'message', 'message', public.hub_message_json(m), 'session', public.hub_session_json(s), 'duplicate', true, 'turn', v_turn);
end
$$;

-- Takes in one message: {type, message, session, duplicate, turn} or {error}. Its identities are locked.
create function public.hub_receive_message(p_message jsonb, p jsonb) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_channel constant text := p_message ->> 'channel';
  v_account constant text := p_message ->> 'account';
  v_external_id constant text := p_message ->> 'external_id';
  v_identities constant jsonb := p_message -> 'identities';
  v_live jsonb;
  v_id uuid;
  v_free boolean;
  v_turn jsonb;
  s public.sessions;
  m public.messages;
  t public.turns;
begin
  if v_account is not null then
    select * into m from public.messages
      where channel = v_channel and coalesce(account, session_id::text) = v_account and external_id = v_external_id;
    if found then
      return public.hub_repeat_message(m, p);
    end if;
  end if;

  if v_identities is null then
    v_live := public.hub_find_live(p_message, v_now);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
  else
    -- Most messages come from one person in one session that already knows them: found by one look and locked by its
    -- own update. Anything else goes the long way.
    select session_id into v_id from (
      select session_id from public.sessions where telegram_chat_id = v_identities ->> 'telegram_chat_id' and status = 'active'
      union all
      select session_id from public.sessions where whatsapp_user_id = v_identities ->> 'whatsapp_user_id' and status = 'active'
      union all
      select session_id from public.sessions where phone = v_identities ->> 'phone' and status = 'active'
      union all
      select session_id from public.sessions where visitor_id = v_identities ->> 'visitor_id' and status = 'active'
    ) f limit 1;
  end if;

  if v_account is null then
    if v_identities is not null then
      select session_id into v_id from public.sessions
        where session_id = v_id and status = 'active' and expires_at > v_now
          and public.hub_identities(sessions) @> v_identities
        for update;
      if v_id is null then
        v_id := public.hub_resolve(v_identities, v_channel, p);
      end if;
    end if;
    select * into m from public.messages
      where channel = v_channel and coalesce(account, session_id::text) = v_id::text and external_id = v_external_id;
    if found then
      return public.hub_repeat_message(m, p);
    end if;
  end if;

  s := public.hub_touch(v_id, v_channel, case when v_account is not null then v_identities end, 1, p);
  if s.session_id is null then
    v_id := public.hub_resolve(v_identities, v_channel, p);
    s := public.hub_touch(v_id, v_channel, null, 1, p);
  end if;
  if v_channel = any (s.unreachable) then
    update public.sessions set unreachable = array_remove(unreachable, v_channel) where session_id = s.session_id returning * into s;
  end if;

  m := public.hub_add_message(
    s.session_id,
    p_message || jsonb_build_object(
      'direction', 'inbound', 'role', 'user',
      'reply_to', case when p_message ->> 'reply_to' is not null then public.hub_reply_target(p_message, s.session_id) end),
    v_now);

  if (p_message ->> 'wakes')::boolean then
    v_free := not exists (select 1 from public.turns where session_id = s.session_id and state in ('pending', 'running'));
    insert into public.turns (turn_id, session_id, seq, message_id, channel, account, address, state, attempt, due_at, created_at)
      values (
        public.hub_uuid(v_now), s.session_id, m.seq, m.message_id, v_channel, v_account, p_message -> 'address',
        case when v_free then 'running' else 'pending' end,
        case when v_free then 1 else 0 end,
        case when v_free then v_now + (p ->> 'lease_ms')::bigint * interval '1 millisecond' else v_now end,
        v_now
      ) returning * into t;
    if v_free then
      v_turn := public.hub_turn_json(t, s, m, p);
    else
      v_turn := public.hub_claim_turn(s.session_id, p);
    end if;
  end if;
  return jsonb_build_object('type', 'message', 'message', public.hub_message_json(m), 'session', public.hub_session_json(s), 'duplicate', false, 'turn', v_turn);
end
$$;

-- Keeps what a person of ours wrote from the platform's own app, where its customer has a session.
create function public.hub_receive_echo(p_echo jsonb, p_now timestamptz) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  v_id uuid;
begin
  if p_echo ->> 'account' is null or exists (
    select 1 from public.messages
    where channel = p_echo ->> 'channel' and coalesce(account, session_id::text) = p_echo ->> 'account' and external_id = p_echo ->> 'external_id'
  ) then
    return false;
  end if;
  v_id := public.hub_find_person(p_echo -> 'identities', p_now);
  if v_id is null then
    return false;
  end if;
  update public.sessions set message_count = message_count + 1, updated_at = p_now where session_id = v_id;
  perform public.hub_add_message(v_id, p_echo || '{"direction": "outbound", "role": "operator", "status": "sent"}', p_now);
  return true;
end
$$;

-- Takes in everything of one webhook, in its order and in one transaction.
-- p: {now, ttl_ms, lease_ms, history, language, items}. Items by type:
--   message          {channel, account, external_id, identities | token_hash | session_id, address, kind, text, content,
--                     reply_to, sent_at, wakes}
--   echo             {channel, account, external_id, identities, kind, text, content, sent_at}
--   receipt          {channel, account, external_id, status, at, reason}
--   edit             {channel, account, external_id, at, kind, text, content}; without kind it is a deletion
--   identity_change  {identities, to}
--   reachability     {channel, identities, reachable}
-- Returns {results}: for a message {type, message, session, duplicate, turn}, else {type, applied};
-- or {error: session_not_found | session_expired} when a message names a session that is not active.
create function public.hub_receive(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_people jsonb[] := '{}';
  v_results jsonb := '[]';
  v_item jsonb;
  v_result jsonb;
  v_id uuid;
begin
  for v_item in select * from jsonb_array_elements(p -> 'items') loop
    if v_item ? 'identities' then
      v_people := v_people || (v_item -> 'identities');
    end if;
    if v_item ? 'to' then
      v_people := v_people || (v_item -> 'to');
    end if;
  end loop;
  perform public.hub_lock_identities(v_people);
  if array_length(v_people, 1) > 1 then
    -- Several sessions are about to be held: in one order, whatever the order of the messages.
    perform 1 from public.sessions s
      where s.status = 'active' and s.session_id in (
        select session_id from public.sessions x, unnest(v_people) i
          where x.status = 'active' and (x.phone = i ->> 'phone')
        union select session_id from public.sessions x, unnest(v_people) i
          where x.status = 'active' and (x.telegram_chat_id = i ->> 'telegram_chat_id')
        union select session_id from public.sessions x, unnest(v_people) i
          where x.status = 'active' and (x.whatsapp_user_id = i ->> 'whatsapp_user_id'))
      order by s.session_id
      for update;
  end if;

  for v_item in select * from jsonb_array_elements(p -> 'items') loop
    case v_item ->> 'type'
      when 'message' then
        v_result := public.hub_receive_message(v_item, p);
        if v_result ? 'error' then
          return v_result;
        end if;
      when 'echo' then
        v_result := jsonb_build_object('type', 'echo', 'applied', public.hub_receive_echo(v_item, v_now));
      when 'receipt' then
        v_result := jsonb_build_object('type', 'receipt', 'applied', public.hub_apply_receipt(v_item, v_now));
      when 'edit' then
        v_result := jsonb_build_object('type', 'edit', 'applied', public.hub_apply_edit(v_item, v_now));
      when 'identity_change' then
        v_id := public.hub_find_person(v_item -> 'identities', v_now);
        if v_id is not null then
          perform public.hub_settle_identities(v_id, v_item -> 'to', v_now);
        end if;
        v_result := jsonb_build_object('type', 'identity_change', 'applied', v_id is not null);
      when 'reachability' then
        v_id := public.hub_find_person(v_item -> 'identities', v_now);
        v_result := jsonb_build_object('type', 'reachability', 'applied',
          v_id is not null and public.hub_set_reachable(v_id, v_item ->> 'channel', (v_item ->> 'reachable')::boolean));
    end case;
    v_results := v_results || v_result;
  end loop;
  return jsonb_build_object('results', v_results);
end
$$;

-- Whether it changed that a customer may be written to on a channel.
create function public.hub_set_reachable(p_session uuid, p_channel text, p_reachable boolean) returns boolean
language plpgsql volatile set search_path = '' as $$
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
-- p: {now, lease_ms, history, turn_id, attempt, replies: [{kind, text, content, parts: [null | {text, ...}]}]}; a null
-- part is the whole reply; no parts means that its customer fetches it.
-- Returns {stale, messages, deliveries, next}; stale when somebody else has the turn, and then nothing is saved.
create function public.hub_complete(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_count constant integer := jsonb_array_length(p -> 'replies');
  v_messages jsonb := '[]';
  v_deliveries jsonb := '[]';
  v_delivery jsonb;
  v_reply jsonb;
  v_part jsonb;
  v_parts integer;
  v_blocked boolean;
  v_free boolean;
  s public.sessions;
  t public.turns;
  m public.messages;
  d public.deliveries;
begin
  delete from public.turns
    where turn_id = (p ->> 'turn_id')::uuid and attempt = (p ->> 'attempt')::int and state = 'running'
    returning * into t;
  if not found then
    return '{"stale": true, "messages": [], "deliveries": []}';
  end if;
  update public.sessions
    set message_count = message_count + v_count, updated_at = case when v_count > 0 then v_now else updated_at end
    where session_id = t.session_id
    returning * into s;
  v_blocked := t.channel = any (s.unreachable);
  perform public.hub_lock_line(s.session_id, t.channel);

  for v_reply in select * from jsonb_array_elements(p -> 'replies') loop
    v_parts := jsonb_array_length(v_reply -> 'parts');
    m := public.hub_add_message(
      s.session_id,
      v_reply || jsonb_build_object(
        'channel', t.channel, 'account', t.account, 'direction', 'outbound', 'role', 'assistant', 'reply_to', t.message_id,
        'status', case when v_parts = 0 then 'sent' when v_blocked then 'failed' else 'pending' end),
      v_now);
    v_messages := v_messages || public.hub_message_json(m);
    for v_part in select * from jsonb_array_elements(v_reply -> 'parts') loop
      v_free := not v_blocked and not exists (
        select 1 from public.deliveries where session_id = s.session_id and channel = t.channel and state in ('pending', 'sending'));
      insert into public.deliveries (
        delivery_id, message_id, session_id, parts, channel, account, address, content, state, attempt, due_at, status, reason, created_at
      ) values (
        public.hub_uuid(v_now), m.message_id, s.session_id, v_parts, t.channel, t.account, t.address, nullif(v_part, 'null'),
        case when v_blocked then 'dead' when v_free then 'sending' else 'pending' end,
        case when v_free then 1 else 0 end,
        case when v_free then v_now + (p ->> 'lease_ms')::bigint * interval '1 millisecond' else v_now end,
        case when v_blocked then 'failed' else 'pending' end,
        case when v_blocked then 'blocked' end,
        v_now
      ) returning * into d;
      if v_free then
        v_deliveries := v_deliveries || public.hub_delivery_json(d, m);
      end if;
    end loop;
  end loop;

  if v_deliveries = '[]' then
    v_delivery := public.hub_claim_delivery(s.session_id, t.channel, p);
    if v_delivery is not null then
      v_deliveries := v_deliveries || v_delivery;
    end if;
  end if;
  return jsonb_build_object(
    'stale', false, 'messages', v_messages, 'deliveries', v_deliveries, 'next', public.hub_claim_turn(s.session_id, p));
end
$$;

-- Gives a turn back to be tried again at retry_at, or ends it as a dead letter without one, and hands over what comes
-- next. p: {now, lease_ms, history, turn_id, attempt, reason, retry_at}. Returns as hub_complete.
create function public.hub_fail(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  t public.turns;
begin
  update public.turns
    set state = case when p ->> 'retry_at' is null then 'dead' else 'pending' end,
        due_at = coalesce((p ->> 'retry_at')::timestamptz, due_at),
        reason = p ->> 'reason'
    where turn_id = (p ->> 'turn_id')::uuid and attempt = (p ->> 'attempt')::int and state = 'running'
    returning * into t;
  if not found then
    return '{"stale": true, "messages": [], "deliveries": []}';
  end if;
  perform 1 from public.sessions where session_id = t.session_id for update;
  return jsonb_build_object(
    'stale', false, 'messages', '[]'::jsonb, 'deliveries', '[]'::jsonb, 'next', public.hub_claim_turn(t.session_id, p));
end
$$;

-- Records how attempts at deliveries ended, and hands over the next delivery of each line.
-- p: {now, lease_ms, outcomes: [{delivery_id, attempt, state: sent | pending | dead, external_id, retry_at, reason}]}.
-- Returns {deliveries}. An outcome of an attempt that is not the newest changes nothing.
create function public.hub_settle(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_deliveries jsonb := '[]';
  v_delivery jsonb;
  v_lines text[] := '{}';
  o jsonb;
  d public.deliveries;
begin
  perform public.hub_lock_line(l.session_id, l.channel)
    from (
      select distinct x.session_id, x.channel from public.deliveries x
      where x.delivery_id in (select (e ->> 'delivery_id')::uuid from jsonb_array_elements(p -> 'outcomes') as e)
      order by 1, 2
    ) l;
  for o in select * from jsonb_array_elements(p -> 'outcomes') loop
    update public.deliveries
      set state = o ->> 'state',
          due_at = coalesce((o ->> 'retry_at')::timestamptz, due_at),
          status = case o ->> 'state' when 'sent' then 'sent' when 'dead' then 'failed' else status end,
          external_id = coalesce(o ->> 'external_id', external_id),
          reason = coalesce(o ->> 'reason', reason)
      where delivery_id = (o ->> 'delivery_id')::uuid and attempt = (o ->> 'attempt')::int and state = 'sending'
      returning * into d;
    continue when not found;
    if not d.session_id || ' ' || d.channel = any (v_lines) then
      v_lines := v_lines || (d.session_id || ' ' || d.channel);
    end if;
    continue when d.state = 'pending';
    if d.state = 'dead' and d.reason = 'blocked' then
      perform public.hub_set_reachable(d.session_id, d.channel, false);
    end if;
    if d.parts = 1 then
      update public.messages set status = d.status where message_id = d.message_id;
    else
      perform public.hub_refresh_status(d.message_id);
    end if;
    if d.external_id is not null and d.account is not null then
      perform public.hub_apply_early(d.channel, d.account, d.external_id, v_now);
    end if;
  end loop;
  for i in 1 .. coalesce(array_length(v_lines, 1), 0) loop
    v_delivery := public.hub_claim_delivery(split_part(v_lines[i], ' ', 1)::uuid, split_part(v_lines[i], ' ', 2), p);
    if v_delivery is not null then
      v_deliveries := v_deliveries || v_delivery;
    end if;
  end loop;
  return jsonb_build_object('deliveries', v_deliveries);
end
$$;

-- Claims turns and deliveries that are due and that nobody holds, oldest first, at most p.limit of each.
-- p: {now, lease_ms, history, limit}. Returns {turns, deliveries}.
create function public.hub_due(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
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
    where d.state in ('pending', 'sending') and d.due_at <= v_now
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
