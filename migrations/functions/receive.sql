-- hub_receive, and what serves it: everything of one webhook in one call. The items are described at hub_receive, at the end.

-- Takes in a message of one customer who has an active session and holds all of its identities verified: most messages are
-- such. Null, and nothing is locked, when it is another message: that takes the long way. p_item has its anchor; p_at is when
-- it came. Returns as keep_inbound, with what the customer is known by beside the session, as customer.
--
-- What a message costs is mostly the start of each step of each plan, so the statements are short. The first looks for a
-- session (o) and locks that very row (s), whatever has become of it while it waited: the long way locks identities before
-- sessions, so a lock of a row that no longer fits would have to be given back. The call is made again instead. Whoever takes
-- an identity from a customer, or changes who has their conversation, ends the session or raises its version.
create or replace function hub.receive_known(p_item jsonb, p_at timestamptz, c hub.context) returns json
language plpgsql volatile as $$
declare
  v_channel constant text := p_item ->> 'channel';
  v_account constant text := p_item ->> 'account';
  v_external_id constant text := p_item ->> 'external_id';
  v_message_id constant uuid := hub.uuid(c.now);
  v_locked boolean;
  v_turn_id constant uuid := hub.uuid(c.now);
  v_wakes constant boolean := p_item -> 'wakes' = 'true';
  v_held record;
  v_there record;
  v_message json;
  v_document json;
  v_turn json;
begin
  select s.session_id, s.customer_key, s.last_channel,
      hub.next_seq(s.last_seq, p_at, coalesce((p_item ->> 'place')::int, 0)) as seq,
      v_channel = any (k.unreachable) as blocked,
      s.last_channel = v_channel and hub.is_fresh(i, p_item, p_at) and k.profile = hub.profile_with(k.profile, p_item) as fresh,
      s.status = 'active' and s.customer_key = i.customer_key and s.version = o.version as fits,
      s.language_by is null and k.plan = 'premium' and p_item ? 'language' as undecided,
      k.holder is null as with_bot,
      case when k.customer_id is null and k.preferred_language is null and k.plan = 'basic' and k.holder is null then h.held
        else h.held || hub.shown_customer(k) end as customer,
      case when v_wakes then hub.known_customer(k) end as known
    into v_held
    from public.identities i
      join public.sessions o on o.customer_key = i.customer_key and o.status = 'active'
      join public.sessions s on s.session_id = o.session_id
      join public.customers k on k.customer_key = i.customer_key
      cross join lateral (
        select jsonb_object_agg(kind, value) as held, bool_and(verified_at is not null) as verified
        from public.identities where customer_key = i.customer_key) h
    where i.kind = p_item #>> '{anchor,kind}' and i.value = p_item #>> '{anchor,value}'
      and o.expires_at > p_at and h.verified and h.held @> (p_item -> 'identities')
    for update of s;
  if v_held.session_id is null then
    return null;
  elsif not v_held.fits then
    raise exception 'the session changed meanwhile' using errcode = 'serialization_failure';
  end if;
  v_locked := v_account is not null and hub.lock_message(v_channel, v_account, v_external_id);
  -- A statement of its own: it sees what others did until they gave up these locks.
  select
      v_locked and exists (
        select from public.erased_messages where id_hash = hub.id_hash(v_channel, v_account, v_external_id)) as erased,
      v_locked and exists (
        select from public.early_events where channel = v_channel and account = v_account and external_id = v_external_id) as early,
      exists (select from public.turns where session_id = v_held.session_id and state in ('pending', 'running')) as turn
    into v_there;
  if p_item ? 'choice' then
    p_item := hub.chosen(p_item, v_held.session_id);
  end if;
  if not v_there.erased then
    insert into public.messages as m (
        message_id, session_id, seq, channel, account, external_id, direction, role, kind, text, content, reply_to, sent_at,
        created_at)
      values (
        v_message_id, v_held.session_id, v_held.seq, v_channel, v_account, v_external_id, 'inbound', 'user',
        p_item ->> 'kind', p_item ->> 'text', p_item -> 'content',
        case when p_item ->> 'reply_to' is not null then hub.reply_target(p_item, v_held.session_id) end,
        (p_item ->> 'sent_at')::timestamptz, p_at)
      on conflict (channel, (coalesce(account, session_id::text)), external_id) where external_id is not null do nothing
      returning hub.message_json(m) into v_message;
  end if;
  if v_message is null then
    return hub.repeat_message(v_channel, coalesce(v_account, v_held.session_id::text), v_external_id, c);
  end if;

  if v_held.blocked then
    perform hub.set_reachable(v_held.customer_key, v_channel, true);
  end if;
  if v_there.early and hub.apply_early(v_channel, v_account, v_external_id, c.now) then
    v_message := (select hub.message_json(m) from public.messages m where message_id = v_message_id);
  end if;
  if v_held.fresh is not true then
    perform hub.see_customer(v_held.customer_key, v_held.last_channel, p_item, p_at);
  end if;
  if p_item ? 'window_closes_at' then
    perform hub.open_window(v_held.session_id, v_held.customer_key, p_item, c);
  end if;
  if v_held.undecided then
    perform hub.decide_language(v_held.session_id, p_item ->> 'language', c);
  end if;
  update public.sessions s
    set last_activity = greatest(last_activity, p_at),
        updated_at = greatest(updated_at, p_at),
        expires_at = greatest(expires_at, p_at + c.ttl),
        message_count = message_count + 1,
        last_seq = v_held.seq,
        last_channel = v_channel,
        channels = case when v_channel = any (channels) then channels else channels || v_channel end,
        channels_since = case when v_channel = any (channels) then channels_since else channels_since || p_at end
    where session_id = v_held.session_id
    returning hub.active_json(s) into v_document;
  insert into public.counted (key) values ('received|' || v_channel);
  if not v_held.with_bot then
    perform hub.wait_for_person(v_held.customer_key, p_item ->> 'kind', p_at);
  elsif v_wakes then
    insert into public.turns (turn_id, session_id, seq, message_id, channel, account, address, state, attempt, due_at, created_at)
      values (
        v_turn_id, v_held.session_id, v_held.seq, v_message_id, v_channel, v_account, p_item -> 'address',
        case when v_there.turn then 'pending' else 'running' end, case when v_there.turn then 0 else 1 end,
        case when v_there.turn then hub.at_once(c.now) else c.now + c.lease end, c.now);
    if v_there.turn then
      v_turn := hub.claim_turn(v_held.session_id, c);
    else
      -- As hub.turn_json. What the message told about its customer is not in what was read at first.
      v_turn := json_build_object(
        'turn_id', v_turn_id, 'attempt', 1, 'failure', null, 'channel', v_channel, 'account', v_account,
        'address', p_item -> 'address', 'window_closes_at', hub.window_at(v_channel, v_account, p_item -> 'address'),
        'history', case when c.history = 0 then '[]'::jsonb else hub.history(v_held.session_id, v_held.seq, c) end,
        'customer', case when v_held.fresh and not v_held.undecided then v_held.known else hub.turn_customer(v_held.session_id) end);
    end if;
  end if;
  return json_build_object(
    'type', 'message', 'duplicate', false, 'message', v_message, 'session', v_document, 'customer', v_held.customer,
    'turn', v_turn);
end
$$;

-- Whether a message adds nothing to when and where its identity was seen. Of a message with several it is not known.
create or replace function hub.is_fresh(i public.identities, p_item jsonb, p_at timestamptz) returns boolean
language sql stable parallel safe as $$
  select i.last_seen_at >= p_at - interval '60 seconds'
    and p_item -> 'identities' = jsonb_build_object(i.kind, i.value)
    and (p_item -> 'address' = '{}' or p_item -> 'address_of' = 'null' or (
      i.address_used_at >= p_at - interval '60 seconds' and i.channel = p_item ->> 'channel'
      and i.account is not distinct from p_item ->> 'account' and i.address = p_item -> 'address'))
$$;

-- Keeps a customer's message in its session, whose row is held, and slides the session. p_event: what is kept in its place
-- when it was a link. Returns {type, duplicate, message, session, turn}, or {type: erased}.
create or replace function hub.keep_inbound(
  s public.sessions, p_item jsonb, p_event text, p_at timestamptz, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_held boolean;
  m public.messages;
begin
  if p_item ? 'choice' and p_event is null then
    p_item := hub.chosen(p_item, s.session_id);
  end if;
  m.message_id := hub.uuid(c.now);
  m.session_id := s.session_id;
  m.seq := hub.next_seq(s.last_seq, p_at, coalesce((p_item ->> 'place')::int, 0));
  m.channel := p_item ->> 'channel';
  m.account := p_item ->> 'account';
  m.external_id := p_item ->> 'external_id';
  m.direction := 'inbound';
  m.role := case when p_event is null then 'user' else 'system' end;
  m.kind := case when p_event is null then p_item ->> 'kind' else 'system' end;
  m.text := coalesce(p_event, p_item ->> 'text');
  m.content := case when p_event is null then p_item -> 'content' else jsonb_build_object('event', p_event) end;
  m.reply_to := case when p_item ->> 'reply_to' is not null then hub.reply_target(p_item, s.session_id) end;
  m.sent_at := p_item ->> 'sent_at';
  m.created_at := p_at;
  insert into public.messages
    select m.* where not exists (
      select from public.erased_messages where id_hash = hub.id_hash(m.channel, m.account, m.external_id))
    on conflict do nothing;
  if not found then
    return hub.repeat_message(m.channel, coalesce(m.account, s.session_id::text), m.external_id, c);
  end if;
  m := hub.meet_early(m, c.now);
  perform hub.see_customer(s.customer_key, s.last_channel, p_item, p_at);
  if p_item ? 'window_closes_at' then
    perform hub.open_window(s.session_id, s.customer_key, p_item, c);
  end if;
  if s.language_by is null and p_item ? 'language' and p_event is null then
    perform hub.decide_language(s.session_id, p_item ->> 'language', c);
  end if;
  if not m.channel = any (s.channels) then
    s.channels := s.channels || m.channel;
    s.channels_since := s.channels_since || p_at;
  end if;
  update public.sessions
    set last_activity = greatest(last_activity, p_at),
        updated_at = greatest(updated_at, p_at),
        expires_at = greatest(expires_at, p_at + c.ttl),
        message_count = message_count + 1,
        last_seq = m.seq,
        last_channel = m.channel,
        channels = s.channels,
        channels_since = s.channels_since
    where session_id = s.session_id
    returning * into s;
  perform hub.count(array['received|' || m.channel]);
  v_held := hub.is_held(s.customer_key);
  if v_held and p_event is null then
    perform hub.wait_for_person(s.customer_key, m.kind, p_at);
  end if;
  return jsonb_build_object(
    'type', 'message', 'duplicate', false, 'message', hub.message_json(m), 'session', hub.session_document(s),
    'turn', case when (p_item ->> 'wakes')::boolean and not v_held then hub.add_turn(s, m, p_item -> 'address', c) end);
end
$$;

-- A message that was here before: nothing changes, but its session's turn is claimed when nobody answers it and nobody has
-- the session in hand. Null when it is not here; {type: erased} when it was and has been erased. p_scope is its account,
-- or its session where there is none.
create or replace function hub.repeat_message(p_channel text, p_scope text, p_external_id text, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_turn jsonb;
  s public.sessions;
  m public.messages;
begin
  select * into m from public.messages
    where channel = p_channel and coalesce(account, session_id::text) = p_scope and external_id = p_external_id;
  if not found then
    return (select '{"type": "erased"}'::jsonb from public.erased_messages
      where id_hash = hub.id_hash(p_channel, p_scope, p_external_id));
  end if;
  select * into s from public.sessions where session_id = m.session_id for update skip locked;
  if found and s.status <> 'merged' then
    v_turn := hub.claim_turn(s.session_id, c);
  else
    select * into s from public.sessions where session_id = hub.follow(m.session_id);
  end if;
  perform hub.count(array['duplicates|' || p_channel]);
  return jsonb_build_object(
    'type', 'message', 'duplicate', true, 'message', hub.message_json(m), 'session', hub.session_document(s), 'turn', v_turn);
end
$$;

-- Remembers that a customer was seen with a message's identities, and where they were reached, both exact to a minute, and
-- their profile at the messenger. The identity that the address belongs to is address_of, else the strongest; where address_of
-- is null the address serves this one answer only. A message that came before the kept address does not move it; one on
-- another channel than the last always says when.
create or replace function hub.see_customer(p_customer uuid, p_last_channel text, p_item jsonb, p_at timestamptz) returns void
language plpgsql volatile as $$
declare
  v_identities constant jsonb := p_item -> 'identities';
  v_recent constant timestamptz := p_at - interval '60 seconds';
  v_of constant text := case
    when coalesce(p_item -> 'address', '{}') = '{}' then null
    when p_item ? 'address_of' then p_item ->> 'address_of'
    else coalesce(p_item #>> '{anchor,kind}', hub.strongest(v_identities)) end;
begin
  if v_identities is null or coalesce((p_item ->> 'claimed')::boolean, false) then
    return;
  end if;
  if v_of is not null then
    update public.identities
      set channel = p_item ->> 'channel', account = p_item ->> 'account', address = p_item -> 'address',
          address_used_at = p_at, last_seen_at = greatest(last_seen_at, p_at)
      where customer_key = p_customer and kind = v_of and (
        address is null or (address_used_at <= p_at and (
          p_last_channel is distinct from p_item ->> 'channel' or channel <> p_item ->> 'channel'
          or account is distinct from p_item ->> 'account' or address <> p_item -> 'address' or address_used_at < v_recent)));
  end if;
  if not found or v_identities <> jsonb_build_object(v_of, v_identities -> v_of) then
    update public.identities
      set last_seen_at = p_at
      where customer_key = p_customer and v_identities ->> kind = value and last_seen_at < v_recent;
  end if;
  perform hub.learn_profile(p_customer, p_item);
end
$$;

-- The session that a message belongs to, after whatever it proves. event: what came of a link in it (linked, link_failed or
-- merge_required), and notice what its sender is told of that; else null. Its identities are locked; the people are held
-- here.
create or replace function hub.session_for(
  p_item jsonb, c hub.context, out session public.sessions, out event text, out notice text)
language plpgsql volatile as $$
declare
  v_identities constant jsonb := p_item -> 'identities';
begin
  if v_identities is null then
    session := hub.find_live(p_item ->> 'token_hash', (p_item ->> 'session_id')::uuid, c, p_item ? 'came_at');
  elsif (p_item ->> 'claimed')::boolean then
    session := hub.claim(v_identities, p_item ->> 'channel', c);
  end if;
  if p_item ? 'link_hash' then
    event := 'link_failed';
    if session.session_id is null then
      select l.event, l.notice into event, notice from hub.redeem_link(p_item ->> 'link_hash', v_identities, c) as l;
    end if;
  end if;
  if session.session_id is null then
    perform hub.hold_people(array[v_identities]);
    session := hub.resolve(v_identities, p_item ->> 'channel', c);
  end if;
  notice := coalesce(notice, hub.notice(event, session.language, c));
end
$$;

-- Takes in one message: {type, message, session, duplicate, turn}, or {type: erased}. A turn of this message comes without
-- it and its session. Refuses session_not_found, session_expired and verification_required.
create or replace function hub.receive_message(p_item jsonb, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_at constant timestamptz := coalesce((p_item ->> 'came_at')::timestamptz, c.now);
  v_then hub.context := c;
  v_result jsonb;
  v_found record;
  s public.sessions;
begin
  if p_item ? 'identities' then
    perform hub.lock_identities(p_item -> 'identities');
  end if;
  -- Only now: a call that brings the same message at the same time holds what was just waited for.
  if p_item ->> 'account' is not null then
    v_result := hub.repeat_message(p_item ->> 'channel', p_item ->> 'account', p_item ->> 'external_id', c);
    if v_result is not null then
      return v_result;
    end if;
  end if;
  v_then.now := v_at;
  v_then.place := coalesce((p_item ->> 'place')::int, 0);
  v_found := hub.session_for(p_item, v_then);
  s := v_found.session;
  v_result := hub.keep_inbound(s, p_item, v_found.event, v_at, c);
  if v_result -> 'duplicate' = 'false' then
    perform hub.set_reachable(s.customer_key, p_item ->> 'channel', true);
  end if;
  if p_item ? 'opt' and v_found.event is null and v_result -> 'duplicate' = 'false' then
    v_found.notice := hub.notice(hub.hear_opt(s, p_item, c), s.language, c);
  end if;
  if v_found.notice is not null and v_result -> 'duplicate' = 'false' then
    perform hub.tell(
      s.session_id, v_found.notice,
      case when p_item -> 'address' = '{}' then '[]' else jsonb_build_array(p_item) end, c);
    select * into s from public.sessions where session_id = s.session_id;
    v_result := v_result || jsonb_build_object('session', hub.session_document(s));
    -- A turn of another message has a session of its own.
    if v_result #> '{turn,session}' is not null then
      v_result := jsonb_set(v_result, '{turn,session}', v_result -> 'session');
    end if;
  end if;
  return v_result;
end
$$;

-- The first customer, strongest identity first, who holds one of these verified; with p_active, and has an active session.
-- Who is spoken of has said nothing: a phone that is only claimed finds nobody. With p_until, an identity that was verified
-- later finds nobody: its holder came after what is told.
create or replace function hub.verified_holder(
  p_identities jsonb, p_active boolean, p_now timestamptz, p_until timestamptz default null) returns uuid
language sql stable as $$
  select i.customer_key
  from jsonb_each_text(p_identities) as e (kind, value)
    join public.identities i on i.kind = e.kind and i.value = e.value and i.verified_at <= coalesce(p_until, 'infinity')
  where not p_active or exists (
    select from public.sessions s where s.customer_key = i.customer_key and s.status = 'active' and s.expires_at > p_now)
  order by hub.identity_rank(e.kind), e.kind collate "C"
  limit 1
$$;

-- Keeps what a person of ours wrote from the platform's own app, where its customer has an active session: {type, applied,
-- message}. The people are held.
create or replace function hub.receive_echo(p_item jsonb, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_customer constant uuid := hub.verified_holder(p_item -> 'identities', true, c.now);
  s public.sessions;
  m public.messages;
begin
  if v_customer is null or p_item ->> 'account' is null
    or exists (
      select from public.messages
      where channel = p_item ->> 'channel' and coalesce(account, session_id::text) = p_item ->> 'account'
        and external_id = p_item ->> 'external_id')
    or exists (
      select from public.erased_messages
      where id_hash = hub.id_hash(p_item ->> 'channel', p_item ->> 'account', p_item ->> 'external_id'))
  then
    return '{"type": "echo", "applied": false}';
  end if;
  s := hub.active_session(v_customer, c.now);
  s.last_seq := hub.next_seq(s.last_seq, c.now);
  update public.sessions
    set message_count = message_count + 1, last_seq = s.last_seq, updated_at = c.now
    where session_id = s.session_id;
  m := hub.add_message(
    s.session_id, s.last_seq, p_item || '{"direction": "outbound", "role": "operator", "status": "sent"}', c.now);
  return jsonb_build_object('type', 'echo', 'applied', true, 'message', hub.message_json(m));
end
$$;

-- Applies an edit and, for a bot that hears of edits, adds a turn for a message that is not waiting for one anyway: {type,
-- applied, message, turn}. The message's session is held.
create or replace function hub.receive_edit(p_item jsonb, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_result jsonb := hub.apply_edit(p_item, c.now) || '{"type": "edit"}';
  v_turn jsonb;
  s public.sessions;
  m public.messages;
begin
  if not (v_result ->> 'applied')::boolean or (p_item ->> 'wakes')::boolean is not true
    or p_item -> 'address' is null or v_result #>> '{message,direction}' <> 'inbound'
  then
    return v_result;
  end if;
  select * into m from public.messages where message_id = (v_result #>> '{message,message_id}')::uuid;
  select * into s from public.sessions where session_id = m.session_id;
  if s.status = 'active' and not hub.is_held(s.customer_key) and not exists (
    select from public.turns where session_id = s.session_id and state in ('pending', 'running') and message_id = m.message_id)
  then
    v_turn := hub.add_turn(s, m, p_item -> 'address', c);
    v_turn := jsonb_build_object('session', hub.session_document(s), 'message', v_result -> 'message') || v_turn;
  end if;
  return v_result || jsonb_build_object('turn', v_turn);
end
$$;

-- The sessions that a webhook's messages name, and those of the messages of which it tells something.
create or replace function hub.sessions_of(p_items jsonb, c hub.context) returns uuid[]
language plpgsql stable as $$
declare
  v_sessions uuid[] := '{}';
  i jsonb;
begin
  for i in select * from jsonb_array_elements(p_items) loop
    if i ? 'token_hash' or i ? 'session_id' then
      v_sessions := v_sessions || hub.follow(coalesce(hub.token_session(i ->> 'token_hash', c), (i ->> 'session_id')::uuid));
    elsif i ->> 'type' in ('receipt', 'edit') then
      v_sessions := v_sessions
        || array(
          select session_id from public.messages
          where channel = i ->> 'channel' and coalesce(account, session_id::text) = i ->> 'account' and external_id = i ->> 'external_id')
        || array(
          select session_id from public.deliveries
          where channel = i ->> 'channel' and account = i ->> 'account' and external_id = i ->> 'external_id');
    end if;
  end loop;
  return array_remove(v_sessions, null);
end
$$;

-- Locks everybody and everything that a webhook speaks of, before anything of it is kept: identities, sessions, customers and
-- platform messages, each in one order.
create or replace function hub.hold_webhook(p_items jsonb, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_people constant jsonb[] := array(
    select i -> k from jsonb_array_elements(p_items) as i, unnest('{identities,to}'::text[]) as k where i ? k);
  r record;
begin
  perform hub.lock_identities(variadic v_people);
  perform hub.hold_people(v_people, hub.sessions_of(p_items, c));
  for r in
    select distinct i ->> 'channel' as channel, i ->> 'account' as account, i ->> 'external_id' as external_id
    from jsonb_array_elements(p_items) as i
    where i ->> 'account' is not null and i ->> 'external_id' is not null
    order by 1, 2, 3
  loop
    perform hub.lock_message(r.channel, r.account, r.external_id);
  end loop;
end
$$;

-- Takes in one thing of a webhook. What is no message needs the people and sessions it speaks of held.
create or replace function hub.receive_item(p_item jsonb, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_type constant text := p_item ->> 'type';
  v_customer uuid;
  v_result jsonb;
begin
  case v_type
    when 'message' then
      return hub.receive_message(p_item, c);
    when 'echo' then
      return hub.receive_echo(p_item, c);
    when 'edit' then
      return hub.receive_edit(p_item, c);
    when 'receipt' then
      v_result := hub.apply_receipt(p_item, c.now);
      if (v_result ->> 'applied')::boolean then
        perform hub.count(array[concat_ws('|', 'receipts', p_item ->> 'channel', p_item ->> 'status')]);
      end if;
      if v_result ? 'due' then
        perform hub.add_effect('deliveries', hub.list_of(
          hub.claim_delivery((v_result #>> '{due,session_id}')::uuid, v_result #>> '{due,channel}', c)));
      end if;
      return (v_result - 'due') || '{"type": "receipt"}';
    when 'identity_change' then
      v_customer := hub.verified_holder(p_item -> 'identities', false, c.now, (p_item ->> 'at')::timestamptz);
      if v_customer is not null then
        perform hub.settle(v_customer, p_item -> 'to', null, c);
      end if;
      return jsonb_build_object('type', v_type, 'applied', v_customer is not null);
    when 'reachability' then
      v_customer := hub.verified_holder(p_item -> 'identities', false, c.now);
      return jsonb_build_object('type', v_type, 'applied', v_customer is not null
        and hub.apply_reachability(
          v_customer, p_item ->> 'channel', (p_item ->> 'reachable')::boolean, (p_item ->> 'at')::timestamptz));
  end case;
end
$$;

-- Takes in everything of one webhook, in its order and in one transaction.
-- p: {now, ttl_ms, lease_ms, history, language, languages, kiosk_idle_ms, notices, items}. Items by type:
--   message          {channel, account, external_id, identities | token_hash | session_id, anchor, address, address_of, kind, text,
--                     content, reply_to, sent_at, wakes, claimed, link_hash, came_at, place, language, window_closes_at, opt}; claimed identities are only claimed,
--                     link_hash proves that its sender is at the device that showed the link, came_at is when it came where
--                     that was before now, address_of is the kind of the identity whose address it is, place is how many
--                     items are before it, 0 where it is absent, language is the tag that its words show, window_closes_at is until when the platform
--                     takes free replies because of it, opt (out, in) is what its words say about messages that the shop sends first, and anchor is {kind, value} of the strongest identity, only
--                     of a message whose identities are verified and which has no link
--   echo             {channel, account, external_id, identities, kind, text, content, sent_at}
--   receipt          {channel, account, external_id, status, at, reason, window_ms}; window_ms as in hub.apply_receipt
--   edit             {channel, account, external_id, at, kind, text, content, address, wakes}; without kind it is a deletion
--   identity_change  {identities, to, at}; at is when it happened
--   reachability     {channel, identities, reachable, at}; at is when it happened
-- Returns {results}: for a message {type, message, session, customer, duplicate, turn} or {type: erased}, else {type, applied,
-- message, turn}; customer, where there is one, belongs into the session. Each has its effects (merged, closed, notified,
-- conflicts, deliveries). Refuses session_not_found, session_expired and verification_required when a message names a session
-- that is not active or claims one it may not have; then nothing of the webhook is kept.
create or replace function public.hub_receive(p jsonb) returns json
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  c constant hub.context := hub.context_of(p);
  v_items constant jsonb := p -> 'items';
  v_count constant integer := jsonb_array_length(v_items);
  v_results json[] := '{}';
  v_result jsonb;
  v_known json;
  v_item jsonb;
begin
  if v_count > 1 or v_items #>> '{0,type}' <> 'message' then
    perform hub.hold_webhook(v_items, c);
  end if;
  for i in 0 .. v_count - 1 loop
    v_item := v_items -> i;
    v_known := null;
    if v_item ? 'anchor' and not v_item ? 'opt' then
      v_known := hub.receive_known(v_item, coalesce((v_item ->> 'came_at')::timestamptz, c.now), c);
    end if;
    if v_known is null then
      v_result := hub.receive_item(v_item, c);
      v_known := v_result;
    end if;
    if current_setting('hub.effects', true) <> '' then
      v_known := v_known::jsonb || hub.take_effects();
    end if;
    v_results := v_results || v_known;
  end loop;
  return json_build_object('results', v_results);
end
$$;
