-- Merges of customers by a back office, and proposals of duplicates. Each call takes one jsonb argument and returns jsonb. {id} is
-- a customer_id, else a customer_key.

-- Merges two customers for a back office. p: {now, ..., actor, id, into, give_up: [kind | customer_id], if_version}.
-- into stays and gets everything of both. For a kind in give_up, id's value is removed with its password. All tokens of both end.
-- Returns the same as hub_save_customer. Refuses not_found, version_conflict (of id), malformed if both are the same customer,
-- and customer_conflict: {differ: [kind]} if they hold different values of other kinds.
create or replace function public.hub_merge_customers(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_from constant uuid := hub.customer_at(p ->> 'id');
  v_into constant uuid := hub.customer_at(p ->> 'into');
  v_both constant uuid[] := array[v_into, v_from];
  v_theirs jsonb;
  v_ours jsonb;
  v_differ text[];
  k public.customers;
begin
  if v_from is null or v_into is null then
    perform hub.refuse('not_found');
  elsif v_from = v_into then
    perform hub.refuse('malformed');
  end if;
  perform hub.lock_identities(variadic array(
    select jsonb_build_object(kind, value) from public.identities where customer_key = any (v_both)
    union all
    select jsonb_build_object('customer_id', customer_id) from public.customers
    where customer_key = any (v_both) and customer_id is not null));
  perform hub.hold_people(array[jsonb_build_object('customer_key', v_from), jsonb_build_object('customer_key', v_into)]);
  if hub.customer_at(p ->> 'id') is distinct from v_from or hub.customer_at(p ->> 'into') is distinct from v_into then
    raise exception 'the customers have just changed' using errcode = 'serialization_failure';
  elsif (p ->> 'if_version')::bigint <> (select version from public.customers where customer_key = v_from) then
    perform hub.refuse('version_conflict');
  end if;
  v_theirs := hub.known_as(v_from);
  v_ours := hub.known_as(v_into);
  v_differ := array(
    select e.key from jsonb_each_text(v_theirs) as e where hub.is_personal(e.key) and v_ours ->> e.key <> e.value order by 1);
  if exists (select from unnest(v_differ) as d where not coalesce(p -> 'give_up', '[]') ? d) then
    perform hub.refuse('customer_conflict', jsonb_build_object(
      'differ', (select jsonb_agg(d) from unnest(v_differ) as d where not coalesce(p -> 'give_up', '[]') ? d)));
  end if;
  perform hub.drop_identity(d, v_theirs ->> d) from unnest(v_differ) as d where d <> 'customer_id';
  perform hub.close_tokens(v_both, null);
  perform hub.join_sessions(v_both, null, c.now);
  perform hub.replace_identities(v_both, '{}', c.now);
  perform hub.join_customers(v_both, c.now);
  update public.sessions set version = version + 1 where customer_key = v_into and status = 'active';
  perform hub.add_audit(
    p ->> 'actor', 'customer.merge', 'customer:' || v_into,
    jsonb_build_object('merged', v_from, 'gave_up', to_jsonb(v_differ)), c.now);
  select * into k from public.customers where customer_key = v_into;
  return jsonb_build_object(
    'customer', hub.customer_json(k), 'created', false, 'session_id', hub.window_of(v_into)) || hub.take_effects();
end
$$;

-- The customers after p_after with this claimed e-mail or phone, at most p_limit.
create or replace function hub.claimants_of(p_kind text, p_value text, p_after uuid, p_limit integer) returns setof uuid
language plpgsql stable as $$
begin
  if p_kind = 'email' then
    return query
      select customer_key from public.customers
      where claimed ? 'email' and claimed ->> 'email' = p_value and customer_key > p_after
      order by customer_key limit p_limit;
  else
    return query
      select customer_key from public.customers
      where claimed ? 'phone' and claimed ->> 'phone' = p_value and customer_key > p_after
      order by customer_key limit p_limit;
  end if;
end
$$;

-- The customers after k who may be the same person: one holds an e-mail or a phone that the other claims, or both claim it; or
-- both have the same name of two words or more, and no different values of one kind. At most ten for each reason.
create or replace function hub.doubles_of(k public.customers) returns table (other uuid, reason text)
language plpgsql stable as $$
declare
  v_held text;
  v_claimed text;
begin
  foreach reason in array '{email,phone}'::text[] loop
    v_claimed := k.claimed ->> reason;
    select value into v_held from public.identities where customer_key = k.customer_key and kind = reason;
    if v_claimed is not null then
      return query
        select customer_key, reason from public.identities
        where kind = reason and value = v_claimed and customer_key > k.customer_key;
      return query select x, reason from hub.claimants_of(reason, v_claimed, k.customer_key, 10) as x;
    end if;
    if v_held <> coalesce(v_claimed, '') then
      return query select x, reason from hub.claimants_of(reason, v_held, k.customer_key, 10) as x;
    end if;
  end loop;
  reason := 'name';
  for other in
    select o.customer_key from public.customers o
    where o.called = k.called and o.called like '% %' and o.customer_key > k.customer_key
    order by o.customer_key limit 10
  loop
    if not hub.are_apart(hub.known_as(k.customer_key), hub.known_as(other)) then
      return next;
    end if;
  end loop;
end
$$;

-- Pairs of customers who may be one person, with the reasons. p: {after, limit}. Reads 2,000 customers at most, so a page may be
-- short, or empty. Returns {duplicates: [{customers: [customer, customer], reasons: [email | phone | name]}], after}; after
-- is null after the last customer.
create or replace function public.hub_duplicate_customers(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_after constant uuid[] := coalesce(string_to_array(p ->> 'after', '.')::uuid[], array[
    '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000']::uuid[]);
  v_last uuid;
  v_looked integer;
  v_found jsonb;
begin
  with looked_at as (
    select customer_key, c as whole from public.customers c where customer_key >= v_after[1] order by customer_key limit 2000
  ), pairs as (
    select w.customer_key as one, d.other, jsonb_agg(distinct d.reason) as reasons
    from looked_at w cross join lateral hub.doubles_of(w.whole) as d
    where (w.customer_key, d.other) > (v_after[1], v_after[2])
    group by 1, 2 order by 1, 2 limit v_limit + 1
  )
  select
      (select count(*) from looked_at), (select customer_key from looked_at order by customer_key desc limit 1),
      coalesce((
        select jsonb_agg(jsonb_build_object(
          'customers', jsonb_build_array(hub.customer_json(a), hub.customer_json(b)), 'reasons', x.reasons) order by x.one, x.other)
        from pairs x join public.customers a on a.customer_key = x.one join public.customers b on b.customer_key = x.other), '[]')
    into v_looked, v_last, v_found;
  if jsonb_array_length(v_found) > v_limit then
    return jsonb_build_object('duplicates', v_found - v_limit, 'after',
      (v_found #>> array[(v_limit - 1)::text, 'customers', '0', 'customer_key']) || '.'
        || (v_found #>> array[(v_limit - 1)::text, 'customers', '1', 'customer_key']));
  end if;
  return jsonb_build_object('duplicates', v_found, 'after', case
    when v_looked = 2000 then v_last || '.ffffffff-ffff-ffff-ffff-ffffffffffff' end);
end
$$;
