-- Sessions: finding, opening, touching and joining them. The frontends' calls are in frontends.sql.

-- A session's row without the columns that never leave the database.
create or replace function hub.session_row(p_row jsonb) returns jsonb
language sql immutable parallel safe as $$
  select p_row - '{customer_key,channels_since,last_channel,last_seq,expiry_check_at,language_by,summary_seq}'::text[]
$$;

-- A customer's identities as a session document shows them: {kind: value}, with phone_verified false while the phone is
-- only claimed, and with hub.shown_customer.
create or replace function hub.shown_identities(p_customer uuid) returns jsonb
language sql stable as $$
  select coalesce(h.held, '{}') || case when h.claimed then '{"phone_verified": false}' else '{}'::jsonb end
    || coalesce((select hub.shown_customer(k) from public.customers k where customer_key = p_customer), '{}')
  from (
    select jsonb_object_agg(kind, value) as held, bool_or(verified_at is null) as claimed
    from public.identities where customer_key = p_customer) h
$$;

-- What a session document shows of its customer beside identities: {customer_id, preferred_language, plan, holder}, each only if it
-- is set, the plan only if it is premium, and the holder only if it is not the bot.
create or replace function hub.shown_customer(k public.customers) returns jsonb
language sql stable parallel safe as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'customer_id', k.customer_id, 'preferred_language', k.preferred_language, 'plan', nullif(k.plan::text, 'basic'), 'holder', k.holder))
$$;

-- The session as callers see it: its row, with the customer's present identities.
create or replace function hub.session_document(s public.sessions) returns jsonb
language sql stable as $$
  select hub.session_row(to_jsonb(s)) || hub.shown_identities(s.customer_key)
$$;

-- An active session as the outside may see it, without what its customer is known by. It has no end.
create or replace function hub.active_json(s public.sessions) returns json
language sql stable parallel safe as $$
  select json_build_object(
    'session_id', s.session_id, 'previous_session_id', s.previous_session_id, 'channel', s.channel, 'channels', s.channels,
    'status', s.status, 'language', s.language, 'data', s.data, 'metadata', s.metadata, 'version', s.version,
    'message_count', s.message_count, 'rating', s.rating, 'feedback', s.feedback, 'summary', s.summary,
    'created_at', s.created_at, 'updated_at', s.updated_at, 'last_activity', s.last_activity, 'expires_at', s.expires_at)
$$;

-- The session under this id, or the one it was merged into; null when there is none.
create or replace function hub.follow(p_session uuid) returns uuid
language plpgsql stable as $$
declare
  v_id uuid := p_session;
  v_next uuid;
begin
  loop
    select merged_into into v_next from public.sessions where session_id = v_id;
    exit when v_next is null;
    v_id := v_next;
  end loop;
  return v_id;
end
$$;

-- The session, or the one it was merged into, with its row locked. Null when there is none.
create or replace function hub.hold_session(p_session uuid) returns public.sessions
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

-- The customer's active session; null when there is none. A session past its expiry is marked as expired. The caller
-- holds the customer.
create or replace function hub.active_session(p_customer uuid, p_now timestamptz) returns public.sessions
language plpgsql volatile as $$
declare
  s public.sessions;
begin
  select * into s from public.sessions where customer_key = p_customer and status = 'active' for update;
  if s.expires_at <= p_now then
    update public.sessions
      set status = 'expired', ended_at = p_now, updated_at = p_now, version = version + 1
      where session_id = s.session_id;
    return null;
  end if;
  return s;
end
$$;

-- The customer's active session, or a new one with its previous_session_id. The caller holds the customer.
create or replace function hub.current_session(p_customer uuid, p_channel text, c hub.context) returns public.sessions
language plpgsql volatile as $$
declare
  s public.sessions := hub.active_session(p_customer, c.now);
  v_preferred text;
begin
  if s.session_id is null then
    v_preferred := hub.preference_of(p_customer, c);
    insert into public.sessions (
      session_id, customer_key, previous_session_id, channel, channels, channels_since, language, language_by,
      created_at, updated_at, last_activity, expires_at, expiry_check_at
    ) values (
      hub.placed_uuid(c.now, c.place), p_customer, hub.window_of(p_customer), p_channel, '{}', '{}',
      coalesce(v_preferred, c.language), case when v_preferred is not null then 'customer' end,
      c.now, c.now, c.now, c.now + c.ttl, c.now + c.ttl
    ) returning * into s;
  end if;
  return s;
end
$$;

-- Marks a session as used on a channel now. p_channel null adds no channel. An event that comes late, from the journal,
-- never moves a time back. The caller holds the session's row.
create or replace function hub.touch(s public.sessions, p_channel text, c hub.context) returns public.sessions
language plpgsql volatile as $$
begin
  if not p_channel = any (s.channels) then
    s.channels := s.channels || p_channel;
    s.channels_since := s.channels_since || c.now;
  end if;
  update public.sessions
    set last_activity = greatest(last_activity, c.now),
        updated_at = greatest(updated_at, c.now),
        expires_at = greatest(expires_at, c.now + c.ttl),
        channels = s.channels,
        channels_since = s.channels_since
    where session_id = s.session_id
    returning * into s;
  return s;
end
$$;

-- The channels of two sessions in the order of first use, with the times of first use.
create or replace function hub.unite_channels(
  p_older public.sessions, p_younger public.sessions, out channels text[], out since timestamptz[])
language sql immutable as $$
  select array_agg(f.channel order by f.since, f.side, f.place), array_agg(f.since order by f.since, f.side, f.place)
  from (
    select distinct on (u.channel) u.*
    from (
      select 0 as side, o.* from unnest(p_older.channels, p_older.channels_since) with ordinality as o (channel, since, place)
      union all
      select 1, y.* from unnest(p_younger.channels, p_younger.channels_since) with ordinality as y (channel, since, place)
    ) u
    order by u.channel, u.since, u.side, u.place
  ) f
$$;

-- Moves everything of one session to another. Messages keep their order of arrival. If two messages have the same seq,
-- the other session's moves up. If both sessions have a message with the same id of a caller, the moved one keeps its
-- own session as the id's scope, so that both messages stay. The caller holds both sessions.
create or replace function hub.move_belongings(p_from uuid, p_into uuid) returns void
language plpgsql volatile as $$
begin
  update public.messages m set account = p_from::text
    where m.session_id = p_from and m.account is null and m.external_id is not null
      and exists (
        select from public.messages o
        where o.channel = m.channel and coalesce(o.account, o.session_id::text) = p_into::text and o.external_id = m.external_id);
  if exists (
    select from public.messages m join public.messages o on o.session_id = p_into and o.seq = m.seq where m.session_id = p_from)
  then
    perform hub.spread_seqs(p_into, p_from);
  end if;
  update public.deliveries d set session_id = p_into from public.messages m where m.session_id = p_from and d.message_id = m.message_id;
  update public.messages set session_id = p_into where session_id = p_from;
  update public.turns set session_id = p_into where session_id = p_from and state in ('pending', 'running');
  update public.turns set session_id = p_into where session_id = p_from and state = 'dead';
  update public.session_tokens set session_id = p_into where session_id = p_from;
  update public.uploads set session_id = p_into where session_id = p_from;
  update public.sessions
    set last_seq = greatest(last_seq, coalesce((select max(seq) from public.messages where session_id = p_into), 0))
    where session_id = p_into;
end
$$;

-- Makes the seqs of two sessions' messages one rising order. Each seq stays, or becomes one more than the one before
-- it. Of two equal seqs the first session's comes first. Turns get the seqs of their messages.
create or replace function hub.spread_seqs(p_first uuid, p_second uuid) returns void
language sql volatile as $$
  with placed as (
    select message_id, session_id, seq, row_number() over (order by seq, session_id <> p_first) as place
    from public.messages where session_id in (p_first, p_second)
  ), spread as (
    select message_id, session_id, seq, place + max(seq - place) over (order by place) as new_seq from placed
  ), moved as (
    update public.messages m set seq = s.new_seq from spread s where m.message_id = s.message_id and s.new_seq <> s.seq
  )
  update public.turns t set seq = s.new_seq
  from spread s
  where t.session_id = s.session_id and t.message_id = s.message_id and s.new_seq <> s.seq
$$;

-- Merges the younger session into the older one. p_weak: sessions whose customer only claims a phone; on a conflict the
-- other session's documents and values stay. Of two languages one that was decided stays. Deletes nothing; the younger
-- one's row keeps its documents. The caller holds both.
create or replace function hub.merge_sessions(p_older uuid, p_younger uuid, p_weak uuid[], p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_flip constant boolean := (p_older = any (p_weak)) <> (p_younger = any (p_weak));
  v_documents jsonb;
  v_channels record;
  o public.sessions;
  y public.sessions;
begin
  select * into o from public.sessions where session_id = p_older;
  update public.sessions
    set status = 'merged', merged_into = p_older, ended_at = p_now, updated_at = p_now, version = version + 1
    where session_id = p_younger
    returning * into y;
  v_documents := case when v_flip and p_younger = any (p_weak)
    then hub.merge_documents(to_jsonb(y), to_jsonb(o)) else hub.merge_documents(to_jsonb(o), to_jsonb(y)) end;
  v_channels := hub.unite_channels(o, y);
  if (o.language_by is null and y.language_by is not null) or o.language is null
    or (v_flip and p_older = any (p_weak) and y.language is not null and (o.language_by is null or y.language_by is not null))
  then
    o.language := y.language;
    o.language_by := y.language_by;
  end if;
  if v_flip and p_older = any (p_weak) then
    o.rating := coalesce(y.rating, o.rating);
    o.feedback := coalesce(y.feedback, o.feedback);
    o.summary := coalesce(y.summary, o.summary);
  end if;
  update public.sessions
    set language = o.language,
        language_by = o.language_by,
        rating = coalesce(o.rating, y.rating),
        feedback = coalesce(o.feedback, y.feedback),
        summary = coalesce(o.summary, y.summary),
        summary_seq = null,
        data = v_documents -> 'data',
        metadata = v_documents -> 'metadata',
        channels = v_channels.channels,
        channels_since = v_channels.since,
        last_channel = null,
        message_count = o.message_count + y.message_count,
        last_activity = greatest(o.last_activity, y.last_activity),
        expires_at = greatest(o.expires_at, y.expires_at),
        version = o.version + 1
    where session_id = p_older;
  update public.sessions set message_count = 0 where session_id = p_younger;
  perform hub.move_belongings(p_younger, p_older);
  perform hub.add_effect('merged', jsonb_build_array(p_younger));
end
$$;

-- Merges the active sessions of customers into the oldest. A session whose customer only claims a phone is weak, unless
-- it is the customer who brought the proof (p_owner). The caller holds the customers.
create or replace function hub.join_sessions(p_customers uuid[], p_owner uuid, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_weak constant uuid[] := array(
    select s.session_id from public.sessions s join public.identities i using (customer_key)
    where s.customer_key = any (p_customers) and s.status = 'active' and i.verified_at is null
      and s.customer_key is distinct from p_owner);
  v_sessions uuid[];
begin
  perform hub.active_session(k, p_now) from unnest(p_customers) as k;
  v_sessions := array(
    select session_id from public.sessions
    where customer_key = any (p_customers) and status = 'active'
    order by created_at, session_id);
  for i in 2 .. coalesce(array_length(v_sessions, 1), 0) loop
    perform hub.merge_sessions(v_sessions[1], v_sessions[i], v_weak, p_now);
  end loop;
end
$$;

-- Sends a customer a notice of the hub: one message to each of these addresses ([{channel, account, address}]). Without
-- addresses the notice is only saved in the history, where the customer's devices read it. The caller holds the
-- session.
create or replace function hub.tell(p_session uuid, p_text text, p_addresses jsonb, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_said constant jsonb := jsonb_build_object(
    'direction', 'outbound', 'role', 'system', 'kind', 'text', 'text', p_text, 'content', '{}'::jsonb);
  v_to jsonb;
  v_delivery jsonb;
  s public.sessions;
  m public.messages;
begin
  select * into s from public.sessions where session_id = p_session for update;
  if p_addresses = '[]' then
    s.last_seq := hub.next_seq(s.last_seq, c.now);
    s.message_count := s.message_count + 1;
    perform hub.add_message(p_session, s.last_seq, v_said || jsonb_build_object('channel', s.channel, 'status', 'sent'), c.now);
  end if;
  for v_to in select * from jsonb_array_elements(p_addresses) order by value ->> 'channel', value ->> 'account' loop
    s.last_seq := hub.next_seq(s.last_seq, c.now);
    s.message_count := s.message_count + 1;
    m := hub.add_message(
      p_session, s.last_seq,
      v_said || jsonb_build_object('channel', v_to -> 'channel', 'account', v_to -> 'account', 'status', 'pending'), c.now);
    v_delivery := coalesce(
      hub.add_delivery(m, 1, v_to -> 'address', null, false, c), hub.claim_delivery(p_session, m.channel, c));
    if v_delivery is not null then
      perform hub.add_effect('deliveries', jsonb_build_array(v_delivery));
    end if;
  end loop;
  update public.sessions
    set message_count = s.message_count, last_seq = s.last_seq, updated_at = greatest(updated_at, c.now)
    where session_id = p_session;
end
$$;
