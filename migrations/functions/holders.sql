-- Who has a conversation: the bot, nobody yet, or a person of the staff. It changes only while the customer's window of talk and then
-- the customer are held, and each change raises the version of the active session: hub.receive_known reads the holder before it holds
-- the session, and then knows.

-- Keeps customers.holder, the copy that messages read.
create or replace function hub.copy_holder() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    update public.customers set holder = null where customer_key = old.customer_key and holder is not null;
    return null;
  end if;
  update public.customers set holder = new.holder where customer_key = new.customer_key and holder is distinct from new.holder;
  return null;
end
$$;

create or replace trigger conversation_held after insert or delete or update of holder on public.conversations
  for each row execute function hub.copy_holder();

-- Whether a person has the customer's conversation, or is to have it: no bot is asked then.
create or replace function hub.is_held(p_customer uuid) returns boolean
language sql stable as $$
  select exists (select from public.customers where customer_key = p_customer and holder is not null)
$$;

-- A customer's message for a person: it counts as unread, wakes a snoozed conversation, and the customer waits from the first one on.
create or replace function hub.wait_for_person(p_customer uuid, p_kind text, p_at timestamptz) returns void
language plpgsql volatile as $$
begin
  if p_kind = 'reaction' then
    update public.conversations set updated_at = now() where customer_key = p_customer and holder is not null;
    return;
  end if;
  update public.conversations
    set unread = unread + 1, waiting_since = coalesce(waiting_since, p_at), snoozed_until = null,
        last_message_at = greatest(last_message_at, p_at), updated_at = now()
    where customer_key = p_customer and holder is not null;
end
$$;

-- Ends all open turns of a session without an answer: a person answers. A bot that is being asked is too late: its answer is stale. The
-- caller holds the session. Returns how many messages that leaves unanswered.
create or replace function hub.drop_turns(p_session uuid) returns integer
language plpgsql volatile as $$
declare
  v_dropped integer;
begin
  delete from public.turns where session_id = p_session and state in ('pending', 'running');
  get diagnostics v_dropped = row_count;
  return v_dropped;
end
$$;

-- Sets who has a conversation, ends what the bot was to answer, and raises the version of the active session. p_user is null unless
-- p_holder is person. The caller holds the customer, and the active session if there is one. A bot that answers an ended session holds
-- that one instead: the active session is then locked here, and not waited for, because customers are locked after sessions.
create or replace function hub.set_holder(
  p_customer uuid, p_holder text, p_user uuid, p_handoff uuid, p_waiting_since timestamptz, p_now timestamptz) returns public.conversations
language plpgsql volatile as $$
declare
  v_session uuid;
  v_dropped integer := 0;
  v public.conversations;
begin
  select session_id into v_session from public.sessions
    where customer_key = p_customer and status = 'active' for update skip locked;
  if v_session is null and exists (select from public.sessions where customer_key = p_customer and status = 'active') then
    raise exception 'the active session is locked' using errcode = 'serialization_failure';
  end if;
  if p_holder is not null then
    v_dropped := hub.drop_turns(v_session);
  end if;
  insert into public.conversations as x (
      customer_key, holder, user_id, handoff_id, unread, waiting_since, last_message_at, updated_at)
    values (p_customer, p_holder, p_user, p_handoff, v_dropped, p_waiting_since, p_now, now())
    on conflict (customer_key) do update
      set holder = p_holder, user_id = p_user, handoff_id = p_handoff,
          unread = case when p_holder is null then 0 else x.unread + v_dropped end,
          waiting_since = p_waiting_since,
          overdue_at = case when p_waiting_since is null then null else x.overdue_at end,
          snoozed_until = null, moved_into = null, version = x.version + 1, updated_at = now()
    returning * into v;
  update public.sessions set version = version + 1, updated_at = greatest(updated_at, p_now) where session_id = v_session;
  return v;
end
$$;

-- Asks for a person: nobody has the conversation until one takes it. p_by: bot or customer. Nothing changes when a person has it or is
-- asked for already. The caller holds the session.
create or replace function hub.ask_for_person(
  p_customer uuid, p_session uuid, p_channel text, p_by text, p_reason text, p_wanted text, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_handoff constant uuid := hub.uuid(c.now);
begin
  perform 1 from public.customers where customer_key = p_customer for update;
  if not exists (select from public.customers where customer_key = p_customer and holder is null) then
    return;
  end if;
  insert into public.handoffs (handoff_id, customer_key, session_id, channel, requested_by, reason, wanted, requested_at)
    values (v_handoff, p_customer, p_session, p_channel, p_by, p_reason, p_wanted, c.now);
  perform hub.set_holder(p_customer, 'waiting', null, v_handoff, c.now, c.now);
  update public.conversations set unread = unread + 1 where customer_key = p_customer;
  perform hub.add_audit(p_by, 'conversation.request', 'customer:' || p_customer, jsonb_build_object('handoff_id', v_handoff), c.now);
end
$$;

-- Gives a conversation to a person. Its handoff is accepted by the first one; without an open one the person has asked themselves.
-- The caller holds session and customer.
create or replace function hub.give_to(p_customer uuid, p_user uuid, c hub.context) returns public.conversations
language plpgsql volatile as $$
declare
  v_handoff uuid;
  s public.sessions;
  v public.conversations;
begin
  select * into v from public.conversations where customer_key = p_customer;
  if v.holder is null then
    v_handoff := hub.uuid(c.now);
    select * into s from public.sessions where session_id = hub.window_of(p_customer);
    insert into public.handoffs (
        handoff_id, customer_key, session_id, channel, requested_by, requested_at, accepted_at, accepted_by)
      values (
        v_handoff, p_customer, s.session_id, coalesce(s.last_channel, s.channel), 'operator', c.now, c.now, p_user);
  else
    v_handoff := v.handoff_id;
    update public.handoffs set accepted_at = c.now, accepted_by = p_user where handoff_id = v_handoff and accepted_at is null;
  end if;
  return hub.set_holder(
    p_customer, 'person', p_user, v_handoff,
    coalesce(v.waiting_since, hub.unanswered_since(p_customer)), c.now);
end
$$;

-- When the customer wrote the message that waits for an answer; null when the last word is ours. p_customer has an active session.
create or replace function hub.unanswered_since(p_customer uuid) returns timestamptz
language sql stable as $$
  select case when m.direction = 'inbound' then m.created_at end
  from public.sessions s join public.messages m on m.session_id = s.session_id and m.seq = s.last_seq
  where s.customer_key = p_customer and s.status = 'active'
$$;

-- The customer's newest message with no word of ours after it, in the active session; null when there is none.
create or replace function hub.unanswered(s public.sessions) returns public.messages
language plpgsql stable as $$
declare
  m public.messages;
begin
  select * into m from public.messages
    where session_id = s.session_id and kind <> 'system' and kind <> 'reaction' and deleted_at is null
    order by seq desc limit 1;
  if m.direction = 'inbound' and m.role = 'user' then
    return m;
  end if;
  return null;
end
$$;

-- Ends a person's part: the bot has the conversation again. p_outcome: given_back or closed. The caller holds session and customer.
create or replace function hub.end_handoff(p_customer uuid, p_outcome text, c hub.context) returns public.conversations
language plpgsql volatile as $$
begin
  update public.handoffs set ended_at = c.now, outcome = p_outcome
    where handoff_id = (select handoff_id from public.conversations where customer_key = p_customer) and ended_at is null;
  return hub.set_holder(p_customer, null, null, null, null, c.now);
end
$$;

-- The turn that asks the bot about what the customer wrote last, if nobody has answered it: claimed, with its session and messages. Null
-- without such a message. The caller holds the session, and the bot has the conversation.
create or replace function hub.ask_bot_again(p_session uuid, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_turn jsonb;
  s public.sessions;
  m public.messages;
begin
  select * into s from public.sessions where session_id = p_session and status = 'active' and expires_at > c.now;
  if s.session_id is null then
    return null;
  end if;
  m := hub.unanswered(s);
  if m.message_id is null then
    return null;
  end if;
  v_turn := hub.add_turn(s, m, hub.address_of_message(m, s.customer_key), c);
  if v_turn is null or v_turn ? 'session' then
    return v_turn;
  end if;
  return v_turn || jsonb_build_object('session', hub.session_document(s), 'message', hub.message_json(m));
end
$$;

-- Where an answer to a customer's message goes: the address that was last used on its channel and account, {} where it is fetched.
create or replace function hub.address_of_message(m public.messages, p_customer uuid) returns jsonb
language sql stable as $$
  select coalesce((
    select address from public.identities
    where customer_key = p_customer and channel = m.channel and account is not distinct from m.account and address is not null
    order by address_used_at desc limit 1), '{}')
$$;

-- When customers become one: who has the conversation afterwards. A person has it before nobody yet, and nobody yet before the bot; of
-- two persons the one who took theirs first, of two who wait the one who waits longer. The other handoff ends as merged. Notes and
-- handoffs come along, and what the bot was to answer is dropped if a person has it. The caller holds the customers and all their
-- sessions; their sessions have moved, and their customers' rows are still there.
create or replace function hub.join_conversations(p_into uuid, p_others uuid[], p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_all constant uuid[] := p_into || p_others;
  v_unread integer;
  w public.conversations;
begin
  update public.notes set customer_key = p_into where customer_key = any (p_others);
  update public.handoffs set customer_key = p_into where customer_key = any (p_others);
  update public.presences set customer_key = p_into where customer_key = any (p_others);
  if not exists (select from public.conversations where customer_key = any (p_others)) then
    if hub.is_held(p_into) then
      perform hub.drop_turns((select session_id from public.sessions where customer_key = p_into and status = 'active'));
    end if;
    return;
  end if;
  select x.* into w
    from public.conversations x left join public.handoffs h on h.handoff_id = x.handoff_id
    where x.customer_key = any (v_all) and x.holder is not null
    order by x.holder = 'person' desc, case when x.holder = 'person' then h.accepted_at else x.waiting_since end, x.customer_key
    limit 1;
  v_unread := (select coalesce(sum(unread), 0) from public.conversations where customer_key = any (v_all));
  update public.handoffs set ended_at = p_now, outcome = 'merged'
    where handoff_id <> w.handoff_id and ended_at is null
      and handoff_id in (select handoff_id from public.conversations where customer_key = any (v_all));
  update public.conversations
    set holder = null, user_id = null, handoff_id = null, waiting_since = null, overdue_at = null, snoozed_until = null, unread = 0,
        moved_into = p_into, version = version + 1, updated_at = now()
    where customer_key = any (p_others);
  update public.conversations set moved_into = p_into where moved_into = any (p_others);
  if w.holder is null then
    return;
  end if;
  perform hub.set_holder(p_into, w.holder, w.user_id, w.handoff_id, w.waiting_since, p_now);
  update public.conversations
    set unread = greatest(v_unread, unread), overdue_at = w.overdue_at, last_message_at = greatest(last_message_at, w.last_message_at)
    where customer_key = p_into;
end
$$;

-- Deletes what staff keep of customers. Their handoffs stay as figures. The caller holds the customers.
create or replace function hub.forget_conversations(p_customers uuid[], p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  delete from public.notes where customer_key = any (p_customers);
  delete from public.presences where customer_key = any (p_customers);
  delete from public.conversations where customer_key = any (p_customers) or moved_into = any (p_customers);
  update public.handoffs
    set customer_key = null, reason = null, wanted = null, ended_at = coalesce(ended_at, p_now), outcome = coalesce(outcome, 'erased')
    where customer_key = any (p_customers);
end
$$;

-- Marks conversations whose customers have waited for a person since p_before or longer. Locked ones are left to the next call. p:
-- {now, before, limit}. Returns {marked}.
create or replace function public.hub_mark_overdue(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_marked integer := 0;
  r record;
begin
  for r in
    select customer_key, handoff_id from public.conversations
    where waiting_since is not null and waiting_since <= (p ->> 'before')::timestamptz and overdue_at is null
      and (snoozed_until is null or snoozed_until <= (p ->> 'now')::timestamptz)
    order by waiting_since limit (p ->> 'limit')::int
    for update skip locked
  loop
    update public.conversations set overdue_at = (p ->> 'now')::timestamptz, updated_at = now() where customer_key = r.customer_key;
    update public.handoffs set overdue_at = (p ->> 'now')::timestamptz where handoff_id = r.handoff_id and overdue_at is null;
    v_marked := v_marked + 1;
  end loop;
  return jsonb_build_object('marked', v_marked);
end
$$;

-- How many conversations wait for a person, how many of those longer than the limit, and since when the first one. p: {}. Returns
-- {held, waiting, overdue, oldest_waiting_at}.
create or replace function public.hub_conversations_state(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'held', (select count(*) from public.conversations where holder = 'person'),
    'waiting', (select count(*) from public.conversations where waiting_since is not null),
    'overdue', (select count(*) from public.conversations where waiting_since is not null and overdue_at is not null),
    'oldest_waiting_at', (select min(waiting_since) from public.conversations where waiting_since is not null))
$$;
