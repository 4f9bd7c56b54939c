-- The files of messages, and uploads. Each call takes one jsonb argument and returns jsonb.

-- The session that a caller may read: that of a live token, or the one with this id. p: {token_hash | session_id}. Refuses
-- session_not_found and session_expired.
create or replace function hub.readable_session(p jsonb, c hub.context) returns uuid
language plpgsql stable as $$
declare
  s public.sessions;
begin
  select * into s from public.sessions where session_id = hub.follow(
    case when p ? 'token_hash' then hub.token_session(p ->> 'token_hash', c) else (p ->> 'session_id')::uuid end);
  if s.session_id is null and p ? 'token_hash' then
    s := hub.session_of_goodbye(p ->> 'token_hash', c.now);
    if s.session_id is not null then
      return s.session_id;
    end if;
  end if;
  if s.session_id is null then
    perform hub.refuse('session_not_found');
  elsif p ? 'token_hash' and (s.status = 'expired' or (s.status = 'active' and s.expires_at <= c.now)) then
    perform hub.refuse('session_expired');
  elsif p ? 'token_hash' and s.status <> 'active' then
    perform hub.refuse('session_not_found');
  end if;
  return s.session_id;
end
$$;

-- The file that a message names: its media, or with p_card the picture of a carousel's card. Null without one.
create or replace function hub.file_of(m public.messages, p_card integer) returns jsonb
language sql stable parallel safe as $$
  select case
    when p_card is null then m.content -> 'media'
    when m.kind = 'carousel' then m.content -> 'cards' -> (p_card - 1) -> 'image'
  end
$$;

-- An upload that a message of this session may show: the shop's, or the session's own. Null when there is none, or when it is not
-- stored whole.
create or replace function hub.shown_upload(p_upload uuid, p_session uuid, p_now timestamptz) returns public.uploads
language sql stable as $$
  select * from public.uploads
  where upload_id = p_upload and mime_type is not null and delete_at > p_now and (session_id is null or session_id = p_session)
$$;

-- What is known of an upload.
create or replace function hub.upload_json(u public.uploads) returns jsonb
language sql stable parallel safe as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'upload', u.upload_id, 'mime_type', u.mime_type, 'file_name', u.file_name, 'size', u.size, 'sha256', u.sha256))
$$;

-- The file of a message, or an upload, for a reader. Without token_hash and session_id the reader may be anybody. p: {now,
-- kiosk_idle_ms, id, card?, token_hash | session_id}. Returns {file: {kind, channel, id | upload, mime_type, file_name, size}}. Refuses
-- not_found, session_not_found and session_expired.
create or replace function public.hub_media(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_anybody constant boolean := not (p ? 'token_hash' or p ? 'session_id');
  v_session constant uuid := case when not v_anybody then hub.readable_session(p, c) end;
  v_file jsonb;
  m public.messages;
  u public.uploads;
begin
  select * into m from public.messages where message_id = (p ->> 'id')::uuid;
  if m.message_id is null then
    select * into u from public.uploads where upload_id = (p ->> 'id')::uuid and mime_type is not null and delete_at > c.now;
    if u.upload_id is null or p ? 'card' or not (v_anybody or coalesce(u.session_id = v_session, false)) then
      perform hub.refuse('not_found');
    end if;
    return jsonb_build_object('file', hub.upload_json(u) || '{"kind": "document", "channel": "web"}');
  end if;
  v_file := hub.file_of(m, (p ->> 'card')::int);
  if not (v_anybody or m.session_id = v_session) or jsonb_typeof(v_file) is distinct from 'object' then
    perform hub.refuse('not_found');
  end if;
  v_file := v_file || jsonb_build_object('kind', m.kind, 'channel', m.channel);
  if v_file ? 'upload' then
    u := hub.shown_upload((v_file ->> 'upload')::uuid, m.session_id, c.now);
    if u.upload_id is null then
      perform hub.refuse('media_expired');
    end if;
    return jsonb_build_object('file', v_file || hub.upload_json(u));
  elsif not v_file ? 'id' then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('file', v_file);
end
$$;

-- Begins an upload: for the session of a token or with an id, or without either for the shop. The row is the sweep's if the file never
-- arrives. p: {now, kiosk_idle_ms, token_hash | session_id, author, delete_at, most}. Returns {upload_id}. Refuses
-- session_not_found, session_expired, and too_many_requests for a session with p.most uploads within a day.
create or replace function public.hub_begin_upload(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_id constant uuid := hub.uuid(c.now);
  s public.sessions;
begin
  if p ? 'token_hash' or p ? 'session_id' then
    s := hub.find_live(p ->> 'token_hash', (p ->> 'session_id')::uuid, c);
    if (select count(*) from (
        select from public.uploads
        where session_id = s.session_id and created_at > c.now - interval '1 day' limit (p ->> 'most')::int) u) >= (p ->> 'most')::int
    then
      perform hub.refuse('too_many_requests', '{"retry_after_ms": 3600000}');
    end if;
  end if;
  insert into public.uploads (upload_id, session_id, author, created_at, delete_at)
    values (v_id, s.session_id, p ->> 'author', c.now, (p ->> 'delete_at')::timestamptz);
  return jsonb_build_object('upload_id', v_id);
end
$$;

-- Says that an upload's file is stored. p: {upload_id, now, mime_type, file_name, size, sha256, delete_at}. Returns {file}. Refuses
-- not_found for one that was erased or given up meanwhile.
create or replace function public.hub_finish_upload(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  u public.uploads;
begin
  update public.uploads
    set mime_type = p ->> 'mime_type', file_name = p ->> 'file_name', size = (p ->> 'size')::bigint, sha256 = p ->> 'sha256',
        delete_at = (p ->> 'delete_at')::timestamptz
    where upload_id = (p ->> 'upload_id')::uuid and delete_at > (p ->> 'now')::timestamptz
    returning * into u;
  if u.upload_id is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('file', hub.upload_json(u));
end
$$;

-- Takes a session's upload for a message of that session: it is kept as long as the session. p: {now, kiosk_idle_ms, upload_id,
-- token_hash | session_id}. Returns {file}. Refuses not_found, also for somebody else's, session_not_found and session_expired.
create or replace function public.hub_claim_upload(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  s constant public.sessions := hub.find_live(p ->> 'token_hash', (p ->> 'session_id')::uuid, c);
  u public.uploads;
begin
  update public.uploads set used_at = c.now, delete_at = 'infinity'
    where upload_id = (p ->> 'upload_id')::uuid and session_id = s.session_id and mime_type is not null and delete_at > c.now
    returning * into u;
  if u.upload_id is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('file', hub.upload_json(u));
end
$$;

-- Reads an upload that is sent to a platform. The shop's is kept for longer by that. p: {now, upload_id, session_id, place, delete_at}.
-- Returns {file}, with platform_id where the platform has the file already. Refuses not_found.
create or replace function public.hub_send_upload(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  u public.uploads;
  v_known jsonb;
begin
  update public.uploads
    set used_at = v_now, delete_at = greatest(delete_at, case when session_id is null then (p ->> 'delete_at')::timestamptz else 'infinity' end)
    where upload_id = (p ->> 'upload_id')::uuid and mime_type is not null and delete_at > v_now
      and (session_id is null or session_id = hub.follow((p ->> 'session_id')::uuid))
    returning * into u;
  if u.upload_id is null then
    perform hub.refuse('not_found');
  end if;
  v_known := u.platform_ids -> (p ->> 'place');
  return jsonb_build_object('file', hub.upload_json(u) || case
    when v_known is not null and coalesce((v_known ->> 'until')::timestamptz > v_now, true)
    then jsonb_build_object('platform_id', v_known -> 'id') else '{}' end);
end
$$;

-- Keeps a platform's own id of an upload, or forgets it without p.id. p: {upload_id, place, id, until}. Returns {}.
create or replace function public.hub_keep_platform_id(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.uploads
    set platform_ids = case when p ->> 'id' is null then platform_ids - (p ->> 'place')
      else platform_ids || jsonb_build_object(p ->> 'place', jsonb_strip_nulls(jsonb_build_object('id', p -> 'id', 'until', p -> 'until'))) end
    where upload_id = (p ->> 'upload_id')::uuid;
  return '{}';
end
$$;

-- Uploads that are over, oldest first. p: {now, limit}. Returns {upload_ids}. Their files are deleted first, then
-- hub_drop_uploads deletes the rows.
create or replace function public.hub_uploads_over(p jsonb) returns jsonb
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  select jsonb_build_object('upload_ids', coalesce(jsonb_agg(upload_id), '[]')) from (
    select upload_id from public.uploads
    where delete_at < 'infinity' and delete_at <= (p ->> 'now')::timestamptz
    order by delete_at limit (p ->> 'limit')::int) u
$$;

-- Deletes rows of uploads whose files are deleted. p: {now, upload_ids}. Returns {}.
create or replace function public.hub_drop_uploads(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from public.uploads where upload_id in (
    select upload_id from public.uploads
    where upload_id in (select jsonb_array_elements_text(p -> 'upload_ids')::uuid) and delete_at <= (p ->> 'now')::timestamptz
    order by upload_id for update skip locked);
  return '{}';
end
$$;

-- Deletes an upload with the next sweep. p: {now, upload_id, actor}. Returns {deleted}: whether it was there.
create or replace function public.hub_delete_upload(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.uploads set delete_at = '-infinity'
    where upload_id = (p ->> 'upload_id')::uuid and delete_at > (p ->> 'now')::timestamptz;
  if not found then
    return '{"deleted": false}';
  end if;
  perform hub.add_audit(p ->> 'actor', 'upload.delete', 'upload:' || (p ->> 'upload_id'), '{}', (p ->> 'now')::timestamptz);
  return '{"deleted": true}';
end
$$;

-- Gives up all uploads of these sessions. The caller holds the sessions' rows, so none is begun meanwhile.
create or replace function hub.give_up_uploads(p_sessions uuid[]) returns void
language sql volatile as $$
  update public.uploads set delete_at = '-infinity', file_name = null where session_id = any (p_sessions)
$$;

-- Gives up the customers' uploads that these messages name.
create or replace function hub.give_up_uploads_of(p_messages uuid[]) returns void
language sql volatile as $$
  update public.uploads set delete_at = '-infinity'
  where session_id is not null and upload_id in (
    select (content -> 'media' ->> 'upload')::uuid from public.messages
    where message_id = any (p_messages) and content -> 'media' ? 'upload')
$$;
