-- Dispatches: messages that the shop sends first. One becomes a message of its customer's session, with deliveries on one channel. When
-- these fail for good and the platform has surely shown nothing, it takes the next channel.

-- A dispatch as its sender sees it; status is its message's.
create or replace function hub.dispatch_json(d public.dispatches) returns jsonb
language plpgsql stable as $$
begin
  return to_jsonb(d) - '{actor,idempotency_key,body_hash,customer_key,renderings,channels}'::text[] || jsonb_build_object(
    'status', (select status from public.messages where message_id = d.message_id),
    'failure', (
      select jsonb_build_object('code', code, 'reason', reason) from public.deliveries
      where message_id = d.message_id and status = 'failed' order by seq limit 1));
end
$$;

-- The channel that a dispatch takes now, with the address there; obstacle says why there is none. Of several: first those where the
-- platform takes it at once, and of these the one that the customer used last. outside of a rendering says what the platform does with it
-- when its window is closed: always, hold or none.
create or replace function hub.way_for(
  d public.dispatches, p_now timestamptz, out channel text, out account text, out address jsonb, out obstacle text)
language plpgsql stable as $$
declare
  -- Of several the one that says most.
  v_reasons constant text[] := '{opted_out,blocked,window_closed,no_address}';
  r record;
begin
  for r in
    select w.*,
        case
          when hub.is_opted_out(d.customer_key, w.name, d.purpose) then 'opted_out'
          when exists (select from public.customers k where k.customer_key = d.customer_key and w.name = any (k.unreachable)) then 'blocked'
          when not w.fetched and w.there is null then 'no_address'
          when w.outside <> 'always' and not w.open and (w.outside = 'none') then 'window_closed'
        end as hindrance
    from (
      select e.key as name, e.value ->> 'outside' as outside, e.value -> 'parts' = '[]' as fetched,
          coalesce(i.account, e.value ->> 'account') as through,
          coalesce(i.address, nullif(e.value -> 'address', 'null')) as there,
          i.address_used_at as used_at,
          coalesce(
            hub.window_at(e.key, coalesce(i.account, e.value ->> 'account'), coalesce(i.address, e.value -> 'address'))
              > p_now + hub.window_margin(), false) as open
      from jsonb_each(d.renderings) as e
        left join lateral (
          select x.account, x.address, x.address_used_at from public.identities x
          where x.customer_key = d.customer_key and x.channel = e.key and x.address is not null
          order by x.address_used_at desc limit 1) i on true
      where (d.channels is null or e.key = any (d.channels))
        and not d.tried @> jsonb_build_array(jsonb_build_object('channel', e.key))) w
    order by w.fetched, w.outside <> 'always' and not w.open, w.used_at desc nulls last, w.name collate "C"
  loop
    if r.hindrance is null and (not r.fetched or d.channels is not null or exists (
        select from public.sessions s
        where s.customer_key = d.customer_key and s.status = 'active' and s.expires_at > p_now and r.name = any (s.channels)))
    then
      channel := r.name;
      account := r.through;
      address := coalesce(r.there, '{}');
      obstacle := null;
      return;
    end if;
    obstacle := v_reasons[least(
      coalesce(array_position(v_reasons, obstacle), 9), coalesce(array_position(v_reasons, r.hindrance), 9))];
  end loop;
  obstacle := coalesce(obstacle, 'no_channel');
end
$$;

-- Puts a waiting dispatch into the outbox of its best channel, or ends it when there is none. Returns the first delivery where it was
-- claimed with that, else null: then the caller claims. The customer, the active session and the dispatch are held.
create or replace function hub.place_dispatch(inout d public.dispatches, c hub.context, out delivery jsonb)
language plpgsql volatile as $$
declare
  v_way record;
  v_made jsonb;
  v_count integer;
  v_part jsonb;
  s public.sessions;
  m public.messages;
begin
  if d.campaign_id is not null then
    d.renderings := hub.campaign_renderings(d);
  end if;
  v_way := hub.way_for(d, c.now);
  if d.expires_at <= c.now or v_way.channel is null then
    update public.dispatches
      set state = 'failed', code = coalesce(d.code, 'rejected'), updated_at = c.now, renderings = null,
          reason = case when d.expires_at <= c.now then 'expired' else coalesce(d.reason, v_way.obstacle) end
      where dispatch_id = d.dispatch_id
      returning * into d;
    return;
  end if;
  v_made := d.renderings -> v_way.channel;
  v_count := jsonb_array_length(v_made -> 'parts');
  s := hub.current_session(d.customer_key, v_way.channel, c);
  s.last_seq := hub.next_seq(s.last_seq, c.now);
  m := hub.add_message(
    s.session_id, s.last_seq,
    v_made || jsonb_build_object(
      'channel', v_way.channel, 'account', v_way.account, 'direction', 'outbound', 'role', 'assistant', 'author', 'key:' || d.actor,
      'status', case when v_count = 0 then 'sent' else 'pending' end), c.now);
  update public.sessions
    set message_count = message_count + 1, last_seq = s.last_seq, updated_at = greatest(updated_at, c.now)
    where session_id = s.session_id;
  for i in 0 .. v_count - 1 loop
    v_part := hub.add_delivery(m, v_count, v_way.address, v_made -> 'parts' -> i, false, c);
    delivery := coalesce(delivery, v_part);
  end loop;
  if d.campaign_id is not null then
    update public.deliveries set bulk = true where message_id = m.message_id;
  end if;
  update public.dispatches
    set state = 'placed', channel = v_way.channel, session_id = s.session_id, message_id = m.message_id, code = null, reason = null,
        updated_at = c.now
    where dispatch_id = d.dispatch_id
    returning * into d;
end
$$;

-- Lets a dispatch whose delivery has just died take its next channel at the next sweep. It does not when the platform may have shown
-- some of it: a part was sent, an attempt ended without an answer, or a worker died while it sent. The message's own deliveries end, and
-- lose their address, so that an operator's retry of them sends nothing.
create or replace function hub.fall_through(p_delivery uuid, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  d public.deliveries;
begin
  select * into d from public.deliveries where delivery_id = p_delivery;
  if d.state <> 'dead' or d.code is distinct from 'rejected' or d.unsure or d.reason in ('abandoned', 'opted_out', 'erased')
    or exists (select from public.deliveries where message_id = d.message_id and state in ('sent', 'sending'))
  then
    return;
  end if;
  if d.bulk and hub.pause_campaign(d.message_id, d.reason, p_now) then
    return;
  end if;
  update public.dispatches
    set state = 'waiting', due_at = p_now, updated_at = p_now, code = d.code, reason = d.reason,
        tried = tried || jsonb_build_object('channel', d.channel, 'code', d.code, 'reason', d.reason)
    where message_id = d.message_id and state = 'placed';
  if found then
    update public.deliveries
      set state = 'dead', status = 'failed', address = '{}', code = 'rejected',
          reason = case when state = 'dead' then reason else 'superseded' end
      where message_id = d.message_id and state in ('pending', 'held', 'dead');
  end if;
end
$$;

-- Takes a message that the shop sends first. p: {..., actor, idempotency_key, body_hash, to: {identities} | {session_id} | {customer_id},
-- purpose, channels, renderings, not_before, expires_at}; identities find or make their customer. Returns {dispatch, replayed,
-- deliveries} and the effects of what the identities have joined. Refuses not_found, and idempotency_conflict for a key that came with
-- another body.
create or replace function public.hub_send(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_to constant jsonb := p -> 'to';
  v_key constant text := p ->> 'idempotency_key';
  v_customer uuid;
  v_placed record;
  d public.dispatches;
begin
  if v_key is not null then
    perform pg_advisory_xact_lock(hashtextextended('dispatch ' || (p ->> 'actor') || ' ' || v_key, 0));
    select * into d from public.dispatches where actor = p ->> 'actor' and idempotency_key = v_key;
    if d.dispatch_id is not null and d.body_hash <> p ->> 'body_hash' then
      perform hub.refuse('idempotency_conflict');
    elsif d.dispatch_id is not null then
      return jsonb_build_object('dispatch', hub.dispatch_json(d), 'replayed', true, 'deliveries', '[]'::jsonb);
    end if;
  end if;
  if v_to ? 'identities' then
    perform hub.lock_identities(v_to -> 'identities');
    perform hub.hold_people(array[v_to -> 'identities']);
    v_customer := hub.identify(v_to -> 'identities', null, c);
  else
    v_customer := hub.recipient_of(v_to);
    perform hub.hold_customer(v_customer);
    if hub.recipient_of(v_to) is distinct from v_customer then
      raise exception 'the customer has just changed' using errcode = 'serialization_failure';
    end if;
  end if;
  insert into public.dispatches (
      dispatch_id, actor, idempotency_key, body_hash, customer_key, purpose, channels, renderings, state, due_at, expires_at, created_at,
      updated_at)
    values (
      hub.uuid(c.now), p ->> 'actor', v_key, p ->> 'body_hash', v_customer, p ->> 'purpose', hub.texts_of(p -> 'channels'),
      p -> 'renderings', 'waiting', greatest(c.now, (p ->> 'not_before')::timestamptz), (p ->> 'expires_at')::timestamptz, c.now, c.now)
    returning * into d;
  if d.due_at <= c.now then
    v_placed := hub.place_dispatch(d, c);
    d := v_placed.d;
    if d.state = 'placed' and v_placed.delivery is null then
      v_placed.delivery := hub.claim_delivery(d.session_id, d.channel, c);
    end if;
    perform hub.add_effect('deliveries', hub.list_of(v_placed.delivery));
  end if;
  return jsonb_build_object('dispatch', hub.dispatch_json(d), 'replayed', false, 'deliveries', '[]'::jsonb) || hub.take_effects();
end
$$;

-- The customer whom a session or a customer_id names. Refuses not_found.
create or replace function hub.recipient_of(p_to jsonb) returns uuid
language plpgsql stable as $$
declare
  v_customer constant uuid := case
    when p_to ? 'session_id' then (
      select customer_key from public.sessions where session_id = hub.follow((p_to ->> 'session_id')::uuid))
    else hub.customer_at(p_to ->> 'customer_id') end;
begin
  if not exists (select from public.customers where customer_key = v_customer) then
    perform hub.refuse('not_found');
  end if;
  return v_customer;
end
$$;

-- Places those of p_ids that are due and in p_state, and claims their deliveries. A customer whom another call holds is left to the next
-- run, and so is one in quiet hours (p_quiet, null without any), until these end. A dispatch without its customer fails: they were erased.
create or replace function hub.place_dispatches(
  p_ids uuid[], p_state text, p_quiet jsonb, c hub.context, out placed integer, out failed integer, out deliveries jsonb)
language plpgsql volatile as $$
declare
  v_customers uuid[] := array(select distinct customer_key from public.dispatches where dispatch_id = any (p_ids));
  -- The inner select finds them by customer: ordered by their id alone, a plan may walk through all sessions.
  v_sessions constant uuid[] := array(
    select session_id from public.sessions
    where status = 'active' and session_id = any (array(
      select session_id from public.sessions where customer_key = any (v_customers) and status = 'active'))
    order by session_id for update skip locked);
  v_lanes uuid[] := '{}';
  v_at timestamptz;
  v_one record;
  r record;
  d public.dispatches;
begin
  placed := 0;
  failed := 0;
  deliveries := '[]';
  update public.dispatches x set state = 'failed', code = 'rejected', reason = 'erased', updated_at = c.now
    where x.dispatch_id = any (p_ids) and not exists (select from public.customers k where k.customer_key = x.customer_key);
  v_customers := array(
    select k.customer_key from public.customers k
    where k.customer_key = any (v_customers) and not exists (
      select from public.sessions s
      where s.customer_key = k.customer_key and s.status = 'active' and not s.session_id = any (v_sessions))
    order by k.customer_key for update skip locked);
  for d in
    select * from public.dispatches
    where dispatch_id = any (p_ids) and customer_key = any (v_customers) and state = p_state and due_at <= c.now
    order by due_at, dispatch_id for update skip locked
  loop
    v_at := hub.after_quiet(p_quiet, d.customer_key, c.now);
    if v_at > c.now then
      update public.dispatches set due_at = v_at where dispatch_id = d.dispatch_id;
      continue;
    end if;
    v_one := hub.place_dispatch(d, c);
    if (v_one.d).state = 'failed' then
      failed := failed + 1;
    else
      placed := placed + 1;
      if v_one.delivery is null then
        v_lanes := v_lanes || d.dispatch_id;
      else
        deliveries := deliveries || v_one.delivery;
      end if;
    end if;
  end loop;
  -- By channel and account: the pace of an account is locked with the claim.
  for r in
    select x.session_id, x.channel, m.account from public.dispatches x join public.messages m on m.message_id = x.message_id
    where x.dispatch_id = any (v_lanes)
    group by 1, 2, 3 order by 2, 3, 1
  loop
    deliveries := deliveries || hub.list_of(hub.claim_delivery(r.session_id, r.channel, c));
  end loop;
end
$$;

-- Places waiting dispatches that are due, at most limit, as hub.place_dispatches does. p: {..., limit}. Returns {placed, failed, deliveries}.
create or replace function public.hub_place_dispatches(p jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  c constant hub.context := hub.context_of(p);
begin
  return to_jsonb(hub.place_dispatches(
    array(select dispatch_id from public.dispatches where state = 'waiting' and due_at <= c.now order by due_at limit (p ->> 'limit')::int),
    'waiting', null, c));
end
$$;

-- Cancels a dispatch of which nothing is on its way: it waits for its time or its next channel, or in the outbox without an attempt, for
-- its window or behind other messages, and no earlier attempt may have been shown. p: {now, actor, dispatch_id}. Returns {dispatch}; a dispatch that was cancelled before stays so.
-- Refuses not_found, and illegal_transition when it is too late. A sweep that places it holds its row: only one of both happens.
create or replace function public.hub_cancel_dispatch(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_id constant uuid := p ->> 'dispatch_id';
  v_message constant uuid := (select message_id from public.dispatches where dispatch_id = v_id);
  d public.dispatches;
begin
  perform hub.hold_session_of_delivery((select delivery_id from public.deliveries where message_id = v_message order by seq limit 1));
  select * into d from public.dispatches where dispatch_id = v_id for update;
  if d.dispatch_id is null then
    perform hub.refuse('not_found');
  elsif d.message_id is distinct from v_message then
    raise exception 'the message was placed meanwhile' using errcode = 'serialization_failure';
  elsif d.reason = 'cancelled' then
    return jsonb_build_object('dispatch', hub.dispatch_json(d));
  elsif d.state = 'failed' or d.state = 'placed' and (d.message_id is null or not exists (
      select from public.deliveries where message_id = d.message_id) or exists (
      select from public.deliveries
      where message_id = d.message_id and (state not in ('pending', 'held') or unsure or state = 'pending' and attempt > 0)))
  then
    perform hub.refuse('illegal_transition', jsonb_build_object('from', d.state, 'to', 'cancelled'));
  end if;
  update public.dispatches
    set state = 'failed', code = 'rejected', reason = 'cancelled', renderings = null, updated_at = v_now
    where dispatch_id = v_id returning * into d;
  -- Without an address an operator's retry sends nothing.
  update public.deliveries
    set state = 'dead', status = 'failed', code = 'rejected', reason = 'cancelled', address = '{}', failed_at = v_now
    where message_id = d.message_id and state in ('pending', 'held');
  if found then
    perform hub.refresh_status(d.message_id);
  end if;
  perform hub.add_audit(p ->> 'actor', 'message.cancel', 'message:' || v_id, '{}', v_now);
  return jsonb_build_object('dispatch', hub.dispatch_json(d));
end
$$;

-- A dispatch. p: {dispatch_id}. Returns {dispatch}. Refuses not_found.
create or replace function public.hub_dispatch(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  d public.dispatches;
begin
  select * into d from public.dispatches where dispatch_id = (p ->> 'dispatch_id')::uuid;
  if d.dispatch_id is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('dispatch', hub.dispatch_json(d));
end
$$;

-- What is to be sent to a customer still, for an export: [{dispatch_id, purpose, state, due_at, expires_at, channel, content, ...}].
create or replace function hub.dispatches_of(p_customer uuid) returns jsonb
language plpgsql stable as $$
begin
  return (
    select coalesce(jsonb_agg(
      hub.dispatch_json(d) || jsonb_build_object('texts', (
        select jsonb_object_agg(e.key, e.value ->> 'text') from jsonb_each(d.renderings) as e))
      order by d.created_at, d.dispatch_id), '[]')
    from public.dispatches d where d.customer_key = p_customer);
end
$$;

-- Ends and empties the dispatches of a customer who is erased. The caller holds the customer.
create or replace function hub.erase_dispatches(p_customer uuid) returns void
language plpgsql volatile as $$
begin
  delete from public.opt_outs where customer_key = p_customer;
  update public.dispatches
    set customer_key = null, renderings = null,
        state = case when state in ('waiting', 'queued') then 'failed' else state end,
        code = case when state in ('waiting', 'queued') then 'rejected' else code end,
        reason = case when state in ('waiting', 'queued') then 'erased' else reason end
    where customer_key = p_customer;
end
$$;

-- Gives the dispatches and opt-outs of customers to the one whom they are joined into: what one of them did not want stays unwanted.
create or replace function hub.move_dispatches(p_into uuid, p_others uuid[]) returns void
language plpgsql volatile as $$
begin
  -- Of two recipients of one campaign who are one customer, the one whose message has not gone out is no recipient any more.
  delete from public.dispatches d
    where d.customer_key = any (p_into || p_others) and d.campaign_id is not null and d.state <> 'placed' and exists (
      select from public.dispatches o
      where o.campaign_id = d.campaign_id and o.customer_key = any (p_into || p_others) and o.dispatch_id <> d.dispatch_id
        and (o.state = 'placed' or o.dispatch_id < d.dispatch_id));
  update public.dispatches d set customer_key = null
    where d.customer_key = any (p_others) and d.campaign_id is not null and exists (
      select from public.dispatches o
      where o.campaign_id = d.campaign_id and o.customer_key = any (p_into || p_others) and o.dispatch_id < d.dispatch_id);
  update public.dispatches d set customer_key = null
    where d.customer_key = p_into and d.campaign_id is not null and exists (
      select from public.dispatches o
      where o.campaign_id = d.campaign_id and o.customer_key = any (p_others));
  update public.dispatches set customer_key = p_into where customer_key = any (p_others);
  insert into public.opt_outs (customer_key, channel, purpose, source, created_at)
    select distinct on (channel, purpose) p_into, channel, purpose, source, created_at from public.opt_outs
    where customer_key = any (p_others) order by channel, purpose, created_at
    on conflict do nothing;
  delete from public.opt_outs where customer_key = any (p_others);
end
$$;

-- Forgets dispatches that are over for 90 days.
create or replace function hub.expire_dispatches(p_limit integer, p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  delete from public.dispatches where dispatch_id in (
    select dispatch_id from public.dispatches
    where created_at <= p_now - hub.dispatch_lives() and state in ('placed', 'failed') order by created_at limit p_limit for update skip locked);
end
$$;
