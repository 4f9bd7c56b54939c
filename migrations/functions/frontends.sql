-- The frontends' calls on sessions. Each takes one jsonb argument and returns jsonb.

-- The active session that a trusted caller names, by identities, strongest first, or by customer_id if no identity
-- finds a customer. A claimed phone becomes verified by this; nothing else is written. Refuses session_not_found. The
-- caller holds the people.
create or replace function hub.find_trusted(p_identities jsonb, p_name text, c hub.context) returns public.sessions
language plpgsql volatile as $$
declare
  v_customer uuid;
  e record;
  s public.sessions;
begin
  for e in
    select i.kind, i.value, i.customer_key, i.verified_at
    from jsonb_each_text(p_identities) as x (kind, value) join public.identities i on i.kind = x.kind and i.value = x.value
    order by hub.identity_rank(i.kind), i.kind collate "C"
  loop
    select * into s from public.sessions where customer_key = e.customer_key and status = 'active' and expires_at > c.now;
    if found then
      if e.verified_at is null then
        v_customer := hub.settle(e.customer_key, jsonb_build_object(e.kind, e.value), null, c);
        s := hub.active_session(v_customer, c.now);
      end if;
      return s;
    end if;
  end loop;
  if hub.people_of(p_identities, c.now) = '{}' then
    select x.* into s
      from public.customers k join public.sessions x using (customer_key)
      where k.customer_id = p_name and x.status = 'active' and x.expires_at > c.now;
  end if;
  if s.session_id is null then
    perform hub.refuse('session_not_found');
  end if;
  return s;
end
$$;

-- The active session of the person with these verified identities and this customer_id: found, merged from several, or
-- opened. The customer_id finds a customer only if no identity does.
create or replace function hub.open_for(p_identities jsonb, p_name text, p_channel text, c hub.context) returns public.sessions
language plpgsql volatile as $$
declare
  v_owner constant uuid := (
    select customer_key from public.customers
    where customer_id = p_name and not hub.are_apart(hub.known_as(customer_key), p_identities));
  v_customer uuid := hub.identify(p_identities, v_owner, c);
begin
  if p_name is not null then
    v_customer := hub.apply_customer_id(v_customer, p_name, p_channel, null, c);
  end if;
  return hub.current_session(v_customer, p_channel, c);
end
$$;

-- Applies merge patches to a session's documents, and sets its language, which is permitted. Refuses payload_too_large.
create or replace function hub.patch_session(s public.sessions, p_data jsonb, p_metadata jsonb, p_language text) returns public.sessions
language plpgsql volatile as $$
declare
  v_size constant integer := hub.documents_size(s);
begin
  perform hub.refuse_patch(d) from unnest(array[p_data, p_metadata]) as d where d is not null;
  update public.sessions
    set data = case when p_data is null then data else hub.merge_patch(data, p_data) end,
        metadata = case when p_metadata is null then metadata else hub.merge_patch(metadata, p_metadata) end,
        language = coalesce(p_language, language),
        language_by = case when p_language is null then language_by else 'chosen' end
    where session_id = s.session_id
    returning * into s;
  perform hub.learn_contact(s.customer_key, p_metadata);
  if p_data is not null or p_metadata is not null then
    perform hub.refuse_growth(v_size, s);
  end if;
  return s;
end
$$;

-- Finds the active session of the person with these identities, or opens one, and gives the device its token. p: {now,
-- ttl_ms, language, ..., identities, claimed, channel, customer_id, data, token_hash}. Returns {session, merged,
-- closed, notified, conflicts, deliveries}. Refuses verification_required for claimed identities, and
-- payload_too_large.
create or replace function public.hub_start(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_claimed constant boolean := coalesce((p ->> 'claimed')::boolean, false);
  v_name constant text := case when not v_claimed then p ->> 'customer_id' end;
  v_people constant jsonb[] := array[p -> 'identities', jsonb_strip_nulls(jsonb_build_object('customer_id', v_name))];
  s public.sessions;
begin
  perform hub.lock_identities(variadic v_people);
  if v_claimed then
    s := hub.claim(p -> 'identities', p ->> 'channel', c);
  else
    perform hub.hold_people(v_people);
    s := hub.open_for(p -> 'identities', v_name, p ->> 'channel', c);
  end if;
  s := hub.touch(s, p ->> 'channel', c);
  if p ? 'data' then
    s := hub.patch_session(s, p -> 'data', null, null);
  end if;
  if (p ? 'data' or v_name is not null) and s.created_at < c.now then
    update public.sessions set version = version + 1 where session_id = s.session_id returning * into s;
  end if;
  if p ? 'token_hash' then
    perform hub.give_token(p ->> 'token_hash', s, p ->> 'channel', c.now);
  end if;
  return jsonb_build_object('session', hub.session_document(s)) || hub.take_effects();
end
$$;

-- Slides the session of a token and appends the channel. With identities or customer_id the session is that person's,
-- and the token is the device's new one. p: {now, ttl_ms, ..., token_hash, identities, customer_id, claimed, channel}.
-- Returns as hub_start. Refuses session_not_found, session_expired, and verification_required for claimed identities.
create or replace function public.hub_restore(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_identities constant jsonb := coalesce(p -> 'identities', '{}');
  v_name constant text := p ->> 'customer_id';
  v_people constant jsonb[] := array[v_identities, jsonb_strip_nulls(jsonb_build_object('customer_id', v_name))];
  s public.sessions;
begin
  if not p ? 'identities' and v_name is null then
    s := hub.touch(hub.find_live(p ->> 'token_hash', null, c), p ->> 'channel', c);
    return jsonb_build_object('session', hub.session_document(s));
  end if;
  perform hub.lock_identities(variadic v_people);
  perform hub.hold_people(v_people);
  if (p ->> 'claimed')::boolean then
    s := hub.find_claimed(v_identities, p ->> 'channel', c);
    if s.session_id is null then
      perform hub.refuse('session_not_found');
    end if;
  else
    s := hub.find_trusted(v_identities, v_name, c);
    if v_name is not null then
      s := hub.active_session(hub.apply_customer_id(s.customer_key, v_name, p ->> 'channel', null, c), c.now);
    end if;
  end if;
  s := hub.touch(s, p ->> 'channel', c);
  perform hub.give_token(p ->> 'token_hash', s, p ->> 'channel', c.now);
  return jsonb_build_object('session', hub.session_document(s)) || hub.take_effects();
end
$$;

-- The sessions of one customer: the active one first, then newest first, at most hub.found_sessions(), without merged
-- ones. By session_id it is that session alone, in any state. Writes nothing. p: {now, identities | customer_id |
-- session_id}. Returns {sessions}.
create or replace function public.hub_find(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_customer uuid := (select customer_key from public.customers where customer_id = p ->> 'customer_id');
begin
  if p ? 'identities' then
    select i.customer_key into v_customer
      from jsonb_each_text(p -> 'identities') as e (kind, value)
        join public.identities i on i.kind = e.kind and i.value = e.value
      order by hub.identity_rank(e.kind), e.kind collate "C"
      limit 1;
  end if;
  return (
    select jsonb_build_object('sessions', coalesce(jsonb_agg(
      hub.session_document(s) order by (s.status <> 'active'), s.created_at desc, s.session_id desc), '[]'))
    from (
      select * from public.sessions x
      where x.session_id = (p ->> 'session_id')::uuid or (x.customer_key = v_customer and x.status <> 'merged')
      order by (x.status <> 'active'), x.created_at desc, x.session_id desc
      limit hub.found_sessions()
    ) s);
end
$$;

-- Adds a message that a frontend reports to a session, unless it is stored already. The caller holds the session.
-- p_message: {external_id, direction, role, author, kind, text, content, status, language}; language is the tag that a
-- customer's words show.
create or replace function hub.add_reported(s public.sessions, p_message jsonb, p_channel text, c hub.context) returns public.sessions
language plpgsql volatile as $$
begin
  if exists (
    select from public.messages
    where channel = coalesce(p_channel, s.channel) and coalesce(account, session_id::text) = s.session_id::text
      and external_id = p_message ->> 'external_id')
  then
    return s;
  end if;
  update public.sessions
    set message_count = message_count + 1, last_seq = hub.next_seq(last_seq, c.now)
    where session_id = s.session_id
    returning * into s;
  perform hub.add_message(
    s.session_id, s.last_seq, p_message || jsonb_build_object('channel', coalesce(p_channel, s.channel)), c.now);
  if s.language_by is null and p_message ->> 'language' is not null then
    perform hub.decide_language(s.session_id, p_message ->> 'language', c);
    select x.* into s from public.sessions x where session_id = s.session_id;
  end if;
  return s;
end
$$;

-- The channel of a message that a device stores: its token's own. Refuses forbidden when the call names another one.
create or replace function hub.own_channel(p_token_hash text, p_asked text) returns text
language plpgsql stable as $$
declare
  v_own constant text := (select channel from public.session_tokens where token_hash = p_token_hash);
begin
  if p_asked <> v_own then
    perform hub.refuse('forbidden');
  end if;
  return v_own;
end
$$;

-- Applies merge patches and the other changes, stores a message, and slides the session. By a token the message is
-- stored on the token's own channel.
-- p: {now, ttl_ms, ..., token_hash | session_id, data, metadata, language, languages, channel, customer_id, if_version, message:
-- {external_id, direction, role, author, kind, text, content, status, language}}. Returns as hub_start. Refuses
-- session_not_found, session_expired, version_conflict, forbidden (a message by a token on another channel than its
-- own), language_not_allowed with {languages}, and payload_too_large.
create or replace function public.hub_update(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_name constant jsonb := jsonb_build_object('customer_id', p -> 'customer_id');
  v_channel text := p ->> 'channel';
  s public.sessions;
begin
  if p ? 'customer_id' then
    perform hub.lock_identities(v_name);
    perform hub.hold_people(array[v_name], array_remove(array[
      hub.follow(coalesce(hub.token_session(p ->> 'token_hash', c), (p ->> 'session_id')::uuid))], null));
  end if;
  s := hub.find_live(p ->> 'token_hash', (p ->> 'session_id')::uuid, c);
  if (p ->> 'if_version')::bigint <> s.version then
    perform hub.refuse('version_conflict');
  end if;
  if p ? 'token_hash' and p ? 'message' then
    v_channel := hub.own_channel(p ->> 'token_hash', v_channel);
  end if;
  if p ? 'customer_id' then
    s := hub.active_session(
      hub.apply_customer_id(s.customer_key, p ->> 'customer_id', v_channel, p ->> 'token_hash', c), c.now);
  end if;
  s := hub.touch(s, v_channel, c);
  if p ? 'data' or p ? 'metadata' or p ? 'language' then
    s := hub.patch_session(
      s, p -> 'data', p -> 'metadata', hub.chosen_language(s.customer_key, p ->> 'language', c));
  end if;
  if p ?| '{data,metadata,language,customer_id}'::text[] then
    update public.sessions set version = version + 1 where session_id = s.session_id returning * into s;
  end if;
  if p ? 'message' then
    s := hub.add_reported(s, p -> 'message', v_channel, c);
  end if;
  return jsonb_build_object('session', hub.session_document(s)) || hub.take_effects();
end
$$;

-- Ends a session on every channel and deletes its tokens; they may still rate it for rating_changes_for(). Of {summary,
-- rating, feedback} a key that is absent from p is unchanged. p: {now, kiosk_idle_ms, token_hash, summary, rating, feedback}.
-- Returns {session, token_hashes}. Refuses session_not_found and session_expired.
create or replace function public.hub_end(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  s public.sessions := hub.find_live(p ->> 'token_hash', null, c);
begin
  update public.sessions
    set status = 'logged_out', ended_at = c.now, updated_at = c.now, version = version + 1,
        summary = coalesce(p ->> 'summary', summary), rating = coalesce((p ->> 'rating')::smallint, rating),
        feedback = coalesce(p ->> 'feedback', feedback)
    where session_id = s.session_id
    returning * into s;
  return jsonb_build_object('session', hub.session_document(s), 'token_hashes', hub.end_tokens(s.session_id, c.now));
end
$$;

-- The state of a message's last unfinished or dead turn: {state: waiting | running | retrying | dead, attempt, code,
-- reason}. Null when there is none.
create or replace function hub.turn_state(m public.messages) returns jsonb
language sql stable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'state', case
      when t.state <> 'pending' then t.state
      when t.attempt = 0 then 'waiting'
      else 'retrying' end,
    'attempt', t.attempt, 'code', t.code, 'reason', t.reason))
  from public.turns t
  where t.session_id = m.session_id and t.message_id = m.message_id
    and (t.state in ('pending', 'running') or t.state = 'dead')
  order by t.turn_id desc
  limit 1
$$;

-- Messages after a cursor, in order. A session_id finds a session in any state, a token an active one, or one that a bot has ended a
-- moment ago. p: {now,
-- kiosk_idle_ms, token_hash | session_id, after, limit}. Returns {session_id, messages, more}. A customer's message has
-- its turn until that is done. Refuses session_not_found and session_expired.
create or replace function public.hub_messages(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_limit constant integer := (p ->> 'limit')::int;
  v_goodbye boolean := false;
  v_messages jsonb;
  s public.sessions;
begin
  select * into s from public.sessions where session_id = hub.follow(
    case when p ? 'token_hash' then hub.token_session(p ->> 'token_hash', c) else (p ->> 'session_id')::uuid end);
  if s.session_id is null and p ? 'token_hash' then
    s := hub.session_of_goodbye(p ->> 'token_hash', c.now);
    v_goodbye := s.session_id is not null;
  end if;
  if s.session_id is null then
    perform hub.refuse('session_not_found');
  elsif v_goodbye then
    null;
  elsif p ? 'token_hash' and (s.status = 'expired' or (s.status = 'active' and s.expires_at <= c.now)) then
    perform hub.refuse('session_expired');
  elsif p ? 'token_hash' and s.status <> 'active' then
    perform hub.refuse('session_not_found');
  end if;
  select coalesce(jsonb_agg(hub.message_json(m)::jsonb || case
      when m.direction = 'inbound' then jsonb_strip_nulls(jsonb_build_object('turn', hub.turn_state(m))) else '{}' end
      order by m.seq), '[]')
    into v_messages
    from (
      select * from public.messages
      where session_id = s.session_id and seq > (p ->> 'after')::bigint
      order by seq limit v_limit + 1
    ) m;
  return jsonb_build_object(
    'session_id', s.session_id,
    'merges', (select count(*) from public.sessions where merged_into = s.session_id),
    'messages', case when jsonb_array_length(v_messages) > v_limit then v_messages - v_limit else v_messages end,
    'more', jsonb_array_length(v_messages) > v_limit);
end
$$;
