-- The people of the shop: users, and the tokens with which they are signed in. Each call of the desk has the hash of a token in
-- p.staff; hub.staff checks it in the same transaction, so a user who is disabled opens nothing from that moment on.

-- Who is signed in with a token, null for an unknown, expired or long unused one, and for a disabled user. last_used_at is moved once a
-- minute.
create or replace function hub.staff_at(p_token_hash text, p_now timestamptz) returns public.users
language plpgsql volatile as $$
declare
  t public.staff_tokens;
  u public.users;
begin
  select * into t from public.staff_tokens
    where token_hash = p_token_hash and expires_at > p_now and last_used_at > p_now - hub.staff_idle_for();
  if t.token_hash is null then
    return null;
  end if;
  select * into u from public.users where user_id = t.user_id and not disabled;
  if u.user_id is not null and t.last_used_at <= p_now - interval '1 minute' then
    update public.staff_tokens set last_used_at = p_now where token_hash = p_token_hash and last_used_at < p_now;
  end if;
  return u;
end
$$;

-- The caller at the desk. p: {now, staff}. Refuses unauthorized, and forbidden for an agent where p_admin.
create or replace function hub.staff(p jsonb, p_admin boolean default false) returns public.users
language plpgsql volatile as $$
declare
  u constant public.users := hub.staff_at(p ->> 'staff', (p ->> 'now')::timestamptz);
begin
  if u.user_id is null then
    perform hub.refuse('unauthorized');
  elsif p_admin and u.role <> 'admin' then
    perform hub.refuse('forbidden');
  end if;
  return u;
end
$$;

create or replace function hub.user_json(u public.users) returns jsonb
language sql stable parallel safe as $$
  select jsonb_build_object(
    'user_id', u.user_id, 'email', u.email, 'name', u.name, 'role', u.role, 'disabled', u.disabled, 'version', u.version,
    'created_at', u.created_at, 'updated_at', u.updated_at)
$$;

-- A colleague as others see them: {user_id, name}; null for null.
create or replace function hub.colleague(p_user uuid) returns jsonb
language sql stable as $$
  select case when p_user is not null then coalesce(
    (select jsonb_build_object('user_id', user_id, 'name', name) from public.users where user_id = p_user),
    jsonb_build_object('user_id', p_user, 'name', '')) end
$$;

-- The name in the audit and of a message's author.
create or replace function hub.staff_name(p_user uuid) returns text
language sql immutable parallel safe as $$ select 'user:' || p_user $$;

-- Signs a person in whose e-mail the caller has verified. p: {now, email, auth_id, token_hash}; auth_id is their id where they were
-- verified, and is bound to the user at the first time. Returns {user, expires_at}, or {error: unauthorized} for somebody who is no
-- enabled user.
create or replace function public.hub_staff_sign_in(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  u public.users;
begin
  select * into u from public.users where email = lower(p ->> 'email') for update;
  if u.user_id is null or u.disabled or u.auth_id <> p ->> 'auth_id' then
    return '{"error": "unauthorized"}';
  end if;
  if u.auth_id is null and p ->> 'auth_id' is not null then
    update public.users set auth_id = p ->> 'auth_id' where user_id = u.user_id;
  end if;
  delete from public.staff_tokens where user_id = u.user_id and (expires_at <= v_now or last_used_at <= v_now - hub.staff_idle_for());
  insert into public.staff_tokens (token_hash, user_id, created_at, last_used_at, expires_at)
    values (p ->> 'token_hash', u.user_id, v_now, v_now, v_now + hub.staff_lives());
  perform hub.add_audit(hub.staff_name(u.user_id), 'staff.sign_in', 'user:' || u.user_id, '{}', v_now);
  return jsonb_build_object('user', hub.user_json(u), 'expires_at', v_now + hub.staff_lives());
end
$$;

-- Who is signed in. p: {now, staff}. Returns {user}. Refuses unauthorized.
create or replace function public.hub_staff(p jsonb) returns jsonb
language sql volatile security definer set search_path = '' as $$
  select jsonb_build_object('user', hub.user_json(hub.staff(p)))
$$;

-- Signs out. p: {now, staff}. Returns {}.
create or replace function public.hub_staff_sign_out(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid;
begin
  delete from public.staff_tokens where token_hash = p ->> 'staff' returning user_id into v_user;
  delete from public.presences where user_id = v_user;
  return '{}';
end
$$;

-- Who changes users: an admin key (p.actor), or an admin who is signed in (p.staff). Returns the name for the audit.
create or replace function hub.user_admin(p jsonb) returns text
language sql volatile as $$
  select coalesce(p ->> 'actor', hub.staff_name((hub.staff(p, true)).user_id))
$$;

-- All users by name. p: {now, actor | staff}. Any of the staff may read them. Returns {users}.
create or replace function public.hub_users(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  if p ->> 'actor' is null then
    perform hub.staff(p);
  end if;
  return jsonb_build_object('users', (
    select coalesce(jsonb_agg(hub.user_json(u) order by u.name, u.user_id), '[]') from public.users u));
end
$$;

-- Adds a user. p: {now, actor | staff, email, name, role}. Returns {user}. Refuses user_exists.
create or replace function public.hub_add_user(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_actor constant text := hub.user_admin(p);
  v_now constant timestamptz := p ->> 'now';
  u public.users;
begin
  insert into public.users (user_id, email, name, role, created_at, updated_at)
    values (hub.uuid(v_now), lower(p ->> 'email'), p ->> 'name', p ->> 'role', v_now, v_now)
    on conflict do nothing
    returning * into u;
  if u.user_id is null then
    perform hub.refuse('user_exists');
  end if;
  perform hub.add_audit(v_actor, 'user.add', 'user:' || u.user_id, jsonb_build_object('role', u.role), v_now);
  return jsonb_build_object('user', hub.user_json(u));
end
$$;

-- Changes a user. p: {now, actor | staff, user_id, changes: {name, role, disabled}, if_version}. One who is disabled is signed out, and
-- their conversations wait for somebody else; their customers are held first. Returns {user}. Refuses not_found and version_conflict.
create or replace function public.hub_update_user(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_actor constant text := hub.user_admin(p);
  v_now constant timestamptz := p ->> 'now';
  v_changes constant jsonb := p -> 'changes';
  v_held uuid[] := '{}';
  u public.users;
begin
  if (v_changes ->> 'disabled')::boolean then
    v_held := array(select customer_key from public.conversations where user_id = (p ->> 'user_id')::uuid);
    perform hub.hold_people(array(select jsonb_build_object('customer_key', k) from unnest(v_held) as k));
  end if;
  select * into u from public.users where user_id = (p ->> 'user_id')::uuid for update;
  if u.user_id is null then
    perform hub.refuse('not_found');
  elsif (p ->> 'if_version')::int <> u.version then
    perform hub.refuse('version_conflict');
  end if;
  update public.users
    set name = coalesce(v_changes ->> 'name', name), role = coalesce(v_changes ->> 'role', role),
        disabled = coalesce((v_changes ->> 'disabled')::boolean, disabled), version = version + 1, updated_at = v_now
    where user_id = u.user_id
    returning * into u;
  if u.disabled then
    delete from public.staff_tokens where user_id = u.user_id;
    delete from public.presences where user_id = u.user_id;
    if exists (select from public.conversations where user_id = u.user_id and customer_key <> all (v_held)) then
      raise exception 'the user has just taken a conversation' using errcode = 'serialization_failure';
    end if;
    perform hub.leave_conversations(u.user_id, v_now);
  end if;
  perform hub.add_audit(v_actor, 'user.change', 'user:' || u.user_id,
    (select coalesce(jsonb_object_agg(key, value) filter (where key <> 'name'), '{}') from jsonb_each(v_changes)), v_now);
  return jsonb_build_object('user', hub.user_json(u));
end
$$;

-- The conversations of a user who is gone wait for somebody else. Each goes on waiting from now, if nobody waited for an answer.
create or replace function hub.leave_conversations(p_user uuid, p_now timestamptz) returns void
language sql volatile as $$
  update public.conversations
    set holder = 'waiting', user_id = null, waiting_since = coalesce(waiting_since, p_now), version = version + 1, updated_at = now()
    where user_id = p_user
$$;

-- Deletes tokens that are over. At most p_limit; locked ones are left to the next sweep.
create or replace function hub.expire_staff(p_limit integer, p_now timestamptz) returns void
language sql volatile as $$
  delete from public.staff_tokens where token_hash in (
    select token_hash from public.staff_tokens where expires_at <= p_now order by expires_at limit p_limit for update skip locked);
$$;
