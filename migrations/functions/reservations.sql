-- Reservations. Each call takes one jsonb argument and returns jsonb. A reservation's fields: {name, email, phone, datetime, timezone,
-- guests, notes, google_calendar_event_id}; datetime is an instant.

-- A reservation as callers see it.
create or replace function hub.reservation_json(r public.reservations) returns jsonb
language sql stable as $$
  select to_jsonb(r) || jsonb_build_object(
    'session_id', hub.follow(r.session_id),
    'customer_id', (select customer_id from public.customers where customer_key = r.customer_key))
$$;

-- The event of a reservation.
create or replace function hub.reservation_event(p_event text, r public.reservations) returns jsonb
language sql stable as $$
  select jsonb_build_object('event', p_event, 'reservation_id', r.reservation_id, 'status', r.status)
$$;

-- Adds a reservation.
create or replace function hub.add_reservation(f jsonb, p_customer uuid, p_session uuid, c hub.context) returns public.reservations
language plpgsql volatile as $$
declare
  r public.reservations;
begin
  insert into public.reservations (
      reservation_id, customer_key, session_id, name, email, phone, datetime, timezone, guests, notes, google_calendar_event_id,
      created_at, updated_at)
    values (
      hub.uuid(c.now), p_customer, p_session, f ->> 'name', f ->> 'email', f ->> 'phone', (f ->> 'datetime')::timestamptz,
      f ->> 'timezone', (f ->> 'guests')::smallint, f ->> 'notes', f ->> 'google_calendar_event_id', c.now, c.now)
    returning * into r;
  return r;
end
$$;

-- Changes a reservation; a key that is absent from f is unchanged. booked may become seated or cancelled, and both are final: then only
-- google_calendar_event_id may change. Returns the reservation; its version moves if something changed. Refuses illegal_transition.
-- The caller holds the row.
create or replace function hub.change_reservation(r public.reservations, f jsonb, c hub.context) returns public.reservations
language plpgsql volatile as $$
declare
  n constant public.reservations := jsonb_populate_record(r, f);
  v_fixed public.reservations := n;
begin
  if n is not distinct from r then
    return r;
  end if;
  v_fixed.google_calendar_event_id := r.google_calendar_event_id;
  if r.status <> 'booked' and v_fixed is distinct from r then
    perform hub.refuse('illegal_transition', jsonb_build_object('from', r.status, 'to', n.status));
  end if;
  update public.reservations
    set name = n.name, email = n.email, phone = n.phone, datetime = n.datetime, timezone = n.timezone, guests = n.guests,
        notes = n.notes, google_calendar_event_id = n.google_calendar_event_id, status = n.status, version = version + 1,
        updated_at = greatest(updated_at, c.now)
    where reservation_id = r.reservation_id
    returning * into r;
  return r;
end
$$;

-- Makes a reservation. p: {now, ..., actor, idempotency_key, fields: {..., session_id, customer_id}}. Returns {reservation, event_in: the
-- session whose history shows it, replayed}. Refuses session_not_found, customer_conflict and idempotency_conflict.
create or replace function public.hub_create_reservation(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  f constant jsonb := p -> 'fields';
  v_earlier constant jsonb := hub.earlier_answer(p, 'reservation', c);
  v_owner record;
  v_answer jsonb;
  r public.reservations;
begin
  if v_earlier is not null then
    return v_earlier || '{"replayed": true}';
  end if;
  v_owner := hub.hold_booking_owner(f, c);
  r := hub.add_reservation(f, v_owner.customer, v_owner.session, c);
  if v_owner.session is not null then
    perform hub.add_event(v_owner.session, null, hub.reservation_event('reservation_created', r), c);
  end if;
  perform hub.add_audit(p ->> 'actor', 'reservation.create', 'reservation:' || r.reservation_id, '{}', c.now);
  v_answer := jsonb_build_object('reservation', hub.reservation_json(r));
  perform hub.keep_answer(p, 'reservation', r.reservation_id, v_answer, c);
  return v_answer || jsonb_build_object('event_in', v_owner.session, 'replayed', false);
end
$$;

-- Changes a reservation. p: {now, actor, reservation_id, if_version, changes}. Returns {reservation, event_in}; event_in is null when
-- nothing changed. Refuses not_found, version_conflict and illegal_transition.
create or replace function public.hub_update_reservation(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_id constant uuid := p ->> 'reservation_id';
  v_session uuid;
  o public.reservations;
  r public.reservations;
  n public.reservations;
begin
  select * into o from public.reservations where reservation_id = v_id;
  v_session := hub.hold_booking_session(o.session_id, o.customer_key);
  select * into r from public.reservations where reservation_id = v_id for update;
  if r.reservation_id is null then
    perform hub.refuse('not_found');
  elsif r.customer_key is distinct from o.customer_key then
    raise exception 'the customer was joined meanwhile' using errcode = 'serialization_failure';
  elsif (p ->> 'if_version')::bigint <> r.version then
    perform hub.refuse('version_conflict');
  end if;
  n := hub.change_reservation(r, p -> 'changes', c);
  if n.version = r.version then
    return jsonb_build_object('reservation', hub.reservation_json(n));
  end if;
  if v_session is not null then
    perform hub.add_event(v_session, null, hub.reservation_event(hub.booking_event('reservation', r.status, n.status), n), c);
  end if;
  perform hub.add_audit(
    p ->> 'actor', 'reservation.update', 'reservation:' || v_id,
    jsonb_build_object('fields', (select jsonb_agg(key order by key) from jsonb_object_keys(p -> 'changes') as key)), c.now);
  return jsonb_build_object('reservation', hub.reservation_json(n), 'event_in', v_session);
end
$$;

-- Reads a reservation. p: {now, kiosk_idle_ms, reservation_id, token_hash}. Returns {reservation}. Refuses not_found, also for a
-- reservation that is not the token's customer's, session_not_found and session_expired.
create or replace function public.hub_get_reservation(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  r public.reservations;
begin
  select * into r from public.reservations where reservation_id = (p ->> 'reservation_id')::uuid;
  if not hub.may_read_booking(p, r.customer_key, r.session_id, c) or r.reservation_id is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('reservation', hub.reservation_json(r));
end
$$;

-- Reservations by their datetime, earliest first. p: {now, kiosk_idle_ms, token_hash | customer_id | session_id, status, from, to, after,
-- limit}. Returns {reservations, after}; after is the next page's cursor, null on the last page. Refuses session_not_found and
-- session_expired.
create or replace function public.hub_find_reservations(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  c constant hub.context := hub.context_of(p);
  v_limit constant integer := (p ->> 'limit')::int;
  v_after constant text[] := string_to_array(p ->> 'after', '.');
  v_of constant record := hub.bookings_of(p, c);
  v_from timestamptz := coalesce((p ->> 'from')::timestamptz, '-infinity');
  v_id uuid := '00000000-0000-0000-0000-000000000000';
  v_rows public.reservations[];
begin
  if v_after is not null then
    v_from := 'epoch'::timestamptz + v_after[1]::bigint * interval '1 microsecond';
    v_id := v_after[2];
  end if;
  if v_of.known then
    v_rows := array(
      select r from public.reservations r
      where (r.datetime, r.reservation_id) >= (v_from, v_id)
        and (v_after is null or (r.datetime, r.reservation_id) > (v_from, v_id))
        and (not p ? 'to' or r.datetime < (p ->> 'to')::timestamptz)
        and (not p ? 'status' or r.status = p ->> 'status')
        and (v_of.customer is null or r.customer_key = v_of.customer)
        and (v_of.session is null or hub.follow(r.session_id) = v_of.session)
      order by r.datetime, r.reservation_id
      limit v_limit + 1);
  end if;
  return jsonb_build_object(
    'reservations', coalesce((
      select jsonb_agg(hub.reservation_json(u) order by u.datetime, u.reservation_id)
      from unnest(v_rows[1:v_limit]) as u), '[]'),
    'after', case when array_length(v_rows, 1) > v_limit then
      (extract(epoch from v_rows[v_limit].datetime) * 1000000)::bigint || '.' || v_rows[v_limit].reservation_id end);
end
$$;
