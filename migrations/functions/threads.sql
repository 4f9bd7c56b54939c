-- Memory for bots and tools. A thread is alive until its expiry or until the sweep has emptied it, whichever comes first: the
-- clocks of two callers may differ.

-- A thread as a caller sees it: {thread_id, user_id, data, metadata, ttl_ms, version, created_at, updated_at, expires_at}; data
-- and metadata are texts that hold JSON.
create or replace function hub.thread_json(t public.threads) returns jsonb
language sql stable as $$
  select to_jsonb(t) - 'ttl' - 'expiry_check_at' || jsonb_build_object('ttl_ms', hub.ms('epoch', 'epoch'::timestamptz + t.ttl))
$$;

create or replace function hub.thread_is_alive(t public.threads, p_now timestamptz) returns boolean
language sql stable as $$
  select t.data is not null and t.expires_at > p_now
$$;

-- Refuses a call on a thread that is not alive: thread_expired while its row is there, else thread_not_found.
create or replace function hub.refuse_thread(p_thread text) returns void
language plpgsql stable as $$
begin
  perform hub.refuse(case
    when exists (select from public.threads where thread_id = p_thread) then 'thread_expired' else 'thread_not_found' end);
end
$$;

-- The first version of a new thread. It is higher than that of the row's earlier thread, so that no version comes twice.
create or replace function hub.first_version(p_before bigint, p_now timestamptz) returns bigint
language sql stable as $$
  select greatest(p_before + 1, (extract(epoch from p_now) * 1000)::bigint)
$$;

-- Writes a thread, alive or new. data is replaced as a whole; user_id, metadata and ttl_ms are unchanged if p has no such key,
-- and removed if it is null. If nothing would change, only the expiry slides, and if_version is not compared: so a call may
-- be delivered twice. p: {now, thread_id, data: text, metadata: text, user_id, ttl_ms, standard_ttl_ms, if_version}.
-- Returns {thread, created}. Refuses version_conflict unless if_version is the thread's version; 0 says that none is alive.
create or replace function public.hub_put_thread(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_standard constant interval := (p ->> 'standard_ttl_ms')::bigint * interval '1 millisecond';
  v_given constant interval := (p ->> 'ttl_ms')::bigint * interval '1 millisecond';
  t public.threads;
  n public.threads;
  v_was_alive boolean;
begin
  select * into t from public.threads where thread_id = p ->> 'thread_id' for update;
  v_was_alive := found and hub.thread_is_alive(t, v_now);
  if v_was_alive then
    n := t;
  else
    n.thread_id := p ->> 'thread_id';
    n.metadata := '{}';
    n.ttl := v_standard;
    n.version := hub.first_version(coalesce(t.version, 0), v_now);
    n.created_at := v_now;
  end if;
  n.data := p ->> 'data';
  if p ? 'metadata' then
    n.metadata := coalesce(p ->> 'metadata', '{}');
  end if;
  if p ? 'user_id' then
    n.user_id := p ->> 'user_id';
  end if;
  if p ? 'ttl_ms' then
    n.ttl := coalesce(v_given, v_standard);
  end if;
  if v_was_alive and n = t then
    update public.threads set expires_at = greatest(expires_at, v_now + ttl) where thread_id = t.thread_id returning * into n;
    return jsonb_build_object('thread', hub.thread_json(n), 'created', false);
  end if;
  if (p ->> 'if_version')::bigint <> (case when v_was_alive then t.version else 0 end) then
    perform hub.refuse('version_conflict');
  end if;
  if octet_length(n.data) + octet_length(n.metadata) > hub.thread_bytes() then
    perform hub.refuse('payload_too_large');
  end if;
  if v_was_alive then
    n.version := t.version + 1;
  end if;
  n.updated_at := v_now;
  n.expires_at := v_now + n.ttl;
  -- A shorter ttl_ms may move the expiry to an earlier time.
  n.expiry_check_at := case when v_was_alive then least(t.expiry_check_at, n.expires_at) else n.expires_at end;
  if t.thread_id is null then
    insert into public.threads select n.*;
  else
    update public.threads
      set user_id = n.user_id, data = n.data, metadata = n.metadata, ttl = n.ttl, version = n.version, created_at = n.created_at,
          updated_at = n.updated_at, expires_at = n.expires_at, expiry_check_at = n.expiry_check_at
      where thread_id = n.thread_id;
  end if;
  return jsonb_build_object('thread', hub.thread_json(n), 'created', not v_was_alive);
end
$$;

-- Reads a thread and slides its expiry. p: {now, thread_id}. Returns {thread}. Refuses thread_not_found, thread_expired.
create or replace function public.hub_thread(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  t public.threads;
begin
  update public.threads x
    set expires_at = greatest(expires_at, v_now + ttl)
    where thread_id = p ->> 'thread_id' and hub.thread_is_alive(x, v_now)
    returning * into t;
  if not found then
    perform hub.refuse_thread(p ->> 'thread_id');
  end if;
  return jsonb_build_object('thread', hub.thread_json(t));
end
$$;

-- Deletes a thread. p: {now, thread_id, if_version}. Returns {deleted}: whether it was alive. Refuses version_conflict as
-- hub_put_thread.
create or replace function public.hub_delete_thread(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  t public.threads;
  v_was_alive boolean;
begin
  select * into t from public.threads where thread_id = p ->> 'thread_id' for update;
  v_was_alive := found and hub.thread_is_alive(t, (p ->> 'now')::timestamptz);
  if (p ->> 'if_version')::bigint <> (case when v_was_alive then t.version else 0 end) then
    perform hub.refuse('version_conflict');
  end if;
  delete from public.threads where thread_id = p ->> 'thread_id';
  return jsonb_build_object('deleted', v_was_alive);
end
$$;

-- One page of a user's threads that are alive, the newest first, without documents. No expiry slides. p: {now, user_id, after,
-- limit}. Returns {threads: [{..., bytes}], after}; after is null on the last page.
create or replace function public.hub_threads(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_limit constant integer := (p ->> 'limit')::int;
  v_at constant timestamptz := 'epoch'::timestamptz + split_part(p ->> 'after', '.', 1)::bigint * interval '1 millisecond';
  v_after constant text := substr(p ->> 'after', strpos(p ->> 'after', '.') + 1);
  v_page jsonb;
  v_last jsonb;
begin
  select coalesce(jsonb_agg(
      hub.thread_json(t) - 'data' - 'metadata' || jsonb_build_object('bytes', octet_length(t.data) + octet_length(t.metadata))
      order by t.created_at desc, t.thread_id), '[]')
    into v_page
    from (
      select * from public.threads x
      where user_id = p ->> 'user_id' and hub.thread_is_alive(x, v_now)
        and (v_after is null or created_at < v_at or created_at = v_at and thread_id > v_after)
      order by created_at desc, thread_id
      limit v_limit + 1
    ) t;
  if jsonb_array_length(v_page) <= v_limit then
    return jsonb_build_object('threads', v_page, 'after', null);
  end if;
  v_last := v_page -> (v_limit - 1);
  return jsonb_build_object('threads', v_page - v_limit, 'after',
    hub.ms('epoch', (v_last ->> 'created_at')::timestamptz) || '.' || (v_last ->> 'thread_id'));
end
$$;

-- A user's threads for an export, expired ones too, in the order of their ids. No expiry slides. p: {user_id,
-- after, limit}. Returns {threads}.
create or replace function public.hub_threads_kept(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('threads', coalesce(jsonb_agg(hub.thread_json(t) order by t.thread_id), '[]'))
  from (
    select * from public.threads
    where user_id = p ->> 'user_id' and (p ->> 'after' is null or thread_id > p ->> 'after')
    order by thread_id limit (p ->> 'limit')::int
  ) t
$$;

-- Deletes all threads of users, expired ones too.
create or replace function hub.erase_threads(p_users text[]) returns void
language plpgsql volatile as $$
begin
  perform 1 from public.threads where user_id = any (p_users) order by thread_id for update;
  delete from public.threads where user_id = any (p_users);
end
$$;

-- Called when customers become one: their threads get the customer_id that stays. Their versions rise, so that a write with
-- an old version cannot restore the old user_id.
create or replace function hub.move_threads(p_into uuid, p_others uuid[]) returns void
language plpgsql volatile as $$
declare
  v_gone constant text[] := array(select customer_id from public.customers where customer_key = any (p_others));
  v_name constant text := coalesce(
    (select customer_id from public.customers where customer_key = p_into), (select max(n) from unnest(v_gone) as n));
begin
  perform 1 from public.threads where user_id = any (v_gone) and user_id <> v_name order by thread_id for update;
  update public.threads set user_id = v_name, version = version + 1 where user_id = any (v_gone) and user_id <> v_name;
end
$$;

-- Empties threads past their expiry, and deletes those that expired more than expired_thread_days() ago. At most p_limit. Locked
-- threads are left for the next sweep.
create or replace function hub.expire_threads(p_limit integer, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_kept constant interval := hub.expired_thread_days() * interval '1 day';
  t public.threads;
begin
  for t in
    select * from public.threads
    where expiry_check_at <= p_now
    order by expiry_check_at
    limit p_limit
    for update skip locked
  loop
    if hub.thread_is_alive(t, p_now) then
      update public.threads set expiry_check_at = expires_at where thread_id = t.thread_id;
    elsif t.expires_at + v_kept <= p_now then
      delete from public.threads where thread_id = t.thread_id;
    else
      update public.threads set data = null, metadata = null, expiry_check_at = expires_at + v_kept where thread_id = t.thread_id;
    end if;
  end loop;
end
$$;
