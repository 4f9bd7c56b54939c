-- Writes of customers by a back office. Each call takes one jsonb argument and returns jsonb. {id} is a customer_id, else a
-- customer_key.

-- A customer with new fields. p_fields as for hub_save_customer; with p_replace an absent field gets its default.
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

-- Removes e-mail or phone from a customer: the identity and the claim. The caller holds the customer.
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

-- Refuses customer_conflict. Its details name the customers who have the value: [{customer_key, customer_id}].
create or replace function hub.refuse_taken(p_customers uuid[]) returns void
language plpgsql stable as $$
begin
  perform hub.refuse('customer_conflict', jsonb_build_object('customers', (
    select coalesce(jsonb_agg(jsonb_build_object('customer_key', customer_key, 'customer_id', customer_id) order by customer_key), '[]')
    from public.customers where customer_key = any (p_customers))));
end
$$;

-- The customer to write, or null for a new one: the customer with this key, these verified contacts or this customer_id (p_name).
-- Refuses customer_conflict if these are several customers. The caller holds all of them.
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

-- Gives a customer these contacts as verified identities. Without a customer, it is the one whose active session claims one of
-- the contacts, else a new one.
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
    customer := hub.new_customer(c);
    perform hub.give_identities(customer, p_contacts, c.now);
  end if;
end
$$;

-- Writes a customer for a back office. p: {now, ttl_ms, ..., actor, how: put | patch | upsert, id, if_version, fields: {name,
-- preferred_language, plan, tags, attributes, customer_id, email, phone}}. put replaces all but the contacts, and a new customer
-- gets the id as customer_id; patch and upsert merge; upsert finds by contact and customer_id only. A contact of null is
-- removed. Returns {customer, created, session_id, merged, closed, notified, deliveries}. Refuses not_found, version_conflict,
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
