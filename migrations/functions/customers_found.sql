-- Lookups of customers by a back office. Each call takes one jsonb argument and returns jsonb. {id} is a customer_id, else a
-- customer_key.

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

-- The query of words: each of them must be the beginning of one of the customer's words. Null without any word.
create or replace function hub.words_query(p_words text[]) returns tsquery
language sql immutable parallel safe as $$
  select string_agg('''' || w || ''':*', ' & ')::tsquery from unnest(p_words) as w
$$;

-- Customers after p_after that match a query, at most p_limit of each kind of match: {email} or {phone} matches exactly, held or
-- claimed; {q} matches the beginnings of words, of an e-mail or of a phone.
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
  -- A common word fills the page from the next 2,000 customers. A rare word needs the index of words.
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

-- A page of customers, oldest first. p: {email | phone | q, after, limit}; without a query, of all customers. after is the last
-- page's. Returns {customers, after}; after is null on the last page. Each call is planned anew, because the best plan
-- depends on how common the words are.
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
