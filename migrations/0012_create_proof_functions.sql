-- Codes, links, passwords and devices, and what a proof moves. The rules are those of src/stores/memory/, line by line,
-- and of docs/identity.md in words. Calls of the hub take one jsonb argument, which holds now, and return jsonb; their
-- errors come back as {error, retry_after_ms?} and change nothing but what counts tries.

-- Where a customer can be written to, the last used first: [{channel, account, address, used_at}].
create function public.hub_known_addresses(s public.sessions) returns jsonb
language sql stable parallel safe as $$
  select coalesce(jsonb_agg((value - 'via') || jsonb_build_object('channel', key) order by (value ->> 'used_at') collate "C" desc, key), '[]')
  from jsonb_each(s.addresses)
  where not key = any (s.unreachable)
$$;

-- Forgets the addresses that came with an identity which is no longer the session's: they may reach somebody else.
create function public.hub_drop_lost_addresses(s public.sessions) returns void
language sql volatile as $$
  update public.sessions t
    set addresses = (
      select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(t.addresses)
      where public.hub_identities(t) @> (value -> 'via'))
    where t.session_id = s.session_id and t.addresses <> '{}'
      and exists (select 1 from jsonb_each(t.addresses) where not public.hub_identities(t) @> (value -> 'via'))
$$;

-- Lets passwords follow their owners: one of a phone that the session held before goes along to the phone it holds now,
-- and one that somebody else set for this number before it came here is none any more.
create function public.hub_follow_phone(s public.sessions, p_before text[], p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_phone constant text := case when s.phone_verified then s.phone end;
  v_owner constant jsonb := public.hub_proven(s) - '{phone,visitor_id}'::text[];
  v_old text;
begin
  if v_phone is not null and not v_phone = any (p_before) then
    delete from public.passwords where phone = v_phone and public.hub_are_apart(owner, v_owner);
  end if;
  foreach v_old in array p_before loop
    if v_old is distinct from v_phone then
      update public.passwords
        set phone = v_phone, updated_at = p_now
        where phone = v_old and v_phone is not null
          and not exists (select 1 from public.passwords where phone = v_phone);
      delete from public.passwords where phone = v_old;
    end if;
  end loop;
  update public.passwords set owner = v_owner where phone = v_phone and owner <> v_owner;
end
$$;

-- Says something to a customer in the hub's own name: once at each of these addresses, or, when there is none, in the
-- history, where their devices find it. p: {now, lease_ms, patience_ms, pace}
create function public.hub_tell(p_session uuid, p_text text, p_addresses jsonb, p jsonb) returns void
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_said jsonb := jsonb_build_object(
    'direction', 'outbound', 'role', 'system', 'kind', 'text', 'text', p_text, 'content', '{}'::jsonb);
  v_address jsonb;
  v_delivery jsonb;
  s public.sessions;
  m public.messages;
begin
  update public.sessions
    set message_count = message_count + greatest(1, jsonb_array_length(p_addresses)), updated_at = v_now
    where session_id = p_session
    returning * into s;
  if p_addresses = '[]' then
    perform public.hub_add_message(p_session, v_said || jsonb_build_object('channel', s.channel, 'status', 'sent'), v_now);
  end if;
  for v_address in select * from jsonb_array_elements(p_addresses) loop
    perform public.hub_lock_line(p_session, v_address ->> 'channel');
    m := public.hub_add_message(
      p_session,
      v_said || jsonb_build_object('channel', v_address -> 'channel', 'account', v_address -> 'account', 'status', 'pending'),
      v_now);
    v_delivery := coalesce(
      public.hub_add_delivery(m, 1, v_address -> 'address', null, false, p),
      public.hub_claim_delivery(p_session, m.channel, p));
    if v_delivery is not null then
      perform public.hub_add_effect('deliveries', jsonb_build_array(v_delivery));
    end if;
  end loop;
end
$$;

-- Takes from a session what is proven to be another person's now, and tells its own.
create function public.hub_strip(s public.sessions, p_identities jsonb, p jsonb) returns void
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_lost constant text[] := array(
    select k from unnest(public.hub_identity_kinds()) as k where public.hub_identities(s) ->> k = p_identities ->> k);
  v_phones constant text[] := case when 'phone' = any (v_lost) then '{}' else array_remove(array[s.phone], null) end;
begin
  update public.sessions
    set phone = case when 'phone' = any (v_lost) then null else phone end,
        telegram_chat_id = case when 'telegram_chat_id' = any (v_lost) then null else telegram_chat_id end,
        whatsapp_user_id = case when 'whatsapp_user_id' = any (v_lost) then null else whatsapp_user_id end,
        visitor_id = case when 'visitor_id' = any (v_lost) then null else visitor_id end,
        updated_at = v_now,
        version = version + 1
    where session_id = s.session_id
    returning * into s;
  perform public.hub_drop_lost_addresses(s);
  perform public.hub_follow_phone(s, v_phones, v_now);
  if v_lost && '{telegram_chat_id,whatsapp_user_id,phone}'::text[] then
    select * into s from public.sessions where session_id = s.session_id;
    perform public.hub_tell(
      s.session_id, p -> 'notices' ->> case when 'phone' = any (v_lost) then 'phone_moved' else 'account_moved' end,
      public.hub_known_addresses(s), p);
    perform public.hub_add_effect('notified', jsonb_build_array(s.session_id));
  end if;
end
$$;

-- Whether who claims a session's phone may have it: it is nobody's, and used only where it was claimed.
create function public.hub_is_claimable(s public.sessions, p_channel text) returns boolean
language sql stable parallel safe as $$
  select not s.phone_verified and s.channels <@ array[s.channel] and coalesce(p_channel, s.channel) = s.channel
$$;

-- Whether a session with these claimed identities may be found or opened.
create function public.hub_may_claim(p_identities jsonb, p_channel text, p jsonb) returns boolean
language sql stable parallel safe as $$
  select p_identities ->> 'phone' is not null and p_identities - 'phone' = '{}' and not exists (
    select 1 from public.sessions s
    where s.phone = p_identities ->> 'phone' and s.status = 'active' and s.expires_at > (p ->> 'now')::timestamptz
      and not public.hub_is_claimable(s, p_channel))
$$;

-- The session of somebody who only claims a phone: one that has been claimed the same way and used nowhere else, or a new
-- one. {session_id} or {error: verification_required}. The identities are locked. p: {now, ttl_ms, language, session_id}
create function public.hub_claim(p_identities jsonb, p_channel text, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_promised uuid := p ->> 'session_id';
  v_id uuid;
  s public.sessions;
begin
  while public.hub_may_claim(p_identities, p_channel, p) loop
    if exists (select 1 from public.sessions where session_id = v_promised) then
      v_promised := null;
    end if;
    s := public.hub_find_active('phone', p_identities ->> 'phone', v_now);
    if s.session_id is null then
      insert into public.sessions (
        session_id, phone, phone_verified, channel, channels, channels_since, language,
        created_at, updated_at, last_activity, expires_at, expiry_check_at
      ) values (
        coalesce(v_promised, public.hub_uuid(v_now)), p_identities ->> 'phone', false, p_channel, '{}', '{}', p ->> 'language',
        v_now, v_now, v_now, v_now, v_now + (p ->> 'ttl_ms')::bigint * interval '1 millisecond'
      )
      on conflict do nothing
      returning session_id into v_id;
    elsif public.hub_is_claimable(s, p_channel) then
      v_id := s.session_id;
    end if;
    if v_id is not null then
      return jsonb_build_object('session_id', v_id);
    end if;
  end loop;
  return '{"error": "verification_required"}';
end
$$;

-- The session that a caller's word finds, locked: {session_id} or {error}. A phone that was only claimed is proven by it,
-- unless it is a claim itself. The identities are locked. p: {now, claimed, channel, ...}
create function public.hub_find_vouched(p_identities jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_asserted constant boolean := coalesce((p ->> 'claimed')::boolean, false);
  v_kind text;
  v_id uuid;
  s public.sessions;
begin
  if v_asserted and not public.hub_may_claim(p_identities, p ->> 'channel', p) then
    return '{"error": "verification_required"}';
  end if;
  foreach v_kind in array public.hub_identity_kinds() loop
    if p_identities ? v_kind then
      s := public.hub_find_active(v_kind, p_identities ->> v_kind, (p ->> 'now')::timestamptz);
      if s.session_id is not null then
        v_id := s.session_id;
        if v_kind = 'phone' and not s.phone_verified and not v_asserted then
          v_id := public.hub_settle_identities(v_id, jsonb_build_object('phone', s.phone), null, p);
        end if;
        return jsonb_build_object('session_id', v_id);
      end if;
    end if;
  end loop;
  return '{"error": "session_not_found"}';
end
$$;

-- Gives a device its token; one that is known comes to be this session's. Nobody gets one for a session that is
-- somebody's but by a proof, or because somebody vouched for them.
create function public.hub_give_token(p_token_hash text, s public.sessions, p_channel text, p_now timestamptz) returns void
language sql volatile as $$
  insert into public.session_tokens (token_hash, session_id, channel, created_at, last_used_at, confirmed_at)
    values (p_token_hash, s.session_id, coalesce(p_channel, s.channel), p_now, p_now, p_now)
    on conflict (token_hash) do update
      set session_id = excluded.session_id, channel = excluded.channel, last_used_at = excluded.last_used_at,
          confirmed_at = excluded.confirmed_at
$$;

-- Whether the device has proven lately who it is: only then it may do what outlasts its token.
create function public.hub_is_fresh(t public.session_tokens, p_now timestamptz) returns boolean
language sql stable parallel safe as $$
  select t.confirmed_at + interval '15 minutes' > p_now
$$;

-- As hub_find_live, by a token, and {error: verification_required} for a session that is somebody's, unless the device has
-- proven lately who it is. p: {now, kiosk_idle_ms, token_hash}
create function public.hub_find_fresh(p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_live constant jsonb := public.hub_find_live(p, p);
begin
  if exists (
    select 1 from public.session_tokens t join public.sessions s using (session_id)
    where not v_live ? 'error' and t.token_hash = p ->> 'token_hash'
      and public.hub_is_somebody(public.hub_proven(s)) and not public.hub_is_fresh(t, (p ->> 'now')::timestamptz))
  then
    return '{"error": "verification_required"}';
  end if;
  return v_live;
end
$$;

-- Gives the device that holds one token another in its place. What was shown with the old one dies with it.
create function public.hub_exchange_token(p_token_hash text, p_new_token_hash text) returns void
language plpgsql volatile as $$
begin
  delete from public.session_tokens where token_hash = p_new_token_hash;
  update public.session_tokens set token_hash = p_new_token_hash where token_hash = p_token_hash;
  delete from public.links where token_hash = p_token_hash;
  perform public.hub_add_effect('closed', jsonb_build_array(p_token_hash));
end
$$;

-- Makes the sender of a link token and the person at the device that showed it one, and returns their session. The
-- device's token dies, for anybody may have seen it; the one that only the page knows which asked for the link lives.
-- Null, and nothing changed, when the link is unknown, used, old or its device is gone, or when the two are known to be
-- different people, or may be. The identities are locked. p: {now, kiosk_idle_ms, ...}
create function public.hub_redeem_link(p_link_hash text, p_identities jsonb, p jsonb) returns uuid
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_anchor text;
  v_id uuid;
  l public.links;
  t public.session_tokens;
  s public.sessions;
  x public.sessions;
begin
  select * into l from public.links where link_hash = p_link_hash and expires_at > v_now;
  v_id := public.hub_token_session(l.token_hash, p);
  if v_id is null then
    return null;
  end if;
  perform public.hub_lock_sessions(array[p_identities], v_id);
  s := public.hub_hold_session(v_id);
  select * into t from public.session_tokens where token_hash = l.token_hash and session_id = s.session_id for update;
  if s.status <> 'active' or s.expires_at <= v_now or t.token_hash is null then
    return null;
  end if;
  select k into v_anchor from unnest(public.hub_identity_kinds()) with ordinality as u (k, place) where p_identities ? k order by place limit 1;
  x := public.hub_find_active(v_anchor, p_identities ->> v_anchor, v_now);
  if public.hub_are_apart(public.hub_proven(s), coalesce(public.hub_proven(x), '{}') || p_identities) then
    return null;
  end if;
  -- At a kiosk somebody who came before may still be signed in: nobody else becomes one with them there.
  if t.channel = 'kiosk' and public.hub_proven(s) ?| '{telegram_chat_id,whatsapp_user_id}'::text[] and x.session_id is distinct from s.session_id then
    return null;
  end if;
  delete from public.links where link_hash = p_link_hash;
  if not found then
    return null;
  end if;
  v_id := public.hub_settle_identities(s.session_id, p_identities, t.token_hash, p);
  select * into s from public.sessions where session_id = v_id;
  perform public.hub_exchange_token(t.token_hash, l.new_token_hash);
  perform public.hub_give_token(l.new_token_hash, s, t.channel, v_now);
  return v_id;
end
$$;

-- Counts a try against each limit, and returns 0; or counts nothing and returns how many ms to wait, when one of them is
-- reached. p_limits: [{key, max, window_ms}]
create function public.hub_take_limits(p_limits jsonb, p_now timestamptz) returns bigint
language plpgsql volatile as $$
declare
  v_keys constant text[] := array(select distinct l ->> 'key' from jsonb_array_elements(p_limits) as l order by 1);
  v_until timestamptz;
begin
  insert into public.limits (key, count, ends_at) select k, 0, p_now from unnest(v_keys) as k order by k on conflict do nothing;
  perform 1 from public.limits where key = any (v_keys) order by key for update;
  select max(l.ends_at) into v_until
    from public.limits l join jsonb_array_elements(p_limits) as g on g ->> 'key' = l.key
    where l.ends_at > p_now and l.count >= (g ->> 'max')::int;
  if v_until is not null then
    return ceil(extract(epoch from v_until - p_now) * 1000);
  end if;
  update public.limits l
    set count = case when l.ends_at > p_now then l.count + 1 else 1 end,
        ends_at = case when l.ends_at > p_now then l.ends_at else p_now + (g ->> 'window_ms')::bigint * interval '1 millisecond' end
    from jsonb_array_elements(p_limits) as g
    where l.key = g ->> 'key';
  return 0;
end
$$;

create function public.hub_too_many(p_wait_ms bigint) returns jsonb
language sql immutable parallel safe as $$
  select jsonb_build_object('error', 'too_many_requests', 'retry_after_ms', p_wait_ms)
$$;

-- Under which key wrong passwords are counted, of anybody's phone.
create function public.hub_failure_key(p_phone text) returns text
language sql immutable parallel safe as $$
  select 'password:' || encode(sha256(convert_to(p_phone, 'UTF8')), 'hex')
$$;

-- Holds the failed passwords of the phone whose session a device has, before that session: in the order of hub_log_in, so
-- that neither waits for the other. p: {now, kiosk_idle_ms, token_hash}
create function public.hub_hold_failures(p jsonb) returns void
language plpgsql volatile as $$
declare
  v_key constant text := public.hub_failure_key((
    select phone from public.sessions where session_id = public.hub_token_session(p ->> 'token_hash', p)));
begin
  if v_key is not null then
    insert into public.limits (key, count, ends_at) values (v_key, 0, (p ->> 'now')::timestamptz) on conflict do nothing;
    perform 1 from public.limits where key = v_key for update;
  end if;
end
$$;

-- Null when phone and password belong together; else {error}, for an unknown phone as for a wrong password and after the
-- same work. Five wrong ones lock the phone for a minute, each further one twice as long, an hour at most.
create function public.hub_refuse_password(p_phone text, p_password text, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_key constant text := public.hub_failure_key(p_phone);
  v_hash text;
  l public.limits;
begin
  insert into public.limits (key, count, ends_at) values (v_key, 0, p_now) on conflict do nothing;
  select * into l from public.limits where key = v_key for update;
  if l.count >= 5 and l.ends_at > p_now then
    return public.hub_too_many(ceil(extract(epoch from l.ends_at - p_now) * 1000)::bigint);
  end if;
  select password_hash into v_hash from public.passwords where phone = p_phone;
  if public.hub_check_password(p_password, v_hash) then
    delete from public.limits where key = v_key;
    update public.passwords set updated_at = p_now where phone = p_phone;
    return null;
  end if;
  l.count := 1 + case when l.ends_at + interval '24 hours' > p_now then l.count else 0 end;
  update public.limits
    set count = l.count,
        ends_at = p_now + case when l.count < 5 then interval '0' else least(60, 2 ^ (least(l.count, 20) - 5)) * interval '1 minute' end
    where key = v_key;
  return '{"error": "password_invalid"}';
end
$$;

-- Makes the person at a device and the owner of a phone one, and gives the device a new token. p_by: code or password.
-- p: {now, ttl_ms, ..., phone, token_hash, new_token_hash, channel}. Returns {session, merged, closed, told, deliveries}.
create function public.hub_prove_phone(p jsonb, p_by text) returns jsonb
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_phone constant jsonb := jsonb_build_object('phone', p ->> 'phone');
  -- What stands in a public room goes on dying without use, whatever it calls itself, and when it has died so before.
  v_kiosk constant boolean := exists (
    select 1 from public.session_tokens where token_hash = p ->> 'token_hash' and channel = 'kiosk');
  v_id uuid;
  s public.sessions;
  t public.session_tokens;
begin
  perform public.hub_lock_identities(array[v_phone]);
  if p ->> 'token_hash' is not null then
    v_id := public.hub_token_session(p ->> 'token_hash', p);
    perform public.hub_lock_sessions(array[v_phone], v_id);
    s := public.hub_hold_session(v_id);
    v_id := null;
    if s.status = 'active' and s.expires_at > v_now then
      select * into t from public.session_tokens where token_hash = p ->> 'token_hash' and session_id = s.session_id;
    end if;
    -- Whoever logs in, stands at a kiosk, or comes long after may be another person than the one who was here before.
    if t.token_hash is not null
      and (not public.hub_is_somebody(public.hub_proven(s)) or (p_by = 'code' and not v_kiosk and public.hub_is_fresh(t, v_now)))
    then
      v_id := public.hub_settle_identities(s.session_id, v_phone, t.token_hash, p);
    end if;
  end if;
  if v_id is null then
    v_id := public.hub_resolve(v_phone, p ->> 'channel', p);
  end if;
  s := public.hub_touch(v_id, p ->> 'channel', 0, p);
  if t.token_hash is not null then
    perform public.hub_exchange_token(t.token_hash, p ->> 'new_token_hash');
  end if;
  perform public.hub_give_token(p ->> 'new_token_hash', s, case when v_kiosk then 'kiosk' else p ->> 'channel' end, v_now);
  return jsonb_build_object('session', public.hub_session_json(s)) || public.hub_take_effects();
end
$$;

-- Makes a phone's one live code. p: {now, phone, code_hash, limits}. Returns {addresses}: none for a stranger; or {error}.
create function public.hub_request_code(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_wait bigint;
  v_addresses jsonb;
begin
  v_wait := public.hub_take_limits(p -> 'limits', v_now);
  if v_wait > 0 then
    return public.hub_too_many(v_wait);
  end if;
  insert into public.codes (phone, code_hash, created_at, expires_at)
    values (p ->> 'phone', p ->> 'code_hash', v_now, v_now + interval '5 minutes')
    on conflict (phone) do update
      set code_hash = excluded.code_hash, attempts = 0, created_at = excluded.created_at, expires_at = excluded.expires_at;
  select public.hub_known_addresses(s) into v_addresses
    from public.sessions s
    where s.phone = p ->> 'phone' and s.status = 'active' and s.phone_verified and s.expires_at > v_now;
  return jsonb_build_object('addresses', coalesce(v_addresses, '[]'));
end
$$;

-- Proves a phone by its code. p: {now, ttl_ms, ..., phone, code_hash, token_hash, new_token_hash, channel}. Returns as
-- hub_prove_phone, or {error: code_invalid}.
create function public.hub_confirm_code(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  c public.codes;
begin
  select * into c from public.codes where phone = p ->> 'phone' for update;
  if c.phone is null or c.expires_at <= v_now or c.attempts >= 5 then
    return '{"error": "code_invalid"}';
  elsif c.code_hash <> p ->> 'code_hash' then
    update public.codes set attempts = attempts + 1 where phone = c.phone;
    return '{"error": "code_invalid"}';
  end if;
  delete from public.codes where phone = c.phone;
  return public.hub_prove_phone(p, 'code');
end
$$;

-- Lets a link token wait for the person at a device; of its older ones, four stay. p: {now, ttl_ms, kiosk_idle_ms,
-- token_hash, new_token_hash, link_hash}. Returns {expires_at} or {error}: verification_required for a session that is
-- somebody's, unless the device has proven lately who it is.
create function public.hub_create_link(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_token constant text := p ->> 'token_hash';
  v_live jsonb;
begin
  v_live := public.hub_find_fresh(p);
  if v_live ? 'error' then
    return v_live;
  end if;
  perform public.hub_touch((v_live ->> 'session_id')::uuid, null, 0, p);
  delete from public.links where link_hash in (
    select link_hash from public.links
    where token_hash = v_token and expires_at > v_now
    order by created_at desc offset 4);
  insert into public.links (link_hash, token_hash, new_token_hash, created_at, expires_at)
    values (p ->> 'link_hash', v_token, p ->> 'new_token_hash', v_now, v_now + interval '10 minutes');
  return jsonb_build_object('expires_at', v_now + interval '10 minutes');
end
$$;

-- Sets the password of a session's proven phone. p: {now, ttl_ms, kiosk_idle_ms, token_hash, password}. Returns {} or
-- {error}: verification_required without a proven phone, or unless the device has proven lately who it is.
create function public.hub_sign_up(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_live jsonb;
  v_hash constant text := public.hub_hash_password(p ->> 'password');
  s public.sessions;
begin
  perform public.hub_hold_failures(p);
  v_live := public.hub_find_fresh(p);
  if v_live ? 'error' then
    return v_live;
  end if;
  select * into s from public.sessions where session_id = (v_live ->> 'session_id')::uuid;
  if s.phone is null or not s.phone_verified then
    return '{"error": "verification_required"}';
  end if;
  perform public.hub_touch(s.session_id, null, 0, p);
  delete from public.limits where key = public.hub_failure_key(s.phone);
  insert into public.passwords (phone, password_hash, owner, updated_at)
    values (s.phone, v_hash, public.hub_proven(s) - '{phone,visitor_id}'::text[], v_now)
    on conflict (phone) do update
      set password_hash = excluded.password_hash, owner = excluded.owner, updated_at = excluded.updated_at;
  return '{}';
end
$$;

-- Sets another password. p: {now, ttl_ms, kiosk_idle_ms, token_hash, password, new_password}. Returns {} or {error}.
create function public.hub_change_password(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_live jsonb;
  v_refusal jsonb;
  s public.sessions;
begin
  perform public.hub_hold_failures(p);
  v_live := public.hub_find_live(p, p);
  if v_live ? 'error' then
    return v_live;
  end if;
  select * into s from public.sessions where session_id = (v_live ->> 'session_id')::uuid;
  if s.phone is null or not s.phone_verified then
    return '{"error": "verification_required"}';
  end if;
  v_refusal := public.hub_refuse_password(s.phone, p ->> 'password', v_now);
  if v_refusal is not null then
    return v_refusal;
  end if;
  perform public.hub_touch(s.session_id, null, 0, p);
  update public.passwords set password_hash = public.hub_hash_password(p ->> 'new_password') where phone = s.phone;
  return '{}';
end
$$;

-- Proves a phone by its password. p: {now, ttl_ms, ..., phone, password, token_hash, new_token_hash, channel, limits}.
-- Returns as hub_prove_phone, or {error: password_invalid | too_many_requests}.
create function public.hub_log_in(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_wait bigint;
  v_refusal jsonb;
begin
  v_wait := public.hub_take_limits(p -> 'limits', v_now);
  if v_wait > 0 then
    return public.hub_too_many(v_wait);
  end if;
  v_refusal := public.hub_refuse_password(p ->> 'phone', p ->> 'password', v_now);
  if v_refusal is not null then
    return v_refusal;
  end if;
  return public.hub_prove_phone(p, 'password');
end
$$;

-- The devices of a session, the oldest first. p: {now, kiosk_idle_ms, token_hash | session_id}. Returns {devices:
-- [{device_id, channel, created_at, last_used_at, current}]} or {error}.
create function public.hub_devices(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_live jsonb;
begin
  v_live := public.hub_find_live(p, p);
  if v_live ? 'error' then
    return v_live;
  end if;
  return jsonb_build_object('devices', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'device_id', t.device_id, 'channel', t.channel, 'created_at', t.created_at, 'last_used_at', t.last_used_at,
      'current', coalesce(t.token_hash = p ->> 'token_hash', false)) order by t.created_at, t.device_id), '[]')
    from public.session_tokens t
    where t.session_id = (v_live ->> 'session_id')::uuid and public.hub_token_session(t.token_hash, p) is not null));
end
$$;

-- Lets a device's token die. p: {now, kiosk_idle_ms, token_hash | session_id, device_id}. Returns {token_hash}, null when
-- there is no such device, or {error}.
create function public.hub_revoke_device(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_live jsonb;
  v_hash text;
begin
  v_live := public.hub_find_live(p, p);
  if v_live ? 'error' then
    return v_live;
  end if;
  delete from public.session_tokens
    where session_id = (v_live ->> 'session_id')::uuid and device_id = (p ->> 'device_id')::uuid
    returning token_hash into v_hash;
  return jsonb_build_object('token_hash', v_hash);
end
$$;

-- Takes an identity out of a session. p: {now, ttl_ms, kiosk_idle_ms, token_hash, kind}. Returns {session}, or {error} as
-- hub_create_link.
create function public.hub_unlink(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_kind constant text := p ->> 'kind';
  v_live jsonb;
  v_phones text[];
  s public.sessions;
begin
  v_live := public.hub_find_fresh(p);
  if v_live ? 'error' then
    return v_live;
  end if;
  s := public.hub_touch((v_live ->> 'session_id')::uuid, null, 0, p);
  if public.hub_identities(s) ? v_kind then
    v_phones := array_remove(array[s.phone], null);
    if v_kind = 'phone' and s.phone_verified then
      delete from public.passwords where phone = s.phone;
    end if;
    update public.sessions
      set phone = case when v_kind = 'phone' then null else phone end,
          phone_verified = phone_verified or v_kind = 'phone',
          telegram_chat_id = case when v_kind = 'telegram_chat_id' then null else telegram_chat_id end,
          whatsapp_user_id = case when v_kind = 'whatsapp_user_id' then null else whatsapp_user_id end,
          visitor_id = case when v_kind = 'visitor_id' then null else visitor_id end,
          version = version + 1
      where session_id = s.session_id
      returning * into s;
    perform public.hub_drop_lost_addresses(s);
    perform public.hub_follow_phone(s, v_phones, v_now);
  end if;
  return jsonb_build_object('session', public.hub_session_json(s));
end
$$;
