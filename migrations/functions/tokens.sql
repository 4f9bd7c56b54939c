-- The devices that hold a session, by their tokens.

-- The session of a live token. Null when there is no such token, or when it is a kiosk's that was idle too long.
create or replace function hub.token_session(p_token_hash text, c hub.context) returns uuid
language sql stable as $$
  select session_id from public.session_tokens
  where token_hash = p_token_hash and (channel <> 'kiosk' or c.kiosk_idle is null or last_used_at + c.kiosk_idle > c.now)
$$;

-- The session that a bot has ended a moment ago, by one of its tokens. Null when there is none.
create or replace function hub.session_of_goodbye(p_token_hash text, p_now timestamptz) returns public.sessions
language sql stable as $$
  select s.* from public.ended_tokens t join public.sessions s on s.session_id = t.session_id
  where t.token_hash = p_token_hash and t.readable_until > p_now and s.status = 'logged_out'
$$;

-- The active session that a token or an id stands for, with its row locked. The use of the token is recorded. With
-- p_then the context's instant is an earlier one, and a session that was marked as expired since counts as active until
-- its expiry. Refuses session_not_found and session_expired.
create or replace function hub.find_live(p_token_hash text, p_session uuid, c hub.context, p_then boolean default false)
returns public.sessions
language plpgsql volatile as $$
declare
  v_id constant uuid := hub.follow(case when p_token_hash is null then p_session else hub.token_session(p_token_hash, c) end);
  s public.sessions;
  t public.session_tokens;
begin
  select * into s from public.sessions where session_id = v_id for update;
  if s.merged_into is not null then
    raise exception 'the session has just merged' using errcode = 'serialization_failure';
  elsif s.status in ('active', 'expired') and (s.expires_at <= c.now or (s.status = 'expired' and not p_then)) then
    perform hub.refuse('session_expired');
  elsif s.status is null or s.status not in ('active', 'expired') then
    perform hub.refuse('session_not_found');
  end if;
  if p_token_hash is not null then
    -- While this call waited for the session's lock, a sign-out or another proof may have ended the token.
    select * into t from public.session_tokens where token_hash = p_token_hash;
    if t.session_id is distinct from s.session_id then
      perform hub.refuse('session_not_found');
    end if;
    if t.last_used_at + (case t.channel when 'kiosk' then interval '1 second' else interval '15 seconds' end) <= c.now then
      update public.session_tokens set last_used_at = c.now where token_hash = p_token_hash;
    end if;
  end if;
  return s;
end
$$;

-- Whether the last proof on the device is recent. Only then may the device make changes that outlast its token.
create or replace function hub.is_fresh(t public.session_tokens, p_now timestamptz) returns boolean
language sql stable as $$
  select t.confirmed_at + hub.fresh_for() > p_now
$$;

-- As find_live, by a token. Refuses verification_required if the session's customer has a verified identity of a person
-- and the last proof on the device is not recent.
create or replace function hub.find_fresh(p_token_hash text, c hub.context) returns public.sessions
language plpgsql volatile as $$
declare
  s public.sessions := hub.find_live(p_token_hash, null, c);
  t public.session_tokens;
begin
  select * into t from public.session_tokens where token_hash = p_token_hash;
  if hub.is_somebody(hub.held_identities(s.customer_key)) and not hub.is_fresh(t, c.now) then
    perform hub.refuse('verification_required');
  end if;
  return s;
end
$$;

-- Gives a device a token for this session; a known token moves to this session. If the session's customer has verified
-- identities, call it only after a proof, or for a trusted caller.
create or replace function hub.give_token(p_token_hash text, s public.sessions, p_channel text, p_now timestamptz) returns void
language sql volatile as $$
  insert into public.session_tokens (token_hash, session_id, channel, created_at, last_used_at, confirmed_at)
    values (p_token_hash, s.session_id, coalesce(p_channel, s.channel), p_now, p_now, p_now)
    on conflict (token_hash) do update
      set session_id = excluded.session_id, channel = excluded.channel, last_used_at = excluded.last_used_at,
          confirmed_at = excluded.confirmed_at
$$;

-- Replaces a device's token by a new one. Link tokens that were made with the old one are deleted.
create or replace function hub.exchange_token(p_token_hash text, p_new_token_hash text) returns void
language plpgsql volatile as $$
begin
  delete from public.session_tokens where token_hash = p_new_token_hash;
  update public.session_tokens set token_hash = p_new_token_hash where token_hash = p_token_hash;
  delete from public.links where token_hash = p_token_hash;
  perform hub.add_effect('closed', jsonb_build_array(p_token_hash));
end
$$;

-- The devices of a session, oldest first. p: {now, kiosk_idle_ms, token_hash | session_id}. Returns {devices:
-- [{device_id, channel, created_at, last_used_at, current}]}. Refuses session_not_found and session_expired.
create or replace function public.hub_devices(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  s constant public.sessions := hub.find_live(p ->> 'token_hash', (p ->> 'session_id')::uuid, c);
begin
  return jsonb_build_object('devices', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'device_id', t.device_id, 'channel', t.channel, 'created_at', t.created_at, 'last_used_at', t.last_used_at,
      'current', coalesce(t.token_hash = p ->> 'token_hash', false)) order by t.created_at, t.device_id), '[]')
    from public.session_tokens t
    where t.session_id = s.session_id and hub.token_session(t.token_hash, c) is not null));
end
$$;

-- Deletes a device's token. p: {now, kiosk_idle_ms, token_hash | session_id, device_id}. Returns {token_hash}, null
-- when there is no such device. Refuses session_not_found and session_expired.
create or replace function public.hub_revoke_device(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  s constant public.sessions := hub.find_live(p ->> 'token_hash', (p ->> 'session_id')::uuid, hub.context_of(p));
  v_hash text;
begin
  delete from public.session_tokens
    where session_id = s.session_id and device_id = (p ->> 'device_id')::uuid
    returning token_hash into v_hash;
  return jsonb_build_object('token_hash', v_hash);
end
$$;

-- Deletes one device's token; the session stays active. p: {token_hash}. Returns {signed_out}: whether there was such a
-- token.
create or replace function public.hub_sign_out(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from public.session_tokens where token_hash = p ->> 'token_hash';
  return jsonb_build_object('signed_out', found);
end
$$;
