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
create or replace function hub.shown_upload(p_upload uuid, p_session uuid) returns public.uploads
language sql stable as $$
  select u from public.uploads u
  where upload_id = p_upload and mime_type is not null and (session_id is null or session_id = p_session)
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
    select * into u from public.uploads where upload_id = (p ->> 'id')::uuid and mime_type is not null;
    if u.upload_id is null or p ? 'card' or not (v_anybody or u.session_id = v_session) then
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
    u := hub.shown_upload((v_file ->> 'upload')::uuid, m.session_id);
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
