-- Phones that are only claimed: a person typed one at a kiosk, and it was never verified. A claim carries nothing from
-- one session to the next.

-- Whether a claim from this channel may have an active session of a customer who only claims the phone: the session was
-- used on no other channel than where it began. p_channel null stands for that channel.
create or replace function hub.is_claimable(s public.sessions, p_channel text) returns boolean
language sql immutable parallel safe as $$
  select s.channels <@ array[s.channel] and coalesce(p_channel, s.channel) = s.channel
$$;

-- The active session that a claimed phone finds; null when there is none. The caller holds its people. Refuses
-- verification_required when the phone is verified, when its session was used on another channel, or when more than a
-- phone is claimed.
create or replace function hub.find_claimed(p_identities jsonb, p_channel text, c hub.context) returns public.sessions
language plpgsql volatile as $$
declare
  i public.identities;
  s public.sessions;
begin
  select * into i from public.identities where kind = 'phone' and value = p_identities ->> 'phone';
  if i.verified_at is not null or p_identities - 'phone' <> '{}' or not p_identities ? 'phone' then
    perform hub.refuse('verification_required');
  end if;
  s := hub.active_session(i.customer_key, c.now);
  if s.session_id is not null and not hub.is_claimable(s, p_channel) then
    perform hub.refuse('verification_required');
  end if;
  return s;
end
$$;

-- The session for a phone that is only claimed: the session of an earlier claim that was used on no other channel, or a
-- new one of a new customer. Refuses as find_claimed. The caller has locked the identities.
create or replace function hub.claim(p_identities jsonb, p_channel text, c hub.context) returns public.sessions
language plpgsql volatile as $$
declare
  v_customer uuid;
  s public.sessions;
begin
  perform hub.hold_people(array[p_identities]);
  s := hub.find_claimed(p_identities, p_channel, c);
  if s.session_id is null then
    v_customer := hub.new_customer(c);
    perform hub.drop_identity('phone', p_identities ->> 'phone');
    insert into public.identities (kind, value, customer_key, last_seen_at, unseen_check_at, created_at)
      values ('phone', p_identities ->> 'phone', v_customer, c.now, c.now, c.now);
    s := hub.current_session(v_customer, p_channel, c);
  end if;
  return s;
end
$$;
