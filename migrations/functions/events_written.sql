-- Events: written by triggers, in the transaction of the change. So nothing is announced that did not happen, and no function can
-- forget to announce what did. Without an endpoint that wants the type, a trigger costs one look at a tiny table.

-- As hub.uuid, and of the events of one instant the ids rise with their seqs.
create or replace function hub.event_uuid(p_at timestamptz, p_seq bigint) returns uuid
language sql volatile parallel safe as $$
  select overlay(
    overlay(hub.uuid(p_at)::text placing lpad(to_hex((p_seq >> 14) & 4095), 3, '0') from 16 for 3)
    placing to_hex(32768 | (p_seq & 16383)) from 20 for 4)::uuid
$$;

-- Writes an event, and a delivery of it for each enabled endpoint that wants it; nothing when there is none. p_lane: what it is in
-- order with. p_channel is null for an event of no channel. p_data: ids, codes and figures, never text. p_keep: it is kept without such
-- an endpoint too.
create or replace function hub.announce(
  p_type text, p_lane uuid, p_channel text, p_data jsonb, p_keep boolean default false) returns void
language plpgsql volatile as $$
declare
  v_endpoints uuid[];
begin
  select array_agg(endpoint_id) into v_endpoints
    from public.endpoints
    where enabled and p_type = any (types) and (channels is null or p_channel is null or p_channel = any (channels));
  if v_endpoints is not null or p_keep then
    perform hub.write_event(p_type, p_lane, p_data, v_endpoints);
  end if;
end
$$;

-- Writes an event, and a delivery of it for each of these endpoints.
create or replace function hub.write_event(p_type text, p_lane uuid, p_data jsonb, p_endpoints uuid[]) returns void
language plpgsql volatile as $$
declare
  v_event_id uuid;
  v_seq bigint;
  v_endpoint uuid;
begin
  v_seq := nextval('public.events_seq_seq');
  v_event_id := hub.event_uuid(now(), v_seq);
  insert into public.events (event_id, seq, type, lane, data, at) values (v_event_id, v_seq, p_type, p_lane, p_data, now());
  foreach v_endpoint in array coalesce(p_endpoints, '{}') loop
    insert into public.event_deliveries (lane, seq, endpoint_id, event_id) values (p_lane, v_seq, v_endpoint, v_event_id);
  end loop;
end
$$;

-- Announces a new message, or a new status of one. A played voice message has been read. What an erasure does to a message is no news of
-- it: it has become a system message. It runs for every message, so its triggers have no WHEN, and it looks for endpoints once.
create or replace function hub.announce_message() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_type text;
  v_endpoints uuid[];
begin
  if new.kind = 'system' then
    return null;
  elsif tg_op = 'INSERT' then
    if new.direction <> 'inbound' and (new.status is null or new.status not in ('sent', 'failed')) then
      return null;
    end if;
  elsif new.direction <> 'outbound' or new.status is not distinct from old.status
    or new.status not in ('sent', 'delivered', 'read', 'failed', 'played') or (new.status = 'played' and old.status = 'read')
  then
    return null;
  end if;
  v_type := 'message.' || case when new.direction = 'inbound' then 'received' when new.status = 'played' then 'read' else new.status end;
  select array_agg(endpoint_id) into v_endpoints
    from public.endpoints
    where enabled and v_type = any (types) and (channels is null or new.channel = any (channels));
  if v_endpoints is not null then
    perform hub.write_event(
      v_type, new.session_id,
      jsonb_build_object(
        'session_id', new.session_id, 'message_id', new.message_id, 'channel', new.channel, 'direction', new.direction,
        'role', new.role, 'kind', new.kind),
      v_endpoints);
  end if;
  return null;
end
$$;

create or replace trigger message_announced after insert on public.messages
  for each row execute function hub.announce_message();
create or replace trigger message_moved after update of status on public.messages
  for each row execute function hub.announce_message();

-- Announces that a session has opened, merged, ended or expired.
create or replace function hub.announce_session() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.announce(
    'session.' || case new.status when 'active' then 'opened' when 'logged_out' then 'ended' else new.status end,
    new.session_id, new.channel,
    jsonb_strip_nulls(jsonb_build_object(
      'session_id', new.session_id, 'channel', new.channel, 'previous_session_id', new.previous_session_id,
      'merged_into', new.merged_into)));
  return null;
end
$$;

create or replace trigger session_opened after insert on public.sessions
  for each row when (new.status = 'active') execute function hub.announce_session();
create or replace trigger session_closed after update of status on public.sessions
  for each row when (new.status <> old.status and new.status <> 'active') execute function hub.announce_session();

-- Announces a rating, given or changed.
create or replace function hub.announce_rating() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.announce(
    'rating.given', new.session_id, new.channel,
    jsonb_build_object('session_id', new.session_id, 'channel', new.channel, 'rating', new.rating));
  return null;
end
$$;

-- A merge gives its survivor the other session's rating, which is no news. It moves the version of an active session; a rating does
-- not, and an end of the session changes the status too.
create or replace trigger session_rated after update of rating on public.sessions
  for each row when (
    new.rating is not null and (new.rating, new.feedback) is distinct from (old.rating, old.feedback)
    and (new.version = old.version or new.status <> old.status))
  execute function hub.announce_rating();

-- Announces that something about a customer has changed: the names of the fields, and the customers who have become this one. Changes
-- of one transaction are one event, and of a customer who is new in it there is none but customer.created.
create or replace function hub.announce_customer(p_customer uuid, p_changed text[], p_merged uuid[] default '{}') returns void
language plpgsql volatile as $$
declare
  v_type text;
  v_data jsonb;
  v_event_id uuid;
begin
  if not exists (select from public.endpoints where enabled and 'customer.updated' = any (types)) then
    return;
  end if;
  select event_id, type, data into v_event_id, v_type, v_data
    from public.events
    where lane = p_customer and at = now() and type like 'customer.%' and xmin = pg_current_xact_id()::xid
    order by seq desc limit 1;
  if v_type = 'customer.created' then
    return;
  elsif v_event_id is null then
    perform hub.announce('customer.updated', p_customer, null, jsonb_build_object(
      'customer_key', p_customer, 'changed', to_jsonb(p_changed), 'merged', to_jsonb(p_merged)));
    return;
  end if;
  update public.events
    set data = jsonb_build_object(
      'customer_key', p_customer,
      'changed', (
        select coalesce(jsonb_agg(distinct f order by f), '[]') from jsonb_array_elements(v_data -> 'changed' || to_jsonb(p_changed)) as f),
      'merged', v_data -> 'merged' || to_jsonb(p_merged))
    where event_id = v_event_id;
end
$$;

-- Announces a new customer. The event is kept also for endpoints that want changes only: what comes with a new customer is none.
create or replace function hub.announce_new_customer() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.announce(
    'customer.created', new.customer_key, null, jsonb_build_object('customer_key', new.customer_key),
    exists (select from public.endpoints where enabled and 'customer.updated' = any (types)));
  return null;
end
$$;

create or replace trigger customer_announced after insert on public.customers
  for each row execute function hub.announce_new_customer();

-- Announces which fields of a customer have changed.
create or replace function hub.announce_described() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.announce_customer(new.customer_key, array_remove(array[
    case when new.attributes is distinct from old.attributes then 'attributes' end,
    case when new.claimed is distinct from old.claimed then 'claimed' end,
    case when new.customer_id is distinct from old.customer_id then 'customer_id' end,
    case when new.name is distinct from old.name then 'name' end,
    case when new.plan is distinct from old.plan then 'plan' end,
    case when new.preferred_language is distinct from old.preferred_language then 'preferred_language' end,
    case when new.profile is distinct from old.profile then 'profile' end,
    case when new.tags is distinct from old.tags then 'tags' end,
    case when new.unreachable is distinct from old.unreachable then 'unreachable' end], null));
  return null;
end
$$;

create or replace trigger customer_described
  after update of customer_id, name, preferred_language, plan, tags, attributes, profile, claimed, unreachable on public.customers
  for each row when (
    (new.customer_id, new.name, new.preferred_language, new.plan, new.tags, new.attributes, new.profile, new.claimed, new.unreachable)
    is distinct from
    (old.customer_id, old.name, old.preferred_language, old.plan, old.tags, old.attributes, old.profile, old.claimed, old.unreachable))
  execute function hub.announce_described();

-- Announces that a customer has got, proved or lost an identity, by its kind.
create or replace function hub.announce_identity() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op <> 'INSERT' then
    perform hub.announce_customer(old.customer_key, array[old.kind::text]);
  end if;
  if tg_op = 'INSERT' or (tg_op = 'UPDATE' and new.customer_key <> old.customer_key) then
    perform hub.announce_customer(new.customer_key, array[new.kind::text]);
  end if;
  return null;
end
$$;

create or replace trigger identity_held after insert or delete on public.identities
  for each row execute function hub.announce_identity();
create or replace trigger identity_moved after update of customer_key, verified_at on public.identities
  for each row when (
    new.customer_key <> old.customer_key or (new.verified_at is null) <> (old.verified_at is null))
  execute function hub.announce_identity();

-- Announces a new order, or what has become of one: updated, or its new status.
create or replace function hub.announce_order() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.announce(
    'order.' || case when tg_op = 'INSERT' then 'created' when new.status = old.status then 'updated' else new.status end,
    coalesce(new.session_id, new.customer_key, new.order_key), null,
    jsonb_build_object(
      'order_id', new.order_id, 'customer_key', new.customer_key, 'session_id', new.session_id, 'status', new.status,
      'amount', new.amount::text, 'currency', new.currency, 'version', new.version));
  return null;
end
$$;

create or replace trigger order_announced after insert on public.orders for each row execute function hub.announce_order();
create or replace trigger order_changed after update of version on public.orders
  for each row when (new.version <> old.version) execute function hub.announce_order();

-- Announces a new reservation, or what has become of one: updated, or its new status.
create or replace function hub.announce_reservation() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.announce(
    'reservation.' || case when tg_op = 'INSERT' then 'created' when new.status = old.status then 'updated' else new.status end,
    coalesce(new.session_id, new.customer_key, new.reservation_id), null,
    jsonb_build_object(
      'reservation_id', new.reservation_id, 'customer_key', new.customer_key, 'session_id', new.session_id, 'status', new.status,
      'datetime', new.datetime, 'timezone', new.timezone, 'guests', new.guests, 'version', new.version));
  return null;
end
$$;

create or replace trigger reservation_announced after insert on public.reservations
  for each row execute function hub.announce_reservation();
create or replace trigger reservation_changed after update of version on public.reservations
  for each row when (new.version <> old.version) execute function hub.announce_reservation();

-- Announces a reply, or a part of one, that the hub has stopped trying to send.
create or replace function hub.announce_dead_delivery() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.announce(
    'delivery.dead', new.session_id, new.channel,
    jsonb_build_object(
      'session_id', new.session_id, 'message_id', new.message_id, 'delivery_id', new.delivery_id, 'channel', new.channel,
      'code', new.code, 'reason', new.reason));
  return null;
end
$$;

create or replace trigger delivery_born_dead after insert on public.deliveries
  for each row when (new.state = 'dead') execute function hub.announce_dead_delivery();
create or replace trigger delivery_died after update of state on public.deliveries
  for each row when (new.state = 'dead' and old.state <> 'dead' and new.reason is distinct from 'erased')
  execute function hub.announce_dead_delivery();

-- Announces that a person is asked for, has a conversation, lets its customer wait too long, or is done with it. What the bot has said
-- as a reason is text, so it stays here.
create or replace function hub.announce_handoff() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_lane constant uuid := coalesce(new.session_id, new.customer_key);
  v_data constant jsonb := jsonb_strip_nulls(jsonb_build_object(
    'handoff_id', new.handoff_id, 'customer_key', new.customer_key, 'session_id', new.session_id, 'channel', new.channel,
    'requested_by', new.requested_by, 'user_id', new.accepted_by, 'outcome', new.outcome));
begin
  if new.outcome = 'erased' then
    return null;
  end if;
  if tg_op = 'INSERT' and new.requested_by <> 'operator' then
    perform hub.announce('handoff.requested', v_lane, new.channel, v_data);
  end if;
  if new.accepted_at is not null and (tg_op = 'INSERT' or old.accepted_at is null) then
    perform hub.announce('handoff.accepted', v_lane, new.channel, v_data);
  end if;
  if tg_op = 'UPDATE' and new.overdue_at is not null and old.overdue_at is null then
    perform hub.announce('handoff.overdue', v_lane, new.channel, v_data);
  end if;
  if tg_op = 'UPDATE' and new.ended_at is not null and old.ended_at is null then
    perform hub.announce('handoff.ended', v_lane, new.channel, v_data);
  end if;
  return null;
end
$$;

create or replace trigger handoff_announced after insert or update on public.handoffs
  for each row execute function hub.announce_handoff();
