-- Identities: their kinds, the order of the kinds, and their holders. Identities are passed as {kind: value}.

-- The strength of a kind; 0 is the strongest. Its twin is strengthOf in src/core/identity/identity.ts.
create or replace function hub.identity_rank(p_kind text) returns integer
language sql immutable parallel safe as $$
  select case p_kind when 'phone' then 1 when 'email' then 2 when 'visitor_id' then 9 else 0 end
$$;

-- Whether a kind belongs to one person. A browser does not count: one person may have two.
create or replace function hub.is_personal(p_kind text) returns boolean
language sql immutable parallel safe as $$
  select p_kind <> 'visitor_id'
$$;

-- The strongest kind among identities; kinds of one strength are sorted by name. Null when there is none.
create or replace function hub.strongest(p_identities jsonb) returns text
language sql immutable parallel safe as $$
  select k from jsonb_object_keys(p_identities) as k order by hub.identity_rank(k), k collate "C" limit 1
$$;

-- Whether one of the identities belongs to a person, not only to a browser.
create or replace function hub.is_somebody(p_identities jsonb) returns boolean
language sql immutable parallel safe as $$
  select p_identities - 'visitor_id' <> '{}'
$$;

-- Whether two sets of identities cannot be one person's: they hold different values of one personal kind.
create or replace function hub.are_apart(p_one jsonb, p_other jsonb) returns boolean
language sql immutable parallel safe as $$
  select exists (
    select from jsonb_each_text(p_one) as e (kind, value)
    where hub.is_personal(e.kind) and p_other ->> e.kind <> e.value)
$$;

-- A customer's verified identities, as {kind: value}.
create or replace function hub.held_identities(p_customer uuid) returns jsonb
language sql stable as $$
  select coalesce(jsonb_object_agg(kind, value), '{}')
  from public.identities
  where customer_key = p_customer and verified_at is not null
$$;

-- The customer who holds an identity, verified or claimed. Null when there is none.
create or replace function hub.holder_of(p_kind text, p_value text) returns uuid
language sql stable as $$
  select customer_key from public.identities where kind = p_kind and value = p_value
$$;

-- Lets only one transaction at a time change the holders of these identities. The locks are taken in one order, so that
-- two calls never deadlock. p_people: sets of identities; the key customer_id stands for the frontends' id of the
-- customer.
create or replace function hub.lock_identities(variadic p_people jsonb[]) returns void
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

-- Writes verified identities of a customer, who holds them from now on. Another customer's claim on one of them ends.
create or replace function hub.give_identities(p_customer uuid, p_identities jsonb, p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  delete from public.identities
    where (kind, value) in (select key, value from jsonb_each_text(p_identities)) and customer_key <> p_customer;
  insert into public.identities as i (kind, value, customer_key, verified_at, last_seen_at, unseen_check_at, created_at)
    select e.kind, e.value, p_customer, p_now, p_now, p_now, p_now
    from jsonb_each_text(p_identities) as e (kind, value)
    order by e.kind, e.value
    on conflict (kind, value) do update
      set verified_at = coalesce(i.verified_at, p_now), last_seen_at = greatest(i.last_seen_at, p_now)
      where i.verified_at is null or i.last_seen_at < p_now - interval '60 seconds';
end
$$;

-- The addresses where a customer can be written to, last used first: [{channel, account, address, used_at}]. Channels
-- on which the customer has blocked the shop are left out.
create or replace function hub.known_addresses(p_customer uuid) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(
      jsonb_build_object('channel', i.channel, 'account', i.account, 'address', i.address, 'used_at', i.address_used_at)
      order by i.address_used_at desc, i.channel collate "C"), '[]')
  from public.identities i join public.customers k using (customer_key)
  where i.customer_key = p_customer and i.address is not null and not i.channel = any (k.unreachable)
$$;

-- Sets whether a customer can be written to on a channel. Returns whether that changed.
create or replace function hub.set_reachable(p_customer uuid, p_channel text, p_reachable boolean) returns boolean
language plpgsql volatile as $$
begin
  update public.customers
    set unreachable = case
      when p_reachable then array_remove(unreachable, p_channel)
      else array(select u from unnest(unreachable || p_channel) as u order by u)
    end
    where customer_key = p_customer and (p_channel = any (unreachable)) = p_reachable;
  return found;
end
$$;

-- Applies a platform's event that a customer blocked or unblocked the shop. Returns whether that changed. p_at is the
-- time of the event by the platform's clock; without it the event always counts. An event may be delivered twice or
-- late: it changes nothing when a newer one is known. A block changes nothing when the customer wrote on that channel
-- at that time or later. Of two events at the same time the unblocking one wins: if that is wrong, the platform refuses
-- the next reply. The caller holds the customer and the session.
create or replace function hub.apply_reachability(
  p_customer uuid, p_channel text, p_reachable boolean, p_at timestamptz) returns boolean
language plpgsql volatile as $$
begin
  if p_at is not null then
    update public.customers k
      set reachability_at = k.reachability_at || jsonb_build_object(p_channel, p_at)
      where k.customer_key = p_customer
        and not coalesce(case when p_reachable
          then (k.reachability_at ->> p_channel)::timestamptz > p_at
          else (k.reachability_at ->> p_channel)::timestamptz >= p_at end, false)
        -- No message has a seq below the time of its arrival.
        and (p_reachable or not exists (
          select from public.sessions s join public.messages m on m.session_id = s.session_id
          where s.customer_key = p_customer and m.seq >= (extract(epoch from p_at) * 1000000)::bigint
            and m.channel = p_channel and m.direction = 'inbound' and m.created_at >= p_at));
    if not found then
      return false;
    end if;
  end if;
  return hub.set_reachable(p_customer, p_channel, p_reachable);
end
$$;
