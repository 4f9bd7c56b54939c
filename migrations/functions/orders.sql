-- Orders. Each call takes one jsonb argument and returns jsonb. An order's fields: {order_id, payment_intent_id, amount: text, currency,
-- status, items: [{sku, name, quantity, unit_amount}]}.

-- An order as callers see it. Amounts are text, for JSON's numbers are not exact.
create or replace function hub.order_json(o public.orders) returns jsonb
language sql stable as $$
  select to_jsonb(o) - 'order_key' || jsonb_build_object(
    'amount', o.amount::text, 'session_id', hub.follow(o.session_id),
    'customer_id', (select customer_id from public.customers where customer_key = o.customer_key))
$$;

-- The event of an order.
create or replace function hub.order_event(p_event text, o public.orders) returns jsonb
language sql stable as $$
  select jsonb_build_object('event', p_event, 'order_id', o.order_id, 'status', o.status)
$$;

-- Locks these orders, existing or not, until the end of the transaction.
create or replace function hub.lock_orders(p_ids text[]) returns void
language plpgsql volatile as $$
declare
  v_key bigint;
begin
  for v_key in select distinct hashtextextended('order:' || id, 0) from unnest(p_ids) as id order by 1 loop
    perform pg_advisory_xact_lock(v_key);
  end loop;
end
$$;

-- Whether an order's status may follow another one. A paid order may be cancelled: the shop gives the money back. cancelled is final.
create or replace function hub.may_become(p_from text, p_to text) returns boolean
language sql immutable parallel safe as $$
  select (p_from, p_to) in (('pending', 'paid'), ('pending', 'cancelled'), ('paid', 'cancelled'))
$$;

-- Adds an order, under its order_id or a new one. If the same order of the same customer is stored already, it is returned, with
-- added false. Refuses order_conflict when the order_id is another order's. The caller has locked the order_id.
create or replace function hub.add_order(
  f jsonb, p_customer uuid, p_session uuid, c hub.context, out stored public.orders, out added boolean)
language plpgsql volatile as $$
declare
  o public.orders;
begin
  select * into stored from public.orders where order_id = f ->> 'order_id';
  added := stored.order_key is null;
  if not added then
    o := stored;
    o.payment_intent_id := f ->> 'payment_intent_id';
    o.amount := f ->> 'amount';
    o.currency := f ->> 'currency';
    o.items := coalesce(f -> 'items', '[]');
    if o is distinct from stored or stored.customer_key is distinct from p_customer then
      perform hub.refuse('order_conflict');
    end if;
    return;
  end if;
  o.order_key := hub.uuid(c.now);
  insert into public.orders (
      order_key, order_id, customer_key, session_id, payment_intent_id, amount, currency, status, items, created_at, updated_at)
    values (
      o.order_key, coalesce(f ->> 'order_id', o.order_key::text), p_customer, p_session, f ->> 'payment_intent_id',
      (f ->> 'amount')::numeric, f ->> 'currency', coalesce(f ->> 'status', 'pending'), coalesce(f -> 'items', '[]'), c.now, c.now)
    returning * into stored;
end
$$;

-- Changes an order; a key that is absent from f is unchanged. amount and items may change while it is pending. Returns the order; its
-- version moves if something changed. Refuses illegal_transition, and order_conflict for another currency. The caller holds the row.
create or replace function hub.change_order(o public.orders, f jsonb, c hub.context) returns public.orders
language plpgsql volatile as $$
declare
  n public.orders := o;
begin
  n.payment_intent_id := case when f ? 'payment_intent_id' then f ->> 'payment_intent_id' else o.payment_intent_id end;
  n.amount := coalesce((f ->> 'amount')::numeric, o.amount);
  n.currency := coalesce(f ->> 'currency', o.currency);
  n.items := coalesce(f -> 'items', o.items);
  n.status := coalesce(f ->> 'status', o.status);
  if n.currency <> o.currency then
    perform hub.refuse('order_conflict');
  elsif n.status <> o.status and not hub.may_become(o.status, n.status)
    or o.status <> 'pending' and (n.amount <> o.amount or n.items <> o.items)
  then
    perform hub.refuse('illegal_transition', jsonb_build_object('from', o.status, 'to', n.status));
  elsif n is not distinct from o then
    return o;
  end if;
  update public.orders
    set payment_intent_id = n.payment_intent_id, amount = n.amount, items = n.items, status = n.status, version = version + 1,
        updated_at = greatest(updated_at, c.now)
    where order_key = o.order_key
    returning * into n;
  return n;
end
$$;

-- Makes an order. p: {now, ..., actor, idempotency_key, fields: {..., session_id, customer_id, email, phone}}. Returns {order, created,
-- event_in: the session whose history shows it, replayed}; created is false when the same order was stored before. Refuses
-- session_not_found, customer_conflict, order_conflict and idempotency_conflict.
create or replace function public.hub_create_order(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  f constant jsonb := p -> 'fields';
  v_earlier constant jsonb := hub.earlier_answer(p, 'order', c);
  v_owner record;
  v_order record;
  v_answer jsonb;
  o public.orders;
begin
  if v_earlier is not null then
    return v_earlier || '{"replayed": true}';
  end if;
  v_owner := hub.hold_booking_owner(f, c);
  perform hub.lock_orders(array_remove(array[f ->> 'order_id'], null));
  v_order := hub.add_order(f, v_owner.customer, v_owner.session, c);
  o := v_order.stored;
  if v_order.added then
    if v_owner.session is not null then
      perform hub.add_event(v_owner.session, null, hub.order_event('order_created', o), c);
    end if;
    perform hub.add_audit(p ->> 'actor', 'order.create', 'order:' || o.order_id, '{}', c.now);
  end if;
  v_answer := jsonb_build_object('order', hub.order_json(o), 'created', v_order.added);
  perform hub.keep_answer(p, 'order', o.order_key, v_answer, c);
  return v_answer || jsonb_build_object('event_in', case when v_order.added then v_owner.session end, 'replayed', false);
end
$$;

-- Changes an order. p: {now, actor, order_id, if_version, changes}. Returns {order, event_in}; event_in is null when nothing changed.
-- Refuses not_found, version_conflict, illegal_transition and order_conflict.
create or replace function public.hub_update_order(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_session uuid;
  b public.orders;
  o public.orders;
  n public.orders;
begin
  select * into b from public.orders where order_id = p ->> 'order_id';
  v_session := hub.hold_booking_session(b.session_id, b.customer_key);
  perform hub.lock_orders(array[p ->> 'order_id']);
  select * into o from public.orders where order_id = p ->> 'order_id' for update;
  if o.order_key is null then
    perform hub.refuse('not_found');
  elsif o.order_key is distinct from b.order_key or o.customer_key is distinct from b.customer_key then
    raise exception 'the order has just changed' using errcode = 'serialization_failure';
  elsif (p ->> 'if_version')::bigint <> o.version then
    perform hub.refuse('version_conflict');
  end if;
  n := hub.change_order(o, p -> 'changes', c);
  if n.version = o.version then
    return jsonb_build_object('order', hub.order_json(n));
  end if;
  if v_session is not null then
    perform hub.add_event(v_session, null, hub.order_event(hub.booking_event('order', o.status, n.status), n), c);
  end if;
  perform hub.add_audit(
    p ->> 'actor', 'order.update', 'order:' || n.order_id,
    jsonb_build_object('fields', (select jsonb_agg(key order by key) from jsonb_object_keys(p -> 'changes') as key)), c.now);
  return jsonb_build_object('order', hub.order_json(n), 'event_in', v_session);
end
$$;

-- Reads an order. p: {now, kiosk_idle_ms, order_id, token_hash}. Returns {order}. Refuses as hub_get_reservation.
create or replace function public.hub_get_order(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  o public.orders;
begin
  select * into o from public.orders where order_id = p ->> 'order_id';
  if not hub.may_read_booking(p, o.customer_key, o.session_id, c) or o.order_key is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('order', hub.order_json(o));
end
$$;

-- Orders, newest first; from and to are about their creation. p and the answer {orders, after}: as hub_find_reservations.
create or replace function public.hub_find_orders(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  c constant hub.context := hub.context_of(p);
  v_limit constant integer := (p ->> 'limit')::int;
  v_of constant record := hub.bookings_of(p, c);
  v_rows public.orders[];
begin
  if v_of.known then
    v_rows := array(
      select o from public.orders o
      where o.order_id is not null
        and (not p ? 'after' or o.order_key < (p ->> 'after')::uuid)
        and (not p ? 'from' or (o.created_at >= (p ->> 'from')::timestamptz and o.order_key >= hub.uuid_from((p ->> 'from')::timestamptz)))
        and (not p ? 'to' or o.created_at < (p ->> 'to')::timestamptz)
        and (not p ? 'status' or o.status = p ->> 'status')
        and (v_of.customer is null or o.customer_key = v_of.customer)
        and (v_of.session is null or hub.follow(o.session_id) = v_of.session)
      order by o.order_key desc
      limit v_limit + 1);
  end if;
  return jsonb_build_object(
    'orders', coalesce((
      select jsonb_agg(hub.order_json(u) order by u.order_key desc) from unnest(v_rows[1:v_limit]) as u), '[]'),
    'after', case when array_length(v_rows, 1) > v_limit then v_rows[v_limit].order_key end);
end
$$;
