-- Who somebody is: finding, opening and merging sessions. Called by the functions of the next files, never by the
-- hub itself. The rules are those of src/stores/memory/people.ts, line by line. The calls of the hub are security definer
-- with an empty search_path; what they call runs within that, and nobody else may call it.

-- A UUID version 7 of the given instant: new rows land at the end of their indexes.
create function public.hub_uuid(p_now timestamptz) returns uuid
language sql volatile parallel safe as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from p_now) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$$;

-- The session as the outside may see it: the row without what never leaves the database.
create function public.hub_session_json(s public.sessions) returns jsonb
language sql stable parallel safe as $$
  select to_jsonb(s) - case when s.phone_verified
    then '{channels_since,unreachable,expiry_check_at,addresses,phone_verified}'::text[]
    else '{channels_since,unreachable,expiry_check_at,addresses}'::text[]
  end
$$;

-- JSON merge patch (RFC 7396): null removes, objects merge, the rest replaces.
create function public.hub_merge_patch(p_target jsonb, p_patch jsonb) returns jsonb
language plpgsql immutable parallel safe as $$
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
language plpgsql volatile as $$
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

-- Locks the active sessions of all these identities, and one more, in one order whatever the order of what came in.
create function public.hub_lock_sessions(p_people jsonb[], p_also uuid default null) returns void
language plpgsql volatile as $$
begin
  -- Arrays, not joins: a plan from when the table was empty stays linear.
  perform 1 from public.sessions s
    where s.status = 'active' and s.session_id = any (array(
      select session_id from public.sessions
        where status = 'active' and telegram_chat_id = any (array(select i ->> 'telegram_chat_id' from unnest(p_people) i))
      union all
      select session_id from public.sessions
        where status = 'active' and whatsapp_user_id = any (array(select i ->> 'whatsapp_user_id' from unnest(p_people) i))
      union all
      select session_id from public.sessions
        where status = 'active' and phone = any (array(select i ->> 'phone' from unnest(p_people) i))
      union all
      select session_id from public.sessions
        where status = 'active' and visitor_id = any (array(select i ->> 'visitor_id' from unnest(p_people) i))
      union all
      select p_also))
    order by s.session_id
    for update;
end
$$;

-- The identities that a session holds.
create function public.hub_identities(s public.sessions) returns jsonb
language sql stable parallel safe as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'telegram_chat_id', s.telegram_chat_id, 'whatsapp_user_id', s.whatsapp_user_id, 'phone', s.phone, 'visitor_id', s.visitor_id))
$$;

-- The identities that a session holds by proof; a phone that is only claimed is none.
create function public.hub_proven(s public.sessions) returns jsonb
language sql stable parallel safe as $$
  select case when s.phone_verified then public.hub_identities(s) else public.hub_identities(s) - 'phone' end
$$;

-- Whether they belong to a person, and not just to a browser.
create function public.hub_is_somebody(p_identities jsonb) returns boolean
language sql immutable parallel safe as $$
  select p_identities ?| '{telegram_chat_id,whatsapp_user_id,phone}'::text[]
$$;

-- Whether they cannot be one person's. A browser is no person: two of them may be one customer.
create function public.hub_are_apart(p_one jsonb, p_other jsonb) returns boolean
language sql immutable parallel safe as $$
  select coalesce(bool_or(p_one ->> k <> p_other ->> k), false)
  from unnest('{telegram_chat_id,whatsapp_user_id,phone}'::text[]) as k
$$;

-- Notes what has changed beside the session that a call is about, for who made the call: merged, closed, told, deliveries.
create function public.hub_add_effect(p_kind text, p_values jsonb) returns void
language plpgsql volatile as $$
declare
  v_effects jsonb := coalesce(nullif(current_setting('hub.effects', true), ''), '{}');
begin
  if p_values <> '[]' then
    v_effects := v_effects || jsonb_build_object(p_kind, coalesce(v_effects -> p_kind, '[]') || p_values);
    perform set_config('hub.effects', v_effects::text, true);
  end if;
end
$$;

-- What was noted since this was last asked in this transaction.
create function public.hub_take_effects() returns jsonb
language plpgsql volatile as $$
declare
  v_effects constant text := current_setting('hub.effects', true);
begin
  if v_effects <> '' then
    perform set_config('hub.effects', '', true);
    return v_effects;
  end if;
  return '{}';
end
$$;

-- The active session of one identity, locked; null when there is none. One past its expiry is marked so and not found.
create function public.hub_find_active(p_kind text, p_value text, p_now timestamptz) returns public.sessions
language plpgsql volatile as $$
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
language sql immutable parallel safe as $$
  select '{telegram_chat_id,whatsapp_user_id,phone,visitor_id}'::text[]
$$;

-- The first active session that any of the identities finds, strongest first; null when none does. Who is spoken of has
-- said nothing: a phone that somebody typed is not found by it.
create function public.hub_find_person(p_identities jsonb, p_now timestamptz) returns uuid
language plpgsql volatile as $$
declare
  v_kind text;
  s public.sessions;
begin
  foreach v_kind in array public.hub_identity_kinds() loop
    if p_identities ? v_kind then
      s := public.hub_find_active(v_kind, p_identities ->> v_kind, p_now);
      if s.session_id is not null and (v_kind <> 'phone' or s.phone_verified) then
        return s.session_id;
      end if;
    end if;
  end loop;
  return null;
end
$$;

-- Merges the younger session into the survivor: its documents win per key, the survivor's other values. What was claimed
-- by nobody wins against nothing, unless it is where the proof comes from (p_owner). Both are locked. Nothing is deleted.
create function public.hub_merge_sessions(p_survivor uuid, p_younger uuid, p_owner uuid, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_older public.sessions;
  y public.sessions;
  v_first public.sessions;
  v_second public.sessions;
  v_channels text[];
  v_since timestamptz[];
  v_weak_older boolean;
  v_weak_younger boolean;
begin
  select * into v_older from public.sessions where session_id = p_survivor;
  update public.sessions
    set status = 'merged', merged_into = p_survivor, ended_at = p_now, updated_at = p_now, version = version + 1
    where session_id = p_younger
    returning * into y;
  v_weak_older := not v_older.phone_verified and v_older.session_id is distinct from p_owner;
  v_weak_younger := not y.phone_verified and y.session_id is distinct from p_owner;
  if v_weak_older and not v_weak_younger then
    v_first := y;
    v_second := v_older;
  else
    v_first := v_older;
    v_second := y;
  end if;

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
    set phone = case when s.phone is null or (not s.phone_verified and y.phone_verified and y.phone is not null) then y.phone else s.phone end,
        phone_verified = case when s.phone is null or (not s.phone_verified and y.phone_verified and y.phone is not null) then y.phone_verified else s.phone_verified end,
        telegram_chat_id = coalesce(v_first.telegram_chat_id, v_second.telegram_chat_id),
        whatsapp_user_id = coalesce(v_first.whatsapp_user_id, v_second.whatsapp_user_id),
        visitor_id = coalesce(v_first.visitor_id, v_second.visitor_id),
        customer_id = coalesce(v_first.customer_id, v_second.customer_id),
        language = coalesce(v_first.language, v_second.language),
        rating = coalesce(v_first.rating, v_second.rating),
        feedback = coalesce(v_first.feedback, v_second.feedback),
        summary = coalesce(v_first.summary, v_second.summary),
        data = case when v_weak_younger and not v_weak_older then y.data || s.data else s.data || y.data end,
        metadata = case when v_weak_younger and not v_weak_older then y.metadata || s.metadata else s.metadata || y.metadata end,
        addresses = (
          select coalesce(jsonb_object_agg(a.key, a.value), '{}')
          from (
            select distinct on (key) key, value
            from (select 0 as side, key, value from jsonb_each(s.addresses) union all select 1, key, value from jsonb_each(y.addresses)) e
            order by key, (value ->> 'used_at') collate "C" desc, side
          ) a),
        message_count = s.message_count + y.message_count,
        last_activity = greatest(s.last_activity, y.last_activity),
        expires_at = greatest(s.expires_at, y.expires_at),
        version = s.version + 1,
        channels = v_channels,
        channels_since = v_since,
        unreachable = array(select distinct u from unnest(s.unreachable || y.unreachable) as u order by u)
    where s.session_id = p_survivor;

  update public.sessions set message_count = 0, addresses = '{}' where session_id = p_younger;

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
  perform public.hub_add_effect('merged', jsonb_build_array(p_younger));
end
$$;

-- Gives a person these identities: merges the sessions that hold them where they are the same person's, takes the
-- identity away where they are not, and writes the identities into the survivor. p_owner may be null. Returns the
-- survivor, or null when nobody was found. The identities are locked by the caller. p_keep is the token through which the
-- proof came: others of a session that was nobody's may be anybody's, and die. p: {now, lease_ms, ..., notices}
create function public.hub_settle_identities(p_owner uuid, p_identities jsonb, p_keep text, p jsonb) returns uuid
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_kind text;
  v_holders uuid[] := '{}';
  v_same uuid[] := '{}';
  v_known jsonb := p_identities;
  v_strangers uuid[] := '{}';
  v_phones text[] := '{}';
  v_proven jsonb;
  v_closed jsonb;
  v_survivor uuid;
  v_id uuid;
  s public.sessions;
begin
  foreach v_kind in array public.hub_identity_kinds() loop
    if p_identities ? v_kind then
      s := public.hub_find_active(v_kind, p_identities ->> v_kind, v_now);
      if s.session_id is not null and s.session_id is distinct from p_owner and not s.session_id = any (v_holders) then
        v_holders := v_holders || s.session_id;
      end if;
    end if;
  end loop;

  if p_owner is not null then
    select * into s from public.sessions where session_id = p_owner for update;
    v_proven := public.hub_proven(s);
    v_known := v_proven || v_known;
    v_same := array[p_owner];
    v_phones := array_remove(array[v_proven ->> 'phone'], null);
    if not public.hub_is_somebody(v_proven) then
      v_strangers := array[p_owner];
    end if;
  end if;

  for s in select * from public.sessions where v_holders <> '{}' and session_id = any (v_holders) order by created_at, session_id loop
    v_proven := public.hub_proven(s);
    if public.hub_are_apart(v_proven, v_known) then
      perform public.hub_strip(s, p_identities, p);
    else
      v_known := v_proven || v_known;
      v_same := v_same || s.session_id;
      v_phones := array_remove(v_phones || (v_proven ->> 'phone'), null);
      if not public.hub_is_somebody(v_proven) then
        v_strangers := v_strangers || s.session_id;
      end if;
    end if;
  end loop;

  if v_strangers <> '{}' and public.hub_is_somebody(v_known) then
    with dead as (
      delete from public.session_tokens where session_id = any (v_strangers) and token_hash is distinct from p_keep
      returning token_hash, session_id)
    select coalesce(jsonb_agg(d.token_hash order by x.created_at, x.session_id, d.token_hash), '[]') into v_closed
      from dead d join public.sessions x on x.session_id = d.session_id;
    perform public.hub_add_effect('closed', v_closed);
  end if;

  if array_length(v_same, 1) > 1 then
    for v_id in select session_id from public.sessions where session_id = any (v_same) order by created_at, session_id loop
      if v_survivor is null then
        v_survivor := v_id;
      else
        perform public.hub_merge_sessions(v_survivor, v_id, p_owner, v_now);
      end if;
    end loop;
  else
    v_survivor := v_same[1];
  end if;

  if v_survivor is not null then
    -- A phone that somebody claimed does not become that of who they turn out to be.
    update public.sessions
      set phone = coalesce(p_identities ->> 'phone', case when phone_verified or not public.hub_is_somebody(v_known) then phone end),
          phone_verified = p_identities ? 'phone' or phone_verified or public.hub_is_somebody(v_known),
          telegram_chat_id = coalesce(p_identities ->> 'telegram_chat_id', telegram_chat_id),
          whatsapp_user_id = coalesce(p_identities ->> 'whatsapp_user_id', whatsapp_user_id),
          visitor_id = coalesce(p_identities ->> 'visitor_id', visitor_id)
      where session_id = v_survivor
      returning * into s;
    perform public.hub_drop_lost_addresses(s);
    perform public.hub_follow_phone(s, v_phones, v_now);
  end if;
  return v_survivor;
end
$$;

-- The one session of the person with these identities: found, merged from several, or opened. Touching it is the
-- caller's part. p: {now, ttl_ms, language, session_id}; session_id is for the session if one opens.
create function public.hub_resolve(p_identities jsonb, p_channel text, p jsonb) returns uuid
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_anchor text;
  v_id uuid;
  v_promised uuid := p ->> 'session_id';
  s public.sessions;
begin
  perform public.hub_lock_sessions(array[p_identities]);
  loop
    if exists (select 1 from public.sessions where session_id = v_promised) then
      v_promised := null;
    end if;
    select k into v_anchor from unnest(public.hub_identity_kinds()) with ordinality as u (k, place) where p_identities ? k order by place limit 1;
    s := public.hub_find_active(v_anchor, p_identities ->> v_anchor, v_now);
    v_id := public.hub_settle_identities(s.session_id, p_identities, null, p);
    if v_id is not null then
      return v_id;
    end if;
    insert into public.sessions (
      session_id, phone, telegram_chat_id, whatsapp_user_id, visitor_id, channel, channels, channels_since, language,
      created_at, updated_at, last_activity, expires_at, expiry_check_at
    ) values (
      coalesce(v_promised, public.hub_uuid(v_now)), p_identities ->> 'phone', p_identities ->> 'telegram_chat_id', p_identities ->> 'whatsapp_user_id',
      p_identities ->> 'visitor_id', p_channel, '{}', '{}', p ->> 'language',
      v_now, v_now, v_now, v_now, v_now + (p ->> 'ttl_ms')::bigint * interval '1 millisecond'
    )
    on conflict do nothing
    returning * into s;
    if found then
      perform public.hub_follow_phone(s, '{}', v_now);
      return s.session_id;
    end if;
    -- A merge elsewhere has just brought one of the identities into another session: look again.
  end loop;
end
$$;

-- Whether a session is active and holds all of these identities by proof.
create function public.hub_is_known(s public.sessions, p_identities jsonb, p_now timestamptz) returns boolean
language sql immutable parallel safe as $$
  select coalesce(s.status = 'active' and s.expires_at > p_now, false)
    and coalesce(p_identities ->> 'telegram_chat_id' = s.telegram_chat_id, not p_identities ? 'telegram_chat_id')
    and coalesce(p_identities ->> 'whatsapp_user_id' = s.whatsapp_user_id, not p_identities ? 'whatsapp_user_id')
    and coalesce(p_identities ->> 'phone' = s.phone and s.phone_verified, not p_identities ? 'phone')
    and coalesce(p_identities ->> 'visitor_id' = s.visitor_id, not p_identities ? 'visitor_id')
$$;

-- The active session that holds all of these identities by proof, locked; null when there is none. Where the identities
-- are not locked it must not wait, for whoever merges that session has locked them: then null is also the answer while
-- somebody else has it in hand.
create function public.hub_hold_known(p_identities jsonb, p_wait boolean, p_now timestamptz) returns public.sessions
language plpgsql volatile as $$
declare
  s public.sessions;
begin
  if p_identities ? 'telegram_chat_id' then
    select * into s from public.sessions where telegram_chat_id = p_identities ->> 'telegram_chat_id' and status = 'active';
  elsif p_identities ? 'whatsapp_user_id' then
    select * into s from public.sessions where whatsapp_user_id = p_identities ->> 'whatsapp_user_id' and status = 'active';
  elsif p_identities ? 'phone' then
    select * into s from public.sessions where phone = p_identities ->> 'phone' and status = 'active';
  else
    select * into s from public.sessions where visitor_id = p_identities ->> 'visitor_id' and status = 'active';
  end if;
  if not public.hub_is_known(s, p_identities, p_now) then
    return null;
  end if;
  if p_wait then
    select * into s from public.sessions where session_id = s.session_id for update;
  else
    select * into s from public.sessions where session_id = s.session_id for update skip locked;
  end if;
  if public.hub_is_known(s, p_identities, p_now) then
    return s;
  elsif p_wait or s.session_id is null then
    return null;
  end if;
  -- It changed between the two looks, and we have its row without its identities: again, from the start.
  raise exception 'the session has just changed' using errcode = 'serialization_failure';
end
$$;

-- Marks a session, whose row is held, as used on a channel now, and returns its new row. p_messages is how many messages
-- come with it, p_address where they came from, if they can be answered there. What comes late, from the journal, moves
-- nothing back. p: {now, ttl_ms}
create function public.hub_use(s public.sessions, p_channel text, p_messages integer, p jsonb, p_address jsonb) returns public.sessions
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
begin
  if not p_channel = any (s.channels) then
    s.channels := s.channels || p_channel;
    s.channels_since := s.channels_since || v_now;
  end if;
  if p_address is not null and coalesce((s.addresses -> p_channel ->> 'used_at') collate "C" <= (p_address ->> 'used_at'), true) then
    s.addresses := s.addresses || jsonb_build_object(p_channel, p_address);
  end if;
  update public.sessions
    set last_activity = greatest(last_activity, v_now),
        updated_at = greatest(updated_at, v_now),
        expires_at = greatest(expires_at, v_now + (p ->> 'ttl_ms')::bigint * interval '1 millisecond'),
        message_count = message_count + p_messages,
        channels = s.channels,
        channels_since = s.channels_since,
        addresses = s.addresses
    where session_id = s.session_id
    returning * into s;
  return s;
end
$$;

-- Marks an active session as used on a channel now, as hub_use does; null when it is not active any more.
create function public.hub_touch(p_session uuid, p_channel text, p_messages integer, p jsonb) returns public.sessions
language plpgsql volatile as $$
declare
  s public.sessions;
begin
  select * into s from public.sessions where session_id = p_session and status = 'active' for update;
  if not found then
    return null;
  end if;
  return public.hub_use(s, p_channel, p_messages, p, null);
end
$$;

-- The session under this id, or the one it was merged into, locked; null when there is none.
create function public.hub_hold_session(p_session uuid) returns public.sessions
language plpgsql volatile as $$
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

-- The session that a living token opens; null when there is no such token, or it was left lying at a kiosk.
-- p: {now, kiosk_idle_ms}
create function public.hub_token_session(p_token_hash text, p jsonb) returns uuid
language sql stable parallel safe as $$
  select session_id from public.session_tokens
  where token_hash = p_token_hash
    and (channel <> 'kiosk' or p ->> 'kiosk_idle_ms' is null
      or last_used_at + (p ->> 'kiosk_idle_ms')::bigint * interval '1 millisecond' > (p ->> 'now')::timestamptz)
$$;

-- The session that a token or id stands for, locked: {"session_id"} or {"error"}, where the session is not active. A
-- token is used by it. p_ref: {token_hash} or {session_id}. p: {now, kiosk_idle_ms}
create function public.hub_find_live(p_ref jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_id uuid := (p_ref ->> 'session_id')::uuid;
  s public.sessions;
  t public.session_tokens;
begin
  if p_ref ? 'token_hash' then
    v_id := public.hub_token_session(p_ref ->> 'token_hash', p);
  end if;
  s := public.hub_hold_session(v_id);
  if s.status = 'active' and s.expires_at > v_now then
    if p_ref ? 'token_hash' then
      -- While we waited for the session, the token may have died: of a sign out, or of somebody else's proof.
      select * into t from public.session_tokens where token_hash = p_ref ->> 'token_hash';
      if t.session_id is distinct from s.session_id then
        return '{"error": "session_not_found"}';
      end if;
      if t.last_used_at + (case t.channel when 'kiosk' then interval '1 second' else interval '15 seconds' end) <= v_now then
        update public.session_tokens set last_used_at = v_now where token_hash = t.token_hash;
      end if;
    end if;
    return jsonb_build_object('session_id', s.session_id);
  elsif s.status in ('active', 'expired') then
    return '{"error": "session_expired"}';
  end if;
  return '{"error": "session_not_found"}';
end
$$;
