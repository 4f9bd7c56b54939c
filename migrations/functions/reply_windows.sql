-- Reply windows: until when a platform takes free replies to an address, and the deliveries that wait for the customer there.
-- A row is locked whenever it is opened or a delivery is held, so a message that comes while a delivery is being held finds it.

-- Until when free replies reach an address; null when the window is closed, or the channel has none.
create or replace function hub.window_at(p_channel text, p_account text, p_address jsonb) returns timestamptz
language plpgsql stable as $$
begin
  return (
    select closes_at from public.reply_windows
    where channel = p_channel and account = coalesce(p_account, '') and address = p_address);
end
$$;

-- Opens the window of a message's address, and makes what waits for it due. p_item has window_closes_at. The session's row is
-- held: if its lane is free, its first delivery is claimed and is an effect of the call. A window that ends within a minute of
-- this is left as it is; then nothing waits for it.
create or replace function hub.open_window(p_session uuid, p_customer uuid, p_item jsonb, c hub.context) returns void
language plpgsql volatile as $$
declare
  v_channel constant text := p_item ->> 'channel';
  v_account constant text := coalesce(p_item ->> 'account', '');
  v_address constant jsonb := p_item -> 'address';
  v_closes_at constant timestamptz := p_item ->> 'window_closes_at';
begin
  if v_closes_at <= c.now or exists (
    select from public.reply_windows
    where channel = v_channel and account = v_account and address = v_address
      and closes_at >= v_closes_at - interval '60 seconds' and closes_at > c.now + hub.window_margin())
  then
    return;
  end if;
  insert into public.reply_windows as w (channel, account, address, customer_key, closes_at, check_at)
    values (v_channel, v_account, v_address, p_customer, v_closes_at, v_closes_at + interval '1 day')
    on conflict (channel, account, address) do update
      set closes_at = greatest(w.closes_at, v_closes_at), customer_key = p_customer;
  -- A statement of its own: it sees what was held until the row was locked.
  update public.deliveries
    set state = 'pending', due_at = hub.at_once(c.now), code = null, reason = null
    where delivery_id = any (array(
      select delivery_id from public.deliveries
      where state = 'held' and channel = v_channel and coalesce(account, '') = v_account and address = v_address
      order by delivery_id for update));
  if found then
    perform hub.add_effect('deliveries', hub.list_of(hub.claim_delivery(p_session, v_channel, c)));
  end if;
end
$$;

-- Locks the windows at the addresses of these deliveries, in one order.
create or replace function hub.lock_windows(p_deliveries uuid[]) returns void
language plpgsql volatile as $$
begin
  perform 1 from public.reply_windows w
    where exists (
      select from public.deliveries d
      where d.delivery_id = any (p_deliveries)
        and d.channel = w.channel and coalesce(d.account, '') = w.account and d.address = w.address)
    order by channel, account, address
    for update;
end
$$;

-- Holds a delivery whose window is closed until the customer writes there, and the later parts of its message with it. p_outcome:
-- {delivery_id, attempt, until, seen, refused}; until is when it dies, seen the end of the window that its claim said, refused
-- that the platform has called the window closed. A window that was opened meanwhile makes it due at once. Returns null when
-- that was not the newest attempt. The session's row is held.
create or replace function hub.hold_delivery(p_outcome jsonb, c hub.context) returns public.deliveries
language plpgsql volatile as $$
declare
  v_seen constant timestamptz := p_outcome ->> 'seen';
  v_until constant timestamptz := p_outcome ->> 'until';
  v_closes_at timestamptz;
  v_open boolean;
  d public.deliveries;
begin
  select * into d from public.deliveries
    where delivery_id = (p_outcome ->> 'delivery_id')::uuid and attempt = (p_outcome ->> 'attempt')::int
      and state not in ('pending', 'held', 'sent', 'dead');
  if d.delivery_id is null then
    return null;
  end if;
  insert into public.reply_windows as w (channel, account, address, customer_key, check_at)
    select d.channel, coalesce(d.account, ''), d.address, customer_key, c.now + interval '1 day'
      from public.sessions where session_id = d.session_id
    on conflict (channel, account, address) do update set check_at = w.check_at
    returning closes_at into v_closes_at;
  v_open := coalesce(v_closes_at > c.now + hub.window_margin(), false);
  if v_open and (p_outcome ->> 'refused')::boolean and v_closes_at is not distinct from v_seen then
    v_open := false;
    update public.reply_windows set closes_at = null, check_at = c.now + interval '1 day'
      where channel = d.channel and account = coalesce(d.account, '') and address = d.address;
  end if;
  update public.deliveries
    set state = case when v_open then 'pending' else 'held' end,
        due_at = case when v_open then hub.at_once(c.now) else v_until end,
        code = case when not v_open then 'rejected' end, reason = case when not v_open then 'window_closed' end
    where delivery_id = d.delivery_id and attempt = d.attempt and state not in ('pending', 'held', 'sent', 'dead')
    returning * into d;
  if not v_open then
    update public.deliveries
      set state = 'held', due_at = v_until, code = 'rejected', reason = 'window_closed'
      where message_id = d.message_id and state = 'pending' and seq > d.seq and content ->> 'outside' = 'hold';
  end if;
  return d;
end
$$;

-- Takes back a sent delivery that its platform refuses afterwards because the window was closed, and does what its sender wants:
-- it waits for the customer's next message, or goes out again as the call in its place. p_window is how long a window of the
-- platform is. A window that the customer has opened since makes it due at once. Returns as hub.apply_receipt. The delivery and its
-- window are locked.
create or replace function hub.refuse_late(d public.deliveries, p_window interval, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_waits constant boolean := d.content ->> 'outside' = 'hold';
  v_closes_at timestamptz;
  v_held boolean;
  m public.messages;
begin
  insert into public.reply_windows as w (channel, account, address, customer_key, check_at)
    select d.channel, coalesce(d.account, ''), d.address, customer_key, p_now + interval '1 day'
      from public.sessions where session_id = d.session_id
    on conflict (channel, account, address) do update
      set closes_at = case when w.closes_at > coalesce(d.sent_at, p_now) + p_window then w.closes_at end,
          check_at = greatest(w.check_at, p_now + interval '1 day')
    returning closes_at into v_closes_at;
  v_held := v_waits and coalesce(v_closes_at <= p_now + hub.window_margin(), true);
  update public.deliveries
    set state = case when v_held then 'held' else 'pending' end, status = 'pending', external_id = null, sent_at = null,
        due_at = case when v_held then p_now + hub.hold_lasts() else hub.at_once(p_now) end,
        content = case when v_waits then content else (content - 'outside' - 'billed') || ((content -> 'outside') - 'template') end,
        code = case when v_held then 'rejected' end, reason = case when v_held then 'window_closed' end
    where delivery_id = d.delivery_id;
  perform hub.refresh_status(d.message_id);
  select * into m from public.messages where message_id = d.message_id;
  perform hub.count(array['deliveries|' || d.channel || '|' || case when v_held then 'held' else 'failed' end]);
  return jsonb_build_object(
    'applied', true, 'message', hub.message_json(m),
    'due', jsonb_build_object('session_id', d.session_id, 'channel', d.channel));
end
$$;

-- Ends deliveries for which the customer has not written in time, as dead letters, and forgets windows that are over for a day.
create or replace function hub.expire_windows(p_limit integer, p_now timestamptz) returns void
language plpgsql volatile as $$
declare
  r record;
begin
  for r in
    select d.delivery_id, d.message_id, d.channel
    from public.deliveries d join public.sessions s on s.session_id = d.session_id
    where d.state = 'held' and d.due_at <= p_now
    order by d.due_at
    limit p_limit
    for update of s skip locked
  loop
    update public.deliveries set state = 'dead', status = 'failed'
      where delivery_id = r.delivery_id and state = 'held' and due_at <= p_now;
    if found then
      perform hub.fall_through(r.delivery_id, p_now);
      perform hub.refresh_status(r.message_id);
      perform hub.count(array['deliveries|' || r.channel || '|dead']);
    end if;
  end loop;
  for r in
    select channel, account, address, closes_at from public.reply_windows
    where check_at <= p_now
    order by check_at
    limit p_limit
    for update skip locked
  loop
    if r.closes_at > p_now - interval '1 day' then
      update public.reply_windows set check_at = r.closes_at + interval '1 day'
        where channel = r.channel and account = r.account and address = r.address;
    else
      delete from public.reply_windows where channel = r.channel and account = r.account and address = r.address;
    end if;
  end loop;
end
$$;

-- The open windows of a session's customer, the last to close first. p: {now, session_id}. Returns {windows: [{channel, account,
-- window_closes_at}]}.
create or replace function public.hub_windows(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_customer constant uuid := (select customer_key from public.sessions where session_id = (p ->> 'session_id')::uuid);
begin
  return jsonb_build_object('windows', (
    select coalesce(jsonb_agg(
      jsonb_build_object('channel', channel, 'account', account, 'window_closes_at', closes_at)
      order by closes_at desc, channel collate "C", account collate "C"), '[]')
    from public.reply_windows
    where customer_key = v_customer and closes_at > (p ->> 'now')::timestamptz));
end
$$;
