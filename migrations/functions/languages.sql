-- Languages of sessions. The settings are c.languages: {mode: single | auto | allowed, languages: [default, ...]}; null where
-- there are no rules. docs/languages.md has the table of decisions, src/core/language/policy.ts the same rules.

-- The languages that a customer of this plan may choose from by the settings. Null without settings.
create or replace function hub.languages_of(p_plan text, c hub.context) returns text[]
language sql immutable parallel safe as $$
  select case
    when c.languages is null then null
    when p_plan = 'premium' and c.languages ->> 'mode' <> 'single' then array(select jsonb_array_elements_text(c.languages -> 'languages'))
    else array[c.languages #>> '{languages,0}'] end
$$;

-- The language that a session gets if this one is asked for. Null if it is not permitted. p_language is a canonical tag.
create or replace function hub.permitted_language(p_language text, p_plan text, c hub.context) returns text
language plpgsql immutable as $$
declare
  v_listed constant text[] := hub.languages_of(p_plan, c);
  v_open constant boolean := p_plan = 'premium' and c.languages ->> 'mode' = 'auto';
begin
  if v_listed is null or p_language = any (v_listed) or (v_open and strpos(p_language, '-') > 0) then
    return p_language;
  end if;
  return coalesce((
      select l from unnest(v_listed) with ordinality as u (l, place)
      where split_part(l, '-', 1) = split_part(p_language, '-', 1)
      order by place limit 1),
    case when v_open then p_language end);
end
$$;

-- The customer's preferred language where it is permitted, else null.
create or replace function hub.preference_of(p_customer uuid, c hub.context) returns text
language plpgsql stable as $$
begin
  return (
    select hub.permitted_language(preferred_language, plan, c)
    from public.customers where customer_key = p_customer and preferred_language is not null);
end
$$;

-- The language in which the hub speaks to a customer: that of the session that counts now, else the preferred or the
-- default one.
create or replace function hub.language_of(p_customer uuid, c hub.context) returns text
language sql stable as $$
  select coalesce(
    (select language from public.sessions where session_id = hub.window_of(p_customer)), hub.preference_of(p_customer, c), c.language)
$$;

-- Lets a message decide the language of a session that has not decided one: the customer's preferred language wins over
-- the message's (p_language). The plan decides what is permitted. The caller holds the session.
create or replace function hub.decide_language(p_session uuid, p_language text, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_found record;
begin
  if c.languages is null or c.languages ->> 'mode' = 'single' then
    return;
  end if;
  select hub.preference_of(k.customer_key, c) as preferred, hub.permitted_language(p_language, k.plan, c) as shown
    into v_found
    from public.sessions s join public.customers k using (customer_key)
    where s.session_id = p_session and k.plan = 'premium';
  update public.sessions
    set version = version + case when language = coalesce(v_found.preferred, v_found.shown) then 0 else 1 end,
        language = coalesce(v_found.preferred, v_found.shown),
        language_by = case when v_found.preferred is null then 'message' else 'customer' end
    where session_id = p_session and language_by is null and coalesce(v_found.preferred, v_found.shown) is not null;
end
$$;

-- The language that a session of this customer gets if this one is chosen; null for null. Refuses language_not_allowed with
-- {languages}: those to choose from.
create or replace function hub.chosen_language(p_customer uuid, p_language text, c hub.context) returns text
language plpgsql stable as $$
declare
  v_plan constant text := coalesce((select plan from public.customers where customer_key = p_customer), 'basic');
  v_language constant text := hub.permitted_language(p_language, v_plan, c);
begin
  if p_language is not null and v_language is null then
    perform hub.refuse('language_not_allowed', jsonb_build_object('languages', hub.languages_of(v_plan, c)));
  end if;
  return v_language;
end
$$;

-- Switches a session to a language that was chosen, which becomes the customer's preferred one, and says so in the
-- history. Returns the message, or null if the session already had this choice. Refuses language_not_allowed with
-- {languages}. p_language is a canonical tag. The caller holds the session.
create or replace function hub.set_language(p_session uuid, p_language text, c hub.context) returns public.messages
language plpgsql volatile as $$
declare
  v_language text;
  s public.sessions;
begin
  select x.* into s from public.sessions x where session_id = p_session;
  v_language := hub.chosen_language(s.customer_key, p_language, c);
  if s.language = v_language and s.language_by = 'chosen' then
    return null;
  end if;
  s.last_seq := hub.next_seq(s.last_seq, c.now);
  update public.sessions
    set language = v_language, language_by = 'chosen', version = version + 1, message_count = message_count + 1,
        last_seq = s.last_seq, updated_at = greatest(updated_at, c.now)
    where session_id = p_session;
  update public.customers
    set preferred_language = v_language, version = version + 1, updated_at = greatest(updated_at, c.now)
    where customer_key = s.customer_key and preferred_language is distinct from v_language;
  return hub.add_message(
    p_session, s.last_seq,
    jsonb_build_object(
      'channel', s.channel, 'direction', 'outbound', 'role', 'system', 'kind', 'text', 'status', 'sent', 'content', '{}'::jsonb,
      'text', hub.language_notice(v_language, c)),
    c.now);
end
$$;

-- Switches a session's language and slides the session. p: {now, ttl_ms, ..., language, languages, token_hash | session_id,
-- chosen: the canonical tag}. Returns {session, message}: message is null if nothing changed. Refuses session_not_found,
-- session_expired and language_not_allowed with {languages}.
create or replace function public.hub_set_language(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  s public.sessions;
  m public.messages;
begin
  s := hub.touch(hub.find_live(p ->> 'token_hash', (p ->> 'session_id')::uuid, c), null, c);
  m := hub.set_language(s.session_id, p ->> 'chosen', c);
  select x.* into s from public.sessions x where session_id = s.session_id;
  return jsonb_build_object(
    'session', hub.session_document(s), 'message', case when m.message_id is not null then hub.message_json(m)::jsonb end);
end
$$;
