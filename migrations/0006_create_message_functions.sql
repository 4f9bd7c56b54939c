-- Messages, and what platforms say of them afterwards: receipts, edits, reachability. Called by the functions of the next
-- files.

-- One transaction at a time per message of a platform: whoever keeps it, and whoever tells something of it, so that
-- neither misses the other.
create function public.hub_lock_message(p_channel text, p_account text, p_external_id text) returns void
language sql volatile as $$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(':', 'notified', p_channel, p_account, p_external_id), 0))
$$;

-- Whether a status may follow another: sent < delivered < read < played; failed ends a message that has not arrived.
create function public.hub_is_forward(p_from text, p_to text) returns boolean
language sql immutable parallel safe as $$
  select case
    when p_from = 'failed' then false
    when p_to = 'failed' then p_from in ('pending', 'sent')
    else array_position('{pending,sent,delivered,read,played}'::text[], p_to) > array_position('{pending,sent,delivered,read,played}'::text[], p_from)
  end
$$;

-- The status of a reply is that of its slowest part; one failed part fails it. Returns the message when that has moved,
-- else null.
create function public.hub_refresh_status(p_message uuid) returns public.messages
language sql volatile as $$
  update public.messages m
    set status = d.status
    from (
      select coalesce(
        max(status) filter (where status = 'failed'),
        ('{pending,sent,delivered,read,played}'::text[])[min(array_position('{pending,sent,delivered,read,played}'::text[], status))]
      ) as status
      from public.deliveries where message_id = p_message
    ) d
    where m.message_id = p_message and d.status is not null and m.status is distinct from d.status
    returning m.*
$$;

-- Moves the status of a message of ours forward: {applied, message}. A receipt for a message that is not here is kept for it.
create function public.hub_apply_receipt(p_receipt jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_status constant text := p_receipt ->> 'status';
  d public.deliveries;
  m public.messages;
begin
  if p_receipt ->> 'account' is null then
    return '{"applied": false}';
  end if;
  perform public.hub_lock_message(p_receipt ->> 'channel', p_receipt ->> 'account', p_receipt ->> 'external_id');
  select * into d from public.deliveries
    where channel = p_receipt ->> 'channel' and account = p_receipt ->> 'account' and external_id = p_receipt ->> 'external_id'
    order by seq desc limit 1
    for update;
  if found then
    if not public.hub_is_forward(d.status, v_status) then
      return '{"applied": false}';
    end if;
    update public.deliveries
      set status = v_status,
          state = case when v_status = 'failed' then 'dead' else state end,
          code = case when v_status = 'failed' then 'rejected' else code end,
          reason = case when v_status = 'failed' then coalesce(p_receipt ->> 'reason', 'failed') else reason end
      where delivery_id = d.delivery_id;
    perform public.hub_refresh_status(d.message_id);
    select * into m from public.messages where message_id = d.message_id;
    return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
  end if;
  select * into m from public.messages
    where channel = p_receipt ->> 'channel' and coalesce(account, session_id::text) = p_receipt ->> 'account'
      and external_id = p_receipt ->> 'external_id'
    for update;
  if not found then
    insert into public.early_events as e (channel, account, external_id, type, event, created_at)
      values (p_receipt ->> 'channel', p_receipt ->> 'account', p_receipt ->> 'external_id', 'receipt', p_receipt, p_now)
      on conflict (channel, account, external_id, type) do update set event = excluded.event
      where public.hub_is_forward(e.event ->> 'status', excluded.event ->> 'status');
    return '{"applied": false}';
  end if;
  if m.direction <> 'outbound' or not public.hub_is_forward(coalesce(m.status, 'pending'), v_status) then
    return '{"applied": false}';
  end if;
  update public.messages set status = v_status where message_id = m.message_id returning * into m;
  return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
end
$$;

-- Changes what a message says and keeps what it said: {applied, message}. p_edit: {channel, account, external_id, at, kind,
-- text, content}, without kind for a deletion. An edit of a message that is not here is kept for it.
create function public.hub_apply_edit(p_edit jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_at constant timestamptz := coalesce((p_edit ->> 'at')::timestamptz, p_now);
  m public.messages;
begin
  if p_edit ->> 'account' is null then
    return '{"applied": false}';
  end if;
  perform public.hub_lock_message(p_edit ->> 'channel', p_edit ->> 'account', p_edit ->> 'external_id');
  select * into m from public.messages
    where channel = p_edit ->> 'channel' and coalesce(account, session_id::text) = p_edit ->> 'account'
      and external_id = p_edit ->> 'external_id'
    for update;
  if not found then
    insert into public.early_events as e (channel, account, external_id, type, event, created_at)
      values (p_edit ->> 'channel', p_edit ->> 'account', p_edit ->> 'external_id', 'edit', p_edit || jsonb_build_object('at', v_at), p_now)
      on conflict (channel, account, external_id, type) do update set event = excluded.event
      where e.event ? 'kind' and (e.event ->> 'at')::timestamptz <= v_at;
    return '{"applied": false}';
  end if;
  if m.deleted_at is not null or m.edited_at > v_at then
    return '{"applied": false}';
  end if;
  if p_edit ->> 'kind' = m.kind and p_edit ->> 'text' = m.text and p_edit -> 'content' = m.content then
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
  return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
end
$$;

-- Applies what was said about a message before it was here. Returns the keys that the caller is to count.
create function public.hub_apply_early(p_channel text, p_account text, p_external_id text, p_now timestamptz) returns text[]
language plpgsql volatile as $$
declare
  e record;
  v_counted text[] := '{}';
begin
  for e in
    select * from public.early_events
    where channel = p_channel and account = p_account and external_id = p_external_id order by type
  loop
    delete from public.early_events
      where channel = p_channel and account = p_account and external_id = p_external_id and type = e.type;
    if e.type = 'edit' then
      perform public.hub_apply_edit(e.event, p_now);
    elsif (public.hub_apply_receipt(e.event, p_now) ->> 'applied')::boolean then
      v_counted := v_counted || concat_ws('|', 'receipts', p_channel, e.event ->> 'status');
    end if;
  end loop;
  return v_counted;
end
$$;

-- Adds a message to a session whose row is held and whose count is kept by the caller.
-- p_message: {message_id, channel, account, external_id, direction, role, kind, text, content, reply_to, status, sent_at};
-- a new message_id is made where there is none.
create function public.hub_add_message(p_session uuid, p_message jsonb, p_now timestamptz) returns public.messages
language plpgsql volatile as $$
declare
  m public.messages;
begin
  insert into public.messages (
    message_id, session_id, channel, account, external_id, direction, role, kind, text, content, reply_to, status, sent_at, created_at
  ) values (
    coalesce((p_message ->> 'message_id')::uuid, public.hub_uuid(p_now)), p_session, p_message ->> 'channel', p_message ->> 'account', p_message ->> 'external_id',
    p_message ->> 'direction', p_message ->> 'role', p_message ->> 'kind', p_message ->> 'text', p_message -> 'content',
    p_message ->> 'reply_to', p_message ->> 'status', (p_message ->> 'sent_at')::timestamptz, p_now
  ) returning * into m;
  if m.account is null or m.external_id is null then
    return m;
  end if;
  perform public.hub_lock_message(m.channel, m.account, m.external_id);
  if exists (select 1 from public.early_events where channel = m.channel and account = m.account and external_id = m.external_id) then
    perform public.hub_apply_early(m.channel, m.account, m.external_id, p_now);
    select * into m from public.messages where message_id = m.message_id;
  end if;
  return m;
end
$$;

-- The message that this one answers or reacts to: our id where we know it, else the platform's.
create function public.hub_reply_target(p_message jsonb, p_session uuid) returns text
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

-- Whether it changed that a customer may be written to on a channel.
create function public.hub_set_reachable(p_session uuid, p_channel text, p_reachable boolean) returns boolean
language plpgsql volatile as $$
begin
  update public.sessions
    set unreachable = case
      when p_reachable then array_remove(unreachable, p_channel)
      else array(select u from unnest(unreachable || p_channel) as u order by u)
    end
    where session_id = p_session and (p_channel = any (unreachable)) = p_reachable;
  return found;
end
$$;
