-- The actions of a bot's answer. They are applied in the transaction that saves its replies: all of them once, or none.

-- Locks what the actions change beside the session, which the caller holds: the customer, then orders, then reservations.
create or replace function hub.hold_for_actions(p_actions jsonb, p_customer uuid) returns void
language plpgsql volatile as $$
declare
  v_types constant text[] := array(select a ->> 'type' from jsonb_array_elements(p_actions) as a);
begin
  if v_types && '{update_customer,set_language}' then
    perform 1 from public.customers where customer_key = p_customer for update;
  end if;
  perform hub.lock_orders(array(
    select a ->> 'order_id' from jsonb_array_elements(p_actions) as a where a ? 'order_id'));
  perform 1 from public.reservations
    where reservation_id in (
      select (a ->> 'reservation_id')::uuid from jsonb_array_elements(p_actions) as a where a ? 'reservation_id')
    order by reservation_id for update;
end
$$;

-- Applies an action on a reservation or an order. Returns its event's fields, null when nothing changed. Refuses not_found for a booking
-- that is not the customer's (before a proof: not the session's), illegal_transition and order_conflict.
create or replace function hub.book(p_action jsonb, s public.sessions, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_is_somebody constant boolean := hub.is_somebody(hub.held_identities(s.customer_key));
  v_order record;
  r public.reservations;
  n public.reservations;
  o public.orders;
  m public.orders;
begin
  case p_action ->> 'type'
    when 'create_reservation' then
      return hub.reservation_event('reservation_created', hub.add_reservation(p_action, s.customer_key, s.session_id, c));
    when 'create_order' then
      v_order := hub.add_order(p_action, s.customer_key, s.session_id, c);
      return case when v_order.added then hub.order_event('order_created', v_order.stored) end;
    when 'update_reservation' then
      select * into r from public.reservations
        where reservation_id = (p_action ->> 'reservation_id')::uuid and customer_key = s.customer_key
          and (v_is_somebody or hub.follow(session_id) = s.session_id)
        for update;
      if r.reservation_id is null then
        perform hub.refuse('not_found');
      end if;
      n := hub.change_reservation(r, p_action - 'type', c);
      return case when n.version > r.version then
        hub.reservation_event(hub.booking_event('reservation', r.status, n.status), n) end;
    else
      select * into o from public.orders
        where order_id = p_action ->> 'order_id' and customer_key = s.customer_key
          and (v_is_somebody or hub.follow(session_id) = s.session_id)
        for update;
      if o.order_key is null then
        perform hub.refuse('not_found');
      end if;
      m := hub.change_order(o, p_action, c);
      return case when m.version > o.version then hub.order_event(hub.booking_event('order', o.status, m.status), m) end;
  end case;
end
$$;

-- Writes a customer's fields for a bot: name, preferred_language, tags and attributes, and contacts as claims. Refuses not_found after
-- an erasure, and payload_too_large.
create or replace function hub.describe_for_bot(p_action jsonb, p_customer uuid, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_fields constant jsonb := p_action - '{type,email,phone}'::text[];
  k public.customers;
  d public.customers;
begin
  select * into k from public.customers where customer_key = p_customer;
  if k.customer_key is null then
    perform hub.refuse('not_found');
  end if;
  perform hub.learn_contact(p_customer, p_action - array(select jsonb_object_keys(hub.held_identities(p_customer))));
  if v_fields ? 'attributes' then
    perform hub.refuse_patch(v_fields -> 'attributes');
  end if;
  d := hub.described(k, v_fields, false);
  if hub.compact_size(d.attributes::text) > greatest(hub.document_bytes(), hub.compact_size(k.attributes::text)) then
    perform hub.refuse('payload_too_large');
  elsif d is distinct from k then
    update public.customers
      set name = d.name, preferred_language = d.preferred_language, tags = d.tags, attributes = d.attributes,
          updated_at = greatest(updated_at, c.now), version = version + 1
      where customer_key = p_customer;
  end if;
  perform hub.add_audit('bot', 'customer.patch', 'customer:' || p_customer,
    jsonb_build_object('fields', (select jsonb_agg(key order by key) from jsonb_object_keys(p_action - 'type') as key)), c.now);
end
$$;

-- Applies one action of a turn on this channel. Returns the message that it added to the history, null without one. The caller holds
-- the session and has called hub.hold_for_actions.
create or replace function hub.apply_action(p_action jsonb, p_session uuid, p_channel text, c hub.context) returns json
language plpgsql volatile as $$
declare
  v_event jsonb;
  s public.sessions;
  m public.messages;
begin
  select * into s from public.sessions where session_id = p_session;
  case p_action ->> 'type'
    when 'set_language' then
      m := hub.set_language(p_session, p_action ->> 'language', c);
      return case when m.message_id is not null then hub.message_json(m) end;
    when 'set_data' then
      perform hub.patch_session(s, p_action -> 'data', null, null);
    when 'set_summary' then
      update public.sessions
        set summary = p_action ->> 'summary', summary_seq = (p_action ->> 'through')::bigint
        where session_id = p_session;
    when 'update_customer' then
      perform hub.describe_for_bot(p_action, s.customer_key, c);
    when 'end_session' then
      update public.sessions
        set summary = coalesce(p_action ->> 'summary', summary),
            status = case when status = 'active' then 'logged_out' else status end,
            ended_at = case when status = 'active' then c.now else ended_at end
        where session_id = p_session;
      perform hub.add_effect('closed', hub.end_tokens(p_session, c.now));
      update public.ended_tokens set readable_until = c.now + hub.goodbye_lives() where session_id = p_session;
    else
      v_event := hub.book(p_action, s, c);
  end case;
  return case when v_event is not null then hub.add_event(p_session, p_channel, v_event, c) end;
end
$$;

-- Hands a conversation over to a person: nobody has it until one takes it, and metadata.handoff of the session is {reason, to, at}. p_handoff:
-- {reason, to, by}; by is customer if they have asked for a person. The caller holds the session.
create or replace function hub.hand_over(t public.turns, p_handoff jsonb, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_customer uuid;
begin
  update public.sessions
    set metadata = metadata || jsonb_build_object(
          'handoff', jsonb_strip_nulls(p_handoff - 'by')
            || jsonb_build_object('at', to_char(c.now at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))
    where session_id = t.session_id
    returning customer_key into v_customer;
  perform hub.ask_for_person(
    v_customer, t.session_id, t.channel, coalesce(p_handoff ->> 'by', 'bot'), p_handoff ->> 'reason', p_handoff ->> 'to', c);
  perform hub.count(array['handoffs|' || t.channel]);
end
$$;

-- Applies the actions of a bot's answer to a turn, in order, before its replies, p_replies in number, are added. Returns
-- {messages: what they added to the history, session, closed: hashes of tokens that died, last_seq}. A refusal's details gain
-- action, the place of the refused one, and nothing is saved.
create or replace function hub.apply_actions(t public.turns, p_actions jsonb, p_replies integer, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_messages jsonb := '[]';
  v_message json;
  v_code text;
  v_detail text;
  s public.sessions;
begin
  select * into s from public.sessions where session_id = t.session_id;
  perform hub.hold_for_actions(p_actions, s.customer_key);
  for i in 0 .. jsonb_array_length(p_actions) - 1 loop
    begin
      v_message := hub.apply_action(p_actions -> i, t.session_id, t.channel, c);
    exception when sqlstate 'HB001' then
      get stacked diagnostics v_code = message_text, v_detail = pg_exception_detail;
      perform hub.refuse(v_code, coalesce(nullif(v_detail, '')::jsonb, '{}') || jsonb_build_object('action', i));
    end;
    if v_message is not null then
      v_messages := v_messages || v_message::jsonb;
    end if;
  end loop;
  update public.sessions
    -- hub.set_language has moved the version itself.
    set version = version
          + case when p_actions @? '$[*].type ? (@ == "set_data" || @ == "set_summary" || @ == "end_session")' then 1 else 0 end,
        updated_at = greatest(updated_at, c.now)
    where session_id = t.session_id
    returning * into s;
  s.message_count := s.message_count + p_replies;
  return jsonb_build_object('messages', v_messages, 'session', hub.session_document(s), 'last_seq', s.last_seq) || hub.take_effects();
end
$$;
