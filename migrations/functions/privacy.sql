-- Export, erasure and audit. Each call takes one jsonb argument and returns jsonb. {customer_id} (or the customer_key) or
-- {session_id} names the customer; the session may also be erased or merged.

-- The customer who is named; null when there is none.
create or replace function hub.customer_of(p_of jsonb) returns uuid
language sql stable as $$
  select coalesce(
    hub.customer_at(p_of ->> 'customer_id'),
    (select customer_key from public.sessions where session_id = (p_of ->> 'session_id')::uuid))
$$;

-- All sessions of a customer, sorted by id.
create or replace function hub.sessions_of(p_customer uuid) returns uuid[]
language sql stable as $$
  select array(
    select session_id from public.sessions where customer_key = p_customer and status = 'active'
    union all
    select session_id from public.sessions where customer_key = p_customer and status <> 'active'
    order by session_id)
$$;

-- Adds a line to the audit.
create or replace function hub.add_audit(p_actor text, p_action text, p_subject text, p_details jsonb, p_now timestamptz) returns void
language plpgsql volatile as $$
begin
  insert into public.audit (audit_id, at, actor, action, subject, details)
    values (hub.uuid(p_now), p_now, p_actor, p_action, p_subject, p_details);
end
$$;

-- Refuses every change of the audit.
create or replace function hub.refuse_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  raise exception 'the audit is only ever added to' using errcode = 'insufficient_privilege';
end
$$;

create or replace trigger audit_append_only before update or delete on public.audit
  for each row execute function hub.refuse_change();
create or replace trigger audit_append_only_whole before truncate on public.audit
  for each statement execute function hub.refuse_change();

create or replace function hub.subject_of(p_of jsonb) returns text
language sql immutable parallel safe as $$
  select coalesce('customer:' || (p_of ->> 'customer_id'), 'session:' || (p_of ->> 'session_id'))
$$;

-- A session with what is stored besides its row. Addresses, unreachable channels and the password are its customer's.
create or replace function hub.exported_session(s public.sessions) returns jsonb
language sql stable as $$
  select hub.session_document(s) || jsonb_build_object(
    'addresses', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'channel', i.channel, 'account', i.account, 'address', i.address, 'used_at', i.address_used_at)
        order by i.channel, i.address_used_at desc, i.kind), '[]')
      from public.identities i where i.customer_key = s.customer_key and i.address is not null),
    'devices', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'device_id', t.device_id, 'channel', t.channel, 'created_at', t.created_at, 'last_used_at', t.last_used_at)
        order by t.created_at, t.device_id), '[]')
      from public.session_tokens t where t.session_id = s.session_id),
    'windows', (
      select coalesce(jsonb_agg(
        jsonb_build_object('channel', w.channel, 'account', w.account, 'window_closes_at', w.closes_at)
        order by w.closes_at desc, w.channel collate "C", w.account collate "C"), '[]')
      from public.reply_windows w where w.customer_key = s.customer_key and w.closes_at is not null),
    'unreachable', coalesce((select to_jsonb(k.unreachable) from public.customers k where k.customer_key = s.customer_key), '[]'),
    'has_password', exists (
      select from public.identities i join public.passwords w on w.phone = i.value
      where i.customer_key = s.customer_key and i.kind = 'phone' and i.verified_at is not null))
$$;

-- A message with its revisions.
create or replace function hub.exported_message(m public.messages) returns jsonb
language sql stable as $$
  select hub.message_json(m)::jsonb || jsonb_build_object('revisions', coalesce(m.revisions, '[]'))
$$;

-- One page of everything that is stored of a customer: sessions, then messages with their revisions. The first page
-- adds a line to the audit. p: {now, actor, customer_id | session_id, after, limit}. Returns {customer, opt_outs, dispatches,
-- model_usage, sessions, messages, after}; those before sessions are on the first page only, after is null on the last page.
create or replace function public.hub_export(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_customer constant uuid := hub.customer_of(p);
  v_ids constant uuid[] := hub.sessions_of(v_customer);
  v_after constant text[] := string_to_array(p ->> 'after', '.');
  v_limit constant integer := (p ->> 'limit')::int;
  v_seen uuid := '00000000-0000-0000-0000-000000000000';
  v_seq bigint := 0;
  v_sessions jsonb := '[]';
  v_messages jsonb;
  v_room integer := v_limit;
  v_first jsonb := '{}';
begin
  if v_after is null then
    v_first := jsonb_build_object(
      'customer', (select hub.customer_json(k) from public.customers k where customer_key = v_customer),
      'opt_outs', hub.opt_outs_json(v_customer), 'dispatches', hub.dispatches_of(v_customer),
      'model_usage', hub.model_usage_json(v_customer));
    perform hub.add_audit(p ->> 'actor', 'export', hub.subject_of(p), '{}', (p ->> 'now')::timestamptz);
  end if;
  if v_after is null or v_after[1] = 's' then
    select coalesce(jsonb_agg(hub.exported_session(s) order by s.session_id), '[]') into v_sessions
      from (
        select * from public.sessions
        where session_id = any (v_ids) and (v_after is null or session_id > v_after[2]::uuid)
        order by session_id limit v_limit + 1
      ) s;
    if jsonb_array_length(v_sessions) > v_limit then
      return v_first || jsonb_build_object(
        'sessions', v_sessions - v_limit, 'messages', '[]'::jsonb,
        'after', 's.' || (v_sessions -> (v_limit - 1) ->> 'session_id'));
    end if;
    v_room := v_limit - jsonb_array_length(v_sessions);
  else
    v_seen := v_after[2];
    v_seq := v_after[3];
  end if;
  select coalesce(jsonb_agg(hub.exported_message(m) order by m.session_id, m.seq), '[]') into v_messages
    from (
      select * from public.messages
      where session_id = any (v_ids) and (session_id, seq) > (v_seen, v_seq)
      order by session_id, seq limit v_room + 1
    ) m;
  if jsonb_array_length(v_messages) <= v_room then
    return v_first || jsonb_build_object('sessions', v_sessions, 'messages', v_messages, 'after', null);
  end if;
  if v_room > 0 then
    v_seen := v_messages -> (v_room - 1) ->> 'session_id';
    v_seq := v_messages -> (v_room - 1) ->> 'seq';
  end if;
  return v_first || jsonb_build_object('sessions', v_sessions, 'messages', v_messages - v_room, 'after', 'm.' || v_seen || '.' || v_seq);
end
$$;

-- Locks all sessions of a customer, then the customer. Raises a serialization failure when a session was opened or
-- joined meanwhile: the client tries the call again.
create or replace function hub.hold_customer(p_customer uuid) returns uuid[]
language plpgsql volatile as $$
declare
  v_ids constant uuid[] := hub.sessions_of(p_customer);
begin
  perform 1 from public.sessions where session_id = any (v_ids) order by session_id for update;
  perform 1 from public.customers where customer_key = p_customer for update;
  if hub.sessions_of(p_customer) <> v_ids then
    raise exception 'the customer has just changed' using errcode = 'serialization_failure';
  end if;
  return v_ids;
end
$$;

-- Deletes a customer with their identities, codes, passwords and links. The caller holds the customer. Returns the
-- identities: [{kind, value}], strongest first.
create or replace function hub.erase_identities(p_customer uuid) returns jsonb
language plpgsql volatile as $$
declare
  v_identities jsonb;
begin
  select coalesce(jsonb_agg(
      jsonb_build_object('kind', kind, 'value', value)
      order by hub.identity_rank(kind), kind::text collate "C", value collate "C"), '[]')
    into v_identities
    from public.identities where customer_key = p_customer;
  delete from public.codes where phone in (
    select value from public.identities where customer_key = p_customer and kind = 'phone');
  delete from public.links l using public.identities i
    where i.customer_key = p_customer and l.asked_kind = i.kind and l.asked_value = i.value;
  perform hub.drop_identity(kind, value) from public.identities where customer_key = p_customer;
  delete from public.reply_windows where customer_key = p_customer;
  delete from public.customers where customer_key = p_customer;
  return v_identities;
end
$$;

-- Ends the unfinished turns and deliveries of these sessions. The caller holds the sessions' rows.
create or replace function hub.erase_work(p_sessions uuid[]) returns void
language plpgsql volatile as $$
begin
  delete from public.turns where session_id = any (p_sessions) and state in ('pending', 'running');
  update public.turns set address = '{}' where session_id = any (p_sessions) and state = 'dead';
  delete from public.early_events e
    using public.deliveries d join public.messages m on m.message_id = d.message_id
    where m.session_id = any (p_sessions)
      and e.channel = d.channel and e.account = d.account and e.external_id = d.external_id;
  update public.deliveries d
    set address = '{}', content = null, external_id = null,
        status = case when d.state in ('pending', 'sending', 'held') then 'failed' else d.status end,
        code = case when d.state in ('pending', 'sending', 'held') then 'rejected' else d.code end,
        reason = case when d.state in ('pending', 'sending', 'held') then 'erased' else d.reason end,
        state = case when d.state in ('pending', 'sending', 'held') then 'dead' else d.state end
    from public.messages m
    where m.session_id = any (p_sessions) and d.message_id = m.message_id;
end
$$;

-- Empties the messages of these sessions, and keeps hashes of their platforms' ids, so that a redelivery opens no
-- session. The caller holds the sessions' rows. Returns the number of emptied messages.
create or replace function hub.erase_messages(p_sessions uuid[], p_now timestamptz) returns integer
language plpgsql volatile as $$
declare
  v_messages integer;
begin
  insert into public.erased_messages (id_hash, erased_at)
    select distinct hub.id_hash(channel, account, external_id), p_now
    from public.messages
    where session_id = any (p_sessions) and account is not null and external_id is not null
    order by 1
    on conflict (id_hash) do nothing;
  delete from public.early_events e
    using public.messages m
    where m.session_id = any (p_sessions)
      and e.channel = m.channel and e.account = m.account and e.external_id = m.external_id;
  update public.messages
    set kind = 'system', text = '', content = '{"event": "erased"}', revisions = null, external_id = null, reply_to = null, reaction = null,
        status = case when status = 'pending' then 'failed' else status end
    where session_id = any (p_sessions) and not (kind = 'system' and content = '{"event": "erased"}');
  get diagnostics v_messages = row_count;
  return v_messages;
end
$$;

-- Erases a customer's content, identities, bookings and threads and ends their sessions. The rows stay, so that counts stay right. p:
-- {now, actor, customer_id | session_id}. Returns {sessions, messages, session_ids, token_hashes, identities: [{kind,
-- value}]}.
create or replace function public.hub_erase(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_customer constant uuid := hub.customer_of(p);
  v_ids constant uuid[] := hub.hold_customer(v_customer);
  v_known constant boolean := exists (select from public.customers where customer_key = v_customer);
  v_name constant text := (select customer_id from public.customers where customer_key = v_customer);
  v_identities jsonb;
  v_tokens jsonb;
  v_messages integer;
  v_counts jsonb;
begin
  if hub.customer_of(p) is distinct from v_customer then
    raise exception 'the customer has just changed' using errcode = 'serialization_failure';
  end if;
  perform hub.erase_threads(array[p ->> 'customer_id', v_name]);
  perform hub.erase_bookings(v_customer);
  delete from public.model_usage where customer_key = v_customer;
  perform hub.forget_conversations(array[v_customer], v_now);
  v_identities := hub.erase_identities(v_customer);
  perform hub.erase_dispatches(v_customer);
  with dead as (delete from public.session_tokens where session_id = any (v_ids) returning token_hash)
    select coalesce(jsonb_agg(token_hash order by token_hash), '[]') into v_tokens from dead;
  delete from public.links where token_hash in (select jsonb_array_elements_text(v_tokens));
  delete from public.ended_tokens where session_id = any (v_ids);
  perform hub.give_up_uploads(v_ids);
  perform hub.erase_work(v_ids);
  v_messages := hub.erase_messages(v_ids, v_now);
  update public.sessions
    set feedback = null, summary = null, summary_seq = null, rating = null, language = null, language_by = null, data = '{}', metadata = '{}',
        updated_at = v_now,
        version = version + case when status = 'active' then 2 else 1 end,
        ended_at = case when status = 'active' then v_now else ended_at end,
        status = case when status = 'active' then 'logged_out' else status end
    where session_id = any (v_ids);

  v_counts := jsonb_build_object('sessions', coalesce(array_length(v_ids, 1), 0), 'messages', v_messages);
  perform hub.erase_events(v_ids || v_customer, v_customer, v_known, v_name);
  perform hub.add_audit(p ->> 'actor', 'erase', hub.subject_of(p), v_counts, v_now);
  return v_counts || jsonb_build_object('session_ids', to_jsonb(v_ids), 'token_hashes', v_tokens, 'identities', v_identities);
end
$$;

-- Lines of the audit in order. p: {after, limit}. Returns {lines: [{audit_id, at, actor, action, subject, details}]}.
create or replace function public.hub_audit(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('lines', coalesce(jsonb_agg(to_jsonb(a) order by a.audit_id), '[]'))
  from (
    select * from public.audit
    where audit_id > coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000')
    order by audit_id limit (p ->> 'limit')::int
  ) a
$$;
