-- Ratings of sessions by customers.

-- Ends all tokens of a session. Returns their hashes, in order. For a day they may still rate the session.
create or replace function hub.end_tokens(p_session uuid, p_now timestamptz) returns jsonb
language plpgsql volatile as $$
declare
  v_tokens jsonb;
begin
  with dead as (delete from public.session_tokens where session_id = p_session returning token_hash),
    kept as (
      insert into public.ended_tokens (token_hash, session_id, ended_at)
        select token_hash, p_session, p_now from dead order by token_hash
        on conflict (token_hash) do update set session_id = excluded.session_id, ended_at = excluded.ended_at)
    select coalesce(jsonb_agg(token_hash order by token_hash), '[]') into v_tokens from dead;
  return v_tokens;
end
$$;

-- The session that a token may rate: its own, also for a day after it has ended. Null when there is none.
create or replace function hub.ratable_session(p_token_hash text, c hub.context) returns uuid
language sql stable as $$
  select hub.follow(coalesce(
    hub.token_session(p_token_hash, c),
    (select session_id from public.ended_tokens where token_hash = p_token_hash and ended_at + hub.rating_changes_for() > c.now)))
$$;

-- Rates a session. A rating may be changed until a day after the session's end. feedback is unchanged if p has no such key, and
-- removed if it is null. A token rates its own session only. p: {now, kiosk_idle_ms, session_id, token_hash, rating, feedback}. Returns
-- {session_id, rating, feedback}. Refuses session_not_found, session_expired (a token, a day after), forbidden and rating_closed.
create or replace function public.hub_rate(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  c constant hub.context := hub.context_of(p);
  v_id constant uuid := hub.follow((p ->> 'session_id')::uuid);
  v_own constant uuid := hub.ratable_session(p ->> 'token_hash', c);
  v_feedback text;
  v_is_over boolean;
  s public.sessions;
begin
  if p ? 'token_hash' and v_own is null then
    perform hub.refuse('session_not_found');
  elsif p ? 'token_hash' and v_own is distinct from v_id then
    perform hub.refuse('forbidden');
  end if;
  select * into s from public.sessions where session_id = v_id for update;
  if s.session_id is null then
    perform hub.refuse('session_not_found');
  elsif s.merged_into is not null then
    raise exception 'the session has just merged' using errcode = 'serialization_failure';
  end if;
  v_is_over := hub.over_since(s) + hub.rating_changes_for() <= c.now;
  v_feedback := case when p ? 'feedback' then p ->> 'feedback' else s.feedback end;
  if v_is_over and p ? 'token_hash' then
    perform hub.refuse('session_expired');
  elsif v_is_over and s.rating is not null and (s.rating::int, s.feedback) is distinct from ((p ->> 'rating')::int, v_feedback) then
    perform hub.refuse('rating_closed');
  end if;
  update public.sessions
    set rating = (p ->> 'rating')::smallint, feedback = v_feedback, updated_at = greatest(updated_at, c.now)
    where session_id = s.session_id;
  return jsonb_build_object('session_id', s.session_id, 'rating', (p ->> 'rating')::int, 'feedback', v_feedback);
end
$$;

-- When a session ended: its expiry if it expired or is still active, else ended_at. In the future while the session lives.
create or replace function hub.over_since(s public.sessions) returns timestamptz
language sql stable as $$
  select case when s.status in ('active', 'expired') then s.expires_at else s.ended_at end
$$;
