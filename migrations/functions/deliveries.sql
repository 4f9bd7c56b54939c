-- Deliveries: the parts of replies on their way. Those of one lane (one session and channel) are sent one after
-- another: only the first unsettled one can be claimed. Deliveries are added, claimed and settled only while their
-- session's row is held. Receipts alone change them without it.

-- A claimed delivery with its content. send_at is when it may be sent, null for at once; window_closes_at is until when its
-- platform takes free replies at its address, null for never.
create or replace function hub.delivery_json(d public.deliveries, m public.messages, p_send_at timestamptz) returns jsonb
language sql stable parallel safe as $$
  select jsonb_build_object(
    'delivery_id', d.delivery_id, 'message_id', d.message_id, 'session_id', d.session_id, 'attempt', d.attempt,
    'channel', d.channel, 'account', d.account, 'address', d.address, 'send_at', p_send_at,
    'window_closes_at', hub.window_at(d.channel, d.account, d.address),
    'kind', 'text', 'text', coalesce(d.content ->> 'text', m.text), 'content', hub.part_content(d.content, d.session_id, d.channel))
$$;

-- What a part carries beside its text: the platform's call, and the platform's ids of the message that the call is about.
create or replace function hub.part_content(p_part jsonb, p_session uuid, p_channel text) returns jsonb
language sql stable parallel safe as $$
  select case
    when p_part ? 'target' then (p_part - 'text') || jsonb_build_object(
      'targets', hub.platform_ids((p_part ->> 'target')::uuid, p_session, p_channel))
    else coalesce(p_part - 'text', '{}') end
$$;

-- The platform's ids of a message of this session and channel, in the order in which its parts were sent. Empty when there
-- is no such message, or when nothing of it was sent.
create or replace function hub.platform_ids(p_message uuid, p_session uuid, p_channel text) returns jsonb
language sql stable parallel safe as $$
  select coalesce(
    (select jsonb_agg(d.external_id order by d.seq)
      from public.deliveries d
      where d.message_id = p_message and d.session_id = p_session and d.channel = p_channel and d.external_id is not null),
    (select jsonb_build_array(external_id)
      from public.messages
      where message_id = p_message and session_id = p_session and channel = p_channel and external_id is not null),
    '[]')
$$;

-- The next free slot in the pace of a channel's account. Null when the channel has no pace. A slot later than the
-- context's patience is returned but not taken. A campaign (p_bulk) takes three quarters of what the replies leave, and
-- waits for them: a reply never waits for a slot that a campaign has taken. The quarter is room for what a campaign has
-- taken already when replies come.
create or replace function hub.take_slot(p_channel text, p_account text, p_from timestamptz, p_bulk boolean, c hub.context)
returns timestamptz
language plpgsql volatile as $$
declare
  v_rate constant numeric := (c.pace ->> p_channel)::numeric;
  v_between constant interval := interval '1 second' / v_rate;
  v_slot timestamptz;
begin
  if v_rate is null then
    return null;
  end if;
  insert into public.paces (channel, account, next_at) values (p_channel, coalesce(p_account, ''), p_from)
    on conflict do nothing;
  select greatest(next_at, p_from, case when p_bulk then bulk_at end) into v_slot from public.paces
    where channel = p_channel and account = coalesce(p_account, '') for update;
  if v_slot > c.now + c.patience then
    return v_slot;
  end if;
  update public.paces
    set next_at = case when p_bulk then next_at else v_slot + v_between end,
        bulk_at = case when p_bulk then v_slot + v_between / 0.75 else greatest(bulk_at, v_slot) + v_between end
    where channel = p_channel and account = coalesce(p_account, '');
  return v_slot;
end
$$;

-- Ends a delivery of a campaign that its platform may have taken: nobody gets one twice.
create or replace function hub.give_up_bulk(p_delivery uuid, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  v_message uuid;
begin
  update public.deliveries
    set state = 'dead', status = 'failed', code = 'unavailable', reason = 'maybe_sent', unsure = true, failed_at = p_now
    where delivery_id = p_delivery
    returning message_id into v_message;
  perform hub.refresh_status(v_message);
end
$$;

-- Claims the first unsettled delivery of a lane, if it is due within the context's patience; replies come before what a campaign sends.
-- Null when there is none.
-- The caller holds the session's row. A caller that claims several goes in order of channel and account, because the
-- pace of an account is locked.
create or replace function hub.claim_delivery(p_session uuid, p_channel text, c hub.context) returns jsonb
language plpgsql volatile as $$
declare
  v_send_at timestamptz;
  d public.deliveries;
  m public.messages;
begin
  select * into d from public.deliveries
    where session_id = p_session and channel = p_channel and state in ('pending', 'sending')
    order by bulk nulls first, seq limit 1;
  if d.bulk and d.state = 'sending' and d.due_at <= c.now then
    perform hub.give_up_bulk(d.delivery_id, c.now);
    return null;
  end if;
  if not found or d.due_at > (case when d.state = 'pending' then c.now + c.patience else c.now end) then
    return null;
  end if;
  v_send_at := greatest(c.now, case when d.state = 'pending' then d.due_at end);
  v_send_at := coalesce(hub.take_slot(d.channel, d.account, v_send_at, coalesce(d.bulk, false), c), v_send_at);
  if v_send_at > c.now + c.patience then
    update public.deliveries set state = 'pending', due_at = v_send_at
      where delivery_id = d.delivery_id and state = d.state;
    return null;
  end if;
  update public.deliveries
    set state = 'sending', attempt = attempt + 1, due_at = v_send_at + c.lease,
        unsure = case when d.state = 'sending' then true else unsure end
    where delivery_id = d.delivery_id and state = d.state
    returning * into d;
  if not found then
    return null;
  end if;
  select * into m from public.messages where message_id = d.message_id;
  return hub.delivery_json(d, m, case when v_send_at > c.now then v_send_at end);
end
$$;

-- Adds one part of a message to the outbox. p_content is null when the part is the whole message. On a channel where
-- the customer has blocked the shop (p_blocked) the delivery is a dead letter at once. Returns the delivery claimed if
-- it is the first of its lane and may be sent at once, else null. The caller holds the session's row.
create or replace function hub.add_delivery(
  m public.messages, p_parts integer, p_address jsonb, p_content jsonb, p_blocked boolean, c hub.context
) returns jsonb
language plpgsql volatile as $$
declare
  v_free constant boolean := not p_blocked and c.pace ->> m.channel is null and not exists (
    select 1 from public.deliveries where session_id = m.session_id and channel = m.channel and state in ('pending', 'sending'));
  d public.deliveries;
begin
  insert into public.deliveries (
    delivery_id, message_id, session_id, parts, channel, account, address, content, state, attempt, due_at, status, code, reason, created_at
  ) values (
    hub.uuid(c.now), m.message_id, m.session_id, p_parts, m.channel, m.account, p_address, nullif(p_content, 'null'),
    case when p_blocked then 'dead' when v_free then 'sending' else 'pending' end,
    case when v_free then 1 else 0 end,
    case when v_free then c.now + c.lease else hub.at_once(c.now) end,
    case when p_blocked then 'failed' else 'pending' end,
    case when p_blocked then 'rejected' end,
    case when p_blocked then 'blocked' end,
    c.now
  ) returning * into d;
  if v_free then
    return hub.delivery_json(d, m, null);
  end if;
  return null;
end
$$;

-- The session of a delivery, with its row locked. Null when the delivery no longer exists. Raises a serialization
-- failure when the session was merged meanwhile: the client tries the call again.
create or replace function hub.hold_session_of_delivery(p_delivery uuid) returns public.sessions
language plpgsql volatile as $$
declare
  s public.sessions;
begin
  select x.* into s
    from public.deliveries d join public.sessions x on x.session_id = d.session_id
    where d.delivery_id = p_delivery
    for update of x;
  if s.merged_into is not null then
    raise exception 'the session was merged meanwhile' using errcode = 'serialization_failure';
  end if;
  return s;
end
$$;
