-- hub_receive, and what serves it: everything of one webhook in one call.

-- Applies an edit and, for a bot that hears of edits, adds a turn for a message that is not waiting for one anyway.
create function public.hub_receive_edit(p_edit jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_result jsonb;
  v_turn jsonb;
  s public.sessions;
  m public.messages;
begin
  if (p_edit ->> 'wakes')::boolean then
    -- The session before the message, as a merge takes them.
    s := public.hub_hold_session((
      select session_id from public.messages
      where channel = p_edit ->> 'channel' and coalesce(account, session_id::text) = p_edit ->> 'account'
        and external_id = p_edit ->> 'external_id'));
  end if;
  v_result := public.hub_apply_edit(p_edit, (p ->> 'now')::timestamptz);
  if (v_result ->> 'applied')::boolean and (p_edit ->> 'wakes')::boolean and p_edit -> 'address' is not null
    and v_result -> 'message' ->> 'direction' = 'inbound'
  then
    select * into m from public.messages where message_id = (v_result -> 'message' ->> 'message_id')::uuid;
    if s.status = 'active' and not exists (
      select 1 from public.turns where session_id = s.session_id and state in ('pending', 'running') and message_id = m.message_id)
    then
      v_turn := public.hub_add_turn(s, m, p_edit -> 'address', p);
      if v_turn is not null then
        v_turn := jsonb_build_object('session', public.hub_session_json(s), 'message', v_result -> 'message') || v_turn;
      end if;
    end if;
  end if;
  return v_result || jsonb_build_object('type', 'edit', 'turn', v_turn);
end
$$;

-- A message that was here before: nothing changes, but its session's turn is claimed when nobody answers it.
create function public.hub_repeat_message(m public.messages, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_turn jsonb;
  s public.sessions;
begin
  s := public.hub_hold_session(m.session_id);
  -- While we waited, a merge may have moved the message, or a purge may have deleted it.
  select * into m from public.messages where message_id = m.message_id;
  if s.session_id is null or m.message_id is null then
    raise exception 'the message was purged meanwhile' using errcode = 'serialization_failure';
  end if;
  v_turn := public.hub_claim_turn(s.session_id, p);
  return jsonb_build_object('type', 'message', 'message', public.hub_message_json(m), 'session', public.hub_session_json(s), 'duplicate', true, 'turn', v_turn);
end
$$;

-- Takes in one message: {type, message, session, duplicate, turn} or {error}; a turn of this message comes without it and
-- its session. Most messages come from one person in one session that already knows them: that one is found by a look
-- and locked by its row. Anything else locks the identities and goes the long way.
create function public.hub_receive_message(p_message jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_then constant jsonb := case when p_message ? 'came_at' then p || jsonb_build_object('now', p_message -> 'came_at') else p end;
  v_now constant timestamptz := v_then ->> 'now';
  v_channel constant text := p_message ->> 'channel';
  v_account constant text := p_message ->> 'account';
  v_external_id constant text := p_message ->> 'external_id';
  v_asserted constant boolean := coalesce((p_message ->> 'claimed')::boolean and p_message ? 'identities', false);
  v_identities jsonb := p_message -> 'identities';
  v_address jsonb;
  v_notice text;
  v_live jsonb;
  v_id uuid;
  v_turn jsonb;
  s public.sessions;
  m public.messages;
begin
  if v_identities is null then
    v_live := public.hub_find_live(p_message, v_then);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
  else
    if not v_asserted and not p_message ? 'link_hash' then
      s := public.hub_hold_known(v_identities, false, v_now);
    end if;
    if s.session_id is null then
      perform public.hub_lock_identities(array[v_identities]);
      if not v_asserted and not p_message ? 'link_hash' then
        s := public.hub_hold_known(v_identities, true, v_now);
      end if;
    end if;
  end if;
  -- Only now: whoever brings the same message at the same time holds what we have just waited for.
  if v_account is not null then
    select * into m from public.messages
      where channel = v_channel and coalesce(account, session_id::text) = v_account and external_id = v_external_id;
    if found then
      return public.hub_repeat_message(m, p);
    end if;
  end if;
  if v_asserted then
    v_live := public.hub_claim(v_identities, v_channel, v_then);
    if v_live ? 'error' then
      return v_live;
    end if;
    v_id := v_live ->> 'session_id';
    v_identities := null;
  end if;
  if p_message ? 'link_hash' then
    v_notice := 'link_failed';
    if v_identities is not null then
      v_id := public.hub_redeem_link(p_message ->> 'link_hash', v_identities, v_then);
      if v_id is not null then
        v_notice := 'linked';
      end if;
    end if;
  end if;
  if s.session_id is null then
    v_id := coalesce(v_id, public.hub_resolve(v_identities, v_channel, v_then));
    select * into s from public.sessions where session_id = v_id for update;
  end if;
  if v_account is null then
    select * into m from public.messages
      where channel = v_channel and coalesce(account, session_id::text) = s.session_id::text and external_id = v_external_id;
    if found then
      return public.hub_repeat_message(m, p);
    end if;
  end if;

  if v_identities is not null and p_message -> 'address' <> '{}' then
    -- A chat is reached by its id alone, whatever else was said there.
    v_address := jsonb_build_object(
      'account', v_account, 'address', p_message -> 'address', 'used_at', v_then -> 'now',
      'via', case when v_identities ? 'telegram_chat_id' then v_identities - '{whatsapp_user_id,phone,visitor_id}'::text[] else v_identities end);
  end if;
  s := public.hub_use(s, v_channel, 1, v_then, v_address);
  if v_channel = any (s.unreachable) then
    update public.sessions set unreachable = array_remove(unreachable, v_channel) where session_id = s.session_id returning * into s;
  end if;

  m := public.hub_add_message(
    s.session_id,
    p_message || jsonb_build_object(
      'direction', 'inbound', 'role', case when v_notice is null then 'user' else 'system' end,
      'reply_to', case when p_message ->> 'reply_to' is not null then public.hub_reply_target(p_message, s.session_id) end)
      || case when v_notice is null then '{}' else jsonb_build_object(
        'kind', 'system', 'text', v_notice, 'content', jsonb_build_object('event', v_notice)) end,
    v_now);

  if (p_message ->> 'wakes')::boolean then
    v_turn := public.hub_add_turn(s, m, p_message -> 'address', p);
  end if;
  if v_notice is not null then
    if v_turn is not null then
      v_turn := jsonb_build_object('message', public.hub_message_json(m), 'session', public.hub_session_json(s)) || v_turn;
    end if;
    perform public.hub_tell(
      s.session_id, p -> 'notices' ->> v_notice,
      case when p_message -> 'address' <> '{}' then jsonb_build_array(p_message) else '[]' end, p);
    select * into s from public.sessions where session_id = s.session_id;
  end if;
  return jsonb_build_object('type', 'message', 'message', public.hub_message_json(m), 'session', public.hub_session_json(s), 'duplicate', false, 'turn', v_turn);
end
$$;

-- Keeps what a person of ours wrote from the platform's own app, where its customer has a session.
create function public.hub_receive_echo(p_echo jsonb, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_id uuid;
  m public.messages;
begin
  if p_echo ->> 'account' is null or exists (
    select 1 from public.messages
    where channel = p_echo ->> 'channel' and coalesce(account, session_id::text) = p_echo ->> 'account' and external_id = p_echo ->> 'external_id'
  ) then
    return '{"applied": false}';
  end if;
  v_id := public.hub_find_person(p_echo -> 'identities', p_now);
  if v_id is null then
    return '{"applied": false}';
  end if;
  update public.sessions set message_count = message_count + 1, updated_at = p_now where session_id = v_id;
  m := public.hub_add_message(v_id, p_echo || '{"direction": "outbound", "role": "operator", "status": "sent"}', p_now);
  return jsonb_build_object('applied', true, 'message', public.hub_message_json(m));
end
$$;

-- Locks all messages of ours and theirs that a webhook brings or tells something of, known or not, in one order whatever
-- the order of what it tells; and first the sessions of what was edited, for an edit may wake the bot. Looked up one by
-- one: a plan from when the tables were empty would read them whole.
create function public.hub_lock_told(p_items jsonb) returns void
language plpgsql volatile as $$
declare
  v_told constant jsonb := jsonb_path_query_array(p_items, '$[*] ? (@.type == "receipt" || @.type == "edit")');
  v_deliveries uuid[] := '{}';
  v_messages uuid[] := '{}';
  v_sessions uuid[] := '{}';
  v_item jsonb;
  r record;
  v_id uuid;
  m public.messages;
  d public.deliveries;
begin
  if jsonb_array_length(v_told) = 0 or jsonb_array_length(p_items) < 2 then
    return;
  end if;
  for v_item in select * from jsonb_array_elements(v_told) where value ->> 'type' = 'edit' loop
    select session_id into v_id from public.messages
      where channel = v_item ->> 'channel' and coalesce(account, session_id::text) = v_item ->> 'account' and external_id = v_item ->> 'external_id';
    if found then
      v_sessions := v_sessions || v_id;
    end if;
  end loop;
  for v_id in select distinct u from unnest(v_sessions) as u order by u loop
    perform public.hub_hold_session(v_id);
  end loop;
  for r in
    select distinct i ->> 'channel' as channel, i ->> 'account' as account, i ->> 'external_id' as external_id
    from jsonb_array_elements(p_items) i
    where i ->> 'type' in ('receipt', 'edit', 'message', 'echo') and i ->> 'account' is not null
    order by 1, 2, 3
  loop
    perform public.hub_lock_message(r.channel, r.account, r.external_id);
  end loop;
  for v_item in select * from jsonb_array_elements(v_told) loop
    for d in
      select * from public.deliveries
      where channel = v_item ->> 'channel' and account = v_item ->> 'account' and external_id = v_item ->> 'external_id'
    loop
      v_deliveries := v_deliveries || d.delivery_id;
      v_messages := v_messages || d.message_id;
    end loop;
    select * into m from public.messages
      where channel = v_item ->> 'channel' and coalesce(account, session_id::text) = v_item ->> 'account' and external_id = v_item ->> 'external_id';
    if found then
      v_messages := v_messages || m.message_id;
    end if;
  end loop;
  for v_id in select distinct u from unnest(v_deliveries) as u order by u loop
    perform 1 from public.deliveries where delivery_id = v_id for update;
  end loop;
  for v_id in select distinct u from unnest(v_messages) as u order by u loop
    perform 1 from public.messages where message_id = v_id for update;
  end loop;
end
$$;

-- Locks everybody and everything that a webhook of several things speaks of, before anything of it is kept: identities,
-- their sessions, the messages it tells of, each in one order. Returns {}, or {error} when one of its messages will be
-- refused.
create function public.hub_hold_webhook(p_items jsonb, p jsonb) returns jsonb
language plpgsql volatile as $$
declare
  v_people jsonb[] := '{}';
  v_item jsonb;
  v_then jsonb;
  v_result jsonb;
begin
  for v_item in select * from jsonb_array_elements(p_items) loop
    if v_item ? 'identities' then
      v_people := v_people || (v_item -> 'identities');
    end if;
    if v_item ? 'to' then
      v_people := v_people || (v_item -> 'to');
    end if;
  end loop;
  perform public.hub_lock_identities(v_people);
  perform public.hub_lock_sessions(v_people);
  perform public.hub_lock_told(p_items);
  for v_item in select * from jsonb_array_elements(p_items) loop
    v_then := p || jsonb_build_object('now', coalesce(v_item -> 'came_at', p -> 'now'));
    if v_item ->> 'type' = 'message' and not v_item ? 'identities' then
      v_result := public.hub_find_live(v_item, v_then);
      if v_result ? 'error' then
        return v_result;
      end if;
    elsif (v_item ->> 'claimed')::boolean and not public.hub_may_claim(v_item -> 'identities', v_item ->> 'channel', v_then) then
      return '{"error": "verification_required"}';
    end if;
  end loop;
  return '{}';
end
$$;

-- Takes in everything of one webhook, in its order and in one transaction.
-- p: {now, ttl_ms, lease_ms, history, language, kiosk_idle_ms, notices, items}. Items by type:
--   message          {channel, account, external_id, identities | token_hash | session_id, address, kind, text, content,
--                     reply_to, sent_at, wakes, claimed, link_hash, came_at, message_id}; claimed identities are only
--                     claimed, link_hash proves that its sender is at the device that showed the link, and came_at is
--                     when it came, where that was before now
--   echo             {channel, account, external_id, identities, kind, text, content, sent_at}
--   receipt          {channel, account, external_id, status, at, reason}
--   edit             {channel, account, external_id, at, kind, text, content, address, wakes}; without kind it is a deletion
--   identity_change  {identities, to}
--   reachability     {channel, identities, reachable}
-- Returns {results}: for a message {type, message, session, duplicate, turn, merged, closed, told, deliveries}, else
-- {type, applied, message, turn, merged, ...}; or {error: session_not_found | session_expired | verification_required}
-- when a message names a session that is not active or claims one it may not have.
create function public.hub_receive(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_items constant jsonb := p -> 'items';
  v_now timestamptz;
  v_results jsonb := '[]';
  v_counted text[] := '{}';
  v_item jsonb;
  v_result jsonb;
  v_id uuid;
begin
  if jsonb_array_length(v_items) > 1 or v_items -> 0 ->> 'type' <> 'message' then
    v_result := public.hub_hold_webhook(v_items, p);
    if v_result ? 'error' then
      return v_result;
    end if;
    v_now := p ->> 'now';
  end if;
  for i in 0 .. jsonb_array_length(v_items) - 1 loop
    v_item := v_items -> i;
    case v_item ->> 'type'
      when 'message' then
        v_result := public.hub_receive_message(v_item, p);
        if v_result ? 'error' then
          return v_result;
        end if;
        v_counted := v_counted || concat_ws('|', case when (v_result ->> 'duplicate')::boolean then 'duplicates' else 'received' end, v_item ->> 'channel');
      when 'echo' then
        v_result := public.hub_receive_echo(v_item, v_now) || '{"type": "echo"}';
        if v_result #>> '{message,status}' <> 'sent' then
          -- A receipt had come before it.
          v_counted := v_counted || concat_ws('|', 'receipts', v_item ->> 'channel', v_result #>> '{message,status}');
        end if;
      when 'receipt' then
        v_result := public.hub_apply_receipt(v_item, v_now) || '{"type": "receipt"}';
        if (v_result ->> 'applied')::boolean then
          v_counted := v_counted || concat_ws('|', 'receipts', v_item ->> 'channel', v_item ->> 'status');
        end if;
      when 'edit' then
        v_result := public.hub_receive_edit(v_item, p);
      when 'identity_change' then
        v_id := public.hub_find_person(v_item -> 'identities', v_now);
        if v_id is not null then
          perform public.hub_settle_identities(v_id, v_item -> 'to', null, p);
        end if;
        v_result := jsonb_build_object('type', 'identity_change', 'applied', v_id is not null);
      when 'reachability' then
        v_id := public.hub_find_person(v_item -> 'identities', v_now);
        v_result := jsonb_build_object('type', 'reachability', 'applied',
          v_id is not null and public.hub_set_reachable(v_id, v_item ->> 'channel', (v_item ->> 'reachable')::boolean));
    end case;
    if current_setting('hub.effects', true) <> '' then
      v_result := v_result || public.hub_take_effects();
    end if;
    v_results := v_results || v_result;
  end loop;
  if v_counted <> '{}' then
    perform public.hub_count(v_counted);
  end if;
  return jsonb_build_object('results', v_results);
end
$$;
