-- Segments: customers who are alike, for a back office and for campaigns. A filter: {plan, language, channel, last_seen_before,
-- tag, orders_min}; all keys are optional, and a customer must match each. language is a language tag: hi also matches hi-IN. It is the
-- customer's preferred language, else the one of their last session. channel is one that they have used. Plan, tags and
-- preferred language are those of now; the rest is as old as the statistics.

-- The customers with at least so many orders that are not cancelled.
create or replace function hub.buyers(p_orders integer) returns setof uuid
language sql stable as $$
  select customer_key from public.orders
  where customer_key is not null and status <> 'cancelled' group by customer_key having count(*) >= p_orders
$$;

-- Whether a customer matches a filter, apart from orders_min. a is their activity, null while there is none yet. The function is
-- inlined, which a function with a query in it would not be. In a custom plan the planner then removes the conditions of the keys
-- that the filter does not have.
create or replace function hub.in_segment(k public.customers, a public.customer_activity, p_filter jsonb) returns boolean
language sql stable as $$
  select (p_filter ->> 'plan' is null or k.plan = p_filter ->> 'plan')
    and (p_filter ->> 'tag' is null or k.tags @> array[p_filter ->> 'tag'])
    and (p_filter ->> 'channel' is null or a.channels @> array[p_filter ->> 'channel'])
    and (p_filter ->> 'last_seen_before' is null or a.last_seen_at < (p_filter ->> 'last_seen_before')::timestamptz)
    and (p_filter ->> 'language' is null
      or starts_with(lower(coalesce(k.preferred_language, a.language)) || '-', lower(p_filter ->> 'language') || '-'))
$$;

-- The customers of a segment after p_after, in order, at most p_limit. Callers set plan_cache_mode = force_custom_plan, as hub_segment
-- does: the plan depends on the filter.
create or replace function hub.segment(p_filter jsonb, p_after uuid, p_limit integer) returns setof uuid
language plpgsql stable as $$
begin
  return query
    select k.customer_key
    from public.customers k left join public.customer_activity a on a.customer_key = k.customer_key
    where k.customer_key > p_after and hub.in_segment(k, a, p_filter)
      and (p_filter ->> 'orders_min' is null
        or k.customer_key in (select x from hub.buyers((p_filter ->> 'orders_min')::int) as x))
    order by k.customer_key limit p_limit;
end
$$;

-- How many customers a segment has. Callers set plan_cache_mode as for hub.segment.
create or replace function hub.segment_size(p_filter jsonb) returns bigint
language plpgsql stable as $$
begin
  return (
    select count(*)
    from public.customers k left join public.customer_activity a on a.customer_key = k.customer_key
    where hub.in_segment(k, a, p_filter)
      and (p_filter ->> 'orders_min' is null
        or k.customer_key in (select x from hub.buyers((p_filter ->> 'orders_min')::int) as x)));
end
$$;

-- A page of a segment, oldest customer first. p: {filter, after, limit}. Returns {customers: [{customer, channels, language,
-- last_seen_at}], after, count}. after is null on the last page; count is null on every page but the first.
create or replace function public.hub_segment(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_filter constant jsonb := p -> 'filter';
  v_limit constant integer := (p ->> 'limit')::int;
  v_keys constant uuid[] := array(
    select x from hub.segment(v_filter, coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000'), v_limit + 1) as x);
begin
  return jsonb_build_object(
    'customers', (
      select coalesce(jsonb_agg(jsonb_build_object(
          'customer', hub.customer_json(k), 'channels', coalesce(a.channels, '{}'),
          'language', coalesce(k.preferred_language, a.language), 'last_seen_at', a.last_seen_at) order by k.customer_key), '[]')
      from public.customers k left join public.customer_activity a on a.customer_key = k.customer_key
      where k.customer_key = any (v_keys[:v_limit])),
    'after', case when cardinality(v_keys) > v_limit then v_keys[v_limit] end,
    'count', case when p ->> 'after' is null then hub.segment_size(v_filter) end);
end
$$;
