-- Messages, and the receipts and edits of platforms. Platforms deliver out of order: a receipt or edit that arrives
-- before its message waits in early_events.

-- The message as callers see it.
create or replace function hub.message_json(m public.messages) returns json
language sql stable parallel safe as $$
  select json_build_object(
    'message_id', m.message_id, 'session_id', m.session_id, 'seq', m.seq, 'channel', m.channel, 'external_id', m.external_id,
    'direction', m.direction, 'role', m.role, 'author', m.author, 'kind', m.kind, 'text', m.text, 'content', m.content,
    'reply_to', m.reply_to, 'status', m.status, 'sent_at', m.sent_at, 'created_at', m.created_at, 'edited_at', m.edited_at,
    'deleted_at', m.deleted_at, 'reaction', m.reaction, 'pinned_at', m.pinned_at)
$$;

-- Locks a platform's message until the end of the transaction. Calls that store the message, and calls that store a
-- receipt or edit of it, take this lock, so that neither misses the other. Always true: an expression costs no statement.
create or replace function hub.lock_message(p_channel text, p_account text, p_external_id text) returns boolean
language sql volatile as $$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(':', 'message', p_channel, p_account, p_external_id), 0)) is not null
$$;

-- The hash that is kept of an erased message of a platform.
create or replace function hub.id_hash(p_channel text, p_account text, p_external_id text) returns bytea
language sql stable parallel safe as $$
  select sha256(convert_to(p_channel || E'\n' || p_account || E'\n' || p_external_id, 'UTF8'))
$$;

-- Whether a status may follow another. It may only move up the ladder. failed may follow only until the message has
-- been delivered.
create or replace function hub.is_forward(p_from text, p_to text) returns boolean
language sql immutable parallel safe as $$
  select case
    when p_from = 'failed' then false
    when p_to = 'failed' then p_from in ('pending', 'sent')
    else array_position(hub.status_ladder(), p_to) > array_position(hub.status_ladder(), p_from)
  end
$$;

-- Sets the status of a sent message: that of its slowest part, or failed if one part failed. Returns the message if its
-- status changed, else null.
create or replace function hub.refresh_status(p_message uuid) returns public.messages
language plpgsql volatile as $$
declare
  m public.messages;
begin
  update public.messages x
    set status = d.status
    from (
      select coalesce(
        max(status) filter (where status = 'failed'),
        (hub.status_ladder())[min(array_position(hub.status_ladder(), status::text))]) as status
      from public.deliveries where message_id = p_message
    ) d
    where x.message_id = p_message and d.status is not null and x.status is distinct from d.status
    returning x.* into m;
  return m;
end
$$;

-- A platform's message, with its row locked. Null when it is not stored.
create or replace function hub.hold_message(p_channel text, p_account text, p_external_id text) returns public.messages
language plpgsql volatile as $$
declare
  m public.messages;
begin
  select * into m from public.messages
    where channel = p_channel and coalesce(account, session_id::text) = p_account and external_id = p_external_id
    for update;
  return m;
end
$$;

-- Keeps a receipt or edit whose message is not stored yet, in place of an older one. Keeps nothing of an erased
-- message.
create or replace function hub.keep_early(p_type text, p_event jsonb, p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  if exists (
    select from public.erased_messages
    where id_hash = hub.id_hash(p_event ->> 'channel', p_event ->> 'account', p_event ->> 'external_id')
  ) then
    return;
  end if;
  insert into public.early_events as e (channel, account, external_id, type, event, created_at)
    values (p_event ->> 'channel', p_event ->> 'account', p_event ->> 'external_id', p_type, p_event, p_now)
    on conflict (channel, account, external_id, type) do update set event = excluded.event
    where case p_type
      when 'receipt' then hub.is_forward(e.event ->> 'status', excluded.event ->> 'status')
      else e.event ? 'kind' and (e.event ->> 'at')::timestamptz <= (excluded.event ->> 'at')::timestamptz
    end;
end
$$;

-- Moves the status of a sent message forward. p_receipt: {channel, account, external_id, status, at, reason, window_ms}; window_ms
-- with a failure because the reply window was closed, as in hub.refuse_late. Returns {applied, message, due}; due: a delivery of the
-- message's lane may be claimed: {session_id, channel}.
create or replace function hub.apply_receipt(p_receipt jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_channel constant text := p_receipt ->> 'channel';
  v_account constant text := p_receipt ->> 'account';
  v_external_id constant text := p_receipt ->> 'external_id';
  v_status constant text := p_receipt ->> 'status';
  v_at constant timestamptz := coalesce((p_receipt ->> 'at')::timestamptz, p_now);
  d public.deliveries;
  m public.messages;
begin
  if v_account is null then
    return '{"applied": false}';
  end if;
  perform hub.lock_message(v_channel, v_account, v_external_id);
  if p_receipt ? 'window_ms' then
    perform hub.lock_windows(array(
      select delivery_id from public.deliveries where channel = v_channel and account = v_account and external_id = v_external_id));
  end if;
  select * into d from public.deliveries
    where channel = v_channel and account = v_account and external_id = v_external_id
    order by seq desc limit 1
    for update;
  if d.delivery_id is not null then
    if not hub.is_forward(d.status, v_status) then
      return '{"applied": false}';
    end if;
    if p_receipt ? 'window_ms' and d.content ? 'outside' then
      return hub.refuse_late(d, (p_receipt ->> 'window_ms')::bigint * interval '1 millisecond', p_now);
    end if;
    update public.deliveries
      set status = v_status,
          state = case when v_status = 'failed' then 'dead' else state end,
          code = case when v_status = 'failed' then 'rejected' else code end,
          reason = case when v_status = 'failed' then coalesce(p_receipt ->> 'reason', 'failed') else reason end,
          delivered_at = case when v_status = 'delivered' then v_at else delivered_at end,
          read_at = case when v_status in ('read', 'played') then coalesce(read_at, v_at) else read_at end,
          failed_at = case when v_status = 'failed' then v_at else failed_at end
      where delivery_id = d.delivery_id;
    if v_status = 'failed' then
      perform hub.fall_through(d.delivery_id, p_now);
    end if;
    perform hub.refresh_status(d.message_id);
    select * into m from public.messages where message_id = d.message_id;
    return jsonb_build_object('applied', true, 'message', hub.message_json(m));
  end if;
  m := hub.hold_message(v_channel, v_account, v_external_id);
  if m.message_id is null then
    perform hub.keep_early('receipt', p_receipt, p_now);
    return '{"applied": false}';
  elsif m.direction <> 'outbound' or not hub.is_forward(coalesce(m.status, 'pending'), v_status) then
    return '{"applied": false}';
  end if;
  update public.messages set status = v_status where message_id = m.message_id returning * into m;
  return jsonb_build_object('applied', true, 'message', hub.message_json(m));
end
$$;

-- Changes a message's content and keeps the old one as a revision. p_edit: {channel, account, external_id, at, kind,
-- text, content}, without kind for a deletion. Returns {applied, message}.
create or replace function hub.apply_edit(p_edit jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_at constant timestamptz := coalesce((p_edit ->> 'at')::timestamptz, p_now);
  m public.messages;
begin
  if p_edit ->> 'account' is null then
    return '{"applied": false}';
  end if;
  perform hub.lock_message(p_edit ->> 'channel', p_edit ->> 'account', p_edit ->> 'external_id');
  m := hub.hold_message(p_edit ->> 'channel', p_edit ->> 'account', p_edit ->> 'external_id');
  if m.message_id is null then
    perform hub.keep_early('edit', p_edit || jsonb_build_object('at', v_at), p_now);
    return '{"applied": false}';
  elsif m.deleted_at is not null or m.edited_at > v_at then
    return '{"applied": false}';
  elsif p_edit ->> 'kind' = m.kind and p_edit ->> 'text' = m.text and p_edit -> 'content' = m.content then
    return '{"applied": false}';
  end if;
  update public.messages
    set revisions = coalesce(m.revisions, '[]') || jsonb_build_object('text', m.text, 'kind', m.kind, 'content', m.content, 'at', v_at),
        kind = coalesce(p_edit ->> 'kind', 'system'),
        text = coalesce(p_edit ->> 'text', ''),
        content = coalesce(p_edit -> 'content', '{"event": "deleted"}'),
        edited_at = case when p_edit ? 'kind' then v_at else edited_at end,
        deleted_at = case when p_edit ? 'kind' then null else v_at end
    where message_id = m.message_id
    returning * into m;
  return jsonb_build_object('applied', true, 'message', hub.message_json(m));
end
$$;

-- Applies the receipt and the edit that arrived before the message itself, and counts the receipt. The caller has
-- locked the message with hub.lock_message. Returns whether there was one.
create or replace function hub.apply_early(p_channel text, p_account text, p_external_id text, p_now timestamptz) returns boolean
language plpgsql volatile as $$
declare
  e public.early_events;
  v_found boolean := false;
begin
  for e in
    select * from public.early_events
    where channel = p_channel and account = p_account and external_id = p_external_id order by type
  loop
    v_found := true;
    delete from public.early_events
      where channel = p_channel and account = p_account and external_id = p_external_id and type = e.type;
    if e.type = 'edit' then
      perform hub.apply_edit(e.event, p_now);
    elsif (hub.apply_receipt(e.event, p_now) ->> 'applied')::boolean then
      perform hub.count(array[concat_ws('|', 'receipts', p_channel, e.event ->> 'status')]);
    end if;
  end loop;
  return v_found;
end
$$;

-- Adds a message to a session. p_message: {channel, account, external_id, direction, role, author, kind, text, content,
-- reply_to, status, sent_at}. p_came_at is the time of arrival, if that was before now. The caller holds the session's
-- row, and updates its message_count and last_seq; last_seq becomes p_seq.
create or replace function hub.add_message(
  p_session uuid, p_seq bigint, p_message jsonb, p_now timestamptz, p_came_at timestamptz default null
) returns public.messages
language plpgsql volatile as $$
declare
  m public.messages;
begin
  insert into public.messages (
    message_id, session_id, seq, channel, account, external_id, direction, role, author, kind, text, content, reply_to, status, sent_at, created_at
  ) values (
    hub.uuid(p_now), p_session, p_seq, p_message ->> 'channel', p_message ->> 'account', p_message ->> 'external_id',
    p_message ->> 'direction', p_message ->> 'role', p_message ->> 'author', p_message ->> 'kind', p_message ->> 'text', p_message -> 'content',
    p_message ->> 'reply_to', p_message ->> 'status', (p_message ->> 'sent_at')::timestamptz, coalesce(p_came_at, p_now)
  ) returning * into m;
  return hub.meet_early(m, p_now);
end
$$;

-- The message that was just added, after the receipts and edits that arrived before it.
create or replace function hub.meet_early(m public.messages, p_now timestamptz) returns public.messages
language plpgsql volatile as $$
begin
  if m.account is null or m.external_id is null then
    return m;
  end if;
  perform hub.lock_message(m.channel, m.account, m.external_id);
  if hub.apply_early(m.channel, m.account, m.external_id, p_now) then
    select * into m from public.messages where message_id = m.message_id;
  end if;
  return m;
end
$$;

-- The id of the message that this one answers or reacts to: the hub's id if that message is stored, else the
-- platform's.
create or replace function hub.reply_target(p_message jsonb, p_session uuid) returns text
language sql stable as $$
  select coalesce(
    (select message_id::text from public.messages
      where channel = p_message ->> 'channel' and coalesce(account, session_id::text) = coalesce(p_message ->> 'account', p_session::text)
        and external_id = p_message ->> 'reply_to'),
    (select message_id::text from public.deliveries
      where channel = p_message ->> 'channel' and account = p_message ->> 'account' and external_id = p_message ->> 'reply_to'
      order by seq desc limit 1),
    p_message ->> 'reply_to')
$$;
