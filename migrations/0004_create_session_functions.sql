-- Who somebody is: finding, opening and merging sessions. Called by the functions of the next files, never by the
-- hub itself. The rules are those of src/stores/memory/people.ts, line by line.

-- A UUID version 7 of the given instant: new rows land at the end of their indexes.
create function public.hub_uuid(p_now timestamptz) returns uuid
language sql volatile parallel safe set search_path = '' as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from p_now) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$$;

-- The session as the outside may see it: the row without what never leaves the database.
create function public.hub_session_json(s public.sessions) returns jsonb
language sql stable parallel safe set search_path = '' as $$
  select to_jsonb(s) - '{channels_since,unreachable,expiry_check_at}'::text[]
$$;

-- JSON merge patch (RFC 7396): null removes, objects merge, the rest replaces.
create function public.hub_merge_patch(p_target jsonb, p_patch jsonb) returns jsonb
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  v_key text;
  v_value jsonb;
  v_result jsonb := case when jsonb_typeof(p_target) = 'object' then p_target else '{}'::jsonb end;
begin
  if jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;
  for v_key, v_value in select key, value from jsonb_each(p_patch) loop
    if v_value = 'null'::jsonb then
      v_result := v_result - v_key;
    else
      v_result := jsonb_set(v_result, array[v_key], public.hub_merge_patch(v_result -> v_key, v_value));
    end if;
  end loop;
  return v_result;
end
$$;

-- One transaction at a time per identity, taken in sorted order so that two of them never wait for each other.
create function public.hub_lock_identities(p_people jsonb[]) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_key bigint;
begin
  for v_key in
    select distinct hashtextextended(e.key || ':' || e.value, 0)
    from unnest(p_people) as person, jsonb_each_text(person) as e
    order by 1
  loop
    perform pg_advisory_xact_lock(v_key);
  end loop;
end
$$;

-- Locks the active sessions of all these identities, in one order whatever the order of what came in.
create function public.hub_lock_sessions(p_people jsonb[]) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform 1 from public.sessions s
    where s.status = 'active' and s.session_id in (
      select session_id from public.sessions x, unnest(p_people) i where x.status = 'active' and x.telegram_chat_id = i ->> 'telegram_chat_id'
      union all
      select session_id from public.sessions x, unnest(p_people) i where x.status = 'active' and x.whatsapp_user_id = i ->> 'whatsapp_user_id'
      union all
      select session_id from public.sessions x, unnest(p_people) i where x.status = 'active' and x.phone = i ->> 'phone'
      union all
      select session_id from public.sessions x, unnest(p_people) i where x.status = 'active' and x.visitor_id = i ->> 'visitor_id')
    order by s.session_id
    for update;
end
$$;

-- The identities that a session holds.
create function public.hub_identities(s public.sessions) returns jsonb
language sql stable parallel safe set search_path = '' as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'telegram_chat_id', s.telegram_chat_id, 'whatsapp_user_id', s.whatsapp_user_id, 'phone', s.phone, 'visitor_id', s.visitor_id))
$$;

-- The active session of one identity, locked; null when there is none. One past its expiry is marked so and not found.
create function public.hub_find_active(p_kind text, p_value text, p_now timestamptz) returns public.sessions
language plpgsql volatile set search_path = '' as $$
declare
  v_id uuid;
  s public.sessions;
begin
  loop
    case p_kind
      when 'telegram_chat_id' then
        select session_id into v_id from public.sessions where telegram_chat_id = p_value and status = 'active';
      when 'whatsapp_user_id' then
        select session_id into v_id from public.sessions where whatsapp_user_id = p_value and status = 'active';
      when 'phone' then
        select session_id into v_id from public.sessions where phone = p_value and status = 'active';
      when 'visitor_id' then
        select session_id into v_id from public.sessions where visitor_id = p_value and status = 'active';
      else
        return null;
    end case;
    if v_id is null then
      return null;
    end if;
    select * into s from public.sessions where session_id = v_id for update;
    exit when s.status = 'active' and public.hub_identities(s) ->> p_kind = p_value;
    -- While we waited for the row, a merge brought the identity into another session: look again.
  end loop;
  if s.expires_at <= p_now then
    update public.sessions
      set status = 'expired', ended_at = p_now, updated_at = p_now, version = version + 1
      where session_id = s.session_id;
    return null;
  end if;
  return s;
end
$$;

-- The identity kinds, strongest first.
create function public.hub_identity_kinds() returns text[]
language sql immutable parallel safe set search_path = '' as $$
  select '{telegram_chat_id,whatsapp_user_id,phone,visitor_id}'::text[]
$$;

-- The first active session that any of the identities finds, strongest first; null when none does.
create function public.hub_find_person(p_identities jsonb, p_now timestamptz) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  v_kind text;
  s public.sessions;
begin
  foreach v_kind in array public.hub_identity_kinds() loop
    if p_identities ? v_kind then
      s := public.hub_find_active(v_kind, p_identities ->> v_kind, p_now);
      if s.session_id is not null then
        return s.session_id;
      end if;
    end if;
  end loop;
  return null;
end
$$;

-- Merges the younger session into the survivor. Both are locked. Nothing is deleted.
create function public.hub_merge_sessions(p_survivor uuid, p_younger uuid, p_now timestamptz) returns void
language plpgsql volatile set search_path = '' as $$
declare
  y public.sessions;
  v_channels text[];
  v_since timestamptz[];
begin
  update public.sessions
    set status = 'merged', merged_into = p_survivor, ended_at = p_now, updated_at = p_now, version = version + 1
    where session_id = p_younger
    returning * into y;

  select array_agg(u.channel order by u.since, u.side, u.place), array_agg(u.since order by u.since, u.side, u.place)
    into v_channels, v_since
    from (
      select distinct on (c.channel) c.channel, c.since, c.side, c.place
      from (
        select 0 as side, o.channel, o.since, o.place
          from public.sessions s, unnest(s.channels, s.channels_since) with ordinality as o (channel, since, place)
          where s.session_id = p_survivor
        union all
        select 1, o.channel, o.since, o.place
          from unnest(y.channels, y.channels_since) with ordinality as o (channel, since, place)
      ) c
      order by c.channel, c.since, c.side, c.place
    ) u;

  update public.sessions s
    set phone = coalesce(s.phone, y.phone),
        telegram_chat_id = coalesce(s.telegram_chat_id, y.telegram_chat_id),
        whatsapp_user_id = coalesce(s.whatsapp_user_id, y.whatsapp_user_id),
        visitor_id = coalesce(s.visitor_id, y.visitor_id),
        customer_id = coalesce(s.customer_id, y.customer_id),
        language = coalesce(s.language, y.language),
        rating = coalesce(s.rating, y.rating),
        feedback = coalesce(s.feedback, y.feedback),
        summary = coalesce(s.summary, y.summary),
        data = s.data || y.data,
        metadata = s.metadata || y.metadata,
        message_count = s.message_count + y.message_count,
        last_activity = greatest(s.last_activity, y.last_activity),
        expires_at = greatest(s.expires_at, y.expires_at),
        version = s.version + 1,
        channels = v_channels,
        channels_since = v_since,
        unreachable = array(select distinct u from unnest(s.unreachable || y.unreachable) as u order by u)
    where s.session_id = p_survivor;

  update public.sessions set message_count = 0 where session_id = p_younger;

  -- A caller's id that both sessions know keeps its own session's scope, so that both messages stay.
  update public.messages m
    set account = p_younger::text
    where m.session_id = p_younger and m.account is null and m.external_id is not null
      and exists (
        select 1 from public.messages o
        where o.channel = m.channel and coalesce(o.account, o.session_id::text) = p_survivor::text
          and o.external_id = m.external_id
      );
  update public.deliveries d
    set session_id = p_survivor
    from public.messages m
    where m.session_id = p_younger and d.message_id = m.message_id;
  update public.messages set session_id = p_survivor where session_id = p_younger;
  update public.turns set session_id = p_survivor where session_id = p_younger and state in ('pending', 'running');
  update public.turns set session_id = p_survivor where session_id = p_younger and state = 'dead';
  update public.session_tokens set session_id = p_survivor where session_id = p_younger;
end
$$;

-- Gives a person these identities: merges the sessions that hold them where they are the same person's, takes the
-- identity away where they are not, and writes the identities into the survivor. p_owner may be null. Returns the
-- survivor, or null when nobody was found. The identities are locked by the caller.
create function public.hub_settle_identities(p_owner uuid, p_identities jsonb, p_now timestamptz) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  v_kind text;
  v_holders uuid[] := '{}';
  v_same uuid[] := '{}';
  v_known jsonb := p_identities;
  v_survivor uuid;
  v_id uuid;
  v_apart boolean;
  s public.sessions;
begin
  foreach v_kind in array public.hub_identity_kinds() loop
    if p_identities ? v_kind then
      s := public.hub_find_active(v_kind, p_identities ->> v_kind, p_now);
      if s.session_id is not null and s.session_id is distinct from p_owner and not s.session_id = any (v_holders) then
        v_holders := v_holders || s.session_id;
      end if;
    end if;
  end loop;

  if p_owner is not null then
    select * into s from public.sessions where session_id = p_owner for update;
    v_known := public.hub_identities(s) || v_known;
    v_same := array[p_owner];
  end if;

  for s in select * from public.sessions where session_id = any (v_holders) order by created_at, session_id loop
    select bool_or(public.hub_identities(s) ->> k <> v_known ->> k)
      into v_apart
      from unnest('{telegram_chat_id,whatsapp_user_id,phone}'::text[]) as k;
    if coalesce(v_apart, false) then
      update public.sessions
        set phone = case when phone = p_identities ->> 'phone' then null else phone end,
            telegram_chat_id = case when telegram_chat_id = p_identities ->> 'telegram_chat_id' then null else telegram_chat_id end,
            whatsapp_user_id = case when whatsapp_user_id = p_identities ->> 'whatsapp_user_id' then null else whatsapp_user_id end,
            visitor_id = case when visitor_id = p_identities ->> 'visitor_id' then null else visitor_id end,
            updated_at = p_now,
            version = version + 1
        where session_id = s.session_id;
    else
      v_known := public.hub_identities(s) || v_known;
      v_same := v_same || s.session_id;
    end if;
  end loop;

  for v_id in select session_id from public.sessions where session_id = any (v_same) order by created_at, session_id loop
    if v_survivor is null then
      v_survivor := v_id;
    else
      perform public.hub_merge_sessions(v_survivor, v_id, p_now);
    end if;
  end loop;

  if v_survivor is not null then
    update public.sessions
      set phone = coalesce(p_identities ->> 'phone', phone),
          telegram_chat_id = coalesce(p_identities ->> 'telegram_chat_id', telegram_chat_id),
          whatsapp_user_id = coalesce(p_identities ->> 'whatsapp_user_id', whatsapp_user_id),
          visitor_id = coalesce(p_identities ->> 'visitor_id', visitor_id)
      where session_id = v_survivor;
  end if;
  return v_survivor;
end
$$;

-- The one session of the person with these identities: found, merged from several, or opened. Touching it is the
-- caller's part. p: {now, ttl_ms, language}
create function public.hub_resolve(p_identities jsonb, p_channel text, p jsonb) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_anchor text;
  v_id uuid;
  s public.sessions;
begin
  perform public.hub_lock_sessions(array[p_identities]);
  loop
    select k into v_anchor from unnest(public.hub_identity_kinds()) with ordinality as u (k, place) where p_identities ? k order by place limit 1;
    s := public.hub_find_active(v_anchor, p_identities ->> v_anchor, v_now);
    v_id := public.hub_settle_identities(s.session_id, p_identities, v_now);
    if v_id is not null then
      return v_id;
    end if;
    insert into public.sessions (
      session_id, phone, telegram_chat_id, whatsapp_user_id, visitor_id, channel, channels, channels_since, language,
      created_at, updated_at, last_activity, expires_at, expiry_check_at
    ) values (
      public.hub_uuid(v_now), p_identities ->> 'phone', p_identities ->> 'telegram_chat_id', p_identities ->> 'whatsapp_user_id',
      p_identities ->> 'visitor_id', p_channel, '{}', '{}', p ->> 'language',
      v_now, v_now, v_now, v_now, v_now + (p ->> 'ttl_ms')::bigint * interval '1 millisecond'
    )
    on conflict do nothing
    returning session_id into v_id;
    if v_id is not null then
      return v_id;
    end if;
    -- A merge elsewhere has just brought one of the identities into another session: look again.
  end loop;
end
$$;

-- Marks an active session as used on a channel now, and returns its new row; null when it is not active any more or
-- does not hold all of the given identities. p_messages is how many messages come with it.
create function public.hub_touch(p_session uuid, p_channel text, p_identities jsonb, p_messages integer, p jsonb) returns public.sessions
language plpgsql volatile set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  s public.sessions;
begin
  update public.sessions t
    set last_activity = v_now,
        updated_at = v_now,
        expires_at = v_now + (p ->> 'ttl_ms')::bigint * interval '1 millisecond',
        message_count = t.message_count + p_messages,
        channels = case when p_channel is null or p_channel = any (t.channels) then t.channels else t.channels || p_channel end,
        channels_since = case when p_channel is null or p_channel = any (t.channels) then t.channels_since else t.channels_since || v_now end
    where t.session_id = p_session
      and t.status = 'active'
      and (p_identities is null or t.expires_at > v_now)
      and (p_identities is null or p_identities ->> 'telegram_chat_id' is null or p_identities ->> 'telegram_chat_id' = t.telegram_chat_id)
      and (p_identities is null or p_identities ->> 'whatsapp_user_id' is null or p_identities ->> 'whatsapp_user_id' = t.whatsapp_user_id)
      and (p_identities is null or p_identities ->> 'phone' is null or p_identities ->> 'phone' = t.phone)
      and (p_identities is null or p_identities ->> 'visitor_id' is null or p_identities ->> 'visitor_id' = t.visitor_id)
    returning t.* into s;
  return s;
end
$$;

-- The session under this id, or the one it was merged into, locked; null when there is none.
create function public.hub_hold_session(p_session uuid) returns public.sessions
language plpgsql volatile set search_path = '' as $$
declare
  v_id uuid := p_session;
  s public.sessions;
begin
  loop
    select * into s from public.sessions where session_id = v_id for update;
    exit when s.merged_into is null;
    v_id := s.merged_into;
  end loop;
  return s;
end
$$;

-- The session that a token or id stands for, locked: {"session_id"} or {"error"}, where the session is not active.
-- p_ref: {token_hash} or {session_id}
create function public.hub_find_live(p_ref jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  v_id uuid := (p_ref ->> 'session_id')::uuid;
  s public.sessions;
begin
  if p_ref ? 'token_hash' then
    select session_id into v_id from public.session_tokens where token_hash = p_ref ->> 'token_hash';
  end if;
  s := public.hub_hold_session(v_id);
  if s.status = 'active' and s.expires_at > p_now then
    return jsonb_build_object('session_id', s.session_id);
  elsif s.status in ('active', 'expired') then
    return '{"error": "session_expired"}';
  end if;
  return '{"error": "session_not_found"}';
end
$$;
