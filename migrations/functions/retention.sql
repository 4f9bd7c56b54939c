-- Expiry and retention. Each call takes one jsonb argument and returns jsonb. No call here waits for the lock of a
-- session or customer: locked rows are left to the next sweep. Sequential scans are off: a connection keeps a plan that was
-- made while a table was small, and each sweep would read the whole table.

-- Marks active sessions past their expiry as expired. Returns how many.
create or replace function hub.expire_sessions(p_limit integer, p_now timestamptz) returns integer
language plpgsql volatile as $$
declare
  v_expired integer := 0;
  s public.sessions;
begin
  for s in
    select * from public.sessions
    where status = 'active' and expiry_check_at <= p_now
    order by expiry_check_at
    limit p_limit
    for update skip locked
  loop
    if s.expires_at <= p_now then
      update public.sessions
        set status = 'expired', ended_at = p_now, updated_at = p_now, version = version + 1
        where session_id = s.session_id;
      v_expired := v_expired + 1;
    else
      update public.sessions set expiry_check_at = expires_at where session_id = s.session_id;
    end if;
  end loop;
  return v_expired;
end
$$;

-- Marks active sessions past their expiry as expired, empties threads past theirs, ends deliveries that waited too long for the customer, deletes codes, links, rate limits and
-- answers to idempotency keys that no longer count, and folds the counts. p: {now, limit}. Returns {expired}: the number of sessions.
create or replace function public.hub_expire(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_limit constant integer := (p ->> 'limit')::int;
  v_expired constant integer := hub.expire_sessions(v_limit, v_now);
begin
  delete from public.codes where phone in (
    select phone from public.codes where expires_at <= v_now order by expires_at limit v_limit for update skip locked);
  delete from public.links where link_hash in (
    select link_hash from public.links where expires_at <= v_now order by expires_at limit v_limit for update skip locked);
  delete from public.rate_limits where key in (
    select key from public.rate_limits where ends_at <= v_now - interval '24 hours'
    order by ends_at limit v_limit for update skip locked);
  delete from public.ended_tokens where token_hash in (
    select token_hash from public.ended_tokens
    where ended_at <= v_now - hub.rating_changes_for() order by ended_at limit v_limit for update skip locked);
  delete from public.idempotency_keys where (scope, key) in (
    select scope, key from public.idempotency_keys
    where created_at <= v_now - hub.idempotency_lives() order by created_at limit v_limit for update skip locked);
  perform hub.expire_threads(v_limit, v_now);
  perform hub.expire_windows(v_limit, v_now);
  perform hub.expire_staff(v_limit, v_now);
  perform hub.expire_dispatches(v_limit, v_now);
  perform hub.fold_counts(v_now);
  return jsonb_build_object('expired', v_expired);
end
$$;

-- Deletes these sessions with everything of theirs. The caller holds their rows. Deliveries go before messages, in the
-- order in which receipts lock them.
create or replace function hub.delete_sessions(p_sessions uuid[]) returns void
language plpgsql volatile as $$
begin
  perform hub.give_up_uploads(p_sessions);
  delete from public.deliveries d using public.messages m where m.session_id = any (p_sessions) and d.message_id = m.message_id;
  delete from public.turns where session_id = any (p_sessions) and state in ('pending', 'running');
  delete from public.turns where session_id = any (p_sessions) and state = 'dead';
  delete from public.messages where session_id = any (p_sessions);
  delete from public.session_tokens where session_id = any (p_sessions);
  delete from public.sessions where session_id = any (p_sessions);
end
$$;

-- Deletes messages that were saved before an instant, except those still to be answered or sent. Returns how many. A
-- message's id begins with the time at which it was saved, so the primary key sorts messages by age. A message of the
-- journal was saved later than it arrived.
create or replace function hub.purge_messages(p_before timestamptz, p_limit integer) returns integer
language plpgsql volatile as $$
declare
  v_sessions uuid[];
  v_messages uuid[];
begin
  if p_before is null then
    return 0;
  end if;
  select array_agg(m.message_id), array_agg(distinct m.session_id) into v_messages, v_sessions
    from (
      select message_id, session_id from public.messages x
      where message_id < hub.uuid_from(p_before) and hub.is_done(x)
      order by message_id limit p_limit
    ) m;
  if v_messages is null then
    return 0;
  end if;
  v_sessions := array(
    select session_id from public.sessions where session_id = any (v_sessions) order by session_id for update skip locked);
  -- Checked again, now that their sessions are locked.
  v_messages := array(
    select message_id from public.messages m where message_id = any (v_messages) and session_id = any (v_sessions) and hub.is_done(m));
  perform hub.give_up_uploads_of(v_messages);
  delete from public.deliveries where message_id = any (v_messages);
  delete from public.turns where session_id = any (v_sessions) and state = 'dead' and message_id = any (v_messages);
  delete from public.messages where message_id = any (v_messages);
  return coalesce(array_length(v_messages, 1), 0);
end
$$;

-- Whether a message is neither to be answered nor to be sent.
create or replace function hub.is_done(m public.messages) returns boolean
language sql stable as $$
  select not exists (
      select 1 from public.turns t where t.session_id = m.session_id and t.state in ('pending', 'running') and t.message_id = m.message_id)
    and not exists (
      select 1 from public.deliveries d where d.message_id = m.message_id and d.state in ('pending', 'sending', 'held'))
$$;

-- Deletes dead letters created before an instant, at most p_limit turns and p_limit deliveries. The statuses of their
-- messages stay.
create or replace function hub.purge_dead_letters(p_before timestamptz, p_limit integer) returns void
language plpgsql volatile as $$
begin
  delete from public.turns where turn_id in (
    select turn_id from public.turns
    where state = 'dead' and turn_id < hub.uuid_from(p_before)
    order by turn_id limit p_limit for update skip locked);
  delete from public.deliveries where delivery_id in (
    select delivery_id from public.deliveries
    where state = 'dead' and delivery_id < hub.uuid_from(p_before)
    order by delivery_id limit p_limit for update skip locked);
end
$$;

-- Deletes identities last seen before an instant, with the password of a phone, unless their customer has an active
-- session: such an identity is looked at again when the instant is a day later. Looks at p_limit identities at most. Returns
-- the customers of the deleted ones, one for each identity.
create or replace function hub.purge_identities(p_before timestamptz, p_limit integer) returns uuid[]
language plpgsql volatile as $$
declare
  v_customers uuid[];
  v_gone uuid[] := '{}';
  i public.identities;
begin
  v_customers := array(
    select customer_key from public.identities where unseen_check_at < p_before order by unseen_check_at limit p_limit);
  if v_customers = '{}' then
    return v_gone;
  end if;
  -- Every call that opens a session locks its customer first.
  v_customers := array(
    select customer_key from public.customers where customer_key = any (v_customers) order by customer_key for update skip locked);
  -- A message changes identities of a customer whom it may lock afterwards: their rows are not waited for.
  for i in
    select * from public.identities
    where customer_key = any (v_customers) and unseen_check_at < p_before
    order by unseen_check_at limit p_limit
    for update skip locked
  loop
    if i.last_seen_at >= p_before then
      update public.identities set unseen_check_at = last_seen_at where kind = i.kind and value = i.value;
    elsif exists (select from public.sessions where customer_key = i.customer_key and status = 'active') then
      update public.identities set unseen_check_at = p_before + interval '1 day' where kind = i.kind and value = i.value;
    else
      perform hub.drop_identity(i.kind, i.value);
      v_gone := v_gone || i.customer_key;
    end if;
  end loop;
  return v_gone;
end
$$;

-- Deletes those of these customers who have no session, no booking, no customer_id and no identity except browsers.
create or replace function hub.purge_customers(p_customers uuid[]) returns void
language plpgsql volatile as $$
declare
  v_customers constant uuid[] := array(
    select customer_key from public.customers
    where customer_key = any (p_customers) and customer_id is null
    order by customer_key
    for update skip locked);
  v_unneeded uuid[];
begin
  if v_customers = '{}' then
    return;
  end if;
  -- Checked only after the lock: every call that gives a customer a session or an identity locks the customer first.
  v_unneeded := array(
    select k from unnest(v_customers) as k
    where not exists (select from public.sessions where customer_key = k) and not hub.has_bookings(k)
      and not exists (select from public.identities where customer_key = k and hub.is_personal(kind)));
  delete from public.identities where customer_key = any (v_unneeded);
  perform hub.forget_conversations(v_unneeded, now());
  delete from public.customers where customer_key = any (v_unneeded);
end
$$;

-- Deletes sessions that ended before an instant with everything of theirs; receipts and edits whose message never came;
-- hashes of erased messages and dead letters that are too old; and customers without data. Optional in p: messages that
-- were saved before messages_before, passwords last used before passwords_before, identities last seen before
-- identities_before, bookings of before bookings_before, events of before events_before. Adds a line to the audit when rows were deleted. p: {before, limit, now, messages_before,
-- passwords_before, identities_before, bookings_before, events_before}. Returns {purged}: the number of sessions.
create or replace function public.hub_purge(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_before constant timestamptz := p ->> 'before';
  v_now constant timestamptz := p ->> 'now';
  v_limit constant integer := (p ->> 'limit')::int;
  v_sessions uuid[];
  v_customers uuid[];
  v_unseen uuid[];
  v_booked uuid[];
  v_messages integer;
  v_passwords integer;
begin
  select array_agg(session_id), array_agg(customer_key) into v_sessions, v_customers from (
    select session_id, customer_key from public.sessions
    where status <> 'active' and ended_at < v_before
    order by ended_at limit v_limit
    for update skip locked
  ) dead;
  if v_sessions is not null then
    perform hub.delete_sessions(v_sessions);
  end if;
  delete from public.early_events where ctid in (
    select ctid from public.early_events where created_at < v_before order by created_at limit v_limit for update skip locked);
  delete from public.erased_messages where id_hash in (
    select id_hash from public.erased_messages
    where erased_at < v_now - hub.erased_days() * interval '1 day' order by erased_at limit v_limit for update skip locked);
  perform hub.purge_dead_letters(v_now - hub.dead_letter_days() * interval '1 day', v_limit);
  v_messages := hub.purge_messages((p ->> 'messages_before')::timestamptz, v_limit);
  v_unseen := hub.purge_identities((p ->> 'identities_before')::timestamptz, v_limit);
  delete from public.passwords where phone in (
    select phone from public.passwords where updated_at < (p ->> 'passwords_before')::timestamptz
    order by updated_at limit v_limit for update skip locked);
  get diagnostics v_passwords = row_count;
  perform hub.purge_model_usage(v_now, v_limit);
  v_booked := hub.purge_bookings((p ->> 'bookings_before')::timestamptz, v_limit);
  perform hub.purge_events((p ->> 'events_before')::timestamptz, v_limit);
  perform hub.purge_customers(v_customers || v_unseen || v_booked);
  if v_now is not null
    and (v_sessions is not null or v_messages > 0 or v_passwords > 0 or v_unseen <> '{}' or v_booked <> '{}')
  then
    perform hub.add_audit('retention', 'purge', 'retention', jsonb_build_object(
      'sessions', coalesce(array_length(v_sessions, 1), 0), 'messages', v_messages, 'passwords', v_passwords,
      'identities', coalesce(array_length(v_unseen, 1), 0), 'bookings', coalesce(array_length(v_booked, 1), 0)), v_now);
  end if;
  return jsonb_build_object('purged', coalesce(array_length(v_sessions, 1), 0));
end
$$;
