-- What reservations and orders have in common. A booking is one of both.

-- Who reads bookings by a session's token: its customer, and session when only that session's bookings may be read, because the
-- customer has proven no identity of a person yet and the browser may have been another one's. Refuses session_not_found and
-- session_expired.
create or replace function hub.booking_reader(p_token_hash text, c hub.context, out customer uuid, out session uuid)
language plpgsql stable as $$
declare
  s public.sessions;
begin
  select * into s from public.sessions where session_id = hub.follow(hub.token_session(p_token_hash, c));
  if s.status = 'expired' or (s.status = 'active' and s.expires_at <= c.now) then
    perform hub.refuse('session_expired');
  elsif s.status is distinct from 'active' then
    perform hub.refuse('session_not_found');
  end if;
  customer := s.customer_key;
  session := case when not hub.is_somebody(hub.held_identities(s.customer_key)) then s.session_id end;
end
$$;

-- Who reads bookings for a turn: as hub.booking_reader for the turn's session. Null for a turn that no longer exists.
create or replace function hub.booking_reader_of_turn(p_turn uuid, out customer uuid, out session uuid)
language plpgsql stable as $$
begin
  select s.customer_key, case when not hub.is_somebody(hub.held_identities(s.customer_key)) then s.session_id end
    into customer, session
    from public.turns t join public.sessions s on s.session_id = hub.follow(t.session_id)
    where t.turn_id = p_turn;
end
$$;

-- Whether a booking is the reader's. Without a token every booking is: the caller holds a key.
create or replace function hub.may_read_booking(p jsonb, p_customer uuid, p_session uuid, c hub.context) returns boolean
language plpgsql stable as $$
declare
  r record;
begin
  if not p ? 'token_hash' then
    return true;
  end if;
  r := hub.booking_reader(p ->> 'token_hash', c);
  return coalesce(r.customer = p_customer and (r.session is null or r.session = hub.follow(p_session)), false);
end
$$;

-- Whose bookings a list shows: {token_hash} or {turn_id} those of the reader, {customer_id} or {session_id} those of that customer, none of
-- these all of them. known is false when the customer is not known.
create or replace function hub.bookings_of(p jsonb, c hub.context, out customer uuid, out session uuid, out known boolean)
language plpgsql stable as $$
declare
  r record;
begin
  if p ? 'token_hash' then
    r := hub.booking_reader(p ->> 'token_hash', c);
    customer := r.customer;
    session := r.session;
  elsif p ? 'turn_id' then
    r := hub.booking_reader_of_turn((p ->> 'turn_id')::uuid);
    customer := r.customer;
    session := r.session;
  else
    customer := hub.customer_of(p);
  end if;
  known := customer is not null or not p ?| '{customer_id,session_id,turn_id}'::text[];
end
$$;

-- A customer that only bookings have made: no session, no identity and no customer_id, with this claimed e-mail or phone. Null when
-- there is none.
create or replace function hub.guest_of(p_contacts jsonb) returns uuid
language sql stable as $$
  select x.customer_key
  from jsonb_each_text(p_contacts) as e (kind, value),
    lateral hub.claimants_of(e.kind, e.value, '00000000-0000-0000-0000-000000000000', 10) as x (customer_key)
    join public.customers k using (customer_key)
  where k.customer_id is null
    and not exists (select from public.sessions s where s.customer_key = k.customer_key and s.status = 'active')
    and not exists (select from public.sessions s where s.customer_key = k.customer_key and s.status <> 'active')
    and not exists (select from public.identities i where i.customer_key = k.customer_key)
  order by x.customer_key
  limit 1
$$;

-- The customer of these contacts: the one who holds them, else one that only bookings have made, else a new one. The contacts are
-- claims: they give nobody an identity, and join nobody. Refuses customer_conflict if two customers hold them. The caller holds the
-- identities.
create or replace function hub.customer_of_contacts(p_contacts jsonb, p_name text, c hub.context) returns uuid
language plpgsql volatile as $$
declare
  v_holders constant uuid[] := array(
    select distinct i.customer_key from jsonb_each_text(p_contacts) as e (kind, value)
      join public.identities i on i.kind = e.kind and i.value = e.value and i.verified_at is not null);
  v_guest uuid;
begin
  if array_length(v_holders, 1) > 1 then
    perform hub.refuse_taken(v_holders);
  elsif v_holders <> '{}' then
    return v_holders[1];
  end if;
  v_guest := hub.guest_of(p_contacts);
  if v_guest is null then
    v_guest := hub.new_customer(c);
    update public.customers set name = p_name where customer_key = v_guest;
  else
    perform 1 from public.customers where customer_key = v_guest for update;
    if hub.guest_of(p_contacts) is distinct from v_guest then
      raise exception 'the customer has just changed' using errcode = 'serialization_failure';
    end if;
  end if;
  return v_guest;
end
$$;

-- The customer and the session of a new booking, both locked. f: {session_id, customer_id, name, email, phone}: the session's
-- customer, else the one named (made if new), else the one of the contacts; null without any of these. The session: the one given,
-- else the customer's active one. Contacts that the customer does not hold are claimed for them. Refuses session_not_found and
-- customer_conflict.
create or replace function hub.hold_booking_owner(f jsonb, c hub.context, out customer uuid, out session uuid)
language plpgsql volatile as $$
declare
  v_contacts constant jsonb := jsonb_strip_nulls(jsonb_build_object('email', f -> 'email', 'phone', f -> 'phone'));
  v_name constant jsonb := jsonb_strip_nulls(jsonb_build_object('customer_id', f -> 'customer_id'));
  v_named constant uuid := hub.customer_at(f ->> 'customer_id');
  v_loose constant boolean := not f ?| '{session_id,customer_id}'::text[];
begin
  session := hub.follow((f ->> 'session_id')::uuid);
  perform hub.lock_identities(variadic array[v_contacts, v_name]);
  perform hub.hold_people(
    array[
      case when v_loose then v_contacts else '{}' end, v_name,
      jsonb_strip_nulls(jsonb_build_object('customer_key', v_named))],
    array_remove(array[session], null));
  if hub.customer_at(f ->> 'customer_id') is distinct from v_named then
    raise exception 'the customer has just changed' using errcode = 'serialization_failure';
  end if;
  if session is not null then
    select k.customer_key into customer
      from public.sessions s join public.customers k using (customer_key) where s.session_id = session;
    if customer is null then
      perform hub.refuse('session_not_found');
    elsif f ? 'customer_id' and v_named is distinct from customer then
      perform hub.refuse_taken(array_remove(array[customer, v_named], null));
    end if;
  elsif f ? 'customer_id' then
    customer := coalesce(v_named, hub.new_customer(c));
    if v_named is null then
      update public.customers set customer_id = f ->> 'customer_id' where customer_key = customer;
    end if;
  elsif v_contacts <> '{}' then
    customer := hub.customer_of_contacts(v_contacts, f ->> 'name', c);
  end if;
  perform hub.learn_contact(customer, v_contacts - array(select jsonb_object_keys(hub.held_identities(customer))));
  session := coalesce(
    session, (select s.session_id from public.sessions s where s.customer_key = customer and s.status = 'active'));
end
$$;

-- The session whose history shows a change of a booking, locked: the one it was made in while that is active, else the customer's
-- session that counts now. Null when there is none.
create or replace function hub.hold_booking_session(p_session uuid, p_customer uuid) returns uuid
language plpgsql volatile as $$
declare
  v_id uuid := hub.follow(p_session);
  s public.sessions;
begin
  select * into s from public.sessions where session_id = v_id;
  if s.status is distinct from 'active' then
    v_id := coalesce(hub.window_of(p_customer), s.session_id);
  end if;
  select * into s from public.sessions where session_id = v_id for update;
  if s.merged_into is not null then
    raise exception 'the session was merged meanwhile' using errcode = 'serialization_failure';
  end if;
  return s.session_id;
end
$$;

-- Adds an event to a session's history: a system message, which wakes no bot and is sent nowhere. p_event: {event, ...}. p_channel
-- null is the session's own. Returns the message. The caller holds the session's row.
create or replace function hub.add_event(p_session uuid, p_channel text, p_event jsonb, c hub.context) returns json
language plpgsql volatile as $$
declare
  s public.sessions;
begin
  update public.sessions
    set message_count = message_count + 1, last_seq = hub.next_seq(last_seq, c.now), updated_at = greatest(updated_at, c.now)
    where session_id = p_session
    returning * into s;
  return hub.message_json(hub.add_message(
    p_session, s.last_seq,
    jsonb_build_object(
      'channel', coalesce(p_channel, s.channel), 'direction', 'outbound', 'role', 'system', 'status', 'sent', 'kind', 'system',
      'text', p_event -> 'event', 'content', p_event),
    c.now));
end
$$;

-- The answer of an earlier call with the same Idempotency-Key; null when there is none, or no key. Of calls at once the later ones
-- wait here. p: {actor, idempotency_key, fields}. Refuses idempotency_conflict when that call had other fields.
create or replace function hub.earlier_answer(p jsonb, p_what text, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_scope constant text := p_what || ':' || (p ->> 'actor');
  k public.idempotency_keys;
begin
  if not p ? 'idempotency_key' then
    return null;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(':', 'idempotency', v_scope, p ->> 'idempotency_key'), 0));
  select * into k from public.idempotency_keys where scope = v_scope and key = p ->> 'idempotency_key';
  if k.created_at <= c.now - hub.idempotency_lives() then
    delete from public.idempotency_keys where scope = v_scope and key = p ->> 'idempotency_key';
    return null;
  elsif k.request <> hub.request_hash(p) then
    perform hub.refuse('idempotency_conflict');
  end if;
  return k.answer;
end
$$;

-- jsonb's text has one order of keys, so equal fields have one hash.
create or replace function hub.request_hash(p jsonb) returns bytea
language sql stable parallel safe as $$
  select sha256(convert_to((p -> 'fields')::text, 'UTF8'))
$$;

-- Keeps a call's answer under its Idempotency-Key, if it has one. The caller has called hub.earlier_answer.
create or replace function hub.keep_answer(p jsonb, p_what text, p_subject uuid, p_answer jsonb, c hub.context) returns void
language plpgsql volatile as $$
begin
  if p ? 'idempotency_key' then
    insert into public.idempotency_keys (scope, key, request, subject, answer, created_at)
      values (p_what || ':' || (p ->> 'actor'), p ->> 'idempotency_key', hub.request_hash(p), p_subject, p_answer, c.now);
  end if;
end
$$;

-- The name of the event of a booking's change: <kind>_<new status>, or <kind>_updated when the status stays.
create or replace function hub.booking_event(p_kind text, p_before text, p_after text) returns text
language sql immutable parallel safe as $$
  select p_kind || '_' || case when p_after = p_before then 'updated' else p_after end
$$;

-- The bookings of customers who were joined become the survivor's. The caller holds the customers with all their sessions.
create or replace function hub.move_bookings(p_into uuid, p_others uuid[]) returns void
language plpgsql volatile as $$
begin
  update public.reservations set customer_key = p_into where customer_key = any (p_others);
  update public.orders set customer_key = p_into where customer_key = any (p_others);
end
$$;

-- Deletes a customer's reservations, and everything of their orders but amounts, statuses and instants. The caller holds the
-- customer with all their sessions.
create or replace function hub.erase_bookings(p_customer uuid) returns void
language plpgsql volatile as $$
begin
  delete from public.idempotency_keys where subject in (
    select reservation_id from public.reservations where customer_key = p_customer
    union all
    select order_key from public.orders where customer_key = p_customer);
  delete from public.reservations where customer_key = p_customer;
  update public.orders set order_id = null, customer_key = null, session_id = null, payment_intent_id = null, items = '[]'
    where customer_key = p_customer;
end
$$;

-- Deletes reservations for a day before an instant, and empties orders made before it as an erasure does. Returns their customers,
-- one for each booking.
create or replace function hub.purge_bookings(p_before timestamptz, p_limit integer) returns uuid[]
language plpgsql volatile as $$
declare
  v_customers uuid[];
begin
  with old as (
    select reservation_id from public.reservations where datetime < p_before order by datetime limit p_limit for update skip locked
  ), gone as (
    delete from public.reservations r using old where r.reservation_id = old.reservation_id returning r.customer_key
  ), aged as (
    select order_key, customer_key from public.orders
    where order_id is not null and created_at < p_before order by created_at limit p_limit for update skip locked
  ), emptied as (
    update public.orders o set order_id = null, customer_key = null, session_id = null, payment_intent_id = null, items = '[]'
      from aged where o.order_key = aged.order_key
  )
  select coalesce(array_agg(customer_key), '{}') into v_customers
    from (select customer_key from gone union all select customer_key from aged) as both_kinds;
  return v_customers;
end
$$;

-- Whether a customer has bookings.
create or replace function hub.has_bookings(p_customer uuid) returns boolean
language sql stable as $$
  select exists (select from public.reservations where customer_key = p_customer)
    or exists (select from public.orders where customer_key = p_customer)
$$;
