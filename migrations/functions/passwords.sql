-- Passwords. A password belongs to a verified phone and moves with it. TypeScript passes the password's SHA-256; bcrypt
-- is done here.

-- check_password is made with the schema in which pgcrypto is installed, which differs between databases.
do $$
declare
  v_schema constant text := (
    select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pgcrypto');
begin
  execute format($sql$
    create or replace function hub.hash_password(p_password text) returns text
    language sql volatile as 'select %1$I.crypt(p_password, %1$I.gen_salt(''bf'', 10))'
  $sql$, v_schema);
  -- Without a hash check_password takes as long, and returns false.
  execute format($sql$
    create or replace function hub.check_password(p_password text, p_hash text) returns boolean
    language sql volatile as
      'select %1$I.crypt(p_password, coalesce(p_hash, ''$2a$10$0000000000000000000000''))
        is not distinct from coalesce(p_hash, ''none'')'
  $sql$, v_schema);
end
$$;

-- The key under which wrong passwords of a phone are counted; the phone may be unknown.
create or replace function hub.failure_key(p_phone text) returns text
language sql immutable parallel safe as $$
  select 'password:' || encode(sha256(convert_to(p_phone, 'UTF8')), 'hex')
$$;

-- Refuses too_many_requests while a phone is locked. The caller has locked its failure key.
create or replace function hub.refuse_locked(p_phone text, p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  perform hub.refuse_until(ends_at, p_now) from public.rate_limits where key = hub.failure_key(p_phone) and count >= 5;
end
$$;

-- Whether the password is the phone's. An unknown phone takes as long as a wrong password. A wrong one is counted: the
-- fifth locks the phone for a minute, each further one for twice as long, at most for an hour. The caller has locked
-- the failure key.
create or replace function hub.passes(p_phone text, p_password text, p_now timestamptz) returns boolean
language plpgsql volatile as $$
declare
  v_key constant text := hub.failure_key(p_phone);
  v_hash constant text := (select password_hash from public.passwords where phone = p_phone);
  v_count integer;
begin
  if hub.check_password(p_password, v_hash) then
    delete from public.rate_limits where key = v_key;
    update public.passwords set updated_at = p_now where phone = p_phone;
    return true;
  end if;
  select count into v_count from public.rate_limits where key = v_key and ends_at + interval '24 hours' > p_now;
  v_count := coalesce(v_count, 0) + 1;
  insert into public.rate_limits (key, count, ends_at)
    values (v_key, v_count, p_now
      + case when v_count < 5 then interval '0' else least(60, 2 ^ (least(v_count, 20) - 5)) * interval '1 minute' end)
    on conflict (key) do update set count = excluded.count, ends_at = excluded.ends_at;
  return false;
end
$$;

-- The phone of a device's session; null when there is none. Its failure key is locked, before the caller locks the
-- session.
create or replace function hub.hold_failures(p_token_hash text, c hub.context) returns text
language plpgsql volatile as $$
declare
  v_phone constant text := (
    select i.value from public.sessions s join public.identities i using (customer_key)
    where s.session_id = hub.follow(hub.token_session(p_token_hash, c)) and i.kind = 'phone' and i.verified_at is not null);
begin
  perform hub.lock_keys(array_remove(array[hub.failure_key(v_phone)], null));
  return v_phone;
end
$$;

-- Refuses verification_required unless the session's customer has this verified phone.
create or replace function hub.refuse_other_phone(s public.sessions, p_phone text) returns void
language plpgsql stable as $$
begin
  if p_phone is null or hub.held_identities(s.customer_key) ->> 'phone' is distinct from p_phone then
    perform hub.refuse('verification_required');
  end if;
end
$$;

-- Sets the password of the verified phone of a device's session. The slow hash is computed before any lock is taken,
-- and only for a live token. p: {now, ttl_ms, kiosk_idle_ms, token_hash, password}. Returns {}. Refuses as find_fresh,
-- and verification_required without a verified phone.
create or replace function public.hub_sign_up(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_hash constant text := case
    when hub.token_session(p ->> 'token_hash', c) is not null then hub.hash_password(p ->> 'password') end;
  v_phone constant text := hub.hold_failures(p ->> 'token_hash', c);
  s constant public.sessions := hub.find_fresh(p ->> 'token_hash', c);
begin
  perform hub.refuse_other_phone(s, v_phone);
  perform hub.touch(s, null, c);
  delete from public.rate_limits where key = hub.failure_key(v_phone);
  insert into public.passwords (phone, password_hash, updated_at) values (v_phone, v_hash, c.now)
    on conflict (phone) do update set password_hash = excluded.password_hash, updated_at = excluded.updated_at;
  return '{}';
end
$$;

-- Replaces a password. p: {now, ttl_ms, kiosk_idle_ms, token_hash, password, new_password}. Returns {}. A wrong
-- password returns {error: password_invalid} instead of raising, because its try is counted. Refuses as find_live,
-- verification_required without a verified phone, and too_many_requests.
create or replace function public.hub_change_password(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_phone constant text := hub.hold_failures(p ->> 'token_hash', c);
  s constant public.sessions := hub.find_live(p ->> 'token_hash', null, c);
begin
  perform hub.refuse_other_phone(s, v_phone);
  perform hub.refuse_locked(v_phone, c.now);
  if not hub.passes(v_phone, p ->> 'password', c.now) then
    return '{"error": "password_invalid"}';
  end if;
  perform hub.touch(s, null, c);
  update public.passwords set password_hash = hub.hash_password(p ->> 'new_password') where phone = v_phone;
  return '{}';
end
$$;

-- Proves a phone by its password. p: {now, ttl_ms, ..., phone, password, token_hash, new_token_hash, channel, limits}.
-- Returns as prove_phone. A wrong password returns {error: password_invalid} instead of raising, because its try is
-- counted. Refuses too_many_requests.
create or replace function public.hub_log_in(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_phone constant text := p ->> 'phone';
begin
  perform hub.lock_keys(hub.limit_keys(p -> 'limits') || hub.failure_key(v_phone));
  perform hub.refuse_locked(v_phone, c.now);
  perform hub.take_limits(p -> 'limits', c.now);
  if not hub.passes(v_phone, p ->> 'password', c.now) then
    return '{"error": "password_invalid"}';
  end if;
  return hub.prove_phone(p, 'password', c);
end
$$;
