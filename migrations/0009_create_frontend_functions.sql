-- Sessions as frontends use them, and what dies of age. Calls of the hub: one jsonb argument, jsonb back.
-- Errors come back as {error: session_not_found | session_expired | version_conflict | payload_too_large} and change nothing.

-- What a session's documents come to, as text.
create function public.hub_size(s public.sessions) returns integer
language sql immutable as $$
  select octet_length(s.data::text) + octet_length(s.metadata::text)
$$;

-- Raises HB413 when the documents have grown past 256 KiB. What merging made larger may still shrink.
create function public.hub_refuse_growth(p_before integer, s public.sessions) returns void
language plpgsql immutable as $$
begin
  if public.hub_size(s) > greatest(p_before, 262144) then
    raise exception 'data and metadata are too large' using errcode = 'HB413';
  end if;
end
$$;

-- The active session of any of the identities, or a new one, with the device's token attached.
-- p: {now, ttl_ms, language, identities, claimed, channel, customer_id, data, token_hash, session_id, ...}; session_id is
-- that of the session if one opens, else it is merged into the one that was there. Returns {session, merged, closed, told,
-- deliveries}, or {error} for claimed identities.
create function public.hub_start(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_live jsonb;
  v_id uuid;
  v_size integer;
  s public.sessions;
begin
  perform public.hub_lock_identities(array[p -> 'identities']);
  if (p ->> 'claimed')::boolean then
    v_live := public.hub_claim(p -> 'identities', p ->> 'channel', p);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
  else
    -- What a start of nobody has opened: it comes out of the journal again, and no identity tells.
    v_id := (
      select session_id from public.sessions
      where session_id = (p ->> 'session_id')::uuid and p -> 'identities' = '{}' and status = 'active' and expires_at > v_now);
    if v_id is null then
      v_id := public.hub_resolve(p -> 'identities', p ->> 'channel', p);
    end if;
  end if;
  s := public.hub_touch(v_id, p ->> 'channel', 0, p);
  if p ? 'customer_id' or p ? 'data' then
    v_size := public.hub_size(s);
    update public.sessions
      set customer_id = coalesce(p ->> 'customer_id', customer_id),
          data = case when p ? 'data' then public.hub_merge_patch(data, p -> 'data') else data end,
          version = case when created_at < v_now then version + 1 else version end
      where session_id = s.session_id
      returning * into s;
    perform public.hub_refuse_growth(v_size, s);
  end if;
  if p ? 'token_hash' then
    perform public.hub_give_token(p ->> 'token_hash', s, p ->> 'channel', v_now);
  end if;
  -- Whoever was promised another id finds this session under it.
  if (p ->> 'session_id')::uuid <> s.session_id then
    insert into public.sessions (
      session_id, channel, channels, channels_since, status, merged_into,
      created_at, updated_at, last_activity, expires_at, ended_at, expiry_check_at
    ) values (
      (p ->> 'session_id')::uuid, p ->> 'channel', '{}', '{}', 'merged', s.session_id,
      v_now, v_now, v_now, v_now, v_now, v_now
    ) on conflict do nothing;
  end if;
  return jsonb_build_object('session', public.hub_session_json(s)) || public.hub_take_effects();
exception when sqlstate 'HB413' then
  return jsonb_build_object('error', 'payload_too_large');
end
$$;

-- Slides the session of a token, or of the identities (then the token is the device's new one), and appends the channel.
-- p: {now, ttl_ms, token_hash, identities, claimed, channel, ...}. Returns as hub_start, or {error}.
create function public.hub_restore(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_live jsonb;
  v_id uuid;
  s public.sessions;
begin
  if p ? 'identities' then
    perform public.hub_lock_identities(array[p -> 'identities']);
    v_live := public.hub_find_vouched(p -> 'identities', p);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
  else
    v_live := public.hub_find_live(p, p);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
  end if;
  s := public.hub_touch(v_id, p ->> 'channel', 0, p);
  if p ? 'identities' then
    perform public.hub_give_token(p ->> 'token_hash', s, p ->> 'channel', v_now);
  end if;
  return jsonb_build_object('session', public.hub_session_json(s)) || public.hub_take_effects();
end
$$;

-- Applies merge patches and the rest, keeps a message, and slides the session.
-- p: {now, ttl_ms, token_hash, data, metadata, language, channel, if_version,
--     message: {external_id, direction, role, kind, text, content, status}}. Returns {session} or {error, version}.
create function public.hub_update(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_live jsonb;
  v_message jsonb;
  v_size integer;
  s public.sessions;
begin
  v_live := public.hub_find_live(p, p);
  if v_live ? 'error' then
    return v_live;
  end if;
  select * into s from public.sessions where session_id = (v_live ->> 'session_id')::uuid;
  if p ? 'if_version' and (p ->> 'if_version')::bigint <> s.version then
    return jsonb_build_object('error', 'version_conflict', 'version', s.version);
  end if;
  if p ? 'message' then
    v_message := (p -> 'message') || jsonb_build_object('channel', coalesce(p ->> 'channel', s.channel));
    if exists (
      select 1 from public.messages
      where channel = v_message ->> 'channel' and coalesce(account, session_id::text) = s.session_id::text
        and external_id = v_message ->> 'external_id'
    ) then
      v_message := null;
    end if;
  end if;
  s := public.hub_touch(s.session_id, p ->> 'channel', case when v_message is null then 0 else 1 end, p);
  if p ? 'data' or p ? 'metadata' or p ? 'language' then
    v_size := public.hub_size(s);
    update public.sessions
      set data = case when p ? 'data' then public.hub_merge_patch(data, p -> 'data') else data end,
          metadata = case when p ? 'metadata' then public.hub_merge_patch(metadata, p -> 'metadata') else metadata end,
          language = coalesce(p ->> 'language', language),
          version = version + 1
      where session_id = s.session_id
      returning * into s;
    perform public.hub_refuse_growth(v_size, s);
  end if;
  if v_message is not null then
    perform public.hub_add_message(s.session_id, v_message, v_now);
  end if;
  return jsonb_build_object('session', public.hub_session_json(s));
exception when sqlstate 'HB413' then
  return jsonb_build_object('error', 'payload_too_large');
end
$$;

-- Ends a session on every channel; its tokens die. p: {now, token_hash}. Returns {session, token_hashes} or {error}.
create function public.hub_end(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_live jsonb;
  v_tokens jsonb;
  s public.sessions;
begin
  v_live := public.hub_find_live(p, p);
  if v_live ? 'error' then
    return v_live;
  end if;
  update public.sessions
    set status = 'logged_out', ended_at = v_now, updated_at = v_now, version = version + 1
    where session_id = (v_live ->> 'session_id')::uuid
    returning * into s;
  with dead as (delete from public.session_tokens where session_id = s.session_id returning token_hash)
    select coalesce(jsonb_agg(token_hash order by token_hash), '[]') into v_tokens from dead;
  return jsonb_build_object('session', public.hub_session_json(s), 'token_hashes', v_tokens);
end
$$;

-- Lets one device's token die; the session lives. p: {token_hash}. Returns {signed_out}.
create function public.hub_sign_out(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from public.session_tokens where token_hash = p ->> 'token_hash';
  return jsonb_build_object('signed_out', found);
end
$$;

-- Messages after a cursor, in order. p: {now, token_hash | session_id, after, limit}. A session is found by id in any
-- state, by token only while it lives. Returns {session_id, messages, more} or {error}.
create function public.hub_messages(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_limit constant integer := (p ->> 'limit')::int;
  v_id uuid := (p ->> 'session_id')::uuid;
  v_messages jsonb;
  s public.sessions;
begin
  if p ? 'token_hash' then
    v_id := public.hub_token_session(p ->> 'token_hash', p);
  end if;
  loop
    select * into s from public.sessions where session_id = v_id;
    exit when s.merged_into is null;
    v_id := s.merged_into;
  end loop;
  if s.session_id is null then
    return '{"error": "session_not_found"}';
  end if;
  if p ? 'token_hash' then
    if s.status = 'expired' or (s.status = 'active' and s.expires_at <= v_now) then
      return '{"error": "session_expired"}';
    elsif s.status <> 'active' then
      return '{"error": "session_not_found"}';
    end if;
  end if;
  select coalesce(jsonb_agg(public.hub_message_json(m) order by m.seq), '[]') into v_messages
    from (
      select * from public.messages
      where session_id = s.session_id and seq > (p ->> 'after')::bigint
      order by seq limit v_limit + 1
    ) m;
  return jsonb_build_object(
    'session_id', s.session_id,
    'messages', case when jsonb_array_length(v_messages) > v_limit then v_messages - v_limit else v_messages end,
    'more', jsonb_array_length(v_messages) > v_limit);
end
$$;

-- Marks active sessions past their expiry, and deletes codes, links and limits that count no more. p: {now, limit}.
-- Returns {expired}: how many sessions.
create function public.hub_expire(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_limit constant integer := (p ->> 'limit')::int;
  v_expired integer := 0;
  s public.sessions;
begin
  for s in
    select * from public.sessions
    where status = 'active' and expiry_check_at <= v_now
    order by expiry_check_at
    limit v_limit
    for update skip locked
  loop
    if s.expires_at <= v_now then
      update public.sessions
        set status = 'expired', ended_at = v_now, updated_at = v_now, version = version + 1
        where session_id = s.session_id;
      v_expired := v_expired + 1;
    else
      update public.sessions set expiry_check_at = expires_at where session_id = s.session_id;
    end if;
  end loop;
  delete from public.codes where phone in (select phone from public.codes where expires_at <= v_now limit v_limit for update skip locked);
  delete from public.links where link_hash in (select link_hash from public.links where expires_at <= v_now limit v_limit for update skip locked);
  delete from public.limits where key in (
    select key from public.limits where ends_at <= v_now - interval '24 hours' limit v_limit for update skip locked);
  return jsonb_build_object('expired', v_expired);
end
$$;

-- Deletes sessions that ended before an instant, with everything of theirs, and events nobody came for; messages said
-- before another, but for those that are still at work; and passwords nobody used since a third. Leaves a line in the
-- audit. p: {before, limit, now, messages_before, passwords_before}. Returns {purged}: how many sessions.
create function public.hub_purge(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_before constant timestamptz := p ->> 'before';
  v_limit constant integer := (p ->> 'limit')::int;
  v_ids uuid[];
  v_messages uuid[];
  v_passwords integer;
begin
  select array_agg(session_id) into v_ids from (
    select session_id from public.sessions
    where status <> 'active' and ended_at < v_before
    order by ended_at limit v_limit
    for update skip locked
  ) dead;
  delete from public.deliveries d using public.messages m where m.session_id = any (v_ids) and d.message_id = m.message_id;
  delete from public.turns where session_id = any (v_ids) and state in ('pending', 'running');
  delete from public.turns where session_id = any (v_ids) and state = 'dead';
  delete from public.messages where session_id = any (v_ids);
  delete from public.session_tokens where session_id = any (v_ids);
  delete from public.sessions where session_id = any (v_ids);
  delete from public.early_events where ctid in (
    select ctid from public.early_events where created_at < v_before order by created_at limit v_limit);
  select array_agg(message_id) into v_messages from (
    select m.message_id from public.messages m
    where m.created_at < (p ->> 'messages_before')::timestamptz
      and not exists (
        select 1 from public.turns t where t.session_id = m.session_id and t.state in ('pending', 'running') and t.message_id = m.message_id)
      and not exists (
        select 1 from public.deliveries d where d.message_id = m.message_id and d.state in ('pending', 'sending'))
    limit v_limit
    for update skip locked
  ) old;
  delete from public.deliveries where message_id = any (v_messages);
  delete from public.turns t using public.messages m
    where m.message_id = any (v_messages) and t.session_id = m.session_id and t.state = 'dead' and t.message_id = m.message_id;
  delete from public.messages where message_id = any (v_messages);
  delete from public.passwords where phone in (
    select phone from public.passwords where updated_at < (p ->> 'passwords_before')::timestamptz limit v_limit for update skip locked);
  get diagnostics v_passwords = row_count;
  if p ? 'now' and (v_ids is not null or v_messages is not null or v_passwords > 0) then
    perform public.hub_add_audit(p || '{"actor": "retention"}', 'purge', 'retention', jsonb_build_object(
      'sessions', coalesce(array_length(v_ids, 1), 0), 'messages', coalesce(array_length(v_messages, 1), 0), 'passwords', v_passwords));
  end if;
  return jsonb_build_object('purged', coalesce(array_length(v_ids, 1), 0));
end
$$;
