-- What a shop owes the people it keeps data of. Calls of the hub: one jsonb argument, jsonb back. {customer_id} or
-- {session_id} says whose data.

-- All sessions of a person: those named, and all that were ever merged with them, in order.
create function public.hub_family(p_of jsonb) returns uuid[]
language sql stable as $$
  with recursive up as (
    select session_id, merged_into from public.sessions
      where customer_id = p_of ->> 'customer_id' or session_id = (p_of ->> 'session_id')::uuid
    union
    select s.session_id, s.merged_into from up join public.sessions s on s.session_id = up.merged_into
  ), down as (
    select session_id from up
    union
    select s.session_id from down join public.sessions s on s.merged_into = down.session_id
  )
  select coalesce(array_agg(session_id order by session_id), '{}') from down
$$;

-- Adds a line to the audit. p: {now, actor}
create function public.hub_add_audit(p jsonb, p_action text, p_subject text, p_details jsonb) returns void
language sql volatile as $$
  insert into public.audit (audit_id, at, actor, action, subject, details)
    values (public.hub_uuid((p ->> 'now')::timestamptz), (p ->> 'now')::timestamptz, p ->> 'actor', p_action, p_subject, p_details)
$$;

create function public.hub_subject(p_of jsonb) returns text
language sql immutable parallel safe as $$
  select coalesce('customer:' || (p_of ->> 'customer_id'), 'session:' || (p_of ->> 'session_id'))
$$;

-- A session with all that is kept beside its row.
create function public.hub_exported_session(s public.sessions) returns jsonb
language sql stable as $$
  select public.hub_session_json(s) || jsonb_build_object(
    'addresses', (
      select coalesce(jsonb_agg((value - 'via') || jsonb_build_object('channel', key) order by key), '[]') from jsonb_each(s.addresses)),
    'devices', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'device_id', t.device_id, 'channel', t.channel, 'created_at', t.created_at, 'last_used_at', t.last_used_at)
        order by t.created_at, t.device_id), '[]')
      from public.session_tokens t where t.session_id = s.session_id),
    'unreachable', s.unreachable,
    'has_password', s.status = 'active' and s.phone_verified and exists (select 1 from public.passwords w where w.phone = s.phone))
$$;

-- One page of everything kept of somebody: sessions, then messages with what they said before. The first page leaves a
-- line in the audit. p: {now, actor, customer_id | session_id, after, limit}. Returns {sessions, messages, after}; after is
-- null on the last page.
create function public.hub_export(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_ids constant uuid[] := public.hub_family(p);
  v_after constant text[] := string_to_array(p ->> 'after', '.');
  v_limit constant integer := (p ->> 'limit')::int;
  v_seen uuid := '00000000-0000-0000-0000-000000000000';
  v_seq bigint := 0;
  v_sessions jsonb := '[]';
  v_messages jsonb;
  v_room integer := v_limit;
begin
  if v_after is null then
    perform public.hub_add_audit(p, 'export', public.hub_subject(p), '{}');
  end if;
  if v_after is null or v_after[1] = 's' then
    select coalesce(jsonb_agg(public.hub_exported_session(s) order by s.session_id), '[]') into v_sessions
      from (
        select * from public.sessions
        where session_id = any (v_ids) and (v_after is null or session_id > v_after[2]::uuid)
        order by session_id limit v_limit + 1
      ) s;
    if jsonb_array_length(v_sessions) > v_limit then
      return jsonb_build_object(
        'sessions', v_sessions - v_limit, 'messages', '[]'::jsonb,
        'after', 's.' || (v_sessions -> (v_limit - 1) ->> 'session_id'));
    end if;
    v_room := v_limit - jsonb_array_length(v_sessions);
  else
    v_seen := v_after[2];
    v_seq := v_after[3];
  end if;
  select coalesce(
      jsonb_agg(public.hub_message_json(m) || jsonb_build_object('revisions', coalesce(m.revisions, '[]')) order by m.session_id, m.seq), '[]')
    into v_messages
    from (
      select * from public.messages
      where session_id = any (v_ids) and (session_id, seq) > (v_seen, v_seq)
      order by session_id, seq limit v_room + 1
    ) m;
  if jsonb_array_length(v_messages) <= v_room then
    return jsonb_build_object('sessions', v_sessions, 'messages', v_messages, 'after', null);
  end if;
  if v_room > 0 then
    v_seen := v_messages -> (v_room - 1) ->> 'session_id';
    v_seq := v_messages -> (v_room - 1) ->> 'seq';
  end if;
  return jsonb_build_object('sessions', v_sessions, 'messages', v_messages - v_room, 'after', 'm.' || v_seen || '.' || v_seq);
end
$$;

-- Erases content and identities of somebody and ends their sessions; counts stay. p: {now, actor, customer_id |
-- session_id}. Returns {sessions, messages, session_ids, token_hashes, identities: [{kind, value}]}.
create function public.hub_erase(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_ids uuid[] := public.hub_family(p);
  v_tokens jsonb;
  v_identities jsonb;
  v_counts jsonb;
  v_messages integer;
begin
  perform 1 from public.sessions where session_id = any (v_ids) order by session_id for update;
  -- While we waited, one of them may have merged with others.
  v_ids := public.hub_family(p);
  perform 1 from public.sessions where session_id = any (v_ids) order by session_id for update;

  select coalesce(jsonb_agg(jsonb_build_object('kind', i.kind, 'value', i.value)), '[]') into v_identities
    from public.sessions s
    cross join lateral (values
      ('telegram_chat_id', s.telegram_chat_id), ('whatsapp_user_id', s.whatsapp_user_id),
      ('phone', s.phone), ('visitor_id', s.visitor_id)) i (kind, value)
    where s.session_id = any (v_ids) and i.value is not null;

  delete from public.codes c using public.sessions s
    where s.session_id = any (v_ids) and c.phone = s.phone and not exists (
      select 1 from public.sessions o
      where o.phone = s.phone and o.status = 'active' and o.expires_at > v_now and not o.session_id = any (v_ids));
  delete from public.passwords w using public.sessions s
    where s.session_id = any (v_ids) and s.phone_verified and w.phone = s.phone and not exists (
      select 1 from public.sessions o
      where o.phone = s.phone and o.status = 'active' and o.expires_at > v_now and not o.session_id = any (v_ids));

  with dead as (delete from public.session_tokens where session_id = any (v_ids) returning token_hash)
    select coalesce(jsonb_agg(token_hash order by token_hash), '[]') into v_tokens from dead;
  delete from public.links where token_hash in (select jsonb_array_elements_text(v_tokens));
  delete from public.turns where session_id = any (v_ids) and state in ('pending', 'running');
  update public.turns set address = '{}' where session_id = any (v_ids) and state = 'dead';
  update public.deliveries d
    set address = '{}', content = null, external_id = null,
        status = case when d.state in ('pending', 'sending') then 'failed' else d.status end,
        code = case when d.state in ('pending', 'sending') then 'rejected' else d.code end,
        reason = case when d.state in ('pending', 'sending') then 'erased' else d.reason end,
        state = case when d.state in ('pending', 'sending') then 'dead' else d.state end
    from public.messages m
    where m.session_id = any (v_ids) and d.message_id = m.message_id;
  update public.messages
    set kind = 'system', text = '', content = '{"event": "erased"}', revisions = null, external_id = null, reply_to = null,
        status = case when status = 'pending' then 'failed' else status end
    where session_id = any (v_ids) and not (kind = 'system' and content = '{"event": "erased"}');
  get diagnostics v_messages = row_count;
  update public.sessions
    set phone = null, phone_verified = true, telegram_chat_id = null, whatsapp_user_id = null, visitor_id = null,
        customer_id = null, feedback = null, summary = null, data = '{}', metadata = '{}', addresses = '{}', unreachable = '{}',
        updated_at = v_now,
        version = version + case when status = 'active' then 2 else 1 end,
        ended_at = case when status = 'active' then v_now else ended_at end,
        status = case when status = 'active' then 'logged_out' else status end
    where session_id = any (v_ids);

  v_counts := jsonb_build_object('sessions', coalesce(array_length(v_ids, 1), 0), 'messages', v_messages);
  perform public.hub_add_audit(p, 'erase', public.hub_subject(p), v_counts);
  return v_counts || jsonb_build_object('session_ids', to_jsonb(v_ids), 'token_hashes', v_tokens, 'identities', v_identities);
end
$$;

-- Lines of the audit in order. p: {after, limit}. Returns {lines: [{audit_id, at, actor, action, subject, details}]}.
create function public.hub_audit(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('lines', coalesce(jsonb_agg(to_jsonb(a) order by a.audit_id), '[]'))
  from (
    select * from public.audit
    where audit_id > coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000')
    order by audit_id limit (p ->> 'limit')::int
  ) a
$$;
