-- Links that a device shows, to be scanned with a messenger.

-- The part of an identity that another person may see: its last four characters.
create or replace function hub.masked(p_value text) returns text
language sql immutable parallel safe as $$
  select '…' || right(p_value, 4)
$$;

-- The question to a known customer who has scanned the code of another customer's device, in the customer's language.
create or replace function hub.merge_question(s public.sessions, p_language text, c hub.context) returns text
language plpgsql stable as $$
declare
  v_held constant jsonb := hub.held_identities(s.customer_key);
  v_identity constant text := coalesce(v_held ->> 'phone', v_held ->> hub.strongest(v_held - 'visitor_id'));
begin
  return replace(replace(
    hub.notice('merge_required', p_language, c), '{identity}', hub.masked(v_identity)), '{channels}', array_to_string(s.channels, ', '));
end
$$;

-- Whether any of these personal identities is verified for another customer than this one.
create or replace function hub.is_known_elsewhere(p_identities jsonb, p_customer uuid) returns boolean
language sql stable as $$
  select exists (
    select from jsonb_each_text(p_identities) as e (kind, value) join public.identities i using (kind, value)
    where hub.is_personal(i.kind) and i.verified_at is not null and i.customer_key <> p_customer)
$$;

-- Judges whether the sender of a link token and the customer at the device that showed it become one: join, ask or
-- refuse.
-- refuse: they are known to be two people. refuse: the device is a kiosk with a messenger's account signed in, and the
-- sender is another customer; the person who signed in may have left. ask: the device's customer has a verified
-- identity of a person, a personal identity of the sender is verified for another customer, and the link has not asked
-- this sender yet. Else join.
create or replace function hub.judge_link(
  l public.links, t public.session_tokens, p_device uuid, p_sender uuid, p_identities jsonb) returns text
language plpgsql stable as $$
declare
  v_here constant jsonb := hub.known_as(p_device);
  v_theirs constant jsonb := coalesce(hub.known_as(p_sender), '{}') || p_identities;
  v_anchor constant text := hub.strongest(p_identities);
begin
  if hub.are_apart(v_here, v_theirs) then
    return 'refuse';
  elsif t.channel = 'kiosk' and p_sender is distinct from p_device
    and v_here - '{phone,email,visitor_id,customer_id}'::text[] <> '{}'
  then
    return 'refuse';
  elsif hub.is_somebody(hub.held_identities(p_device)) and hub.is_known_elsewhere(p_identities, p_device)
    and (l.asked_kind, l.asked_value) is distinct from (v_anchor, p_identities ->> v_anchor)
  then
    return 'ask';
  end if;
  return 'join';
end
$$;

-- Joins the sender of a link token with the person at the device that showed it. The device's old session token ends,
-- because other people may have seen it. The device goes on with the new token, which only the page that asked for the
-- link knows.
-- event: linked; merge_required: the sender is asked, and agrees by sending the same token again within ten minutes;
-- link_failed: the link is unknown, used or expired, its device's session has ended, or the two may not become one.
-- notice: the text for the sender, null for the text of the event. The caller has locked the identities; this locks the
-- people.
create or replace function hub.redeem_link(
  p_link_hash text, p_identities jsonb, c hub.context, out event text, out notice text)
language plpgsql volatile as $$
declare
  v_anchor constant text := hub.strongest(p_identities);
  l public.links;
  t public.session_tokens;
  s public.sessions;
begin
  event := 'link_failed';
  select * into l from public.links where link_hash = p_link_hash and expires_at > c.now;
  s.session_id := hub.follow(hub.token_session(l.token_hash, c));
  if s.session_id is null then
    return;
  end if;
  perform hub.hold_people(array[p_identities], array[s.session_id]);
  select * into s from public.sessions where session_id = s.session_id;
  select * into l from public.links where link_hash = p_link_hash and expires_at > c.now for update;
  -- A sign-out deletes the token without locking the session, so the token is locked here too.
  select * into t from public.session_tokens where token_hash = l.token_hash and session_id = s.session_id for update;
  if s.status <> 'active' or s.expires_at <= c.now or t.token_hash is null then
    return;
  end if;
  case hub.judge_link(l, t, s.customer_key, hub.person_of(v_anchor, p_identities ->> v_anchor, c.now), p_identities)
    when 'ask' then
      update public.links
        set asked_kind = v_anchor, asked_value = p_identities ->> v_anchor, expires_at = c.now + hub.link_lives()
        where link_hash = p_link_hash;
      event := 'merge_required';
      notice := hub.merge_question(
        s, hub.language_of(hub.person_of(v_anchor, p_identities ->> v_anchor, c.now), c), c);
    when 'join' then
      delete from public.links where link_hash = p_link_hash;
      s := hub.active_session(hub.settle(s.customer_key, p_identities, t.token_hash, c), c.now);
      perform hub.exchange_token(t.token_hash, l.new_token_hash);
      perform hub.give_token(l.new_token_hash, s, t.channel, c.now);
      event := 'linked';
    else
      null;
  end case;
end
$$;

-- Adds a link token for the person at a device. Of the device's older ones the newest four stay. p: {now, ttl_ms,
-- kiosk_idle_ms, token_hash, new_token_hash, link_hash}. Returns {expires_at}. Refuses as find_fresh.
create or replace function public.hub_create_link(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_token constant text := p ->> 'token_hash';
begin
  perform hub.touch(hub.find_fresh(v_token, c), null, c);
  delete from public.links where link_hash in (
    select link_hash from public.links
    where token_hash = v_token and expires_at > c.now
    order by created_at desc offset 4);
  insert into public.links (link_hash, token_hash, new_token_hash, created_at, expires_at)
    values (p ->> 'link_hash', v_token, p ->> 'new_token_hash', c.now, c.now + hub.link_lives());
  return jsonb_build_object('expires_at', c.now + hub.link_lives());
end
$$;
