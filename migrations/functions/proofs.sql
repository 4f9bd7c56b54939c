-- Proofs of a phone, by code and by password, and giving up an identity.

-- What another person may see of a session's customer: {session_id, channels, identities}, masked.
create or replace function hub.masked_session(s public.sessions, p_customer uuid) returns jsonb
language sql stable as $$
  select case when s.session_id is null then '{}'
      else jsonb_build_object('session_id', s.session_id, 'channels', s.channels) end
    || jsonb_build_object('identities', coalesce((
      select jsonb_object_agg(kind, hub.masked(value)) from jsonb_each_text(hub.held_identities(p_customer)) as e (kind, value)), '{}'))
$$;

-- Refuses merge_required and names both sides: the device's session, and the session or the identities of the customer
-- who has verified the phone. If no customer has, the phone alone.
create or replace function hub.ask_to_merge(s public.sessions, p_phone text, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_customer constant uuid := hub.verified_holder(jsonb_build_object('phone', p_phone), false, p_now);
  v_other jsonb := jsonb_build_object('identities', jsonb_build_object('phone', hub.masked(p_phone)));
  o public.sessions;
begin
  if v_customer is not null then
    select * into o from public.sessions where customer_key = v_customer and status = 'active' and expires_at > p_now;
    v_other := hub.masked_session(o, v_customer);
  end if;
  perform hub.refuse('merge_required', jsonb_build_object(
    'sessions', jsonb_build_array(hub.masked_session(s, s.customer_key), v_other)));
end
$$;

-- Whether the device's session is joined with the owner of a phone that was just proven. It is joined if its customer
-- has no identity of a person, or has this phone already. Otherwise it is never joined by password, at a kiosk, or long
-- after the last proof, because another person may be at the device. By code it is joined if the device agrees
-- (p_merge). Refuses merge_required while p_merge is null.
create or replace function hub.joins_phone(
  s public.sessions, t public.session_tokens, p_phone text, p_by text, p_merge boolean, p_now timestamptz) returns boolean
language plpgsql volatile as $$
declare
  v_held constant jsonb := hub.held_identities(s.customer_key);
begin
  if t.token_hash is null then
    return false;
  elsif not hub.is_somebody(v_held) or v_held ->> 'phone' = p_phone then
    return true;
  elsif p_by = 'password' or t.channel = 'kiosk' or not hub.is_fresh(t, p_now) then
    return false;
  elsif p_merge is null then
    perform hub.ask_to_merge(s, p_phone, p_now);
  end if;
  return p_merge;
end
$$;

-- Gives a device the session of the owner of a phone that was just proven, and a new token. The device's own session is
-- merged with that session if hub.joins_phone allows it. p_by: code or password. p: {now, ttl_ms, ..., phone,
-- token_hash, new_token_hash, channel, merge}. Returns {session, merged, closed, notified, deliveries}. Refuses
-- merge_required.
create or replace function hub.prove_phone(p jsonb, p_by text, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_phone constant jsonb := jsonb_build_object('phone', p -> 'phone');
  v_token constant text := p ->> 'token_hash';
  -- A token that came from a kiosk stays a kiosk's, even if the caller names another channel or the token was idle too
  -- long: so the new token still ends when it is not used.
  v_kiosk constant boolean := exists (select from public.session_tokens where token_hash = v_token and channel = 'kiosk');
  v_session uuid;
  v_held jsonb;
  v_asked boolean;
  s public.sessions;
  t public.session_tokens;
begin
  perform hub.lock_identities(v_phone);
  v_session := hub.follow(hub.token_session(v_token, c));
  perform hub.hold_people(array[v_phone], array_remove(array[v_session], null));
  select * into s from public.sessions where session_id = v_session and status = 'active' and expires_at > c.now;
  select * into t from public.session_tokens where token_hash = v_token and session_id = s.session_id;
  if hub.joins_phone(s, t, p ->> 'phone', p_by, (p ->> 'merge')::boolean, c.now) then
    v_held := hub.held_identities(s.customer_key);
    v_asked := hub.is_somebody(v_held) and v_held ->> 'phone' is distinct from p ->> 'phone';
    s := hub.active_session(hub.settle(s.customer_key, v_phone, v_token, c), c.now);
    if v_asked then
      perform hub.close_tokens(array[s.customer_key], v_token);
    end if;
  else
    s := hub.resolve(v_phone, p ->> 'channel', c);
  end if;
  s := hub.touch(s, p ->> 'channel', c);
  if t.token_hash is not null then
    perform hub.exchange_token(v_token, p ->> 'new_token_hash');
  end if;
  perform hub.give_token(p ->> 'new_token_hash', s, case when v_kiosk then 'kiosk' else p ->> 'channel' end, c.now);
  return jsonb_build_object('session', hub.session_document(s)) || hub.take_effects();
end
$$;

-- Stores a phone's code; an earlier one ends. p: {now, ..., phone, code_hash, limits: [{key, max, window_ms}]}. Returns
-- {addresses, language}: where the code can be sent, empty for an unknown phone, and in which language. Refuses too_many_requests with {retry_after_ms}.
create or replace function public.hub_request_code(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_now constant timestamptz := c.now;
  v_customer uuid;
begin
  perform hub.lock_keys(hub.limit_keys(p -> 'limits'));
  perform hub.take_limits(p -> 'limits', v_now);
  insert into public.codes (phone, code_hash, created_at, expires_at)
    values (p ->> 'phone', p ->> 'code_hash', v_now, v_now + hub.code_lives())
    on conflict (phone) do update
      set code_hash = excluded.code_hash, attempts = 0, created_at = excluded.created_at, expires_at = excluded.expires_at;
  select customer_key into v_customer
    from public.identities where kind = 'phone' and value = p ->> 'phone' and verified_at is not null;
  return jsonb_build_object('addresses', hub.known_addresses(v_customer), 'language', hub.language_of(v_customer, c));
end
$$;

-- Proves a phone by its code. p: {now, ttl_ms, ..., phone, code_hash, token_hash, new_token_hash, channel, merge}.
-- Returns as prove_phone. A wrong code returns {error: code_invalid} instead of raising, because its try is counted.
-- Refuses merge_required; the code then stays valid.
create or replace function public.hub_confirm_code(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_result jsonb;
  k public.codes;
begin
  perform hub.lock_keys(array['confirm:' || (p ->> 'phone')]);
  select * into k from public.codes where phone = p ->> 'phone';
  if k.phone is null or k.expires_at <= c.now or k.attempts >= hub.code_tries() then
    return '{"error": "code_invalid"}';
  elsif k.code_hash <> p ->> 'code_hash' then
    update public.codes set attempts = attempts + 1 where phone = k.phone;
    return '{"error": "code_invalid"}';
  end if;
  v_result := hub.prove_phone(p, 'code', c);
  delete from public.codes where phone = k.phone;
  return v_result;
end
$$;

-- Takes an identity from the customer of a device's session. p: {now, ttl_ms, kiosk_idle_ms, token_hash, kind}. Returns
-- {session, removed: {kind, value} | null}. Refuses as find_fresh.
create or replace function public.hub_unlink(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_session constant uuid := hub.follow(hub.token_session(p ->> 'token_hash', c));
  v_removed jsonb;
  s public.sessions;
  i public.identities;
begin
  select x.* into i
    from public.sessions w join public.identities x using (customer_key)
    where w.session_id = v_session and x.kind = p ->> 'kind';
  if found then
    perform hub.lock_identities(jsonb_build_object(i.kind, i.value));
    perform hub.hold_people(array[jsonb_build_object(i.kind, i.value)], array[v_session]);
  end if;
  s := hub.touch(hub.find_fresh(p ->> 'token_hash', c), null, c);
  if hub.holder_of(i.kind, i.value) = s.customer_key then
    perform hub.drop_identity(i.kind, i.value);
    v_removed := jsonb_build_object('kind', i.kind, 'value', i.value);
    update public.sessions set version = version + 1 where session_id = s.session_id returning * into s;
  end if;
  return jsonb_build_object('session', hub.session_document(s), 'removed', v_removed);
end
$$;
