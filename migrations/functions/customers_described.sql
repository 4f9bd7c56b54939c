-- The fields of customers besides their identities: how messengers and frontends set them, how they are merged, and how they
-- are returned.

-- Text as a search compares it: without case, accents and punctuation, words separated by one space. The extension unaccent is
-- not used: each platform has it in another schema, and no index may depend on it.
create or replace function hub.plain(p_text text) returns text
language sql immutable parallel safe as $$
  select trim(regexp_replace(
    lower(replace(replace(replace(translate(
      regexp_replace(normalize(p_text, nfkd), '[\u0300-\u036f\u0591-\u05c7\u064b-\u0652]', '', 'g'),
      'øØłŁđĐðÐıħĦÆŒ', 'oOlLdDdDihHæœ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')),
    '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u3000-\u303f]+', ' ', 'g'))
$$;

-- The words of a text, as a search compares them.
create or replace function hub.words_in(p_text text) returns text[]
language sql immutable parallel safe as $$
  select array(select left(w, 256) from regexp_split_to_table(hub.plain(p_text), ' ') as w where w <> '')
$$;

-- Sets the columns that a search reads.
create or replace function hub.index_customer() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.called := nullif(left(hub.plain(coalesce(new.name, new.profile ->> 'name')), 256), '');
  new.words := array_to_tsvector(
    hub.words_in(new.name) || hub.words_in(new.profile ->> 'name') || hub.words_in(new.profile ->> 'username')
    || hub.words_in(new.customer_id) || hub.words_in(new.claimed ->> 'email'));
  return new;
end
$$;

create or replace trigger customers_index before insert on public.customers
  for each row when (new.name is not null or new.customer_id is not null) execute function hub.index_customer();
create or replace trigger customers_index_changed before update of name, profile, customer_id, claimed on public.customers
  for each row when (
    (old.name, old.profile, old.customer_id, old.claimed) is distinct from (new.name, new.profile, new.customer_id, new.claimed))
  execute function hub.index_customer();

-- A customer's profile after a message: the first messenger may change its values, another one only adds missing ones, so that
-- a customer of two messengers is not renamed by each message. One expression, which Postgres inlines: receive evaluates it
-- for each message.
create or replace function hub.profile_with(p_profile jsonb, p_item jsonb) returns jsonb
language sql stable parallel safe as $$
  select case
    when p_item -> 'profile' is null then p_profile
    when p_profile ->> 'channel' = p_item ->> 'channel' then p_profile || (p_item -> 'profile')
    else (p_item -> 'profile') || jsonb_build_object('channel', p_item -> 'channel') || p_profile end
$$;

-- Saves the profile of a message's sender, if it changed.
create or replace function hub.learn_profile(p_customer uuid, p_item jsonb) returns void
language plpgsql volatile as $$
begin
  if p_item ? 'profile' then
    update public.customers set profile = hub.profile_with(profile, p_item)
      where customer_key = p_customer and profile <> hub.profile_with(profile, p_item);
  end if;
end
$$;

-- An e-mail or a phone (p_kind) in the hub's spelling; null if the text is none.
create or replace function hub.contact(p_kind text, p_value text) returns text
language sql immutable parallel safe as $$
  select case p_kind
    when 'email' then substring(lower(trim(p_value)) from '^[^\s@]{1,64}@[^\s@]{1,190}\.[^\s@.]{2,63}$')
    else substring(regexp_replace(p_value, '[\s().-]', '', 'g') from '^\+[1-9][0-9]{6,14}$') end
$$;

-- Saves the e-mail and the phone of a patch of a session's metadata as claims. Claims find and join no customer. A back office
-- sees them, and the customers who may be the same person. Values that are no e-mail or phone are ignored.
create or replace function hub.learn_contact(p_customer uuid, p_metadata jsonb) returns void
language plpgsql volatile as $$
declare
  v_told jsonb;
  v_gone text[];
begin
  if not p_metadata ?| '{email,phone}'::text[] then
    return;
  end if;
  select coalesce(jsonb_object_agg(k, hub.contact(k, p_metadata ->> k)) filter (where hub.contact(k, p_metadata ->> k) is not null), '{}'),
      coalesce(array_agg(k) filter (where p_metadata -> k = 'null'), '{}')
    into v_told, v_gone
    from unnest('{email,phone}'::text[]) as k
    where p_metadata ? k and jsonb_typeof(p_metadata -> k) in ('string', 'null');
  update public.customers
    set claimed = claimed - v_gone || v_told
    where customer_key = p_customer and claimed <> claimed - v_gone || v_told;
end
$$;

-- The customer with this customer_id, else with this customer_key; null when there is none.
create or replace function hub.customer_at(p_id text) returns uuid
language plpgsql stable as $$
declare
  v_customer uuid := (select customer_key from public.customers where customer_id = p_id);
begin
  if v_customer is null and p_id ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' then
    select customer_key into v_customer from public.customers where customer_key = p_id::uuid;
  end if;
  return v_customer;
end
$$;

-- A customer as a back office reads them.
create or replace function hub.customer_json(k public.customers) returns jsonb
language plpgsql stable as $$
declare
  v_held constant jsonb := hub.held_identities(k.customer_key);
begin
  return jsonb_build_object(
    'customer_key', k.customer_key, 'customer_id', k.customer_id, 'name', coalesce(k.name, k.profile ->> 'name'),
    'email', coalesce(v_held ->> 'email', k.claimed ->> 'email'), 'email_verified', v_held ? 'email',
    'phone', coalesce(
      v_held ->> 'phone', (select value from public.identities where customer_key = k.customer_key and kind = 'phone'),
      k.claimed ->> 'phone'),
    'phone_verified', v_held ? 'phone', 'preferred_language', k.preferred_language, 'plan', k.plan, 'tags', k.tags,
    'attributes', k.attributes, 'profile', k.profile, 'identities', v_held, 'claimed', k.claimed, 'version', k.version,
    'created_at', k.created_at, 'updated_at', k.updated_at);
end
$$;

-- A customer as a bot gets them.
create or replace function hub.known_customer(k public.customers) returns jsonb
language sql stable parallel safe as $$
  select jsonb_strip_nulls(jsonb_build_object(
      'customer_id', k.customer_id, 'name', coalesce(k.name, k.profile ->> 'name'), 'preferred_language', k.preferred_language))
    || jsonb_build_object('plan', k.plan, 'tags', k.tags, 'attributes', k.attributes, 'profile', k.profile)
$$;

-- The customer of a session as a bot gets them; null after an erasure.
create or replace function hub.turn_customer(p_session uuid) returns jsonb
language plpgsql stable as $$
begin
  return (
    select hub.known_customer(k)
    from public.sessions s join public.customers k on k.customer_key = s.customer_key
    where s.session_id = p_session);
end
$$;

-- Merges the fields of customers who become one. The survivor's values stay. Another customer's different value is added to
-- attributes.merge_conflicts: [{path, value, customer_key}]. Tags are united. The plan is premium if any of them has it.
create or replace function hub.unite_customers(p_into uuid, p_others uuid[]) returns void
language plpgsql volatile as $$
declare
  v_conflicts jsonb;
  v_attributes record;
  k public.customers;
  o public.customers;
begin
  select * into k from public.customers where customer_key = p_into;
  for o in select * from public.customers where customer_key = any (p_others) order by created_at, customer_key loop
    v_attributes := hub.merge_values(
      'attributes', o.attributes - 'merge_conflicts', k.attributes - 'merge_conflicts', o.customer_key::text);
    v_conflicts := v_attributes.conflicts || coalesce((
      select jsonb_agg(jsonb_build_object('path', path, 'value', other))
      from (values ('name', k.name, o.name), ('preferred_language', k.preferred_language, o.preferred_language)) as e (path, own, other)
      where own <> other), '[]');
    v_conflicts := hub.conflict_list(k.attributes -> 'merge_conflicts') || hub.conflict_list(o.attributes -> 'merge_conflicts')
      || coalesce((
        select jsonb_agg(value - 'session_id' || jsonb_build_object('customer_key', o.customer_key))
        from jsonb_array_elements(v_conflicts)), '[]');
    k.attributes := v_attributes.merged || case
      when v_conflicts = '[]' then '{}' else jsonb_build_object('merge_conflicts', v_conflicts) end;
    k.name := coalesce(k.name, o.name);
    k.preferred_language := coalesce(k.preferred_language, o.preferred_language);
    k.plan := case when 'premium' in (k.plan, o.plan) then 'premium' else k.plan end;
    k.tags := k.tags || array(select t from unnest(o.tags) as t where not t = any (k.tags));
    k.profile := o.profile || k.profile;
    k.claimed := o.claimed || k.claimed;
    k.created_at := least(k.created_at, o.created_at);
  end loop;
  update public.customers
    set name = k.name, preferred_language = k.preferred_language, plan = k.plan, tags = k.tags, attributes = k.attributes,
        profile = k.profile, claimed = k.claimed, created_at = k.created_at, version = version + 1
    where customer_key = p_into;
end
$$;
