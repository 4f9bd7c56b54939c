-- The desk's calls. Each takes one jsonb argument with now and staff, the hash of the caller's token, and returns jsonb. All refuse
-- unauthorized. {id} is a customer_key, a customer_id or the id of one of their sessions; the key of a customer who has become another
-- one leads to that one.

-- The customer of a conversation. Refuses not_found.
create or replace function hub.conversation_at(p_id text) returns uuid
language plpgsql stable as $$
declare
  v_customer uuid := hub.customer_at(p_id);
begin
  if v_customer is null and p_id ~ '^[0-9a-fA-F-]{36}$' then
    select customer_key into v_customer from public.customers
      where customer_key = (select moved_into from public.conversations where customer_key = p_id::uuid);
  end if;
  if v_customer is null and p_id ~ '^[0-9a-fA-F-]{36}$' then
    select customer_key into v_customer from public.sessions where session_id = hub.follow(p_id::uuid);
  end if;
  if v_customer is null then
    perform hub.refuse('not_found');
  end if;
  return v_customer;
end
$$;

-- Holds a conversation: its window of talk, then its customer. Refuses not_found.
create or replace function hub.hold_conversation(p_id text) returns uuid
language plpgsql volatile as $$
declare
  v_customer constant uuid := hub.conversation_at(p_id);
begin
  perform hub.hold_people(array[jsonb_build_object('customer_key', v_customer)]);
  return v_customer;
end
$$;

-- A handoff as the desk sees it, null for null.
create or replace function hub.handoff_json(h public.handoffs) returns jsonb
language sql stable as $$
  select case when h.handoff_id is not null then jsonb_build_object(
    'handoff_id', h.handoff_id, 'session_id', h.session_id, 'channel', h.channel, 'requested_by', h.requested_by, 'reason', h.reason,
    'wanted', h.wanted, 'requested_at', h.requested_at, 'accepted_at', h.accepted_at, 'accepted_by', hub.colleague(h.accepted_by),
    'overdue_at', h.overdue_at, 'ended_at', h.ended_at, 'outcome', h.outcome) end
$$;

-- A phone, an e-mail or an account by which staff know a customer; null without one.
create or replace function hub.contact_of(p_customer uuid) returns text
language sql stable as $$
  select value from public.identities where customer_key = p_customer and kind <> 'visitor_id'
  order by kind not in ('phone', 'email'), hub.identity_rank(kind), kind limit 1
$$;

-- A conversation as a line of the list.
create or replace function hub.conversation_json(p_customer uuid) returns jsonb
language plpgsql stable as $$
declare
  k public.customers;
  v public.conversations;
  s public.sessions;
  m public.messages;
  h public.handoffs;
begin
  select * into k from public.customers where customer_key = p_customer;
  select * into v from public.conversations where customer_key = p_customer;
  select * into s from public.sessions where session_id = hub.window_of(p_customer);
  select * into m from public.messages where session_id = s.session_id and seq = s.last_seq;
  select * into h from public.handoffs where handoff_id = v.handoff_id;
  return jsonb_build_object(
    'customer_key', k.customer_key, 'customer_id', k.customer_id, 'name', coalesce(k.name, k.profile ->> 'name'),
    'contact', hub.contact_of(k.customer_key),
    'tags', k.tags, 'plan', k.plan, 'language', s.language,
    'session_id', s.session_id, 'session_status', s.status, 'channel', coalesce(s.last_channel, s.channel), 'channels', s.channels,
    'holder', coalesce(v.holder::text, 'bot'), 'user', hub.colleague(v.user_id), 'version', coalesce(v.version, 0),
    'unread', coalesce(v.unread, 0), 'waiting_since', v.waiting_since, 'overdue_at', v.overdue_at, 'snoozed_until', v.snoozed_until,
    'handoff', hub.handoff_json(h),
    'last', case when m.message_id is not null then jsonb_build_object(
      'message_id', m.message_id, 'seq', m.seq, 'role', m.role, 'author', m.author, 'kind', m.kind, 'text', left(m.text, 160),
      'channel', m.channel, 'status', m.status, 'at', m.created_at) end,
    'last_at', coalesce(m.created_at, s.last_activity, v.last_message_at));
end
$$;

-- All conversations by their newest message, at most p_limit after the message p_after: [{customer_key, after}]. It reads at most 5,000
-- messages, so there may be fewer. p_next is where to go on, null at the end.
create or replace function hub.recent_conversations(
  p_after uuid, p_channel text, p_limit integer, out keys uuid[], out next uuid)
language plpgsql stable as $$
declare
  v_read integer := 0;
  v_last uuid;
  r record;
begin
  keys := '{}';
  for r in
    select m.message_id, s.customer_key, s.session_id, s.last_channel, s.channel, s.last_seq = m.seq as is_last
    from public.messages m join public.sessions s on s.session_id = m.session_id
    where m.message_id < coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    order by m.message_id desc limit 5000
  loop
    v_read := v_read + 1;
    v_last := r.message_id;
    if r.is_last and (p_channel is null or coalesce(r.last_channel, r.channel) = p_channel)
      and not r.customer_key = any (keys) and hub.window_of(r.customer_key) = r.session_id
    then
      keys := keys || r.customer_key;
      if cardinality(keys) = p_limit then
        next := r.message_id;
        return;
      end if;
    end if;
  end loop;
  next := case when v_read = 5000 then v_last end;
end
$$;

-- How many conversations each view has, for a user.
create or replace function hub.desk_counts(p_user uuid, p_now timestamptz) returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'mine', count(*) filter (where user_id = p_user and coalesce(snoozed_until <= p_now, true)),
    'unassigned', count(*) filter (where holder = 'waiting' and coalesce(snoozed_until <= p_now, true)),
    'waiting', count(*) filter (where waiting_since is not null and coalesce(snoozed_until <= p_now, true)),
    'overdue', count(*) filter (where waiting_since is not null and overdue_at is not null and coalesce(snoozed_until <= p_now, true)),
    'snoozed', count(*) filter (where snoozed_until > p_now),
    'held', count(*))
  from public.conversations where holder is not null
$$;

-- A page of conversations. p: {view, q, channel, unread, after, limit}. view: mine, unassigned (nobody has it yet), waiting (for a
-- person's answer, the longest first), held (by anybody), snoozed, or all, with the bot's, by the newest message. q finds customers of
-- all views by words, e-mail or phone. Returns {conversations, counts, after, user}.
create or replace function public.hub_conversations(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_me constant public.users := hub.staff(p);
  v_now constant timestamptz := p ->> 'now';
  v_view constant text := p ->> 'view';
  v_limit constant integer := (p ->> 'limit')::int;
  v_after constant text[] := string_to_array(p ->> 'after', '~');
  v_at constant timestamptz := case when cardinality(v_after) = 2 then v_after[1] end;
  v_key constant uuid := v_after[2];
  v_unread constant boolean := coalesce((p ->> 'unread')::boolean, false);
  v_channel constant text := p ->> 'channel';
  v_recent record;
  v_found uuid[];
  v_next text;
begin
  if p ->> 'q' is not null then
    v_found := array(
      select x from hub.customers_like(
        jsonb_build_object('q', p ->> 'q'), coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000'), v_limit + 1) as x
      group by x order by x limit v_limit + 1);
    v_next := case when array_length(v_found, 1) > v_limit then v_found[v_limit]::text end;
  elsif v_view = 'all' then
    v_recent := hub.recent_conversations((p ->> 'after')::uuid, v_channel, v_limit);
    v_found := v_recent.keys;
    v_next := v_recent.next::text;
  elsif v_view = 'waiting' then
    v_found := array(
      select customer_key from public.conversations v
      where waiting_since is not null and coalesce(snoozed_until <= v_now, true)
        and (v_at is null or (waiting_since, customer_key) > (v_at, v_key))
        and (v_channel is null or hub.channel_of_conversation(customer_key) = v_channel)
      order by waiting_since, customer_key limit v_limit + 1);
    v_next := (select to_char(waiting_since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '~' || customer_key
      from public.conversations where customer_key = v_found[v_limit] and array_length(v_found, 1) > v_limit);
  elsif v_view = 'mine' then
    v_found := array(
      select customer_key from public.conversations
      where holder = 'person' and user_id = v_me.user_id and coalesce(snoozed_until <= v_now, true)
        and (v_at is null or (last_message_at, customer_key) < (v_at, v_key)) and (not v_unread or unread > 0)
        and (v_channel is null or hub.channel_of_conversation(customer_key) = v_channel)
      order by last_message_at desc, customer_key desc limit v_limit + 1);
  elsif v_view = 'unassigned' then
    v_found := array(
      select customer_key from public.conversations
      where holder = 'waiting' and coalesce(snoozed_until <= v_now, true)
        and (v_at is null or (last_message_at, customer_key) < (v_at, v_key)) and (not v_unread or unread > 0)
        and (v_channel is null or hub.channel_of_conversation(customer_key) = v_channel)
      order by last_message_at desc, customer_key desc limit v_limit + 1);
  else
    v_found := array(
      select customer_key from public.conversations
      where holder is not null and (v_view = 'held' or snoozed_until > v_now)
        and (v_at is null or (last_message_at, customer_key) < (v_at, v_key)) and (not v_unread or unread > 0)
        and (v_channel is null or hub.channel_of_conversation(customer_key) = v_channel)
      order by last_message_at desc, customer_key desc limit v_limit + 1);
  end if;
  if v_view in ('mine', 'unassigned', 'held', 'snoozed') and p ->> 'q' is null then
    v_next := (select to_char(last_message_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '~' || customer_key
      from public.conversations where customer_key = v_found[v_limit] and array_length(v_found, 1) > v_limit);
  end if;
  return jsonb_build_object(
    'conversations', (
      select coalesce(jsonb_agg(hub.conversation_json(f.k) order by f.place), '[]')
      from unnest(v_found[:v_limit]) with ordinality as f (k, place)),
    'counts', hub.desk_counts(v_me.user_id, v_now), 'user', hub.user_json(v_me), 'after', v_next);
end
$$;

-- The channel of a conversation's newest message.
create or replace function hub.channel_of_conversation(p_customer uuid) returns text
language sql stable as $$
  select coalesce(last_channel, channel) from public.sessions where session_id = hub.window_of(p_customer)
$$;

create or replace function hub.note_json(n public.notes) returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'note_id', n.note_id, 'user', hub.colleague(n.user_id), 'text', n.text,
    'mentions', (select coalesce(jsonb_agg(hub.colleague(x)), '[]') from unnest(n.mentions) as x), 'created_at', n.created_at)
$$;

-- The colleagues at a conversation in the last half minute: [{user, typing}].
create or replace function hub.present_at(p_customer uuid, p_now timestamptz) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'user', hub.colleague(user_id), 'typing', coalesce(typing_until > p_now, false)) order by user_id), '[]')
  from public.presences where customer_key = p_customer and seen_at > p_now - interval '30 seconds'
$$;

-- One conversation with its customer beside it. p: {id}. Returns {conversation, customer, identities, addresses, windows: those that are
-- open, unreachable, sessions, orders, reservations, notes, handoffs, presence}.
create or replace function public.hub_conversation(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_me constant public.users := hub.staff(p);
  v_now constant timestamptz := p ->> 'now';
  v_customer constant uuid := hub.conversation_at(p ->> 'id');
  k public.customers;
begin
  select * into k from public.customers where customer_key = v_customer;
  return jsonb_build_object(
    'conversation', hub.conversation_json(v_customer),
    'customer', hub.customer_json(k),
    'identities', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'kind', kind, 'value', value, 'verified', verified_at is not null, 'last_seen_at', last_seen_at) order by kind), '[]')
      from public.identities where customer_key = v_customer),
    'addresses', hub.known_addresses(v_customer),
    'windows', (
      select coalesce(jsonb_agg(jsonb_build_object('channel', channel, 'account', account, 'window_closes_at', closes_at)
        order by closes_at desc), '[]')
      from public.reply_windows where customer_key = v_customer and closes_at > v_now),
    'unreachable', to_jsonb(k.unreachable),
    'sessions', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'session_id', s.session_id, 'status', s.status, 'channels', s.channels, 'language', s.language, 'message_count', s.message_count,
        'rating', s.rating, 'feedback', s.feedback, 'summary', s.summary, 'created_at', s.created_at, 'last_activity', s.last_activity,
        'ended_at', s.ended_at) order by s.created_at desc), '[]')
      from (
        select * from public.sessions where session_id = any (hub.sessions_of(v_customer)) and status <> 'merged'
        order by created_at desc limit 20) s),
    'orders', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'order_id', o.order_id, 'status', o.status, 'amount', o.amount::text, 'currency', o.currency, 'created_at', o.created_at)
        order by o.order_key desc), '[]')
      from (select * from public.orders where customer_key = v_customer order by order_key desc limit 10) o),
    'reservations', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'reservation_id', r.reservation_id, 'name', r.name, 'status', r.status, 'datetime', r.datetime, 'timezone', r.timezone,
        'guests', r.guests) order by r.datetime desc), '[]')
      from (select * from public.reservations where customer_key = v_customer order by datetime desc limit 10) r),
    'notes', (
      select coalesce(jsonb_agg(hub.note_json(n) order by n.note_id), '[]')
      from (select * from public.notes where customer_key = v_customer order by note_id desc limit 100) n),
    'handoffs', (
      select coalesce(jsonb_agg(hub.handoff_json(h) order by h.requested_at desc), '[]')
      from (select * from public.handoffs where customer_key = v_customer order by requested_at desc limit 10) h),
    'presence', hub.present_at(v_customer, v_now));
end
$$;

-- Whose conversations these sessions are. p: {session_ids}. Returns {customers: {session_id: {customer_key, name, contact}}}.
create or replace function public.hub_conversations_of(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform hub.staff(p);
  return jsonb_build_object('customers', (
    select coalesce(jsonb_object_agg(x.id, jsonb_build_object(
        'customer_key', k.customer_key, 'name', coalesce(k.name, k.profile ->> 'name'), 'contact', hub.contact_of(k.customer_key))), '{}')
    from jsonb_array_elements_text(p -> 'session_ids') as x (id)
      join public.sessions s on s.session_id = hub.follow(x.id::uuid)
      join public.customers k on k.customer_key = s.customer_key));
end
$$;

-- One page of a conversation's messages, over all sessions and channels. p: {id, before | after, limit}: the newest ones before a seq,
-- or the oldest ones after it. Returns {messages: in order, more, epoch, last_seq}. epoch changes when sessions merge or people become
-- one: the messages are to be read from the end again.
create or replace function public.hub_conversation_messages(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_me constant public.users := hub.staff(p);
  v_customer constant uuid := hub.conversation_at(p ->> 'id');
  v_ids constant uuid[] := hub.sessions_of(v_customer);
  v_limit constant integer := (p ->> 'limit')::int;
  v_back constant boolean := p ->> 'after' is null;
  v_seq constant bigint := coalesce((p ->> 'after')::bigint, (p ->> 'before')::bigint, 9223372036854775807);
  v_messages jsonb;
begin
  if v_back then
    select coalesce(jsonb_agg(x.document order by x.seq desc), '[]') into v_messages from (
      select m.seq, hub.message_json(m)::jsonb || jsonb_strip_nulls(jsonb_build_object('turn', hub.turn_state(m))) as document
      from unnest(v_ids) as s (id)
        cross join lateral (
          select * from public.messages where session_id = s.id and seq < v_seq order by seq desc limit v_limit + 1) m
      order by m.seq desc limit v_limit + 1) x;
  else
    select coalesce(jsonb_agg(x.document order by x.seq), '[]') into v_messages from (
      select m.seq, hub.message_json(m)::jsonb || jsonb_strip_nulls(jsonb_build_object('turn', hub.turn_state(m))) as document
      from unnest(v_ids) as s (id)
        cross join lateral (
          select * from public.messages where session_id = s.id and seq > v_seq order by seq limit v_limit + 1) m
      order by m.seq limit v_limit + 1) x;
  end if;
  return jsonb_build_object(
    'more', jsonb_array_length(v_messages) > v_limit,
    'messages', (
      select coalesce(jsonb_agg(m order by (m ->> 'seq')::bigint), '[]')
      from (select m from jsonb_array_elements(v_messages) with ordinality as u (m, place) where place <= v_limit) as y),
    'customer_key', v_customer,
    'epoch', v_customer || '.' || (select count(*) from public.sessions where session_id = any (v_ids) and status = 'merged'));
end
$$;

-- Changes who has a conversation, or what is known of it. p: {..., id, action, from, to, until, ask, if_version}. Actions:
--   take       the caller has it from now on; from another person only if from names that person
--   assign     to (a user_id) has it, or nobody yet without to
--   give_back  the bot has it again, and answers what nobody has answered yet, unless ask is false
--   close      as give_back, and the bot is not asked
--   snooze     it is out of the views until then, or until the customer writes; without until it is back at once
--   seen       the caller has read it
-- Returns {conversation, session_id: where it changed, turn: claimed for the bot, with its session and messages}. Refuses not_found,
-- conversation_taken {user}, version_conflict, and illegal_transition where a person must have it first.
create or replace function public.hub_hold(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_me constant public.users := hub.staff(p);
  v_customer constant uuid := hub.hold_conversation(p ->> 'id');
  v_action constant text := p ->> 'action';
  v_to constant uuid := p ->> 'to';
  v_turn jsonb;
  v public.conversations;
begin
  select * into v from public.conversations where customer_key = v_customer for update;
  if (p ->> 'if_version')::bigint <> coalesce(v.version, 0) then
    perform hub.refuse('version_conflict');
  elsif v_action in ('take', 'assign', 'give_back', 'close') and v.holder = 'person' and v.user_id <> v_me.user_id
    and v.user_id is distinct from (p ->> 'from')::uuid
  then
    perform hub.refuse('conversation_taken', jsonb_build_object('user', hub.colleague(v.user_id)));
  elsif v_action in ('give_back', 'close', 'snooze') and v.holder is null then
    perform hub.refuse('illegal_transition');
  elsif v_action = 'take' and v.holder = 'person' and v.user_id = v_me.user_id then
    return jsonb_build_object('conversation', hub.conversation_json(v_customer));
  end if;
  case v_action
    when 'take' then
      perform hub.give_to(v_customer, v_me.user_id, c);
    when 'assign' then
      if v_to is null and v.holder is null then
        perform hub.refuse('illegal_transition');
      elsif v_to is null then
        perform hub.set_holder(v_customer, 'waiting', null, v.handoff_id, coalesce(v.waiting_since, c.now), c.now);
      elsif exists (select from public.users where user_id = v_to and not disabled) then
        perform hub.give_to(v_customer, v_to, c);
      else
        perform hub.refuse('malformed');
      end if;
    when 'give_back', 'close' then
      perform hub.end_handoff(v_customer, case v_action when 'close' then 'closed' else 'given_back' end, c);
      if v_action = 'give_back' and coalesce((p ->> 'ask')::boolean, true) then
        v_turn := hub.ask_bot_again((select session_id from public.sessions where customer_key = v_customer and status = 'active'), c);
      end if;
    when 'snooze' then
      update public.conversations
        set snoozed_until = (p ->> 'until')::timestamptz, version = version + 1, updated_at = now()
        where customer_key = v_customer;
    when 'seen' then
      update public.conversations set unread = 0, updated_at = now() where customer_key = v_customer and unread > 0;
  end case;
  if v_action <> 'seen' then
    perform hub.add_audit(
      hub.staff_name(v_me.user_id), 'conversation.' || v_action, 'customer:' || v_customer,
      jsonb_strip_nulls(jsonb_build_object('from', v.user_id, 'to', v_to, 'until', p ->> 'until')), c.now);
  end if;
  return jsonb_build_object(
    'conversation', hub.conversation_json(v_customer), 'session_id', hub.window_of(v_customer), 'turn', v_turn);
end
$$;

-- Where an answer of the desk goes. p: {id, channel}: without a channel, where the customer wrote last. Returns {customer_key, channel,
-- account, address, language, external_id: the platform's id of their newest message there}. address is null where the customer
-- cannot be reached on that channel and does not fetch there either.
create or replace function public.hub_reply_target(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_me constant public.users := hub.staff(p);
  v_customer constant uuid := hub.conversation_at(p ->> 'id');
  v_channel text := p ->> 'channel';
  v_to record;
  s public.sessions;
  m public.messages;
begin
  select * into s from public.sessions where session_id = hub.window_of(v_customer);
  if v_channel is null then
    select channel into v_channel from public.messages
      where session_id = s.session_id and direction = 'inbound' and role = 'user' order by seq desc limit 1;
  end if;
  v_channel := coalesce(v_channel, s.last_channel, s.channel);
  select account, address into v_to from public.identities
    where customer_key = v_customer and channel = v_channel and address is not null order by address_used_at desc limit 1;
  select * into m from public.messages
    where session_id = s.session_id and direction = 'inbound' and role = 'user' and channel = v_channel order by seq desc limit 1;
  return jsonb_build_object(
    'customer_key', v_customer, 'channel', v_channel, 'account', coalesce(v_to.account, m.account),
    'address', coalesce(v_to.address, case when v_channel = any (s.channels) then '{}'::jsonb end), 'language', s.language,
    'external_id', m.external_id);
end
$$;

-- Sends replies of a person in a conversation, which they take if nobody else has it. p: {..., id, channel, account, address, replies:
-- as in hub_complete, seen, idempotency_key, fields}. seen is the seq up to which they have read: if somebody else has answered since,
-- it is refused. Returns {conversation, session_id, messages, deliveries, replayed}. Refuses not_found, conversation_taken {user},
-- answered_since {seq, author, at} and idempotency_conflict.
create or replace function public.hub_operator_reply(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_me constant public.users := hub.staff(p);
  v_author constant text := hub.staff_name(v_me.user_id);
  v_call constant jsonb := p || jsonb_build_object('actor', v_author);
  v_replies constant jsonb := p -> 'replies';
  v_count constant integer := jsonb_array_length(v_replies);
  v_channel constant text := p ->> 'channel';
  v_earlier constant jsonb := hub.earlier_answer(v_call, 'desk_reply', c);
  v_customer uuid;
  v_ids uuid[] := '{}';
  v_delivery jsonb;
  v_claimed jsonb;
  v_parts integer;
  v_blocked boolean;
  v_reply jsonb;
  s public.sessions;
  v public.conversations;
  m public.messages;
begin
  if v_earlier is not null then
    return jsonb_build_object(
      'conversation', hub.conversation_json(hub.conversation_at(p ->> 'id')), 'replayed', true, 'deliveries', '[]'::jsonb,
      'messages', (
        select coalesce(jsonb_agg(hub.message_json(x) order by x.seq), '[]') from public.messages x
        where x.message_id in (select (e #>> '{}')::uuid from jsonb_array_elements(v_earlier -> 'message_ids') as e)));
  end if;
  v_customer := hub.hold_conversation(p ->> 'id');
  select * into v from public.conversations where customer_key = v_customer for update;
  if v.holder = 'person' and v.user_id <> v_me.user_id then
    perform hub.refuse('conversation_taken', jsonb_build_object('user', hub.colleague(v.user_id)));
  end if;
  if p ->> 'seen' is not null then
    select x.* into m
      from unnest(hub.sessions_of(v_customer)) as i (id)
        join public.messages x on x.session_id = i.id
      where x.seq > (p ->> 'seen')::bigint and x.direction = 'outbound' and x.role in ('assistant', 'operator')
        and x.author is distinct from v_author
      order by x.seq limit 1;
    if m.message_id is not null then
      perform hub.refuse('answered_since', jsonb_build_object(
        'seq', m.seq, 'role', m.role, 'at', m.created_at,
        'user', case when m.author like 'user:%' then hub.colleague(substr(m.author, 6)::uuid) end));
    end if;
  end if;
  if v.holder is distinct from 'person' then
    perform hub.give_to(v_customer, v_me.user_id, c);
  end if;
  s := hub.current_session(v_customer, v_channel, c);
  v_blocked := exists (select from public.customers where customer_key = v_customer and v_channel = any (unreachable));
  for i in 0 .. v_count - 1 loop
    v_reply := v_replies -> i;
    v_parts := jsonb_array_length(v_reply -> 'parts');
    s.last_seq := hub.next_seq(s.last_seq, c.now);
    m := hub.add_message(
      s.session_id, s.last_seq,
      jsonb_build_object(
        'channel', v_channel, 'account', p -> 'account', 'direction', 'outbound', 'role', 'operator', 'author', v_author,
        'kind', v_reply -> 'kind', 'text', v_reply -> 'text', 'content', v_reply -> 'content',
        'status', case when v_parts = 0 then 'sent' when v_blocked then 'failed' else 'pending' end),
      c.now);
    v_ids := v_ids || m.message_id;
    for n in 0 .. v_parts - 1 loop
      v_claimed := hub.add_delivery(m, v_parts, p -> 'address', v_reply -> 'parts' -> n, v_blocked, c);
      v_delivery := coalesce(v_delivery, v_claimed);
    end loop;
  end loop;
  v_delivery := coalesce(v_delivery, hub.claim_delivery(s.session_id, v_channel, c));
  update public.sessions
    set message_count = message_count + v_count, last_seq = s.last_seq, updated_at = greatest(updated_at, c.now),
        expires_at = greatest(expires_at, c.now + c.ttl),
        channels = case when v_channel = any (channels) then channels else channels || v_channel end,
        channels_since = case when v_channel = any (channels) then channels_since else channels_since || c.now end
    where session_id = s.session_id;
  update public.conversations
    set unread = 0, waiting_since = null, overdue_at = null, snoozed_until = null, last_message_at = greatest(last_message_at, c.now),
        updated_at = now()
    where customer_key = v_customer;
  delete from public.presences where user_id = v_me.user_id and typing_until is not null;
  perform hub.add_audit(
    v_author, 'conversation.reply', 'customer:' || v_customer,
    jsonb_build_object('session_id', s.session_id, 'channel', v_channel, 'message_ids', to_jsonb(v_ids)), c.now);
  perform hub.keep_answer(v_call, 'desk_reply', v_customer, jsonb_build_object('message_ids', to_jsonb(v_ids)), c);
  return jsonb_build_object(
    'conversation', hub.conversation_json(v_customer), 'session_id', s.session_id, 'replayed', false,
    'messages', (select jsonb_agg(hub.message_json(x) order by x.seq) from public.messages x where x.message_id = any (v_ids)),
    'deliveries', hub.list_of(v_delivery));
end
$$;

-- Adds a note. p: {id, text, mentions: [user_id]}. Returns {note}. Refuses not_found, and malformed for somebody who is no user.
create or replace function public.hub_add_note(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_me constant public.users := hub.staff(p);
  v_now constant timestamptz := p ->> 'now';
  v_customer constant uuid := hub.hold_conversation(p ->> 'id');
  v_mentions constant uuid[] := array(select (x #>> '{}')::uuid from jsonb_array_elements(coalesce(p -> 'mentions', '[]')) as x);
  n public.notes;
begin
  if (select count(*) from public.users where user_id = any (v_mentions) and not disabled) <> cardinality(v_mentions) then
    perform hub.refuse('malformed');
  end if;
  insert into public.notes (note_id, customer_key, user_id, text, mentions, created_at)
    values (hub.uuid(v_now), v_customer, v_me.user_id, p ->> 'text', v_mentions, v_now)
    returning * into n;
  insert into public.conversations (customer_key, last_message_at, updated_at) values (v_customer, v_now, now())
    on conflict (customer_key) do update set updated_at = now();
  perform hub.add_audit(
    hub.staff_name(v_me.user_id), 'conversation.note', 'customer:' || v_customer, jsonb_build_object('note_id', n.note_id), v_now);
  return jsonb_build_object('note', hub.note_json(n));
end
$$;

-- Deletes a note: its writer, or an admin. p: {id, note_id}. Returns {}. Refuses not_found and forbidden.
create or replace function public.hub_delete_note(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_me constant public.users := hub.staff(p);
  v_customer constant uuid := hub.hold_conversation(p ->> 'id');
  n public.notes;
begin
  select * into n from public.notes where note_id = (p ->> 'note_id')::uuid and customer_key = v_customer;
  if n.note_id is null then
    perform hub.refuse('not_found');
  elsif n.user_id <> v_me.user_id and v_me.role <> 'admin' then
    perform hub.refuse('forbidden');
  end if;
  delete from public.notes where note_id = n.note_id;
  update public.conversations set updated_at = now() where customer_key = v_customer;
  perform hub.add_audit(
    hub.staff_name(v_me.user_id), 'conversation.delete_note', 'customer:' || v_customer,
    jsonb_build_object('note_id', n.note_id), (p ->> 'now')::timestamptz);
  return '{}';
end
$$;

-- What staff keep of a customer, for an export. p: {customer_id | session_id}. Returns {notes, handoffs}.
create or replace function public.hub_export_conversation(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_customer constant uuid := hub.customer_of(p);
begin
  return jsonb_build_object(
    'notes', (select coalesce(jsonb_agg(hub.note_json(n) order by n.note_id), '[]') from public.notes n where customer_key = v_customer),
    'handoffs', (
      select coalesce(jsonb_agg(hub.handoff_json(h) order by h.requested_at), '[]') from public.handoffs h where customer_key = v_customer));
end
$$;

-- Says that the caller looks at a conversation, and whether they type. p: {id, typing}; without id they look at none. Returns
-- {presence}: who else does.
create or replace function public.hub_presence(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_me constant public.users := hub.staff(p);
  v_now constant timestamptz := p ->> 'now';
  v_customer uuid;
begin
  if p ->> 'id' is null then
    delete from public.presences where user_id = v_me.user_id;
    return '{"presence": []}';
  end if;
  v_customer := hub.conversation_at(p ->> 'id');
  insert into public.presences (user_id, customer_key, typing_until, seen_at)
    values (v_me.user_id, v_customer, case when (p ->> 'typing')::boolean then v_now + interval '8 seconds' end, v_now)
    on conflict (user_id) do update
      set customer_key = excluded.customer_key, typing_until = excluded.typing_until, seen_at = excluded.seen_at;
  return jsonb_build_object('presence', hub.present_at(v_customer, v_now));
end
$$;

-- What has changed at the desk. p: {after}: the cursor of the call before, none at the first. Returns {cursor, fresh, conversations:
-- [customer_key] with a new message or a change, presence: [{customer_key, user, typing}], counts}. fresh: something is newer than the
-- cursor. The answer also names what changed in the five seconds before the cursor: a slow transaction may have been overtaken.
create or replace function public.hub_desk_changes(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_me constant public.users := hub.staff(p);
  v_now constant timestamptz := p ->> 'now';
  v_after constant text[] := string_to_array(p ->> 'after', '~');
  v_message constant uuid := v_after[1];
  v_change constant timestamptz := v_after[2];
  v_presence constant text := v_after[3];
  v_newest uuid;
  v_changed timestamptz;
  v_found uuid[] := '{}';
  v_present jsonb;
  v_mark text;
begin
  select message_id into v_newest from public.messages order by message_id desc limit 1;
  select max(updated_at) into v_changed from public.conversations;
  select coalesce(jsonb_agg(jsonb_build_object(
      'customer_key', customer_key, 'user', hub.colleague(user_id), 'typing', coalesce(typing_until > v_now, false))
      order by user_id), '[]')
    into v_present
    from public.presences where seen_at > v_now - interval '30 seconds' and user_id <> v_me.user_id;
  v_mark := md5(v_present::text);
  v_newest := greatest(coalesce(v_newest, '00000000-0000-0000-0000-000000000000'), v_message);
  v_changed := greatest(coalesce(v_changed, 'epoch'), v_change);
  if v_after is not null and v_newest = v_message and v_changed = v_change and v_mark = v_presence then
    return jsonb_build_object('fresh', false, 'cursor', p ->> 'after', 'conversations', '[]'::jsonb, 'presence', v_present);
  end if;
  if v_after is not null then
    v_found := array(
      select customer_key from (
        select distinct s.customer_key
        from (
          select distinct session_id from (
            select session_id from public.messages
            where message_id > hub.uuid_from(hub.time_of_uuid(v_message) - interval '5 seconds')
            order by message_id desc limit 2000) as recent) as m
          join public.sessions s on s.session_id = m.session_id
        union
        select customer_key from public.conversations where updated_at > v_change - interval '5 seconds') as u
      limit 500);
  end if;
  return jsonb_build_object(
    'fresh', v_after is not null,
    'cursor', v_newest || '~' || to_char(v_changed at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '~' || v_mark,
    'conversations', to_jsonb(v_found), 'presence', v_present, 'counts', hub.desk_counts(v_me.user_id, v_now));
end
$$;

-- The instant in an id of hub.uuid.
create or replace function hub.time_of_uuid(p_id uuid) returns timestamptz
language sql immutable parallel safe as $$
  select to_timestamp(('x' || substr(replace(p_id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
$$;

create or replace function hub.canned_json(r public.canned_replies) returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'reply_id', r.reply_id, 'shortcut', r.shortcut, 'title', r.title, 'replies', r.replies, 'language', r.language,
    'version', r.version, 'updated_by', hub.colleague(r.updated_by), 'updated_at', r.updated_at)
$$;

-- All canned replies by their shortcuts. p: {}. Returns {canned_replies}.
create or replace function public.hub_canned_replies(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform hub.staff(p);
  return jsonb_build_object('canned_replies', (
    select coalesce(jsonb_agg(hub.canned_json(r) order by r.shortcut), '[]') from public.canned_replies r));
end
$$;

-- Saves a canned reply under its shortcut; delete removes it. p: {shortcut, title, replies, language, delete, if_version}. There may be
-- 500. Returns {canned_reply}. Refuses not_found, version_conflict and payload_too_large.
create or replace function public.hub_save_canned_reply(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_me constant public.users := hub.staff(p);
  v_now constant timestamptz := p ->> 'now';
  r public.canned_replies;
begin
  select * into r from public.canned_replies where shortcut = p ->> 'shortcut' for update;
  if (p ->> 'if_version')::int <> coalesce(r.version, 0) then
    perform hub.refuse('version_conflict');
  elsif p ? 'delete' then
    if r.reply_id is null then
      perform hub.refuse('not_found');
    end if;
    delete from public.canned_replies where reply_id = r.reply_id;
  elsif r.reply_id is null and (select count(*) from public.canned_replies) >= 500 then
    perform hub.refuse('payload_too_large');
  else
    insert into public.canned_replies as x (reply_id, shortcut, title, replies, language, updated_by, created_at, updated_at)
      values (hub.uuid(v_now), p ->> 'shortcut', p ->> 'title', p -> 'replies', p ->> 'language', v_me.user_id, v_now, v_now)
      on conflict (shortcut) do update
        set title = excluded.title, replies = excluded.replies, language = excluded.language, updated_by = excluded.updated_by,
            version = x.version + 1, updated_at = excluded.updated_at
      returning * into r;
  end if;
  perform hub.add_audit(
    hub.staff_name(v_me.user_id), 'canned_reply.' || case when p ? 'delete' then 'delete' else 'save' end, 'canned_reply:' || r.reply_id,
    '{}', v_now);
  return jsonb_build_object('canned_reply', hub.canned_json(r));
end
$$;

-- Figures of handoffs that were requested in a time. p: {from, to}, or with actor instead of staff. Returns {requested, by: {bot,
-- customer, operator}, accepted, overdue, given_back, closed, wait: {median_ms, p95_ms}, talk: {median_ms, p95_ms}}: wait is from the
-- request to the person, talk from the person to the end.
create or replace function public.hub_handoff_figures(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  if p ->> 'actor' is null then
    perform hub.staff(p);
  end if;
  return (
    select jsonb_build_object(
      'requested', count(*),
      'by', jsonb_build_object(
        'bot', count(*) filter (where requested_by = 'bot'), 'customer', count(*) filter (where requested_by = 'customer'),
        'operator', count(*) filter (where requested_by = 'operator')),
      'accepted', count(accepted_at), 'overdue', count(overdue_at),
      'given_back', count(*) filter (where outcome = 'given_back'), 'closed', count(*) filter (where outcome = 'closed'),
      'wait', jsonb_build_object(
        'median_ms', percentile_disc(0.5) within group (order by hub.ms(requested_at, accepted_at))
          filter (where requested_by <> 'operator' and accepted_at is not null),
        'p95_ms', percentile_disc(0.95) within group (order by hub.ms(requested_at, accepted_at))
          filter (where requested_by <> 'operator' and accepted_at is not null)),
      'talk', jsonb_build_object(
        'median_ms', percentile_disc(0.5) within group (order by hub.ms(accepted_at, ended_at))
          filter (where accepted_at is not null and ended_at is not null),
        'p95_ms', percentile_disc(0.95) within group (order by hub.ms(accepted_at, ended_at))
          filter (where accepted_at is not null and ended_at is not null)))
    from public.handoffs
    where requested_at >= (p ->> 'from')::timestamptz and requested_at < (p ->> 'to')::timestamptz);
end
$$;

-- Dead letters of a conversation's sessions, newest first. p: {id}. Returns {dead_letters}: as hub_dead_letters, at most 100.
create or replace function public.hub_conversation_dead_letters(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_me constant public.users := hub.staff(p);
  v_ids constant uuid[] := hub.sessions_of(hub.conversation_at(p ->> 'id'));
begin
  return jsonb_build_object('dead_letters', (
    select coalesce(jsonb_agg(to_jsonb(l) order by l.id desc), '[]') from (
      select * from (
        select turn_id as id, 'turn' as type, session_id, message_id, channel, attempt, code, reason, created_at
        from public.turns where state = 'dead' and session_id = any (v_ids)
        union all
        select d.delivery_id, 'delivery', d.session_id, d.message_id, d.channel, d.attempt, d.code, d.reason, d.created_at
        from unnest(v_ids) as s (id)
          join public.messages m on m.session_id = s.id and m.status = 'failed'
          join public.deliveries d on d.message_id = m.message_id and d.state = 'dead') as x
      order by id desc limit 100) as l));
end
$$;
