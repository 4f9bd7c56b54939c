-- Finding, locking and joining customers. A call locks the identities that it names (hub.lock_identities), then locks
-- the people who hold them (hub.hold_people), and only then reads and writes.

-- What is known of a customer: verified identities, and customer_id where a frontend gave one.
create or replace function hub.known_as(p_customer uuid) returns jsonb
language sql stable as $$
  select hub.held_identities(p_customer) || coalesce((
    select jsonb_build_object('customer_id', customer_id) from public.customers
    where customer_key = p_customer and customer_id is not null), '{}')
$$;

-- The customer whom an identity finds: its holder, if it is verified, or if it is claimed and the customer has an
-- active session. Null otherwise.
create or replace function hub.person_of(p_kind text, p_value text, p_now timestamptz) returns uuid
language sql stable as $$
  select i.customer_key from public.identities i
  where i.kind = p_kind and i.value = p_value and (i.verified_at is not null or exists (
    select from public.sessions s where s.customer_key = i.customer_key and s.status = 'active' and s.expires_at > p_now))
$$;

-- The customers whom any of these identities find, oldest first.
create or replace function hub.people_of(p_identities jsonb, p_now timestamptz) returns uuid[]
language sql stable as $$
  select coalesce(array_agg(k.customer_key order by k.created_at, k.customer_key), '{}')
  from public.customers k
  where k.customer_key = any (array(
    select hub.person_of(e.kind, e.value, p_now) from jsonb_each_text(p_identities) as e (kind, value)))
$$;

-- A customer's session that counts now: the active one, else the newest that was not merged. Null when there is none.
create or replace function hub.window_of(p_customer uuid) returns uuid
language sql stable as $$
  select coalesce(
    (select session_id from public.sessions where customer_key = p_customer and status = 'active'),
    (select session_id from public.sessions
      where customer_key = p_customer and status <> 'active' and status <> 'merged'
      order by created_at desc, session_id desc limit 1))
$$;

-- The customers who hold any of these identities, have one of these names (customer_id, customer_key), or own one of these
-- sessions. Sorted by key.
create or replace function hub.customers_of(p_people jsonb[], p_sessions uuid[]) returns uuid[]
language sql stable as $$
  select coalesce(array_agg(distinct u.k order by u.k), '{}')
  from (
    select case e.kind
      when 'customer_id' then (select customer_key from public.customers where customer_id = e.value)
      when 'customer_key' then (select customer_key from public.customers where customer_key = e.value::uuid)
      else hub.holder_of(e.kind, e.value) end
      from unnest(p_people) as person, jsonb_each_text(person) as e (kind, value)
    union all
    select customer_key from public.sessions where session_id = any (p_sessions)
  ) as u (k)
  where u.k is not null
$$;

-- The sessions that hold_people locks, sorted by id. Of several customers these are all their sessions, because the
-- customers may be joined. Of a single customer it is the one that counts now.
create or replace function hub.windows_of(p_customers uuid[], p_sessions uuid[]) returns uuid[]
language sql stable as $$
  select coalesce(array_agg(distinct u.id order by u.id), '{}')
  from (
    select hub.window_of(p_customers[1]) where array_length(p_customers, 1) = 1
    union all
    select session_id from public.sessions where array_length(p_customers, 1) > 1 and customer_key = any (p_customers)
    union all
    select unnest(p_sessions)
  ) as u (id)
  where u.id is not null
$$;

-- Locks the sessions and then the customers of the people with these identities, and of these sessions. The caller has
-- locked their identities. Raises serialization_failure when another transaction has changed the holders meanwhile:
-- further locks would then be out of order, and the client tries the call again.
create or replace function hub.hold_people(p_people jsonb[], p_sessions uuid[] default '{}') returns void
language plpgsql volatile as $$
declare
  v_customers constant uuid[] := hub.customers_of(p_people, p_sessions);
  v_sessions constant uuid[] := hub.windows_of(v_customers, p_sessions);
begin
  perform 1 from public.sessions where session_id = any (v_sessions) order by session_id for update;
  perform 1 from public.customers where customer_key = any (v_customers) order by customer_key for update;
  if hub.customers_of(p_people, p_sessions) <> v_customers or hub.windows_of(v_customers, p_sessions) <> v_sessions then
    raise exception 'these people have just changed' using errcode = 'serialization_failure';
  end if;
end
$$;

-- A new customer without identities.
create or replace function hub.new_customer(c hub.context) returns uuid
language sql volatile as $$
  insert into public.customers (customer_key, created_at, updated_at)
    values (hub.placed_uuid(c.now, c.place), c.now, c.now) returning customer_key
$$;

-- Deletes the tokens of all sessions of these customers, active or not, except the one to keep.
create or replace function hub.close_tokens(p_customers uuid[], p_keep text) returns void
language plpgsql volatile as $$
declare
  v_closed jsonb;
begin
  with dead as (
    delete from public.session_tokens t using public.sessions s
      where s.customer_key = any (p_customers) and t.session_id = s.session_id and t.token_hash is distinct from p_keep
      returning t.token_hash)
    select coalesce(jsonb_agg(token_hash order by token_hash), '[]') into v_closed from dead;
  perform hub.add_effect('closed', v_closed);
end
$$;

-- Deletes an identity with its address, and with the password of a phone.
create or replace function hub.drop_identity(p_kind text, p_value text) returns void
language plpgsql volatile as $$
begin
  if p_kind = 'phone' then
    delete from public.passwords where phone = p_value;
  end if;
  delete from public.identities where kind = p_kind and value = p_value;
end
$$;

-- Moves a phone's password to the customer's new phone, unless that phone has one.
create or replace function hub.move_password(p_from text, p_to text, p_now timestamptz) returns void
language sql volatile as $$
  update public.passwords set phone = p_to, updated_at = p_now
    where phone = p_from and not exists (select from public.passwords where phone = p_to)
$$;

-- Takes identities from a customer, because another person has verified them, and notifies the customer at their other
-- addresses. A session past its expiry is marked as expired and does not count as active. The caller holds the
-- customer's session.
create or replace function hub.strip(p_customer uuid, p_identities jsonb, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_lost constant text[] := array(
    select kind from public.identities where customer_key = p_customer and p_identities ->> kind = value);
  v_active constant boolean := (hub.active_session(p_customer, c.now)).session_id is not null;
  v_session constant uuid := hub.window_of(p_customer);
  v_addresses jsonb;
begin
  perform hub.drop_identity(k, p_identities ->> k) from unnest(v_lost) as k;
  update public.sessions set version = version + 1, updated_at = c.now where session_id = v_session and v_active;
  if v_lost = '{visitor_id}' or v_session is null then
    return;
  end if;
  v_addresses := hub.known_addresses(p_customer);
  if v_active or v_addresses <> '[]' then
    perform hub.tell(
      v_session,
      hub.notice(
        case when 'phone' = any (v_lost) then 'phone_moved' else 'account_moved' end, hub.language_of(p_customer, c), c),
      v_addresses, c);
    perform hub.add_effect('notified', jsonb_build_array(v_session));
  end if;
end
$$;

-- The customers who are one person with these identities, oldest first: the owner, and each other holder who is not
-- known to be a different person. A holder who is a different person loses the identity, because its proof is newer.
create or replace function hub.same_person(p_owner uuid, p_identities jsonb, c hub.context) returns uuid[]
language plpgsql volatile as $$
declare
  v_known jsonb := p_identities;
  v_same uuid[] := '{}';
  v_theirs jsonb;
  v_customer uuid;
begin
  if p_owner is not null then
    v_known := hub.known_as(p_owner) || p_identities;
    v_same := array[p_owner];
  end if;
  foreach v_customer in array hub.people_of(p_identities, c.now) loop
    continue when v_customer = p_owner;
    v_theirs := hub.known_as(v_customer);
    if hub.are_apart(v_theirs, v_known) then
      perform hub.strip(v_customer, p_identities, c);
    else
      v_known := v_theirs || v_known;
      v_same := v_same || v_customer;
    end if;
  end loop;
  return array(
    select customer_key from public.customers where customer_key = any (v_same) order by created_at, customer_key);
end
$$;

-- Deletes the identities that these customers give up for new proofs: other values of the same kinds, and a phone that
-- was only claimed, if the new identities belong to a person. The password moves to the new phone.
create or replace function hub.replace_identities(p_customers uuid[], p_identities jsonb, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_somebody constant boolean := hub.is_somebody(p_identities) or exists (
    select from public.identities
    where customer_key = any (p_customers) and verified_at is not null and hub.is_personal(kind));
  i public.identities;
begin
  for i in
    select * from public.identities
    where customer_key = any (p_customers) and value is distinct from p_identities ->> kind
      and (p_identities ? kind or (verified_at is null and v_somebody))
    order by kind, value
  loop
    if i.kind = 'phone' and i.verified_at is not null then
      perform hub.move_password(i.value, p_identities ->> 'phone', p_now);
    end if;
    perform hub.drop_identity(i.kind, i.value);
  end loop;
end
$$;

-- Merges objects of the form {key: instant}, given as a list. Each key keeps its newest instant.
create or replace function hub.newest_by_key(p_objects jsonb) returns jsonb
language sql stable as $$
  select coalesce(jsonb_object_agg(n.key, n.at), '{}')
  from (
    select e.key, max(e.value::timestamptz) as at
    from jsonb_array_elements(p_objects) as o, jsonb_each_text(o) as e (key, value)
    group by e.key
  ) as n
$$;

-- Joins customers into the first of the list. At most one of them has an active session by now. The first one gets all
-- identities, sessions, threads, bookings, unreachable channels and descriptions. If two hold an identity of one kind, the older
-- customer's stays.
create or replace function hub.join_customers(p_customers uuid[], p_now timestamptz) returns uuid
language plpgsql volatile as $$
declare
  v_into constant uuid := p_customers[1];
  v_others constant uuid[] := p_customers[2:];
  v_gone record;
begin
  perform hub.unite_customers(v_into, v_others);
  update public.sessions set customer_key = v_into where customer_key = any (v_others);
  delete from public.identities i
    where i.customer_key = any (v_others) and exists (
      select from public.identities o
      where o.customer_key = any (p_customers) and o.kind = i.kind
        and array_position(p_customers, o.customer_key) < array_position(p_customers, i.customer_key));
  update public.identities set customer_key = v_into where customer_key = any (v_others);
  perform hub.move_threads(v_into, v_others);
  perform hub.uncount_customers(v_others);
  perform hub.move_bookings(v_into, v_others);
  update public.reply_windows set customer_key = v_into where customer_key = any (v_others);
  perform hub.move_model_usage(v_into, v_others);
  perform hub.join_conversations(v_into, v_others, p_now);
  perform hub.move_dispatches(v_into, v_others);
  with gone as (delete from public.customers where customer_key = any (v_others) returning customer_id, unreachable, reachability_at)
    select max(customer_id) as customer_id, array_agg(u) filter (where u is not null) as unreachable,
        (select jsonb_agg(reachability_at) from gone) as reachability_at into v_gone
    from gone left join lateral unnest(unreachable) as u on true;
  update public.customers
    set customer_id = coalesce(customer_id, v_gone.customer_id),
        unreachable = array(select distinct u from unnest(unreachable || v_gone.unreachable) as u order by u),
        reachability_at = hub.newest_by_key(v_gone.reachability_at || reachability_at),
        updated_at = p_now
    where customer_key = v_into;
  perform hub.announce_customer(v_into, '{}', v_others);
  return v_into;
end
$$;

-- Gives a person verified identities: joins the customers who are one person, takes the identities from others, and
-- writes them. p_owner is the customer they belong to, null if none is known yet. p_keep is the token of the device
-- that proved them: other tokens end when customers are joined, and when a customer gets the first identity of a
-- person. Sessions past their expiry are marked as expired. The caller holds identities and people. Returns the
-- customer, or null when no customer was found.
create or replace function hub.settle(p_owner uuid, p_identities jsonb, p_keep text, c hub.context) returns uuid
language plpgsql volatile as $$
declare
  v_same constant uuid[] := hub.same_person(p_owner, p_identities, c);
  v_customer uuid := v_same[1];
begin
  if v_customer is null then
    return null;
  end if;
  if array_length(v_same, 1) > 1 then
    perform hub.close_tokens(v_same, p_keep);
    perform hub.join_sessions(v_same, p_owner, c.now);
  else
    perform hub.active_session(v_customer, c.now);
    if hub.is_somebody(p_identities) and not hub.is_somebody(hub.held_identities(v_customer)) then
      perform hub.close_tokens(v_same, p_keep);
    end if;
  end if;
  perform hub.replace_identities(v_same, p_identities, c.now);
  if array_length(v_same, 1) > 1 then
    v_customer := hub.join_customers(v_same, c.now);
  end if;
  perform hub.give_identities(v_customer, p_identities, c.now);
  return v_customer;
end
$$;

-- The person with these verified identities: found, joined from several, or new. p_owner gets the identities if they
-- find no customer. The caller holds identities and people.
create or replace function hub.identify(p_identities jsonb, p_owner uuid, c hub.context) returns uuid
language plpgsql volatile as $$
declare
  v_anchor constant text := hub.strongest(p_identities);
  v_customer uuid := hub.settle(hub.person_of(v_anchor, p_identities ->> v_anchor, c.now), p_identities, null, c);
begin
  if v_customer is null and p_owner is not null then
    v_customer := hub.settle(p_owner, p_identities, null, c);
  elsif v_customer is null then
    v_customer := hub.new_customer(c);
    perform hub.give_identities(v_customer, p_identities, c.now);
  end if;
  return v_customer;
end
$$;

-- The active session of the person with these verified identities: found, merged from several, or opened. The caller
-- holds identities and people, and touches the session itself.
create or replace function hub.resolve(p_identities jsonb, p_channel text, c hub.context) returns public.sessions
language plpgsql volatile as $$
begin
  return hub.current_session(hub.identify(p_identities, null, c), p_channel, c);
end
$$;

-- Gives a customer the customer_id that a trusted caller names. Returns the customer: another one if the name showed
-- that two are one. It is a conflict when another person has the name, or when this customer has another name. A
-- conflict is recorded in the customer's session, which is opened on p_channel if there is none, and changes nothing
-- else. p_keep is as in settle. The caller holds customer_ids and people.
create or replace function hub.apply_customer_id(p_customer uuid, p_name text, p_channel text, p_keep text, c hub.context) returns uuid
language plpgsql volatile as $$
declare
  v_own constant text := (select customer_id from public.customers where customer_key = p_customer);
  v_holder constant uuid := (select customer_key from public.customers where customer_id = p_name);
  v_both uuid[];
begin
  if v_own = p_name then
    return p_customer;
  elsif v_own is null and v_holder is null then
    update public.customers set customer_id = p_name, updated_at = c.now where customer_key = p_customer;
    return p_customer;
  elsif v_own is null and not hub.are_apart(hub.known_as(v_holder), hub.known_as(p_customer)) then
    v_both := array(
      select customer_key from public.customers where customer_key in (p_customer, v_holder) order by created_at, customer_key);
    perform hub.close_tokens(v_both, p_keep);
    perform hub.join_sessions(v_both, p_customer, c.now);
    perform hub.replace_identities(v_both, '{}', c.now);
    return hub.join_customers(v_both, c.now);
  end if;
  perform hub.add_effect('conflicts', '["customer_id"]');
  perform hub.note_conflict(
    (hub.current_session(p_customer, p_channel, c)).session_id, 'customer_id', to_jsonb(p_name), c.now);
  return p_customer;
end
$$;
