-- Customers as a shop's back office keeps them. Calls of the hub: one jsonb argument, jsonb back. {id} is a customer's
-- customer_id, else their customer_key.

-- A customer. p: {id}. Returns {customer}. Refuses not_found.
create or replace function public.hub_get_customer(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  k public.customers;
begin
  select * into k from public.customers where customer_key = hub.customer_at(p ->> 'id');
  if k.customer_key is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('customer', hub.customer_json(k));
end
$$;

-- What words look for: every one of them begins a word of the customer. Null when there is no word in it.
create or replace function hub.words_query(p_words text[]) returns tsquery
language sql immutable parallel safe as $$
  select string_agg('''' || w || ''':*', ' & ')::tsquery from unnest(p_words) as w
$$;

-- The first few customers after p_after whom a query means: {email} or {phone} exactly, held or claimed; {q} by the beginnings of
-- words, of an e-mail or a phone.
create or replace function hub.customers_like(p_query jsonb, p_after uuid, p_limit integer) returns setof uuid
language plpgsql stable as $$
declare
  v_kind constant text := case when p_query ? 'email' then 'email' when p_query ? 'phone' then 'phone' end;
  v_q constant text := p_query ->> 'q';
  v_words constant tsquery := hub.words_query(hub.words_in(v_q));
  v_email constant text := nullif(lower(trim(v_q)), '');
  v_phone constant text := '+' || regexp_replace(v_q, '[^0-9]', '', 'g');
  v_count integer;
begin
  if v_kind is not null then
    return query select customer_key from public.identities where kind = v_kind and value = p_query ->> v_kind and customer_key > p_after;
    return query select x from hub.claimants_of(v_kind, p_query ->> v_kind, p_after, p_limit) as x;
    return;
  end if;
  -- A common word fills the page from the next few customers; a rare one is for the index of words.
  return query
    select k.customer_key
    from (select customer_key, words from public.customers where customer_key > p_after order by customer_key limit 2000) k
    where k.words @@ v_words order by 1 limit p_limit;
  get diagnostics v_count = row_count;
  if v_count < p_limit then
    return query
      with found as materialized (select customer_key from public.customers where words @@ v_words and customer_key > p_after)
      select customer_key from found order by 1 limit p_limit;
  end if;
  return query
    select customer_key from public.identities
    where kind in ('phone', 'email') and kind = 'email' and value ~>=~ v_email and value ~<~ (v_email || chr(1114111))
      and customer_key > p_after
    order by customer_key limit p_limit;
  if v_q ~ '^[0-9+() .-]*$' and length(v_phone) > 3 then
    return query
      select customer_key from public.identities
      where kind in ('phone', 'email') and kind = 'phone' and value ~>=~ v_phone and value ~<~ (v_phone || ':')
        and customer_key > p_after
      order by customer_key limit p_limit;
  end if;
end
$$;

-- A page of customers in the order in which they came. p: {email | phone | q, after, limit}; without a query, of all. after is
-- the last page's. Returns {customers, after}; after is null on the last page. Planned anew for each call, for words
-- are common or rare.
create or replace function public.hub_find_customers(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = 'force_custom_plan' as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_after constant uuid := coalesce(p ->> 'after', '00000000-0000-0000-0000-000000000000');
  v_keys uuid[];
  v_found jsonb;
begin
  if p ?| '{email,phone,q}'::text[] then
    v_keys := array(select distinct x from hub.customers_like(p, v_after, v_limit + 1) as x order by x limit v_limit + 1);
  else
    v_keys := array(select customer_key from public.customers where customer_key > v_after order by customer_key limit v_limit + 1);
  end if;
  select coalesce(jsonb_agg(hub.customer_json(k) order by k.customer_key), '[]') into v_found
    from public.customers k where customer_key = any (v_keys[:v_limit]);
  return jsonb_build_object(
    'customers', v_found, 'after', case when array_length(v_keys, 1) > v_limit then v_keys[v_limit] end);
end
$$;

-- The fields of a customer as they will be. p_fields as for hub_save_customer; with p_replace an absent one gets its default.
create or replace function hub.described(k public.customers, p_fields jsonb, p_replace boolean) returns public.customers
language plpgsql immutable as $$
declare
  f constant jsonb := case
    when p_replace then '{"name": null, "preferred_language": null, "plan": null, "tags": null}' else '{}'::jsonb end || p_fields;
begin
  if f ? 'name' then
    k.name := f ->> 'name';
  end if;
  if f ? 'preferred_language' then
    k.preferred_language := f ->> 'preferred_language';
  end if;
  if f ? 'plan' then
    k.plan := coalesce(f ->> 'plan', 'basic');
  end if;
  if f ? 'tags' then
    k.tags := array(
      select value from jsonb_array_elements_text(case when jsonb_typeof(f -> 'tags') = 'array' then f -> 'tags' else '[]' end)
        with ordinality as e (value, place)
      group by value order by min(place));
  end if;
  if p_replace or f -> 'attributes' = 'null' then
    k.attributes := '{}';
  end if;
  if jsonb_typeof(f -> 'attributes') = 'object' then
    k.attributes := hub.merge_patch(k.attributes, f -> 'attributes');
  end if;
  return k;
end
$$;

-- Takes e-mail or phone from a customer who is held: what they hold, and what is only claimed of them.
create or replace function hub.forget_contacts(p_customer uuid, p_kinds text[], p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  perform hub.drop_identity(kind, value) from public.identities where customer_key = p_customer and kind = any (p_kinds);
  if found then
    update public.sessions set version = version + 1, updated_at = greatest(updated_at, p_now)
      where customer_key = p_customer and status = 'active';
  end if;
  update public.customers set claimed = claimed - p_kinds where customer_key = p_customer and claimed ?| p_kinds;
end
$$;

-- Refuses customer_conflict, naming the customers who have what somebody else was to get: [{customer_key, customer_id}].
create or replace function hub.refuse_taken(p_customers uuid[]) returns void
language plpgsql stable as $$
begin
  perform hub.refuse('customer_conflict', jsonb_build_object('customers', (
    select coalesce(jsonb_agg(jsonb_build_object('customer_key', customer_key, 'customer_id', customer_id) order by customer_key), '[]')
    from public.customers where customer_key = any (p_customers))));
end
$$;

-- The customer whom a back office's word means, or null for a new one. They are who has the id, else who has the contacts or
-- the name. Refuses customer_conflict where that is not one alone. All of them are held.
create or replace function hub.customer_meant(p_at uuid, p_contacts jsonb, p_name text) returns uuid
language plpgsql stable as $$
declare
  v_all constant uuid[] := array(
    select p_at where p_at is not null
    union
    select i.customer_key from jsonb_each_text(p_contacts) as e (kind, value)
      join public.identities i on i.kind = e.kind and i.value = e.value and i.verified_at is not null
    union
    select customer_key from public.customers where customer_id = p_name);
begin
  if array_length(v_all, 1) > 1
    or exists (select from public.customers where customer_key = v_all[1] and customer_id <> p_name)
  then
    perform hub.refuse_taken(v_all);
  end if;
  return v_all[1];
end
$$;

-- A new customer with these contacts, or the one with a session that lives and claims one of them. Their word is verified now.
create or replace function hub.settle_contacts(
  p_customer uuid, p_contacts jsonb, c hub.context, out customer uuid, out created boolean)
language plpgsql volatile as $$
begin
  created := false;
  customer := p_customer;
  if not coalesce(hub.held_identities(p_customer), '{}') @> p_contacts then
    customer := hub.settle(p_customer, p_contacts, null, c);
    update public.sessions set version = version + 1 where customer_key = customer and status = 'active';
  end if;
  if customer is null then
    created := true;
    customer := hub.new_customer(c.now);
    perform hub.give_identities(customer, p_contacts, c.now);
  end if;
end
$$;

-- Writes a customer, by a back office's word. p: {now, ttl_ms, ..., actor, how: put | patch | upsert, id, if_version, fields: {name,
-- preferred_language, plan, tags, attributes, customer_id, email, phone}}. put replaces all but the contacts, and a new customer
-- gets the id as customer_id; patch and upsert merge; upsert finds by contact and customer_id alone. A contact of null is taken
-- away. Returns {customer, created, session_id, merged, closed, notified, deliveries}. Refuses not_found, version_conflict,
-- customer_conflict and payload_too_large.
create or replace function public.hub_save_customer(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  f constant jsonb := p -> 'fields';
  v_how constant text := p ->> 'how';
  v_contacts constant jsonb := jsonb_strip_nulls(jsonb_build_object('email', f -> 'email', 'phone', f -> 'phone'));
  v_gone constant text[] := array(select k from unnest('{email,phone}'::text[]) as k where f -> k = 'null');
  v_names constant jsonb[] := array[
    jsonb_strip_nulls(jsonb_build_object('customer_id', p -> 'id')), jsonb_strip_nulls(jsonb_build_object('customer_id', f -> 'customer_id'))];
  v_at uuid;
  v_name text := f ->> 'customer_id';
  v_settled record;
  v_before jsonb;
  k public.customers;
  d public.customers;
begin
  perform hub.lock_identities(variadic v_names || v_contacts);
  v_at := hub.customer_at(p ->> 'id');
  perform hub.hold_people(v_names || v_contacts || jsonb_strip_nulls(jsonb_build_object('customer_key', v_at)));
  if hub.customer_at(p ->> 'id') is distinct from v_at then
    raise exception 'the customer has just changed' using errcode = 'serialization_failure';
  elsif v_how = 'patch' and v_at is null then
    perform hub.refuse('not_found');
  elsif v_how = 'put' and v_at is null then
    v_name := coalesce(v_name, p ->> 'id');
    if v_name <> p ->> 'id' then
      perform hub.refuse('not_found');
    end if;
  end if;
  v_at := hub.customer_meant(v_at, v_contacts, v_name);
  select * into k from public.customers where customer_key = v_at;
  if p ? 'if_version' and (p ->> 'if_version')::bigint is distinct from k.version then
    perform hub.refuse('version_conflict');
  end if;
  v_before := hub.customer_json(k);
  v_settled := hub.settle_contacts(v_at, v_contacts, c);
  perform hub.forget_contacts(v_settled.customer, v_gone, c.now);
  select * into k from public.customers where customer_key = v_settled.customer;
  if f ? 'attributes' then
    perform hub.refuse_patch(f -> 'attributes');
  end if;
  d := hub.described(k, f, v_how = 'put');
  d.customer_id := coalesce(k.customer_id, v_name);
  if hub.compact_size(d.attributes::text) > greatest(hub.document_bytes(), hub.compact_size(k.attributes::text)) then
    perform hub.refuse('payload_too_large');
  end if;
  if v_settled.created or hub.customer_json(d) is distinct from v_before then
    update public.customers
      set customer_id = d.customer_id, name = d.name, preferred_language = d.preferred_language, plan = d.plan, tags = d.tags,
          attributes = d.attributes, updated_at = greatest(updated_at, c.now),
          version = version + case when v_settled.created then 0 else 1 end
      where customer_key = d.customer_key
      returning * into d;
  end if;
  perform hub.add_audit(
    p ->> 'actor', 'customer.' || v_how, 'customer:' || d.customer_key,
    jsonb_build_object('created', v_settled.created, 'fields', (select coalesce(jsonb_agg(key order by key), '[]') from jsonb_object_keys(f) as key)),
    c.now);
  return jsonb_build_object(
    'customer', hub.customer_json(d), 'created', v_settled.created, 'session_id', hub.window_of(d.customer_key)) || hub.take_effects();
end
$$;

-- Makes two customers one, by a back office's word. p: {now, ..., actor, id, into, give_up: [kind | customer_id], if_version}.
-- into stays, with what both have; of a kind in give_up the other's value is lost, with its password. All tokens of both die.
-- Returns as hub_save_customer. Refuses not_found, version_conflict (of id), malformed for one and the same, and
-- customer_conflict: {differ: [kind]} where they hold different values of other kinds.
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

-- The first few customers after this one of whom an e-mail or a phone was claimed.
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

-- The customers after this one who may be the same person: an e-mail or a phone that one holds was claimed of the other, or of
-- both; or they have the same name of two words or more, and nothing tells them apart. A few of each.
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

-- Pairs of customers who may be one person, with the reasons. p: {after, limit}. Looks through 2,000 customers at most, so a page
-- may be short, or empty. Returns {duplicates: [{customers: [customer, customer], reasons: [email | phone | name]}], after}; after
-- is null once all were looked at.
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
