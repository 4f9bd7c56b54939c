-- Changes of earlier messages by the bot and by operators: edits, deletions, reactions and pins. A change is a message of its own
-- in the history (kind edit, delete, reaction or pin), and it changes the message that it names.

-- The messages that a change may name. Words of the shop (p_roles) are edited and deleted; any message is reacted to and pinned.
-- A deleted message is never changed again, and no change is changed.
create or replace function hub.may_change(m public.messages, p_kind text, p_roles text[]) returns boolean
language sql immutable parallel safe as $$
  select m.deleted_at is null and m.kind not in ('edit', 'delete', 'reaction', 'pin')
    and (p_kind in ('reaction', 'pin') or (m.direction = 'outbound' and m.role = any (p_roles)))
$$;

-- Changes an earlier message of the session and channel, and keeps what it said before an edit or a deletion as a revision.
-- p_change: {kind, content: {text, format | emoji | pinned}}. Null when nothing has changed: there is no such message, it may not be changed, or it
-- is already so. The session's row is held.
create or replace function hub.change_message(
  p_message uuid, p_session uuid, p_channel text, p_roles text[], p_change jsonb, p_now timestamptz
) returns public.messages
language plpgsql volatile as $$
declare
  v_kind constant text := p_change ->> 'kind';
  v_content constant jsonb := p_change -> 'content';
  v_format constant jsonb := jsonb_strip_nulls(jsonb_build_object('format', v_content -> 'format'));
  v_same boolean;
  v_captioned boolean;
  v_edited jsonb;
  m public.messages;
begin
  select * into m from public.messages
    where message_id = p_message and session_id = p_session and channel = p_channel
    for update;
  if m.message_id is null or not hub.may_change(m, v_kind, p_roles) then
    return null;
  end if;
  -- A file keeps its place: its caption is what is edited.
  v_captioned := m.kind in ('image', 'video', 'audio', 'document');
  v_edited := case when v_captioned
    then m.content - '{caption,format}'::text[] || jsonb_build_object('caption', v_content -> 'text') else '{}' end || v_format;
  v_same := case v_kind
    when 'edit' then (v_captioned or m.kind = 'text' and m.text = v_content ->> 'text') and m.content = v_edited
    when 'reaction' then m.reaction is not distinct from v_content ->> 'emoji'
    when 'pin' then (m.pinned_at is not null) = coalesce((v_content -> 'pinned')::boolean, true)
    else false end;
  if v_same then
    return null;
  end if;
  if v_kind in ('edit', 'delete') then
    m.revisions := coalesce(m.revisions, '[]') || jsonb_build_object('text', m.text, 'kind', m.kind, 'content', m.content, 'at', p_now);
  end if;
  case v_kind
    when 'edit' then
      m.kind := case when v_captioned then m.kind else 'text' end;
      m.text := v_content ->> 'text';
      m.content := v_edited;
      m.edited_at := p_now;
    when 'delete' then
      m.kind := 'system';
      m.text := '';
      m.content := '{"event": "deleted"}';
      m.deleted_at := p_now;
      m.reaction := null;
      m.pinned_at := null;
    when 'reaction' then
      m.reaction := v_content ->> 'emoji';
    else
      m.pinned_at := case when coalesce((v_content -> 'pinned')::boolean, true) then p_now end;
  end case;
  update public.messages
    set revisions = m.revisions, kind = m.kind, text = m.text, content = m.content, edited_at = m.edited_at, deleted_at = m.deleted_at,
        reaction = m.reaction, pinned_at = m.pinned_at
    where message_id = m.message_id;
  return m;
end
$$;

-- Whether a platform takes a change of this message no longer: its channel gives the part `within_ms`, counted from the message.
create or replace function hub.is_too_late(m public.messages, p_parts jsonb, p_now timestamptz) returns boolean
language sql immutable parallel safe as $$
  select coalesce(p_now > m.created_at + (p_parts #>> '{0,within_ms}')::bigint * interval '1 millisecond', false)
$$;

-- The message that a bot's reply has changed, as callers see it; null if the reply changes none. A reaction that names no message is one to
-- the message that is answered. p_reply: as in hub_complete. The session's row is held.
create or replace function hub.changed_by_reply(t public.turns, p_reply jsonb, p_now timestamptz) returns json
language plpgsql volatile as $$
declare
  v_id constant uuid := coalesce((p_reply #>> '{content,message_id}')::uuid, t.message_id);
  m public.messages;
begin
  if p_reply #> '{parts,0,within_ms}' is not null then
    select * into m from public.messages where message_id = v_id;
    if hub.is_too_late(m, p_reply -> 'parts', p_now) then
      return null;
    end if;
  end if;
  m := hub.change_message(v_id, t.session_id, t.channel, '{assistant}', p_reply, p_now);
  return case when m.message_id is not null then hub.message_json(m) end;
end
$$;

-- Where a change of this message is sent: {account, address}. That of the message itself, else the newest one of its session and channel, else
-- the customer's saved one. Null when there is none.
create or replace function hub.place_of(m public.messages) returns jsonb
language sql stable as $$
  select coalesce(
    (select jsonb_build_object('account', account, 'address', address)
      from public.deliveries where message_id = m.message_id and address <> '{}' order by seq limit 1),
    (select jsonb_build_object('account', account, 'address', address)
      from public.deliveries
      where session_id = m.session_id and channel = m.channel and account is not distinct from m.account and address <> '{}'
      order by seq desc limit 1),
    (select jsonb_build_object('account', i.account, 'address', i.address)
      from public.identities i join public.sessions s on s.customer_key = i.customer_key
      where s.session_id = m.session_id and i.channel = m.channel and i.account is not distinct from m.account and i.address is not null
      order by i.address_used_at desc limit 1))
$$;

-- What the hub must know of a message to render a change of it. p: {message_id}. Returns {channel}. Refuses with not_found.
create or replace function public.hub_message_channel(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_channel text;
begin
  select channel into v_channel from public.messages where message_id = (p ->> 'message_id')::uuid;
  if v_channel is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('channel', v_channel);
end
$$;

-- An operator's change of a message: saved as a message of its own, put into the outbox and written to the audit, all in one transaction.
-- p: {now, lease_ms, patience_ms, history, batch, pace, actor | staff, message_id, change: {kind, text, content}, parts: as in hub_complete}.
-- Returns {message, changed, deliveries}: the message as it is now, whether this call has changed it, and the first delivery, claimed. The same
-- call again changes nothing. One of the staff changes nothing in a colleague's conversation; an agent edits and deletes own messages
-- only. Refuses with not_found, with not_changeable {why: deleted | a_change | not_ours | not_yours | too_late | no_address}, and for staff with
-- unauthorized and conversation_taken {user}.
create or replace function public.hub_change_message(p jsonb) returns json
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off as $$
declare
  c constant hub.context := hub.context_of(p);
  v_me constant public.users := case when p ? 'staff' then hub.staff(p) end;
  v_author constant text := coalesce(hub.staff_name(v_me.user_id), 'key:' || (p ->> 'actor'));
  v_id constant uuid := p ->> 'message_id';
  v_change constant jsonb := p -> 'change';
  v_kind constant text := v_change ->> 'kind';
  v_roles constant text[] := '{assistant,operator}';
  v_parts constant integer := jsonb_array_length(p -> 'parts');
  v_session uuid;
  v_customer uuid;
  v_holder uuid;
  v_last_seq bigint;
  v_blocked boolean;
  v_place jsonb;
  v_delivery jsonb;
  m public.messages;
  v_new public.messages;
  v_after public.messages;
begin
  select s.session_id, s.customer_key, s.last_seq, x.channel = any (k.unreachable)
    into v_session, v_customer, v_last_seq, v_blocked
    from public.messages x
      join public.sessions s on s.session_id = x.session_id
      left join public.customers k on k.customer_key = s.customer_key
    where x.message_id = v_id
    for update of s;
  if v_session is null then
    perform hub.refuse('not_found');
  end if;
  select * into m from public.messages where message_id = v_id;
  if m.session_id <> v_session then
    raise exception 'the session was merged meanwhile' using errcode = 'serialization_failure';
  end if;
  if v_me.user_id is not null then
    select user_id into v_holder from public.conversations where customer_key = v_customer and holder = 'person';
    if v_holder <> v_me.user_id then
      perform hub.refuse('conversation_taken', jsonb_build_object('user', hub.colleague(v_holder)));
    elsif v_kind in ('edit', 'delete') and v_me.role <> 'admin' and m.author is distinct from v_author then
      perform hub.refuse('not_changeable', '{"why": "not_yours"}');
    end if;
  end if;
  if v_kind = 'delete' and m.deleted_at is not null and m.direction = 'outbound' then
    return json_build_object('message', hub.message_json(m), 'changed', false, 'deliveries', '[]'::json);
  end if;
  if not hub.may_change(m, v_kind, v_roles) then
    perform hub.refuse('not_changeable', jsonb_build_object('why', case
      when m.deleted_at is not null then 'deleted'
      when m.kind in ('edit', 'delete', 'reaction', 'pin') then 'a_change'
      else 'not_ours' end));
  elsif hub.is_too_late(m, p -> 'parts', c.now) then
    perform hub.refuse('not_changeable', '{"why": "too_late"}');
  end if;
  v_after := hub.change_message(v_id, v_session, m.channel, v_roles, v_change, c.now);
  if v_after.message_id is null then
    return json_build_object('message', hub.message_json(m), 'changed', false, 'deliveries', '[]'::json);
  end if;
  if v_parts > 0 then
    v_place := hub.place_of(m);
    if v_place is null then
      perform hub.refuse('not_changeable', '{"why": "no_address"}');
    end if;
  end if;

  v_blocked := coalesce(v_blocked, false);
  v_last_seq := hub.next_seq(v_last_seq, c.now);
  insert into public.messages (
      message_id, session_id, seq, channel, account, direction, role, author, kind, text, content, reply_to, status, created_at)
    values (
      hub.uuid(c.now), v_session, v_last_seq, m.channel, coalesce(v_place ->> 'account', m.account), 'outbound', 'operator', v_author, v_kind,
      v_change ->> 'text', v_change -> 'content', v_id::text,
      case when v_parts = 0 then 'sent' when v_blocked then 'failed' else 'pending' end, c.now)
    returning * into v_new;
  for i in 0 .. v_parts - 1 loop
    v_delivery := coalesce(
      v_delivery, hub.add_delivery(v_new, v_parts, v_place -> 'address', p -> 'parts' -> i, v_blocked, c));
  end loop;
  if v_delivery is null and v_parts > 0 and not v_blocked then
    v_delivery := hub.claim_delivery(v_session, m.channel, c);
  end if;
  update public.sessions
    set message_count = message_count + 1, last_seq = v_last_seq, updated_at = greatest(updated_at, c.now)
    where session_id = v_session;
  perform hub.add_audit(
    coalesce(p ->> 'actor', v_author), 'message.' || v_kind, v_id::text, jsonb_build_object('channel', m.channel), c.now);
  return json_build_object(
    'message', hub.message_json(v_after), 'changed', true,
    'deliveries', case when v_delivery is null then '[]'::json else json_build_array(v_delivery) end);
end
$$;
