-- What happened to a customer's messages, from webhook to receipt: facts without content. src/features/trace puts them into
-- words.

-- The channels and accounts that have stored messages of platforms, at most 200: [{channel, account}]. Each is found by one
-- look into the index of platforms' ids. Frontends' messages have no account, so their channels are left out.
create or replace function hub.accounts() returns table (channel text, account text)
language plpgsql stable as $$
declare
  v_found integer := 0;
begin
  select m.channel, m.account into channel, account
    from public.messages m where m.external_id is not null
    order by m.channel, coalesce(m.account, m.session_id::text) limit 1;
  while channel is not null and v_found < 200 loop
    if account is null then
      select m.channel, m.account into channel, account
        from public.messages m where m.external_id is not null and m.channel > accounts.channel
        order by m.channel, coalesce(m.account, m.session_id::text) limit 1;
      continue;
    end if;
    v_found := v_found + 1;
    return next;
    select m.channel, m.account into channel, account
      from public.messages m
      where m.external_id is not null
        and (m.channel, coalesce(m.account, m.session_id::text)) > (accounts.channel, accounts.account)
      order by m.channel, coalesce(m.account, m.session_id::text) limit 1;
  end loop;
end
$$;

-- A text as a UUID; null when it is none.
create or replace function hub.uuid_or_null(p_text text) returns uuid
language sql immutable parallel safe as $$
  select case when p_text ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' then p_text::uuid end
$$;

-- The message that is named: by its id, by that of its turn or delivery, or by its platform's id.
create or replace function hub.message_named(p_id text) returns uuid
language plpgsql stable as $$
declare
  v_id constant uuid := hub.uuid_or_null(p_id);
  v_found uuid;
  r record;
begin
  if v_id is not null then
    v_found := coalesce(
      (select message_id from public.messages where message_id = v_id),
      (select message_id from public.turns where turn_id = v_id),
      (select message_id from public.deliveries where delivery_id = v_id));
  end if;
  if v_found is not null then
    return v_found;
  end if;
  for r in select * from hub.accounts() loop
    select message_id into v_found from public.messages
      where channel = r.channel and coalesce(account, session_id::text) = r.account and external_id = p_id;
    if v_found is null then
      select message_id into v_found from public.deliveries
        where channel = r.channel and account = r.account and external_id = p_id order by seq desc limit 1;
    end if;
    exit when v_found is not null;
  end loop;
  return v_found;
end
$$;

-- What is known of a platform's message that is not stored: {erased_at: when its words were erased, early: the receipts and edits
-- that came before it, [{type, channel, status, at}]}.
create or replace function hub.trace_of_missing(p_id text) returns jsonb
language plpgsql stable as $$
declare
  v_hashes constant bytea[] := array(select hub.id_hash(channel, account, p_id) from hub.accounts());
begin
  return jsonb_build_object(
    'erased_at', (select max(erased_at) from public.erased_messages where id_hash = any (v_hashes)),
    'early', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'type', type, 'channel', channel, 'status', event ->> 'status', 'at', created_at) order by created_at, type), '[]')
      from public.early_events where external_id = p_id));
end
$$;

-- A message with its turn, its answers and its deliveries, without content. ahead is the number of open turns before its own.
-- later_answer is the first answer of the bot after it, when none is to it: a bot that takes several messages together answers
-- the newest.
create or replace function hub.traced_message(m public.messages) returns jsonb
language plpgsql stable as $$
declare
  v_turn jsonb;
  v_answers jsonb := '[]';
  v_later jsonb;
begin
  if m.direction = 'inbound' then
    select jsonb_build_object(
        'turn_id', t.turn_id, 'state', t.state, 'attempt', t.attempt, 'due_at', t.due_at, 'failed_at', t.failed_at,
        'code', t.code, 'reason', t.reason, 'together', t.leader is not null,
        'ahead', (
          select count(*) from public.turns e
          where e.session_id = t.session_id and e.state in ('pending', 'running') and e.seq < t.seq))
      into v_turn
      from public.turns t where t.session_id = m.session_id and t.message_id = m.message_id
      order by t.created_at desc limit 1;
    select coalesce(jsonb_agg(jsonb_build_object('message_id', message_id, 'at', created_at) order by seq), '[]') into v_answers
      from (
        select message_id, created_at, seq from public.messages
        where session_id = m.session_id and seq > m.seq and direction = 'outbound' and reply_to = m.message_id::text
        order by seq limit 20) a;
    if v_turn is null and v_answers = '[]' then
      select jsonb_build_object('message_id', message_id, 'at', created_at) into v_later
        from public.messages
        where session_id = m.session_id and seq > m.seq and channel = m.channel and role = 'assistant' and reply_to is not null
        order by seq limit 1;
    end if;
  end if;
  return jsonb_build_object(
    'message_id', m.message_id, 'session_id', m.session_id, 'channel', m.channel, 'direction', m.direction, 'role', m.role,
    'kind', m.kind, 'event', case when m.kind = 'system' then m.content ->> 'event' end, 'status', m.status,
    'reply_to', m.reply_to, 'sent_at', m.sent_at, 'created_at', m.created_at, 'edited_at', m.edited_at, 'deleted_at', m.deleted_at,
    'platforms', m.account is not null, 'turn', v_turn, 'answers', v_answers, 'later_answer', v_later,
    'deliveries', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'delivery_id', d.delivery_id, 'state', d.state, 'attempt', d.attempt, 'due_at', d.due_at, 'status', d.status,
          'code', d.code, 'reason', d.reason, 'created_at', d.created_at, 'sent_at', d.sent_at, 'delivered_at', d.delivered_at,
          'read_at', d.read_at, 'failed_at', d.failed_at) order by d.seq), '[]')
      from public.deliveries d where d.message_id = m.message_id and m.direction = 'outbound'));
end
$$;

-- The facts about a customer, a session or a message, without content. p: one of {identities: {kind: value}}, {session_id} and
-- {message: id of a message, turn or delivery, or the platform's id}; {after, limit}. Returns {found: customer | session |
-- message | null, customer: {customer_key, created_at, unreachable: [{channel, at}]}, sessions, messages, audit, after, missing}.
-- Messages are the newest limit before the cursor after, oldest first; of a message: it, what it answers and its answers.
-- sessions, the newest 50, and audit, the newest 50 lines about the customer, are on the first page. missing, with found null
-- and a message: as hub.trace_of_missing.
create or replace function public.hub_trace(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_seq constant bigint := coalesce(split_part(p ->> 'after', '.', 1)::bigint, 9223372036854775807);
  v_last constant uuid := coalesce(nullif(split_part(p ->> 'after', '.', 2), '')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_message constant uuid := hub.message_named(p ->> 'message');
  v_session uuid := hub.follow((p ->> 'session_id')::uuid);
  v_customer uuid;
  v_asked uuid;
  v_sessions uuid[];
  v_ids uuid[];
  v_more boolean := false;
  v_found text;
begin
  if v_message is not null then
    select session_id into v_session from public.messages where message_id = v_message;
  end if;
  select customer_key into v_customer from public.sessions where session_id = v_session;
  if p ? 'identities' then
    select i.customer_key into v_customer
      from jsonb_each_text(p -> 'identities') as x (kind, value) join public.identities i on i.kind = x.kind and i.value = x.value
      order by hub.identity_rank(i.kind) limit 1;
  end if;
  v_found := case
    when v_message is not null then 'message'
    when v_customer is not null and p ? 'identities' then 'customer'
    when v_customer is not null then 'session' end;
  if v_found is null then
    return jsonb_build_object(
      'found', null, 'sessions', '[]'::jsonb, 'messages', '[]'::jsonb, 'audit', '[]'::jsonb, 'after', null,
      'missing', case when p ? 'message' then hub.trace_of_missing(p ->> 'message') end);
  end if;

  v_sessions := case when v_found = 'customer' then array(
    select session_id from public.sessions
    where customer_key = v_customer and created_at <= case when p ? 'after' then to_timestamp(v_seq / 1000000.0 + 1) else 'infinity' end
    order by created_at desc, session_id desc limit 50)
    else array[v_session] end;
  if v_message is not null then
    select case direction when 'inbound' then message_id else hub.uuid_or_null(reply_to) end into v_asked
      from public.messages where message_id = v_message;
    v_ids := array[v_message] || array(
      select message_id from public.messages where message_id = v_asked and message_id <> v_message);
    v_ids := v_ids || array(
      select a.message_id
      from public.messages q join public.messages a
        on a.session_id = q.session_id and a.seq > q.seq and a.direction = 'outbound' and a.reply_to = q.message_id::text
      where q.message_id = v_asked and a.message_id <> v_message
      order by a.seq limit 50);
  else
    v_ids := array(
      select x.message_id
      from unnest(v_sessions) as s (session_id), lateral (
        select message_id, seq from public.messages
        where session_id = s.session_id and seq <= v_seq and (seq, message_id) < (v_seq, v_last)
        order by seq desc, message_id desc limit v_limit + 1) x
      order by x.seq desc, x.message_id desc limit v_limit + 1);
    v_more := cardinality(v_ids) > v_limit;
    v_ids := v_ids[1:v_limit];
  end if;
  return jsonb_build_object(
    'found', v_found,
    'customer', (
      select jsonb_build_object(
        'customer_key', k.customer_key, 'created_at', k.created_at, 'unreachable', (
          select coalesce(jsonb_agg(jsonb_build_object('channel', u, 'at', k.reachability_at ->> u) order by u), '[]')
          from unnest(k.unreachable) as u))
      from public.customers k where k.customer_key = v_customer),
    'sessions', case when p ? 'after' then '[]'::jsonb else (
      select coalesce(jsonb_agg(jsonb_build_object(
          'session_id', s.session_id, 'status', s.status, 'channel', s.channel, 'merged_into', s.merged_into,
          'created_at', s.created_at, 'last_activity', s.last_activity, 'expires_at', s.expires_at, 'ended_at', s.ended_at)
        order by s.created_at, s.session_id), '[]')
      from public.sessions s where s.session_id = any (v_sessions)) end,
    'messages', (
      select coalesce(jsonb_agg(hub.traced_message(m) order by m.seq, m.message_id), '[]')
      from public.messages m where m.message_id = any (v_ids)),
    'audit', case when p ? 'after' then '[]'::jsonb else hub.audit_of(v_customer, v_sessions) end,
    'after', case when v_more then (
      select seq || '.' || message_id from public.messages where message_id = v_ids[v_limit]) end);
end
$$;

-- The newest 50 lines of the audit about a customer or these sessions, oldest first: [{at, actor, action}].
create or replace function hub.audit_of(p_customer uuid, p_sessions uuid[]) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object('at', a.at, 'actor', a.actor, 'action', a.action) order by a.audit_id), '[]')
  from (
    select audit_id, at, actor, action from public.audit
    where subject = any (
      array(select 'session:' || s from unnest(p_sessions) as s)
      || array(select 'customer:' || n from (
        select customer_key::text as n from public.customers where customer_key = p_customer
        union select customer_id from public.customers where customer_key = p_customer and customer_id is not null) k))
    order by audit_id desc limit 50) a
$$;
